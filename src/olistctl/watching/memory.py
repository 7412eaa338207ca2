"""What was seen before a watcher began: kept beside the warehouse by the one before it, or told by the warehouse."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from olistctl.drafts import written
from olistctl.loading import FileState
from olistctl.watching.folder import Listing, Mark

_GONE: Mark = (0, 0, 0, 0)  # of a file that was loaded and is not there


def remember(folder: Path, listing: Listing) -> None:
    """Keep a listing; where it cannot be written, the next watcher finds out by content what is news."""
    with suppress(OSError), written(_file(folder)) as draft:
        text = json.dumps({"files": listing.files, "marker": listing.marker})
        draft.write_text(text, encoding="utf-8", errors="surrogatepass")


def recall(folder: Path) -> Listing | None:
    """Return the listing that was kept; None if there is none, or it cannot be read."""
    with suppress(OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
        kept = json.loads(_file(folder).read_text(encoding="utf-8", errors="surrogatepass"))
        files = {name: _mark(mark) for name, mark in kept["files"].items()}
        return Listing(files, _mark(kept["marker"]) if kept["marker"] else None)
    return None


def known(states: Sequence[FileState], files: Mapping[str, Mark]) -> Listing:
    """Return a listing of the files that the warehouse knows by content, and of those that are gone since."""
    marks: dict[str, Mark] = {}
    for state in states:
        if state.file not in files:
            marks |= {state.file: _GONE} if state.is_news else {}
        elif not state.is_news:
            marks[state.file] = files[state.file]
    return Listing(marks)


def _mark(numbers: list[int]) -> Mark:
    inode, size, changed, touched = map(int, numbers)
    return inode, size, changed, touched


def _file(folder: Path) -> Path:
    return folder / "taken.json"
