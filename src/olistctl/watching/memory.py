"""What the last run of a watcher has seen, kept beside the warehouse for the watcher that comes after it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from olistctl.drafts import written
from olistctl.watching.folder import Listing, Mark


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


def _mark(numbers: list[int]) -> Mark:
    inode, size, changed, touched = map(int, numbers)
    return inode, size, changed, touched


def _file(folder: Path) -> Path:
    return folder / "taken.json"
