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
    amounts: str | None = None  # JSON: what its rows add up to by column of money; None in a ledger of an older release


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
    judged_by: str | None = None  # what of contract and settings decides whether the file may load


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


def record_loaded(connection: DuckDBPyConnection, files: Iterable[LoadedFile]) -> None:
    """Note that the rows of files are in `raw`, in place of what was noted of them."""
    insert(connection, "source_files", [tuple(vars(file).values()) for file in files], replace=True)


def forget_loaded(connection: DuckDBPyConnection, source: str, file_name: str) -> None:
    """Note that the rows of a file are no longer in `raw`."""
    connection.execute("delete from etl.source_files where source = ? and file_name = ?", [source, file_name])


def forget_source(connection: DuckDBPyConnection, source: str) -> None:
    """Note that nothing of a source is in `raw`, nor any bad record of it in its files."""
    connection.execute("delete from etl.source_files where source = ?", [source])
    connection.execute("update etl.quarantine set is_present = false where source = ? and is_present", [source])


def forget_all_loaded(connection: DuckDBPyConnection) -> None:
    """Note that nothing is in `raw`, nor any bad record in a file; what was decided of the records stays."""
    connection.execute("delete from etl.source_files")
    connection.execute("update etl.quarantine set is_present = false")


def loaded_tables(connection: DuckDBPyConnection) -> tuple[tuple[str, str], ...]:
    """Return the sources of which files are loaded, each with its table in `raw`."""
    rows = connection.execute(
        """
        select source, replace(arg_max(table_name, loaded_at), 'raw.', '')
        from etl.load_audit where source in (select source from etl.source_files) group by source order by source
        """
    ).fetchall()
    return tuple((source, table) for source, table in rows)


def record_audit(connection: DuckDBPyConnection, entries: Iterable[LoadAudit]) -> None:
    """Add what a run did with its files."""
    insert(connection, "load_audit", [tuple(vars(entry).values()) for entry in entries])


def last_audits(connection: DuckDBPyConnection) -> dict[tuple[str, str], LoadAudit]:
    """Return what was done last with each file, by source and name."""
    rows = connection.execute(
        "from etl.load_audit "
        "qualify row_number() over (partition by source, file_name order by loaded_at desc, run_id desc) = 1"
    ).fetchall()
    audits = (LoadAudit(*row) for row in rows)
    return {(audit.source, audit.file_name): audit for audit in audits}


def unreconciled(connection: DuckDBPyConnection, source: str, table: str) -> tuple[Unreconciled, ...]:
    """Return the files of a source of which rows or records are missing or too many.

    The records were counted without DuckDB, when the file was read; rows and quarantined records are counted now.
    `table` is the quoted name of the source's table in `raw`.
    """
    rows = connection.execute(
        f"""
        with loaded as (
            select coalesce(_source_file, '(no file)') as file_name, count(*) as n from {table} group by all
        ),
        held as (
            select file_name, count(*) as n from etl.quarantine
            where source = $source and is_present and status in ('open', 'discarded') group by all
        ),
        known as (select file_name, records as n from etl.source_files where source = $source),
        account as (
            select
                file_name, coalesce(known.n, 0) as records, coalesce(loaded.n, 0) as loaded, coalesce(held.n, 0) as held
            from known full join loaded using (file_name) full join held using (file_name)
        )
        from account where records <> loaded + held order by file_name
        """,
        {"source": source},
    ).fetchall()
    return tuple(Unreconciled(*row) for row in rows)
