"""One writer at a time: a lock file beside the warehouse that names its holder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from olistctl.errors import BusyError
from olistctl.warehouse.faults import refused


@contextmanager
def writer_lock(state_dir: Path, command: str, wait_seconds: float = 0) -> Iterator[None]:
    """Hold the warehouse for writing; the operating system frees it when the process dies.

    Raises:
        BusyError: another olistctl still holds it after `wait_seconds`.
        EnvironmentFault: the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    holder = state_dir / "holder.json"
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        lock = FileLock(state_dir / "lock")
        lock.acquire(timeout=wait_seconds)
    except Timeout:
        raise BusyError(
            f"another olistctl is writing to the warehouse: {_describe(holder)}",
            where=str(state_dir),
            hint="wait for it to end, or let this command wait: --wait SECONDS",
        ) from None
    except OSError as error:
        raise refused("the warehouse cannot be locked", error, state_dir) from None
    try:
        try:
            holder.write_text(json.dumps({"pid": os.getpid(), "command": command, "since": _now()}))
        except OSError as error:
            raise refused("the warehouse cannot be locked", error, state_dir) from None
        yield
    finally:
        with suppress(OSError):
            holder.unlink()
        lock.release()


def holder_is_alive(state_dir: Path) -> bool:
    """Tell whether a process of olistctl holds the warehouse for writing right now."""
    try:
        pid = json.loads((state_dir / "holder.json").read_text())["pid"]
        os.kill(pid, 0)
    except PermissionError:  # it lives, as another user
        return True
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True


def holder_of(state_dir: Path) -> str | None:
    """Return which process holds the warehouse for writing right now, with its command and since when; None: none."""
    return _describe(state_dir / "holder.json") if holder_is_alive(state_dir) else None


def _describe(holder: Path) -> str:
    try:
        who = json.loads(holder.read_text())
        return f"process {who['pid']} (`olistctl {who['command']}`) since {who['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that has just started"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
