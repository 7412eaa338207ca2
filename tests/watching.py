"""A real watcher: a process of `olistctl watch --json`, and what it tells, event by event."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Event = dict[str, Any]
PATIENCE = 90.0  # seconds; only a watcher that never gets there takes so long


class WatchProcess:
    """Runs until the block ends; `wait_for` finds events in the order in which they come, each once."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.events: list[Event] = []
        self._seen = 0
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> WatchProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream
            stream.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def wait_for(self, event: str, test: Callable[[Event], bool] = lambda _: True) -> Event:
        """Return the next event of the name that passes the test; those before it are passed over."""
        deadline = time.monotonic() + PATIENCE
        with self._news:
            while True:
                while self._seen < len(self.events):
                    self._seen += 1
                    found = self.events[self._seen - 1]
                    if found["event"] == event and test(found):
                        return found
                left = deadline - time.monotonic()
                if left <= 0 or (not self._reader.is_alive() and self._seen == len(self.events)):
                    raise AssertionError(f"no '{event}' among {[e['event'] for e in self.events]}\n{self.errors()}")
                self._news.wait(min(left, 1))

    def of(self, event: str) -> list[Event]:
        return [found for found in self.events if found["event"] == event]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; return the exit code and the seconds that it took to leave."""
        started = time.monotonic()
        os.kill(self._process.pid, number)
        return self._process.wait(PATIENCE), time.monotonic() - started

    def wait(self) -> int:
        return self._process.wait(PATIENCE)

    def errors(self) -> str:
        """Return stderr of a process that has ended."""
        assert self._process.stderr
        return "" if self._process.poll() is None else self._process.stderr.read()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with self._news:
                self.events.append({"event": "error"} | json.loads(line))
                self._news.notify_all()
        with self._news:
            self._news.notify_all()
