"""Look at all files of a delivery, two at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial

from olistctl import logs
from olistctl.reading import Inspection, inspect_file
from olistctl.results import NoProgress, Progress
from olistctl.sources import SourceFile
from olistctl.warehouse import share_out
from olistctl.workers import Worker, WorkerEnded

log = logs.get_logger(__name__)

# Counting holds the interpreter's lock, so a second reader is worth most with an interpreter of its own; which takes as
# long to start as to read so many bytes.
_WORTH_A_PROCESS = 16 << 20

_OnBytes = Callable[[int], None]
_Reader = Callable[[SourceFile, _OnBytes], Inspection]


def inspect_all(files: Sequence[SourceFile], progress: Progress | None = None) -> tuple[Inspection, ...]:
    """Inspect every file and return the results in the order of `files`."""
    progress = progress or NoProgress()
    is_over = threading.Event()

    def on_bytes(amount: int) -> None:
        if is_over.is_set():  # interrupted: nobody waits for the rest of a large file
            raise InterruptedError  # which ends the inspection as any error of reading does
        progress.advance(amount)

    sizes = [_size(file) for file in files]
    largest_first = sorted(range(len(files)), key=lambda number: -sizes[number])
    worker = Worker("olistctl.reading.worker", is_silent=True)
    second = partial(_inspect_beside, worker) if sum(sizes) >= _WORTH_A_PROCESS else inspect_file
    readers: tuple[_Reader, _Reader] = inspect_file, second
    progress.start("Reading", sum(sizes))
    try:
        inspected = share_out(
            readers,
            lambda read, number: (number, read(files[number], on_bytes)),
            largest_first,
            interrupt=lambda _: is_over.set(),
        )
    finally:
        worker.close()
        progress.finish()
    found = dict(inspected)
    return tuple(found[number] for number in range(len(files)))


def _inspect_beside(worker: Worker, file: SourceFile, on_bytes: _OnBytes) -> Inspection:
    """Let a process of its own look at the file; one that cannot be had, for want of memory say, is done without."""
    passed = _Passed(on_bytes)
    try:
        worker.send("inspect", (file,), {})
    except (WorkerEnded, OSError) as error:
        return _without(error, file, on_bytes)
    try:
        kind, content = worker.answer(passed)
    except WorkerEnded as error:
        on_bytes(-passed.bytes)
        return _without(error, file, on_bytes)
    if kind == "failed":
        raise content
    assert isinstance(content, Inspection)
    return content


def _without(error: Exception, file: SourceFile, on_bytes: _OnBytes) -> Inspection:
    log.warning("the second process that reads files cannot be used: %s", error)
    return inspect_file(file, on_bytes)


class _Passed(NoProgress):
    """Progress that is passed on to a function; `bytes` is its sum."""

    def __init__(self, on_bytes: _OnBytes) -> None:
        self._on_bytes = on_bytes
        self.bytes = 0

    def advance(self, amount: float = 1, doing: str | None = None) -> None:
        self._on_bytes(int(amount))
        self.bytes += int(amount)


def _size(file: SourceFile) -> int:
    try:
        return file.path.stat().st_size if file.exists else 0
    except OSError:
        return 0
