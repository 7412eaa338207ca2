"""Files that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def written(file: Path) -> Iterator[Path]:
    """Give a draft beside a file, which takes its place at the end; after an error nothing of it stays.

    Raises:
        OSError: the draft cannot take the file's place.
    """
    draft = file.with_name(f"{file.name[:40]}.tmp")  # a name may be as long as the file system allows
    try:
        yield draft
        draft.replace(file)
    except BaseException as error:
        if isinstance(error, OSError):
            error.filename = error.filename or str(draft)  # a write that fails names no file
        with suppress(OSError):
            draft.unlink()
        raise
