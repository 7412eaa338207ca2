"""Whether a whole delivery has come, for one who looks now and then and remembers nothing but a line of text."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from olistctl.config import Settings
from olistctl.sources import load_contract
from olistctl.watching import Folder, Intake, Listing, Rules, State

_NANOSECONDS = 1e9


@dataclass(frozen=True)
class Arrival:
    """What stands in the source folder; `cursor` is what to remember of it, and `why` says why it is not taken."""

    cursor: str
    is_ready: bool
    why: str

    @property
    def key(self) -> str:
        """What no other state of the folder is called."""
        return hashlib.sha256(self.cursor.encode()).hexdigest()[:16]


def look(settings: Settings, cursor: str | None, now: float) -> Arrival:
    """Judge the source folder by the rules of `olistctl watch`; `now` is POSIX time.

    `cursor` is that of the arrival that was taken last, None for none. How long the folder has been still is told by
    the times of its files, for nobody looked meanwhile.

    Raises:
        ConfigError: the contract, or a setting of the watch, is wrong.
    """
    contract = load_contract(settings.contract_file)
    rules = Rules.of(settings, contract)
    folder = Folder(settings.source_dir, contract, rules.marker)
    intake = Intake(rules, contract, folder.unfinished)
    intake.taken = _remembered(cursor)
    listing = folder.look()
    still = now - _last_change(settings, listing) / _NANOSECONDS if listing else 0.0
    verdict = intake.judge(listing, still)
    if verdict.state is State.READY and listing:
        return Arrival(_cursor(listing), is_ready=True, why="")
    why = "; ".join(verdict.reasons) or "no file has come, changed or gone"
    return Arrival(cursor or "", is_ready=False, why=why)


def _last_change(settings: Settings, listing: Listing) -> int:
    """Return when something in the folder changed last: a file, or the folder, from which one has gone."""
    marks = [*listing.files.values(), *([listing.marker] if listing.marker else [])]
    return max(settings.source_dir.stat().st_mtime_ns, *(mark[-1] for mark in marks))


def _cursor(listing: Listing) -> str:
    return json.dumps({"files": dict(listing.files), "marker": listing.marker}, sort_keys=True)


def _remembered(cursor: str | None) -> Listing:
    if not cursor:
        return Listing({})
    found = json.loads(cursor)
    marker = found["marker"]
    return Listing({name: tuple(mark) for name, mark in found["files"].items()}, tuple(marker) if marker else None)
