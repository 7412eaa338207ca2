"""Work in a process of its own: a library that is slow to import, that prints, or that is to end at once when it is to.

One side is a `Worker`, which asks; the other a module whose main function calls `serve`.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Collection, Mapping
from typing import Any, BinaryIO, NoReturn

from olistctl.errors import OlistctlError
from olistctl.results import Progress


class WorkerEnded(Exception):
    """The process ended before it had answered; `code` is its exit code, below zero the signal that ended it."""

    def __init__(self, code: int) -> None:
        super().__init__(f"by signal {-code}" if code < 0 else f"with exit code {code}")
        self.code = code


class Worker:
    """A process that does what it is asked to, one request after the other; it starts with the first one.

    It is for one thread, and knows no answer of an earlier process. `flags` are Python's; what a silent one prints goes
    nowhere.
    """

    def __init__(self, module: str, *flags: str, is_silent: bool = False) -> None:
        # -P: without the current folder among the places that modules are imported from
        self._command = [sys.executable, "-P", *flags, "-m", module]
        self._stderr = subprocess.DEVNULL if is_silent else None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_alive(self) -> bool:
        """Tell whether the process has started and not ended."""
        return self._process is not None and self._process.poll() is None

    def send(self, function: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        """Ask for a call of one of the functions that are served.

        Raises:
            WorkerEnded: the process is gone.
        """
        if self._process is None:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                process_group=0,  # Ctrl-C in a terminal is for this process, which knows what to do
            )
        assert self._process.stdin
        try:
            pickle.dump((function, arguments, options), self._process.stdin)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def answer(self, progress: Progress) -> tuple[str, Any]:
        """Wait for the next answer, "done" or "failed" with what came of it, and tell the progress that comes before.

        Raises:
            WorkerEnded: the process ended without one.
        """
        assert self._process and self._process.stdout
        while True:
            try:
                kind, content = pickle.load(self._process.stdout)
            except (EOFError, pickle.UnpicklingError):
                raise self._ended() from None
            if kind != "progress":
                return kind, content
            method, arguments = content
            getattr(progress, method)(*arguments)

    def close(self) -> None:
        """End the process, whatever it is doing."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        process.communicate()

    def _ended(self) -> WorkerEnded:
        assert self._process
        return WorkerEnded(self._process.wait())


def serve(functions: Mapping[str, Callable[..., Any]], shows_progress: Collection[str]) -> NoReturn:
    """Answer requests on standard input until it ends, which is when the process that asks is gone.

    The functions in `shows_progress` get a `progress`, which the other process draws.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # who asks is asked to stop, too, and ends this process
        signal.signal(number, signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a macro or a library prints is no answer
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    while True:
        function, arguments, options = requests.get()
        if function in shows_progress:
            options["progress"] = _ToldProgress(answers)
        try:
            answer = ("done", functions[function](*arguments, **options))
        except Exception as error:
            answer = ("failed", _portable(error))
        _tell(answers, *answer)


class _ToldProgress(Progress):
    """Progress that the other process draws."""

    def __init__(self, answers: BinaryIO) -> None:
        self._answers = answers

    def start(self, label: str, total: float | None = None) -> None:
        _tell(self._answers, "progress", ("start", (label, total)))

    def advance(self, amount: float = 1, doing: str | None = None) -> None:
        _tell(self._answers, "progress", ("advance", (amount, doing)))

    def finish(self) -> None:
        _tell(self._answers, "progress", ("finish", ()))


def _listen(requests: queue.SimpleQueue[Any]) -> None:
    while True:
        try:
            requests.put(pickle.load(sys.stdin.buffer))
        except (EOFError, pickle.UnpicklingError):
            os._exit(0)  # in mid-work, too: nobody is there to hear of it


def _tell(answers: BinaryIO, kind: str, content: Any) -> None:
    answers.write(pickle.dumps((kind, content)))
    answers.flush()


def _portable(error: Exception) -> Exception:
    """Return an error as another process can have it: a bug with its traceback, which only this one knows."""
    if isinstance(error, OlistctlError):
        return error
    bug = RuntimeError(f"{type(error).__name__}: {error}")
    bug.add_note("".join(traceback.format_exception(error)))
    return bug
