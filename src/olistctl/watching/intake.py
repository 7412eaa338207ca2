"""When what has changed in the source folder is a whole delivery: logic alone, its time is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from olistctl.config import Settings
from olistctl.config.strict_yaml import nearest_hint
from olistctl.errors import ConfigError
from olistctl.sources import Contract
from olistctl.watching.folder import Listing, Mark

_SHOWN = 3  # names in a reason


@dataclass(frozen=True)
class Rules:
    """What makes a delivery whole; times in seconds.

    `settle_seconds`: nothing in the folder has changed for so long. `patience_seconds`: a file whose last record looks
    cut off is taken after so long all the same. `marker`: a file that says that all is there. `delivery`: sources that
    each have a new or changed file in a delivery.
    """

    settle_seconds: float
    patience_seconds: float
    marker: str | None = None
    delivery: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings, contract: Contract) -> Rules:
        """Return the rules of the settings.

        Raises:
            ConfigError: a source of a delivery is not in the contract.
        """
        names = [source.name for source in contract.sources]
        for name in settings.watch_delivery:
            if name not in names:
                hint = nearest_hint(name, names)
                raise ConfigError(f"there is no source '{name}'", where=settings.origins["watch.delivery"], hint=hint)
        return cls(
            settings.watch_settle_seconds,
            settings.watch_patience_seconds,
            settings.watch_marker,
            settings.watch_delivery,
        )


class State(Enum):
    """What is to be done about the folder."""

    IDLE = "idle"
    WAITING = "waiting"
    READY = "ready"


@dataclass(frozen=True)
class Verdict:
    """What is to be done, why not yet, and in how many seconds that may be another."""

    state: State
    reasons: tuple[str, ...] = ()
    again_in: float | None = None


class Intake:
    """Looks at one listing after the other, and says when they are a whole delivery.

    `taken` is the listing that the last run has seen, or is about to see.
    """

    def __init__(self, rules: Rules, contract: Contract, unfinished: Callable[[str, Mark], str | None]) -> None:
        self._rules = rules
        self._contract = contract
        self._unfinished = unfinished
        self.taken = Listing({})
        self._last: Listing | None = None
        self._still_since = 0.0

    def changed(self, listing: Listing) -> tuple[str, ...]:
        """Return the names of the files that came, changed or went since the last run."""
        before, now = self.taken.files, listing.files
        return tuple(sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name)))

    def see(self, listing: Listing | None, now: float) -> Verdict:
        """Judge the folder as it is now; `now` are seconds that only grow."""
        if listing != self._last:
            self._last, self._still_since = listing, now
        return self.judge(listing, now - self._still_since)

    def judge(self, listing: Listing | None, still: float) -> Verdict:
        """Judge the folder as it has been for `still` seconds."""
        if listing is None:
            return Verdict(State.WAITING, ("the folder is not there, or cannot be read",))
        if not listing.files:
            return Verdict(State.WAITING, ("none of the nine CSVs is there",))
        changed = self.changed(listing)
        if not changed:
            return Verdict(State.IDLE)
        if still < self._rules.settle_seconds:
            reason = f"{named(changed)}: changed just now"
            return Verdict(State.WAITING, (reason,), self._rules.settle_seconds - still)
        if still < self._rules.patience_seconds and (reasons := self._unfinished_files(changed, listing.files)):
            return Verdict(State.WAITING, reasons, self._rules.patience_seconds - still)
        if reasons := (*self._missing_marker(changed, listing), *self._missing_sources(changed, listing.files)):
            return Verdict(State.WAITING, reasons)
        return Verdict(State.READY)

    def _unfinished_files(self, changed: tuple[str, ...], files: Mapping[str, Mark]) -> tuple[str, ...]:
        why = ((name, self._unfinished(name, files[name])) for name in changed if name in files)
        reasons = tuple(f"{name}: {reason}" for name, reason in why if reason)
        more = len(reasons) - _SHOWN
        return (*reasons[:_SHOWN], f"{more} more") if more > 0 else reasons

    def _missing_marker(self, changed: tuple[str, ...], listing: Listing) -> tuple[str, ...]:
        """A marker says that what was written before it is whole: it must be new, and no file younger than it."""
        youngest = max((listing.files[name][-1] for name in changed if name in listing.files), default=0)
        is_new = listing.marker and listing.marker != self.taken.marker and listing.marker[-1] >= youngest
        if not self._rules.marker or is_new:
            return ()
        return (f"{'a new ' if listing.marker else ''}{self._rules.marker}",)

    def _missing_sources(self, changed: tuple[str, ...], files: Mapping[str, Mark]) -> tuple[str, ...]:
        there = [name for name in changed if name in files]
        wanted = (self._contract.source(name) for name in self._rules.delivery)
        return tuple(f"a file of {source.name}" for source in wanted if not any(map(source.owns, there)))


def named(names: tuple[str, ...]) -> str:
    """Return the first few of the names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
