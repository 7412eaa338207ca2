"""What was told, in a small file beside the warehouse; one that is lost or damaged only means telling again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from olistctl import logs
from olistctl.drafts import written

log = logs.get_logger(__name__)


@dataclass(frozen=True)
class Memory:
    """What the channels know.

    `alerts` holds when an alert was sent (POSIX seconds) by its fingerprint, `tickets` the test of each ticket that was
    told as open, by its key, and `found` the fingerprints of what was told of it. `owes`: something of the tickets
    could not be told.
    """

    alerts: Mapping[str, float] = field(default_factory=dict)
    tickets: Mapping[str, str] = field(default_factory=dict)
    owes: bool = False
    found: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def recall(folder: Path) -> Memory:
    """Return what was told so far; nothing where that cannot be read."""
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        said = json.loads(_file(folder).read_text(encoding="utf-8"))
        alerts = {str(key): float(at) for key, at in said["alerts"].items()}
        tickets = {str(key): str(test) for key, test in said["tickets"].items()}
        found = {str(key): tuple(map(str, prints)) for key, prints in said["found"].items()}
        return Memory(alerts, tickets, bool(said["owes"]), found)
    return Memory()


def remember(folder: Path, memory: Memory) -> None:
    """Keep what was told; a disk that is full is no reason to fail."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with written(_file(folder)) as draft:
            draft.write_text(json.dumps(asdict(memory), indent=1), encoding="utf-8")
    except OSError as error:
        log.warning("notifications: what was sent cannot be noted: %s", error.strerror)


@contextmanager
def one_at_a_time(folder: Path, wait_seconds: float) -> Iterator[None]:
    """Keep two runs that end together from telling the same twice; one that waits too long goes on all the same."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / "notify.lock")
    with suppress(Timeout, OSError):
        lock.acquire(timeout=wait_seconds)
    try:
        yield
    finally:
        lock.release()


def now() -> float:
    """Return the time in POSIX seconds."""
    return datetime.now(UTC).timestamp()


def _file(folder: Path) -> Path:
    return folder / "notify.json"
