"""What is loaded, from which files, how fresh it is, and what ran: read from the published warehouse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl import journal, ledger
from olistctl.config import Settings
from olistctl.errors import ConfigError
from olistctl.heartbeat import WatcherState, read_heartbeat, watch_folder
from olistctl.ledger import PipelineRun
from olistctl.loading import FileState, Limits
from olistctl.planning import Plan, make_plan
from olistctl.results import Progress
from olistctl.sources import find_files, load_contract
from olistctl.warehouse import holder_is_alive, quote, read_only

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SHOWN_SCHEMAS = ("raw", "core", "mart")
_RUNS = 5


@dataclass(frozen=True)
class FileStatus:
    """A file as it is loaded and as it is now: unchanged, changed, new, missing, removed, refused or held back."""

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
    plan: Plan | None = None  # what a run would do; None where the files cannot be seen
    watcher: WatcherState | None = None  # what the last watcher said; None if there was none


def read_status(settings: Settings, progress: Progress | None = None) -> StatusReport:
    """Read the state of the warehouse, and what a run would make of the files in the source folder.

    Raises:
        EnvironmentFault: the warehouse cannot be opened.
    """
    contract = load_contract(settings.contract_file)
    exists = settings.warehouse.is_file()
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
    plan = make_plan(settings, contract, present, Limits.of(settings), progress=progress)
    stat = settings.warehouse.stat() if exists else None
    return StatusReport(
        warehouse=settings.warehouse,
        exists=exists,
        size_bytes=stat.st_size if stat else 0,
        published_at=published,
        newest_order_at=newest,
        source_dir=settings.source_dir,
        source_dir_problem=problem,
        files=tuple(_file(state) for state in plan.files),
        tables=tables,
        runs=tuple(sorted(runs, key=lambda run: run.started_at, reverse=True)[:_RUNS]),
        records_in_quarantine=waiting,
        plan=None if problem else plan,
        watcher=read_heartbeat(watch_folder(settings.state_dir)),
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


def _file(state: FileState) -> FileStatus:
    if state.loaded is None:
        return FileStatus(state.source, state.file, state.state)
    loaded = state.loaded
    return FileStatus(state.source, state.file, state.state, loaded.rows_loaded, loaded.loaded_at, loaded.run_id)
