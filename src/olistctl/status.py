"""What is loaded, from which files, how fresh it is, and what ran: read from the published warehouse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl import journal, ledger
from olistctl.config import Settings
from olistctl.errors import ConfigError
from olistctl.ledger import LoadedFile, PipelineRun
from olistctl.results import utc_time
from olistctl.sources import SourceFile, find_files, load_contract, sha256_of
from olistctl.warehouse import holder_is_alive, quote, read_only

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SHOWN_SCHEMAS = ("raw", "core", "mart")
_RUNS = 5


@dataclass(frozen=True)
class FileStatus:
    """A file as it is loaded and as it is now: unchanged, changed, new, missing or removed."""

    source: str
    file: str
    state: str
    rows_loaded: int | None = None
    loaded_at: datetime | None = None
    run_id: str | None = None


@dataclass(frozen=True)
class TableStatus:
    """A table and its rows."""

    schema: str
    table: str
    rows: int


@dataclass(frozen=True)
class StatusReport:
    """The state of a warehouse; times are UTC."""

    warehouse: Path
    exists: bool
    size_bytes: int
    published_at: datetime | None
    newest_order_at: datetime | None
    source_dir: Path
    source_dir_problem: str | None
    files: tuple[FileStatus, ...]
    tables: tuple[TableStatus, ...]
    runs: tuple[PipelineRun, ...]
    records_in_quarantine: int = 0  # that wait for a decision


def read_status(settings: Settings) -> StatusReport:
    """Read the state of the warehouse and compare it with the source folder.

    Raises:
        EnvironmentFault: the warehouse cannot be opened.
    """
    contract = load_contract(settings.contract_file)
    exists = settings.warehouse.is_file()
    loaded: tuple[LoadedFile, ...] = ()
    tables: tuple[TableStatus, ...] = ()
    runs = journal.read_journal(settings.journal_dir)
    if not holder_is_alive(settings.state_dir):
        runs = tuple(journal.as_ended(run) for run in runs)
    published = None
    newest = None
    waiting = 0
    if exists:
        with read_only(settings.warehouse) as connection:
            if ledger.is_present(connection):
                loaded = ledger.loaded_files(connection)
                recent = ledger.recent_runs(connection, _RUNS)
                known = {run.run_id for run in recent}
                published = ledger.last_publication(connection)
                waiting = _waiting(connection)
                runs = (*(run for run in runs if run.run_id not in known), *recent)
            tables = _tables(connection)
            newest = _newest_order(connection, tables)
    try:
        present, problem = find_files(contract, settings.source_dir), None
    except ConfigError as error:
        present, problem = (), error.message
    stat = settings.warehouse.stat() if exists else None
    return StatusReport(
        warehouse=settings.warehouse,
        exists=exists,
        size_bytes=stat.st_size if stat else 0,
        published_at=published,
        newest_order_at=newest,
        source_dir=settings.source_dir,
        source_dir_problem=problem,
        files=_files(present, loaded),
        tables=tables,
        runs=tuple(sorted(runs, key=lambda run: run.started_at, reverse=True)[:_RUNS]),
        records_in_quarantine=waiting,
    )


def _waiting(connection: DuckDBPyConnection) -> int:
    if not ledger.is_current(connection):  # of an older release, which had no quarantine
        return 0
    return sum(
        count.records
        for count in ledger.quarantine_counts(connection)
        if count.status == ledger.OPEN and count.is_present
    )


def _tables(connection: DuckDBPyConnection) -> tuple[TableStatus, ...]:
    names = connection.execute(
        "select schema_name, table_name from duckdb_tables() where not internal order by all"
    ).fetchall()
    shown = [(schema, table) for schema, table in names if schema in _SHOWN_SCHEMAS]
    shown.sort(key=lambda name: (_SHOWN_SCHEMAS.index(name[0]), name[1]))
    return tuple(TableStatus(schema, table, _count(connection, schema, table)) for schema, table in shown)


def _count(connection: DuckDBPyConnection, schema: str, table: str) -> int:
    row = connection.execute(f"select count(*) from {quote(schema)}.{quote(table)}").fetchone()
    return int(row[0]) if row else 0


def _newest_order(connection: DuckDBPyConnection, tables: tuple[TableStatus, ...]) -> datetime | None:
    if not any(table.schema == "raw" and table.table == "stg_orders" for table in tables):
        return None
    row = connection.execute("select max(order_purchase_timestamp) from raw.stg_orders").fetchone()
    return row[0] if row else None


def _files(present: tuple[SourceFile, ...], loaded: tuple[LoadedFile, ...]) -> tuple[FileStatus, ...]:
    known = {(file.source, file.file_name): file for file in loaded}
    result = []
    for file in present:
        before = known.pop((file.source.name, file.name), None)
        result.append(_file(file.source.name, file.name, _state(file, before), before))
    result.extend(_file(*key, "removed", before) for key, before in known.items())
    return tuple(result)


def _file(source: str, name: str, state: str, before: LoadedFile | None) -> FileStatus:
    if before is None:
        return FileStatus(source, name, state)
    return FileStatus(source, name, state, before.rows_loaded, before.loaded_at, before.run_id)


def _state(file: SourceFile, before: LoadedFile | None) -> str:
    """Compare by size and time first; content decides where they differ, so a touch changes nothing."""
    if not file.exists:
        return "missing"
    if before is None:
        return "new"
    try:
        now = file.path.stat()
        same_stat = (now.st_size, utc_time(now.st_mtime)) == (
            before.size_bytes,
            before.modified_at,
        )
        if same_stat or (file.path.is_file() and sha256_of(file.path) == before.sha256):
            return "unchanged"
    except OSError:
        return "unreadable"
    return "changed"
