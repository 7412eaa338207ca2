"""One attempt to load: what all its parts need to know."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from olistctl import ledger
from olistctl.loading.limits import Limits
from olistctl.reading import ParsedFile
from olistctl.results import Progress

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Files that the ledger knows, by source and name.
Known = dict[tuple[str, str], ledger.LoadedFile]


@dataclass(frozen=True)
class Filled:
    """A file that was read into its table, though not accounted for yet.

    `parsed` is None where it is not good as a whole: nothing of it is in the table.
    """

    parsed: ParsedFile | None
    seconds: float


@dataclass(frozen=True)
class Load:
    """One load: where it writes, who it is, and how it judges."""

    connection: DuckDBPyConnection
    run_id: str
    at: datetime
    limits: Limits
    fresh: bool  # the tables are new, and rows that stay come from the attached `live`
    has_live: bool
    refused: dict[str, tuple[str, str]]  # files that the CSV reader gave up on in an earlier attempt: how, and why
    records_before: Mapping[tuple[str, str], int]
    in_quarantine: Set[tuple[str, str]]  # files of which the quarantine has records, whatever was decided of them
    progress: Progress
    # Files that were read into tables made for them, by source and name; None: no table was made.
    filled: Mapping[tuple[str, str], Filled] | None = None
    # What the ledger is told in the end of the files that were read.
    read: list[ledger.LoadedFile] = field(default_factory=list)

    def filled_by(self, source: str, file_name: str) -> Filled | None:
        """Return what came of a file that was read already."""
        return (self.filled or {}).get((source, file_name))

    def holds(self, source: str, file_name: str) -> bool:
        """Tell whether all records of a file are in its table already."""
        filled = self.filled_by(source, file_name)
        return filled is not None and filled.parsed is not None
