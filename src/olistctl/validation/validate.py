"""Validate a delivery: load it into a scratch database by the loader's own code and check what came out."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl import ledger
from olistctl.loading import FileLoad, Limits, load_files
from olistctl.reading import Inspection
from olistctl.results import NoProgress, Progress
from olistctl.sources import Contract, find_files
from olistctl.validation.checks import Check, null_counts, run_checks
from olistctl.validation.inspecting import inspect_all
from olistctl.warehouse import attach, connect_scratch

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class ColumnNulls:
    """How many fields of a column are empty."""

    column: str
    nulls: int


@dataclass(frozen=True)
class FileReport:
    """Everything that validation says of one file."""

    inspection: Inspection
    load: FileLoad


@dataclass(frozen=True)
class ValidationReport:
    """What is right and wrong with a delivery."""

    source_dir: Path
    files: tuple[FileReport, ...]
    nulls: dict[str, tuple[ColumnNulls, ...]]
    checks: tuple[Check, ...]

    @property
    def problems(self) -> int:
        """The number of files and checks that are wrong; warnings do not count."""
        return sum(not file.load.is_whole for file in self.files) + sum(check.is_error for check in self.checks)

    @property
    def warnings(self) -> int:
        """The number of checks that fail only as a warning, or could not be made."""
        return sum(not check.is_good and not check.is_error for check in self.checks)


def validate(
    contract: Contract,
    source_dir: Path,
    *,
    limits: Limits,
    warehouse: Path | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> ValidationReport:
    """Read every file whole and check it against the contract; nothing is written to a warehouse.

    What `warehouse` knows (decisions about bad records, how many records the files had) holds here too, as it will when
    the files are loaded.

    Raises:
        ConfigError: the folder cannot be read, or a rule is no SQL condition.
    """
    progress = progress or NoProgress()
    inspections = inspect_all(find_files(contract, source_dir), progress)
    with (
        tempfile.TemporaryDirectory(prefix="olistctl-") as folder,
        connect_scratch(Path(folder), threads=threads) as connection,
    ):
        records_before = _know_decisions(connection, warehouse)
        report = load_files(
            connection,
            contract,
            inspections,
            run_id="validate",
            at=datetime(1970, 1, 1),
            limits=limits,
            fresh=True,
            records_before=records_before,
            progress=progress,
        )
        present = {file.source for file in report.files if file.status == "loaded"}
        absent = {source.name for source in contract.sources} - present
        progress.start("Checking")
        try:
            checks = run_checks(connection, contract, absent)
            nulls = {
                source.name: tuple(ColumnNulls(*item) for item in null_counts(connection, source).items())
                for source in contract.sources
                if source.name in present
            }
        finally:
            progress.finish()
    by_file = {(file.source, file.file): file for file in report.files}
    files = tuple(FileReport(found, by_file[found.source, found.file]) for found in inspections)
    return ValidationReport(source_dir, files, nulls, checks)


def _know_decisions(connection: DuckDBPyConnection, warehouse: Path | None) -> dict[tuple[str, str], int]:
    """Take over what was decided of bad records; return how many records each file had when it was loaded."""
    import duckdb

    ledger.create(connection)
    before: dict[tuple[str, str], int] = {}
    if warehouse is None or not warehouse.is_file():
        return before
    with suppress(duckdb.Error):  # a warehouse that cannot be read has decided nothing: a delivery can be judged alone
        attach(connection, warehouse, "live")
        ledger.carry_over(connection, ["quarantine", "source_files"])
        before = {(file.source, file.file_name): file.records for file in ledger.loaded_files(connection)}
        ledger.forget_all_loaded(connection)  # which of the records are there is what the files say
        connection.execute("detach live")
    return before
