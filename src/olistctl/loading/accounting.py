"""Where every record went: loaded, in quarantine, or loaded in a mended form."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from olistctl import ledger
from olistctl.errors import DataError
from olistctl.loading.report import FileLoad
from olistctl.reading import Reading, clear_bad_records, load_mends, table_of
from olistctl.sources import Contract

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def quarantine_bad_records(reading: Reading, loaded: FileLoad, *, in_quarantine: bool) -> FileLoad:
    """Enter the bad records of a file that was just parsed, and load again what was mended of them.

    `in_quarantine`: there are records of the file already, whatever was decided of them.
    """
    if not loaded.bad:
        if not in_quarantine:
            return loaded
        clear_bad_records(reading)
    connection, source = reading.connection, reading.source.name
    sha256 = reading.inspection.sha256 or ""
    ledger.merge_file(connection, source, reading.file, sha256, run_id=reading.run_id, at=reading.loaded_at)
    mends = ledger.mends_of(connection, source, reading.file)
    wrong = load_mends(reading, mends)
    reason = "what was loaded in its place is not as the contract says now"
    ledger.set_status(connection, list(wrong), ledger.OPEN, reason, reading.loaded_at)
    held = ledger.held(connection, source, reading.file)
    return replace(
        loaded,
        loaded=loaded.loaded + len(mends) - len(wrong),
        quarantined=held.total,
        undecided=held.open,
    )


def check_accounts(connection: DuckDBPyConnection, contract: Contract) -> None:
    """Check that the records of every file are the rows loaded and the records quarantined.

    Raises:
        DataError: some are missing or too many.
    """
    for source in contract.sources:
        for file in ledger.unreconciled(connection, source.name, table_of(source)):
            raise DataError(
                f"{file.records:,} records were read, but {file.rows:,} rows are loaded and "
                f"{file.quarantined:,} records are in quarantine",
                where=f"raw.{source.table}, {file.file_name}",
                hint=f"the rows were changed from outside: `olistctl run --full-refresh` reads {file.file_name} again, "
                "which must be there",
            )
