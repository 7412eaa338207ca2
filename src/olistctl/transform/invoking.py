"""One call of dbt in this process: its signals, and the file that it must let go of."""

from __future__ import annotations

import _thread
import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from types import FrameType
from typing import Any

from olistctl.errors import ExitCode, Interrupted
from olistctl.interruption import makes_duckdb


def invoke(arguments: Sequence[str], callback: Callable[[Any], None] | None = None, manifest: Any = None) -> Any:
    """Call dbt in this process; with a manifest, which it will change, it parses nothing.

    Raises:
        Interrupted: the user asked to stop.
    """
    with stoppable(), _uncollected():
        return _invoke(arguments, callback, manifest)


@contextmanager
def stoppable() -> Iterator[None]:
    """Stop dbt's work, its import included, when a signal comes, whatever it makes of the interruption.

    Raises:
        Interrupted: the user asked to stop.
    """
    noted: list[int] = []
    try:
        with _noting_signals(noted):
            yield
    except BaseException as error:
        if not noted and not isinstance(error, KeyboardInterrupt):
            raise
        raise _stopped(noted) from error
    if noted:
        raise _stopped(noted)


def _invoke(arguments: Sequence[str], callback: Callable[[Any], None] | None, manifest: Any) -> Any:
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    try:
        return dbtRunner(manifest=manifest, callbacks=[callback] if callback else []).invoke([*arguments])
    finally:
        # Otherwise the adapter keeps the file locked until the process ends.
        DuckDBConnectionManager.close_all_connections()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Let no garbage be collected: looking for cycles in all that dbt holds costs a sixth of its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _noting_signals(noted: list[int]) -> Iterator[None]:
    """Note Ctrl-C and SIGTERM and interrupt; dbt may swallow the interruption or make a failure of it."""
    ended = threading.Event()

    def note(signum: int, frame: FrameType | None) -> None:
        if not noted:
            threading.Thread(target=_insist, args=(signum, ended), daemon=True).start()
        noted.append(signum)
        if not ended.is_set() and not makes_duckdb(frame):  # it is asked again
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        ended.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def _insist(signum: int, ended: threading.Event) -> None:
    """Cancel dbt's statements, and interrupt it, until it ends.

    dbt cancels once, and waits for a statement that began a moment later; an interruption that comes up in a
    destructor, or while a module is imported that wants to do without another, is lost.
    """
    for seconds in chain((0.2, 0.2), repeat(0.5)):
        if ended.wait(seconds):
            return
        with suppress(Exception):  # a connection that closes just now, or dbt half imported
            for adapter in list(sys.modules["dbt.adapters.factory"].FACTORY.adapters.values()):
                adapter.connections.cancel_open()
        if seconds == 0.5:
            _thread.interrupt_main(signal.Signals(signum))


def _stopped(noted: Sequence[int]) -> Interrupted:
    stopped = Interrupted("stopped while dbt was running", hint="nothing was published")
    if noted and noted[0] == signal.SIGTERM:
        stopped.exit_code = ExitCode.TERMINATED
    return stopped
