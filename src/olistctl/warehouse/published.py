"""Which files olistctl has published, so that a change by another program is seen."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from olistctl.drafts import written

_REMEMBERED = 50  # more than the versions that anybody keeps


def note_published(file: Path, state_dir: Path) -> None:
    """Note a file that is about to be published: a rename keeps its size and its time.

    Where the note cannot be written, the file will count as changed, which costs time and nothing else.
    """
    with suppress(OSError):
        known = [_mark(file), *_known(state_dir)]
        with written(_note(state_dir)) as draft:
            draft.write_text(json.dumps(known[:_REMEMBERED]), encoding="utf-8")


def is_as_published(file: Path, state_dir: Path) -> bool:
    """Tell whether a warehouse, or a version of it, is as olistctl has left it; False where that is not known."""
    try:
        return _mark(file) in _known(state_dir) and not file.with_name(file.name + ".wal").exists()
    except OSError:
        return False


def _mark(file: Path) -> list[int]:
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]


def _known(state_dir: Path) -> list[list[int]]:
    with suppress(OSError, ValueError, RecursionError):
        known = json.loads(_note(state_dir).read_text(encoding="utf-8"))
        return known if isinstance(known, list) else []
    return []


def _note(state_dir: Path) -> Path:
    return state_dir / "published.json"
