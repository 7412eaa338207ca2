"""What a load did, file by file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from olistctl.reading import BadCount, BadRecord
from olistctl.results import Finding

# What a load can do with a file.
LOADED, UNCHANGED, MISSING, REFUSED, REMOVED = "loaded", "unchanged", "missing", "refused", "removed"


@dataclass(frozen=True)
class FileLoad:
    """What became of one file.

    Of a file that loads, `records` = `loaded` + `quarantined`; `bad` are those that this reading found, of which some
    may be loaded in a mended form, and `undecided` those in quarantine that nobody has discarded. `kept` counts
    earlier rows that stay in place, `evidence` is what the quarantine folder holds of it.
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

    @property
    def is_whole(self) -> bool:
        """Tell whether the file is there and every record of it is loaded, or discarded on purpose."""
        return not self.undecided and self.status not in (MISSING, REFUSED) and not self.has_no_records

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
            return Finding(f"it has a header and no records; raw.{self.table} gets no rows from it", self.file)
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
        return Finding(f"{self.status}: {self.reason}; {stays}", self.file, self.hint)


@dataclass(frozen=True)
class LoadReport:
    """What a load did, file by file."""

    files: tuple[FileLoad, ...]

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
        words = [f"{fates[fate]} {fate}" for fate in (LOADED, UNCHANGED, MISSING, REFUSED, REMOVED) if fates[fate]]
        read = sum(file.records for file in self.files if file.status == LOADED)
        account = f"{read:,} records = {self.rows_loaded:,} loaded + {self.records_quarantined:,} quarantined; "
        return f"{account if read else ''}files: {', '.join(words)}"

    @property
    def changed(self) -> bool:
        """Tell whether any table of `raw` has other rows than before."""
        return any(file.status in (LOADED, REMOVED) for file in self.files)

    @property
    def faulty(self) -> tuple[FileLoad, ...]:
        """The files that did not load whole."""
        return tuple(file for file in self.files if not file.is_whole)
