"""Run olistctl in this process and kill it at the n-th thing that it does to the files of a folder.

    python killer.py FOLDER NUMBER NOTES ARGUMENT...

The process dies by SIGKILL just before that thing happens. Nothing of olistctl is changed: Python itself tells what it
is about to do (`sys.addaudithook`), and `os.fsync`, which it is silent about, is announced by a wrapper. NOTES gets a
line for each thing, so that a run with NUMBER 0, which never dies, lists them.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

EVENTS = {"open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "shutil.copyfile", "shutil.rmtree"}

_folder, _number, _notes = sys.argv[1], int(sys.argv[2]), sys.argv[3]
_seen = 0
_fsync = os.fsync


def _happens(event: str, path: str) -> None:
    global _seen
    _seen += 1
    with os.fdopen(os.open(_notes, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "w") as notes:
        notes.write(f"{event} {path}\n")
    if _seen == _number:
        os.kill(os.getpid(), signal.SIGKILL)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event in EVENTS and arguments and isinstance(arguments[0], (str, os.PathLike)):
        path = os.fspath(arguments[0])
        if isinstance(path, str) and path.startswith(_folder) and not path.startswith(_folder + "source"):
            _happens(event, path[len(_folder) :])


def _announced_fsync(descriptor: Any) -> None:
    _happens("fsync", str(Path(f"/proc/self/fd/{descriptor}").readlink())[len(_folder) :])
    _fsync(descriptor)


def _no_link(*arguments: Any, **options: Any) -> None:
    raise PermissionError(1, "Operation not permitted")


if os.environ.get("TORTURE_NO_LINKS"):  # a file system that knows no hard links
    os.link = _no_link
sys.argv = ["olistctl", *sys.argv[4:]]
os.fsync = _announced_fsync  # type: ignore[assignment]
sys.addaudithook(_hear)
runpy.run_module("olistctl", run_name="__main__")
