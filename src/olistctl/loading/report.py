"""What a load did, file by file."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from olistctl.ledger import SourceChange
from olistctl.reading import BadCount, BadRecord
from olistctl.results import Finding

# What a load can do with a file.
LOADED, UNCHANGED, MISSING, REFUSED, HELD, REMOVED = "loaded", "unchanged", "missing", "refused", "held", "removed"

FAULTY = (MISSING, REFUSED, HELD)  # it brings no rows; those that it had stay

_NEXT_STEPS = {
    MISSING: "deliver it and run again",
    REFUSED: "mend the file, or deliver it again",
    HELD: "if it is whole: olistctl run --accept {file}",
}
_CHANGES = ("inserted", "changed", "deleted")


def next_step(status: str, file: str) -> str | None:
    """Say what to do about a file that brings no rows, where nothing more precise is known."""
    step = _NEXT_STEPS.get(status)
    return step.format(file=shlex.quote(file)) if step else None


def said(status: str) -> str:
    """Return a status as people are told it."""
    return "held back" if status == HELD else status


@dataclass(frozen=True)
class FileLoad:
    """What became of one file.

    Of a file that loads, `records` = `loaded` + `quarantined`; `bad` are those that this reading found, of which some
    may be loaded in a mended form, and `undecided` those in quarantine that nobody has discarded. `kept` counts
    earlier rows that stay in place, `evidence` is what the quarantine folder holds of it. `is_known`: an earlier run
    has said the same of the same file.
    """

    source: str
    table: str
    file: str
    status: str
    records: int = 0
    loaded: int = 0
    bad: int = 0
    quarantined: int = 0
    undecided: int = 0
    kept: int = 0
    seconds: float = 0.0
    reason: str | None = None
    reason_type: str | None = None
    hint: str | None = None
    bad_counts: tuple[BadCount, ...] = ()
    examples: tuple[BadRecord, ...] = ()
    evidence: Path | None = None
    is_known: bool = False

    @property
    def is_whole(self) -> bool:
        """Tell whether the file is there and every record of it is loaded, or discarded on purpose."""
        return not self.undecided and self.status not in FAULTY and not self.has_no_records

    @property
    def result(self) -> str:
        """What became of it, in the words that people are told."""
        if self.has_no_records:
            return "no records"
        return "bad records" if self.status == LOADED and self.undecided else said(self.status)

    @property
    def has_no_records(self) -> bool:
        """Tell whether the file holds a header alone, as an export that failed leaves it."""
        return self.status in (LOADED, UNCHANGED) and not self.records

    def fault_type(self) -> str:
        """Return in one word what is wrong with a file that is not whole."""
        if self.has_no_records:
            return "no_records"
        return self.reason_type or (self.bad_counts[0].error_type if self.bad_counts else "bad_records")

    def finding(self, next_step: str = "olistctl quarantine list") -> Finding:
        """Say what became of a file that is not whole; `next_step` shows its bad records."""
        if self.has_no_records:
            message = f"it has a header and no records; raw.{self.table} gets no rows from it"
            return Finding(message, self.file, "deliver it again, if it should hold some")
        if self.status == UNCHANGED:
            message = f"{self.undecided:,} of its {self.records:,} records were bad when it was loaded"
            return Finding(message, self.file, next_step)
        if self.status == LOADED:
            reasons = ", ".join(
                f"{count.records:,} {count.error_type}" + (f" in {count.column}" if count.column else "")
                for count in self.bad_counts[:3]
            )
            first = f", the first in line {self.examples[0].line:,}" if self.examples else ""
            decided = self.bad - self.undecided
            besides = f"; {decided:,} of them are mended or discarded" if decided else ""
            message = f"{self.bad:,} of {self.records:,} records are bad{first}: {reasons}{besides}"
            return Finding(message, self.file, next_step)
        stays = f"its {self.kept:,} loaded rows stay" if self.kept else f"raw.{self.table} gets no rows from it"
        return Finding(f"{said(self.status)}: {self.reason}; {stays}", self.file, self.hint)


@dataclass(frozen=True)
class LoadReport:
    """What a load did, file by file, and which keys it changed, by source.

    `read_again` says of which sources all was read again, and why: their contract has changed, say.
    """

    files: tuple[FileLoad, ...]
    changes: tuple[SourceChange, ...] = ()
    read_again: tuple[str, ...] = ()

    @property
    def rows_loaded(self) -> int:
        """The number of rows written."""
        return sum(file.loaded for file in self.files)

    @property
    def records_quarantined(self) -> int:
        """The number of records of the files read that are not loaded."""
        return sum(file.quarantined for file in self.files if file.status == LOADED)

    @property
    def summary(self) -> str:
        """How the records of the files read are accounted for, and how many files met which fate."""
        fates = Counter(file.status for file in self.files)
        words = [
            f"{fates[fate]} {said(fate)}"
            for fate in (LOADED, UNCHANGED, MISSING, REFUSED, HELD, REMOVED)
            if fates[fate]
        ]
        read = sum(file.records for file in self.files if file.status == LOADED)
        account = f"{read:,} records = {self.rows_loaded:,} loaded + {self.records_quarantined:,} quarantined; "
        again = f"; read again: {', '.join(self.read_again)}" if self.read_again else ""
        return f"{account if read else ''}files: {', '.join(words)}{self._keys}{again}"

    @property
    def _keys(self) -> str:
        """How many keys differ, where files were loaded as a difference."""
        counts = {what: sum(getattr(change, what) for change in self.changes) for what in _CHANGES}
        words = [f"{count:,} {what}" for what, count in counts.items() if count]
        return f"; keys: {', '.join(words)}" if words else ""

    @property
    def faulty(self) -> tuple[FileLoad, ...]:
        """The files that did not load whole."""
        return tuple(file for file in self.files if not file.is_whole)
