"""`etl.source_files` and `etl.load_audit`: whose rows are in `raw`, and what each run did with each file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from olistctl.ledger.rows import insert

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class LoadedFile:
    """A file whose rows are in `raw`: its records are the rows loaded and the records quarantined."""

    source: str
    file_name: str
    size_bytes: int
    modified_at: datetime
    sha256: str
    contract_sha256: str
    records: int
    rows_loaded: int
    records_quarantined: int
    loaded_at: datetime
    run_id: str


@dataclass(frozen=True)
class LoadAudit:
    """What a run did with one file."""

    run_id: str
    source: str
    table_name: str
    file_name: str
    status: str
    records: int
    rows_loaded: int
    records_quarantined: int
    reason: str | None
    sha256: str | None
    loaded_at: datetime
    seconds: float


@dataclass(frozen=True)
class Unreconciled:
    """A file whose records are not what was loaded and quarantined of it."""

    file_name: str
    records: int
    rows: int
    quarantined: int


def loaded_files(connection: DuckDBPyConnection) -> tuple[LoadedFile, ...]:
    """Return the files whose rows are in `raw`, by source and name."""
    rows = connection.execute("from etl.source_files order by source, file_name").fetchall()
    return tuple(LoadedFile(*row) for row in rows)


def record_loaded(connection: DuckDBPyConnection, file: LoadedFile) -> None:
    """Note that the rows of a file are in `raw`, in place of what was noted of it."""
    insert(connection, "source_files", [tuple(vars(file).values())], replace=True)


def forget_loaded(connection: DuckDBPyConnection, source: str, file_name: str) -> None:
    """Note that the rows of a file are no longer in `raw`."""
    connection.execute("delete from etl.source_files where source = ? and file_name = ?", [source, file_name])


def record_audit(connection: DuckDBPyConnection, entries: Iterable[LoadAudit]) -> None:
    """Add what a run did with its files."""
    insert(connection, "load_audit", [tuple(vars(entry).values()) for entry in entries])


def unreconciled(connection: DuckDBPyConnection, source: str, table: str) -> tuple[Unreconciled, ...]:
    """Return the files of a source of which rows or records are missing or too many.

    The records were counted without DuckDB, when the file was read; rows and quarantined records are counted now.
    `table` is the quoted name of the source's table in `raw`.
    """
    rows = connection.execute(
        f"""
        with loaded as (select _source_file as file_name, count(*) as n from {table} group by all),
        quarantined as (
            select file_name, count(*) as n from etl.quarantine
            where source = $source and status in ('open', 'discarded') group by all
        ),
        known as (select file_name, records from etl.source_files where source = $source)
        select
            coalesce(known.file_name, loaded.file_name, quarantined.file_name) as file_name,
            coalesce(known.records, 0) as records, coalesce(loaded.n, 0) as rows, coalesce(quarantined.n, 0) as held
        from known
        full join loaded on loaded.file_name = known.file_name
        full join quarantined on quarantined.file_name = coalesce(known.file_name, loaded.file_name)
        where records <> rows + held
        order by file_name
        """,
        {"source": source},
    ).fetchall()
    return tuple(Unreconciled(*row) for row in rows)
