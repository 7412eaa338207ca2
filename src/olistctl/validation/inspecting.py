"""Look at all files of a delivery, two at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from olistctl.reading import Inspection, inspect_file
from olistctl.results import NoProgress, Progress
from olistctl.sources import SourceFile

# Hashing and reading leave the interpreter lock, counting does not: more than two gain nothing.
_READERS = 2


def inspect_all(files: Sequence[SourceFile], progress: Progress | None = None) -> tuple[Inspection, ...]:
    """Inspect every file and return the results in the order of `files`."""
    progress = progress or NoProgress()
    progress.start("Reading", sum(_size(file) for file in files))
    is_over = threading.Event()

    def on_bytes(amount: int) -> None:
        if is_over.is_set():  # interrupted: nobody waits for the rest of a large file
            raise InterruptedError  # which ends the inspection as any error of reading does
        with _ends(is_over):
            progress.advance(amount)

    try:
        with ThreadPoolExecutor(_READERS) as pool, _ends(is_over):
            return tuple(pool.map(lambda file: inspect_file(file, on_bytes), files))
    finally:
        progress.finish()


@contextmanager
def _ends(is_over: threading.Event) -> Iterator[None]:
    """Set `is_over` where the block is left by an exception, in whichever thread it comes up."""
    try:
        yield
    except BaseException:
        is_over.set()
        raise


def _size(file: SourceFile) -> int:
    try:
        return file.path.stat().st_size if file.exists else 0
    except OSError:
        return 0
