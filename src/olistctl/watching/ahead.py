"""A run that begins before its delivery has settled, so that it is ready when it has.

Nothing of it is seen outside its stage until the files that it has begun with have been still for as long as they must.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from olistctl.errors import Superseded
from olistctl.results import Progress
from olistctl.watching.folder import Listing

_LOOK_SECONDS = 0.2
_FIRST_SHARE = 0.25  # of the time in which a delivery settles: so long nothing begins


def begins_at(settle_seconds: float, run_seconds: float) -> float:
    """Return how long a delivery must have been still for a run of so many seconds to begin: it ends as that settles.

    Not at once, for most deliveries are several files.
    """
    return max(settle_seconds * _FIRST_SHARE, settle_seconds - run_seconds)


class Settling:
    """Watches, in a thread of its own, whether a folder stays as it is for some seconds.

    `waited` is for how many of them somebody had nothing else to do, which `progress` hears of; `news` the first other
    state and when it was seen.
    """

    def __init__(
        self, look: Callable[[], Listing | None], begun_with: Listing, seconds: float, progress: Progress
    ) -> None:
        self.waited = 0.0
        self.news: tuple[Listing | None, float] | None = None
        self._look = look
        self._begun_with = begun_with
        self._progress = progress
        self._ends_at = time.monotonic() + seconds
        self._is_over = threading.Event()  # nobody asks any more
        self._is_decided = threading.Event()
        self._has_settled = False
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Settling:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._is_over.set()
        self._thread.join()

    def check(self) -> None:
        """Raise Superseded if the folder has changed; do not wait."""
        if self._is_decided.is_set() and not self._has_settled:
            raise Superseded("the files have changed, or cannot be seen any more")

    def wait(self) -> None:
        """Return when the folder has settled; raise Superseded if it has changed before."""
        started = time.monotonic()
        if not self._is_decided.is_set():
            self._progress.start("Waiting until the files have settled")
            while not self._is_decided.wait(_LOOK_SECONDS):  # in slices: on Windows nothing interrupts a longer one
                pass
            self._progress.finish()
        self.waited += time.monotonic() - started
        self.check()

    def _watch(self) -> None:
        try:
            self._has_settled = self._stays()
        finally:
            self._is_decided.set()

    def _stays(self) -> bool:
        while (left := self._ends_at - time.monotonic()) > 0:
            if self._is_over.wait(min(left, _LOOK_SECONDS)):
                return False
            found = self._look()
            if found != self._begun_with:
                self.news = found, time.monotonic()
                return False
        return True


class Observed:
    """A progress that asks whether to go on, and says when the first step begins: a run with nothing to do has none."""

    def __init__(self, progress: Progress, begun: Callable[[], None], check: Callable[[], None]) -> None:
        self._progress = progress
        self._begun: Callable[[], None] | None = begun
        self._check = check

    def start(self, label: str, total: float | None = None) -> None:
        """Begin a step, unless the run must end."""
        self._check()
        if self._begun:
            self._begun()
        self._begun = None
        self._progress.start(label, total)

    def advance(self, amount: float = 1, doing: str | None = None) -> None:
        """Pass on how far a step is, unless the run must end."""
        self._check()
        self._progress.advance(amount, doing)

    def finish(self) -> None:
        """End a step."""
        self._progress.finish()
