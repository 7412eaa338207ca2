"""Wakes a loop when something stirs in a folder; what it was, the loop sees for itself."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from olistctl.logs import get_logger
from olistctl.watching.folder import folder_identity

log = get_logger(__name__)

# Not "opened" and "closed_no_write": these are our own reads.
_CHANGES = frozenset({"created", "modified", "attrib", "deleted", "moved", "closed"})


class Observer:
    """Events of the operating system for one folder.

    It survives what they do not: a folder that is removed and made again, and an observer that died. Where the system
    gives no events (too many watches, a file system without them) there are none, and the loop has to look by itself.
    """

    def __init__(self, folder: Path, wake: threading.Event) -> None:
        self._folder = folder
        self._wake = wake
        self._identity: tuple[int, int] | None = None
        self._observer: Any = None  # None: there is no folder, or the system gives no events

    def attend(self) -> bool:
        """See to it that the folder as it is now is watched; tell whether it is."""
        identity = folder_identity(self._folder)
        if identity and identity == self._identity and (self._observer is None or self._is_alive()):
            return self._observer is not None
        self.close()
        if identity is None:
            return False
        self._identity = identity
        self._start()
        self._wake.set()  # what came before it watched is seen by looking
        return self._observer is not None

    def close(self) -> None:
        """Stop watching."""
        observer, self._observer, self._identity = self._observer, None, None
        if observer is not None:
            with suppress(RuntimeError):  # it never started
                observer.stop()
                observer.join(timeout=1)

    def _is_alive(self) -> bool:
        observer = self._observer
        return bool(observer.is_alive()) and all(emitter.is_alive() for emitter in observer.emitters)

    def _start(self) -> None:
        from watchdog.events import FileSystemEvent, FileSystemEventHandler
        from watchdog.observers import Observer as SystemObserver

        class Waker(FileSystemEventHandler):
            def on_any_event(_, event: FileSystemEvent) -> None:  # noqa: N805 - self is the observer
                if event.event_type in _CHANGES:
                    self._wake.set()

        try:
            observer = SystemObserver()
            observer.daemon = True
            observer.schedule(Waker(), str(self._folder))
            observer.start()
        except OSError as error:
            why = error.strerror or str(error)
            log.warning("%s: the system gives no events (%s): looking by itself", self._folder, why)
            return
        self._observer = observer
