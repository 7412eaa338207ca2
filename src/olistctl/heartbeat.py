"""The heartbeat of a watcher: a file beside the warehouse that says whether it lives, and what it does."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from olistctl.drafts import written
from olistctl.warehouse import holder_is_alive

BEAT_SECONDS = 10.0
_LATE_SECONDS = 6 * BEAT_SECONDS


@dataclass(frozen=True)
class WatcherState:
    """What a watcher says of itself; times are UTC, as ISO texts.

    `state`: waiting, running, retrying, stopped. `is_alive` is what the reader adds: its process lives; `is_late`: it
    lives and has not said so for a minute.
    """

    pid: int
    started_at: str
    beat_at: str
    source_dir: str
    state: str
    watches_by: str  # events, or looking
    waiting_for: tuple[str, ...] = ()
    deliveries: int = 0
    failures: int = 0
    last_run_id: str | None = None
    last_status: str | None = None
    last_rows: int | None = None
    last_seconds: float | None = None
    last_at: str | None = None
    failure: str | None = None  # since the last run that went well
    failed_at: str | None = None
    next_try_at: str | None = None
    is_alive: bool = False
    is_late: bool = False

    @property
    def is_gone(self) -> bool:
        """Tell whether its process ended without a word."""
        return self.state != "stopped" and not self.is_alive

    @property
    def summary(self) -> str:
        """Whether it lives, and what it does."""
        if self.state == "stopped":
            return f"no watcher: the last one ended at {utc(self.beat_at)} UTC"
        said = f"last heard at {utc(self.beat_at)} UTC"
        if self.is_gone:
            return f"no watcher: process {self.pid} is gone without a word, {said}"
        if self.is_late:
            return f"the watcher (process {self.pid}) lives, but does not respond: {said}"
        waits = f" for {'; '.join(self.waiting_for)}" if self.waiting_for else ""
        return f"a watcher (process {self.pid}) is {self.state}{waits}"


class Heartbeat:
    """Writes the state at every change and every few seconds; a disk that is full is no reason to stop."""

    def __init__(self, folder: Path, state: WatcherState) -> None:
        self._folder = folder
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self.state = state

    def __enter__(self) -> Heartbeat:
        self.update()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.update(state="stopped", waiting_for=(), next_try_at=None)

    def update(self, **changes: Any) -> None:
        """Change the state, and write it."""
        with self._guard:
            self.state = replace(self.state, **changes, beat_at=now())
            with suppress(OSError):
                self._folder.mkdir(parents=True, exist_ok=True)  # somebody may have tidied up
            with suppress(OSError), written(_file(self._folder)) as draft:
                draft.write_text(json.dumps(asdict(self.state)), encoding="utf-8", errors="backslashreplace")

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            self.update()


def read_heartbeat(folder: Path) -> WatcherState | None:
    """Return what the last watcher said; None if there was none, or its words cannot be read."""
    with suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
        known = {field.name for field in fields(WatcherState)}
        said = json.loads(_file(folder).read_text(encoding="utf-8"))
        state = WatcherState(**{name: value for name, value in said.items() if name in known})
        lives = state.state != "stopped" and holder_is_alive(folder)
        silent = (datetime.now(UTC) - datetime.fromisoformat(state.beat_at)).total_seconds()
        return replace(
            state, waiting_for=tuple(state.waiting_for), is_alive=lives, is_late=lives and silent > _LATE_SECONDS
        )
    return None


def watch_folder(state_dir: Path) -> Path:
    """Return the folder of the heartbeat, and of the lock that keeps a second watcher out."""
    return state_dir / "watch"


def now() -> str:
    """Return the time as the heartbeat keeps it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def utc(moment: str) -> str:
    """Return a time of the heartbeat as people read it."""
    return datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%M:%S")


def _file(folder: Path) -> Path:
    return folder / "heartbeat.json"
