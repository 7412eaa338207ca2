"""What becomes of a file that is read."""

from __future__ import annotations

from dataclasses import dataclass

from olistctl.reading.raw_table import Reading


@dataclass(frozen=True)
class BadRecord:
    """A fault of a record that was not loaded: where it stands and what is wrong with it."""

    line: int
    offset: int
    column: str | None
    error_type: str
    message: str


@dataclass(frozen=True)
class BadCount:
    """How many records are bad for one reason."""

    error_type: str
    column: str | None
    records: int


@dataclass(frozen=True)
class ParsedFile:
    """What became of the records of one file; `refusal` is set when none of them may be kept."""

    source: str
    file: str
    records: int
    loaded: int
    bad: int = 0
    bad_counts: tuple[BadCount, ...] = ()
    examples: tuple[BadRecord, ...] = ()
    refusal: str | None = None
    refusal_type: str | None = None


class UnreadableFile(Exception):
    """DuckDB gave up on a file, which ends the transaction: load again without it.

    `refusal_type`: "unreadable_csv" when its content is at fault, "unreadable" when the machine does not give it.
    """

    def __init__(self, file: str, refusal_type: str, message: str) -> None:
        super().__init__(message)
        self.file = file
        self.refusal_type = refusal_type
        self.message = message


def refused(reading: Reading, refusal_type: str, message: str) -> ParsedFile:
    """Return the outcome of a file of which nothing may be loaded."""
    records = reading.inspection.records
    return ParsedFile(reading.source.name, reading.file, records, 0, refusal=message, refusal_type=refusal_type)
