"""Run a child process to its end and say what it and all its own children cost."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TAIL = 2_000  # characters of a failed child's output that are shown
# Linux counts the peak in KiB, macOS in bytes.
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Usage:
    """What one child process cost, from its start to its end.

    `cpu` is user and system time of the whole process tree. `peak_mb` is the largest resident memory of all processes
    of that tree together, pages that they share counted for each; of a single process where the system does not tell.
    `others` is how many cores everything else on the machine kept busy meanwhile; None where the system does not tell.
    """

    wall: float
    cpu: float
    peak_mb: float
    others: float | None


class ChildFailed(Exception):
    """A child process did not end with 0; the message holds the end of its output."""


def run_child(argv: Sequence[str], *, folder: Path, environment: Mapping[str, str], output: Path) -> Usage:
    """Run a command with its standard output in `output` and its standard error in `output` + `.err`.

    The kernel lets a child inherit this process's own peak memory as a lower bound, so this process must stay
    small: no DuckDB, no dbt, no rich before the last measurement.

    Raises:
        ChildFailed: its exit code is not 0.
    """
    errors = output.with_name(output.name + ".err")
    with output.open("wb") as out, errors.open("wb") as err:
        busy_before = _busy_seconds()
        started = time.perf_counter()
        process = subprocess.Popen(argv, cwd=folder, env=dict(environment), stdout=out, stderr=err)
        try:
            with _MemoryOfAll(process.pid) as memory:
                _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall = time.perf_counter() - started
        busy = _busy_seconds()
    process.returncode = os.waitstatus_to_exitcode(status)  # wait4 has taken it from Popen
    if process.returncode:
        tail = "\n".join(file.read_text(encoding="utf-8", errors="replace")[-_TAIL:] for file in (output, errors))
        raise ChildFailed(f"`{' '.join(argv)}` in {folder} ended with {process.returncode}:\n{tail}")
    cpu = usage.ru_utime + usage.ru_stime
    others = None if busy is None or busy_before is None else max((busy - busy_before - cpu) / wall, 0.0)
    return Usage(wall, cpu, max(usage.ru_maxrss * _PEAK_UNIT, memory.peak) / 1e6, others)


class _MemoryOfAll:
    """Looks, 20 times a second, at what a process and all below it hold in memory together, if /proc tells."""

    def __init__(self, pid: int) -> None:
        self.peak = 0  # bytes
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> _MemoryOfAll:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            self.peak = max(self.peak, _memory_of(self._pid))


def _memory_of(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        below = [
            int(child)
            for children in Path(f"/proc/{pid}/task").glob("*/children")
            for child in children.read_text(encoding="ascii").split()
        ]
    except (OSError, ValueError, IndexError):  # it has just ended, or the system has no /proc
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(_memory_of(child) for child in below)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _busy_seconds() -> float | None:
    """Return the seconds that all cores together have been busy since the machine started, if /proc tells."""
    try:
        with Path("/proc/stat").open(encoding="ascii") as stream:
            user, nice, system, _idle, _iowait, *interrupts = map(int, stream.readline().split()[1:8])
    except (OSError, ValueError):
        return None
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")
