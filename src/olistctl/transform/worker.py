"""What `process.DbtProcess` starts: it does what it is asked to, one request after the other, until nobody asks."""

from __future__ import annotations

import gc
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

from olistctl.errors import OlistctlError
from olistctl.results import Progress
from olistctl.transform.compiling import compile_project
from olistctl.transform.dbt import prepare_dbt, project_manifest, run_dbt

_SHOWS_PROGRESS = ("run_dbt", "compile_project")


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


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "prepare_dbt": prepare_dbt,
    "run_dbt": run_dbt,
    "compile_project": compile_project,
    "project_manifest": project_manifest,
}


def main() -> None:
    """Answer requests on standard input until it ends, which is when the process that asks is gone."""
    for number in (signal.SIGINT, signal.SIGTERM):  # who asks is asked to stop, too, and ends this process
        signal.signal(number, signal.SIG_IGN)
    gc.disable()  # looking for cycles in all that dbt holds costs a sixth of its time
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a macro or a library prints is no answer
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    while True:
        function, arguments, options = requests.get()
        if function in _SHOWS_PROGRESS:
            options["progress"] = _ToldProgress(answers)
        try:
            answer = ("done", _FUNCTIONS[function](*arguments, **options))
        except Exception as error:
            answer = ("failed", _portable(error))
        _tell(answers, *answer)


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


if __name__ == "__main__":
    main()
