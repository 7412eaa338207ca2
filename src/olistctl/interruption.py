"""Ctrl-C and SIGTERM: noted when they come, so that whatever they turn into is known for what it is.

DuckDB makes a RuntimeError of an interrupted statement, a library may swallow an exception: what was noted stays.
"""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from olistctl.errors import ExitCode, Interrupted

_noted: list[int] = []
_held = False
_is_put_off = False  # the next call of the handler is the timer's, not the user's


def listen() -> None:
    """Note both signals from here on, and interrupt the work; the second one ends the process at once."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _note)
    sys.unraisablehook = _unraisable


@contextmanager
def listening() -> Iterator[None]:
    """Note both signals for a while, in the process of another program that has handlers of its own.

    In a thread nothing is noted: signals are for the main one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _noted.clear()


def makes_duckdb(frame: FrameType | None) -> bool:
    """Tell whether DuckDB's module is just being imported: an exception there makes its binding end the process."""
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") == "duckdb":
            return True
        frame = frame.f_back
    return False


def ignore_from_now() -> None:
    """Let a late signal end the process in silence: its work and its words are done."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def leave(code: int) -> NoReturn:
    """End the process with a code, now.

    Python would wait for threads, and end by the signal itself where it was compiling when Ctrl-C came. What it does at
    exit beside that is done: the log is closed.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def stopped(hint: str | None = None) -> Interrupted | None:
    """Return the interruption that was noted, if there was one."""
    if not _noted:
        return None
    terminated = _noted[0] == signal.SIGTERM
    error = Interrupted("terminated" if terminated else "interrupted", hint=hint)
    error.exit_code = ExitCode.TERMINATED if terminated else ExitCode.INTERRUPTED
    return error


@contextmanager
def held() -> Iterator[None]:
    """Put an interruption off until a short piece of work is done that must not end in the middle."""
    global _held
    _held = True
    try:
        yield
    finally:
        _held = False
    if _noted:
        raise KeyboardInterrupt


def _note(signum: int, frame: FrameType | None) -> None:
    global _is_put_off
    if _is_put_off:
        _is_put_off = False
    else:
        _noted.append(signum)
    if _held:
        return
    if makes_duckdb(frame):
        _is_put_off = True
        threading.Timer(0.05, _again, [signum]).start()
        return
    if len(_noted) > 1:  # whoever asks twice does not want to wait, and a kill leaves nothing that matters
        os._exit(128 + signum)
    raise KeyboardInterrupt


def _again(signum: int) -> None:
    if hasattr(signal, "pthread_kill") and (main := threading.main_thread().ident):
        signal.pthread_kill(main, signum)  # wakes it from whatever it waits for
    else:
        _thread.interrupt_main(signal.Signals(signum))


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Say nothing of an interruption that came up in a destructor, where Python drops it: it was noted."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
