"""The schema `etl`: what ran, what was loaded from which file, what went wrong. The only SQL for it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_TABLES = {
    "pipeline_runs": """
        run_id VARCHAR PRIMARY KEY,
        command VARCHAR NOT NULL,
        target VARCHAR NOT NULL,
        olistctl_version VARCHAR NOT NULL,
        full_refresh BOOLEAN NOT NULL,
        started_at TIMESTAMP NOT NULL,
        finished_at TIMESTAMP,
        status VARCHAR NOT NULL,
        rows_loaded BIGINT NOT NULL,
        warnings BIGINT NOT NULL,
        message VARCHAR,
        stages JSON
    """,
    "source_files": """
        source VARCHAR NOT NULL,
        file_name VARCHAR NOT NULL,
        size_bytes BIGINT NOT NULL,
        modified_at TIMESTAMP NOT NULL,
        sha256 VARCHAR NOT NULL,
        contract_sha256 VARCHAR NOT NULL,
        records BIGINT NOT NULL,
        rows_loaded BIGINT NOT NULL,
        records_bad BIGINT NOT NULL,
        loaded_at TIMESTAMP NOT NULL,
        run_id VARCHAR NOT NULL,
        PRIMARY KEY (source, file_name)
    """,
    "load_audit": """
        run_id VARCHAR NOT NULL,
        source VARCHAR NOT NULL,
        table_name VARCHAR NOT NULL,
        file_name VARCHAR NOT NULL,
        status VARCHAR NOT NULL,
        records BIGINT NOT NULL,
        rows_loaded BIGINT NOT NULL,
        records_bad BIGINT NOT NULL,
        reason VARCHAR,
        sha256 VARCHAR,
        loaded_at TIMESTAMP NOT NULL,
        seconds DOUBLE NOT NULL,
        PRIMARY KEY (run_id, source, file_name)
    """,
    # The columns are the design's (section Error Logging Table).
    "error_log": """
        error_id BIGINT PRIMARY KEY,
        error_timestamp TIMESTAMP NOT NULL,
        pipeline_stage VARCHAR(50) NOT NULL,
        table_name VARCHAR(100),
        error_type VARCHAR(50),
        error_message TEXT,
        error_details JSON,
        resolution_status VARCHAR(20) DEFAULT 'OPEN',
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
    """,
}


@dataclass(frozen=True)
class LoadedFile:
    """A file whose rows are in `raw`."""

    source: str
    file_name: str
    size_bytes: int
    modified_at: datetime
    sha256: str
    contract_sha256: str
    records: int
    rows_loaded: int
    records_bad: int
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
    records_bad: int
    reason: str | None
    sha256: str | None
    loaded_at: datetime
    seconds: float


@dataclass(frozen=True)
class LoggedError:
    """An error of a run, for `etl.error_log`."""

    at: datetime
    stage: str
    table_name: str | None
    error_type: str
    message: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PipelineRun:
    """A run as `etl.pipeline_runs` keeps it; times are UTC."""

    run_id: str
    command: str
    target: str
    olistctl_version: str
    full_refresh: bool
    started_at: datetime
    finished_at: datetime | None
    status: str
    rows_loaded: int = 0
    warnings: int = 0
    message: str | None = None
    stages: tuple[dict[str, Any], ...] = ()
    errors: tuple[LoggedError, ...] = ()


def create(connection: DuckDBPyConnection) -> None:
    """Create the schema and its tables where they are missing."""
    connection.execute("create schema if not exists etl")
    for name, columns in _TABLES.items():
        connection.execute(f"create table if not exists etl.{name} ({columns})")


def carry_over(connection: DuckDBPyConnection) -> None:
    """Fill the empty ledger with that of the attached warehouse `live`."""
    create(connection)
    present = connection.execute(
        "select table_name from duckdb_tables() where database_name = 'live' and schema_name = 'etl'"
    ).fetchall()
    for (name,) in present:
        if name in _TABLES:
            connection.execute(f"insert into etl.{name} by name from live.etl.{name}")


def is_present(connection: DuckDBPyConnection) -> bool:
    """Tell whether the database has a ledger."""
    row = connection.execute("select count(*) from duckdb_tables() where schema_name = 'etl'").fetchone()
    return bool(row and row[0])


def loaded_files(connection: DuckDBPyConnection) -> tuple[LoadedFile, ...]:
    """Return the files whose rows are in `raw`, by source and name."""
    rows = connection.execute("from etl.source_files order by source, file_name").fetchall()
    return tuple(LoadedFile(*row) for row in rows)


def record_loaded(connection: DuckDBPyConnection, file: LoadedFile) -> None:
    """Note that the rows of a file are in `raw`, in place of what was noted of it."""
    _insert(connection, "source_files", [tuple(vars(file).values())], replace=True)


def forget_loaded(connection: DuckDBPyConnection, source: str, file_name: str) -> None:
    """Note that the rows of a file are no longer in `raw`."""
    connection.execute("delete from etl.source_files where source = ? and file_name = ?", [source, file_name])


def record_audit(connection: DuckDBPyConnection, entries: Iterable[LoadAudit]) -> None:
    """Add what a run did with its files."""
    _insert(connection, "load_audit", [tuple(vars(entry).values()) for entry in entries])


def record_run(connection: DuckDBPyConnection, run: PipelineRun) -> None:
    """Add a run and its errors; a run that is already there stays as it is.

    A kill between the publication and the end of the journal leaves a run in both, and the ledger knows better.
    """
    if connection.execute("select 1 from etl.pipeline_runs where run_id = ?", [run.run_id]).fetchone():
        return
    values = (
        run.run_id, run.command, run.target, run.olistctl_version, run.full_refresh, run.started_at,
        run.finished_at, run.status, run.rows_loaded, run.warnings, run.message, json.dumps(run.stages),
    )  # fmt: skip
    _insert(connection, "pipeline_runs", [values])
    _record_errors(connection, run)


def recent_runs(connection: DuckDBPyConnection, limit: int) -> tuple[PipelineRun, ...]:
    """Return the last runs, the newest first."""
    rows = connection.execute(
        "select * from etl.pipeline_runs order by started_at desc, run_id desc limit ?", [limit]
    ).fetchall()
    return tuple(PipelineRun(*(*row[:-1], tuple(json.loads(row[-1] or "[]")))) for row in rows)


def last_publication(connection: DuckDBPyConnection) -> datetime | None:
    """Return when a run last published new data."""
    row = connection.execute(
        "select max(finished_at) from etl.pipeline_runs where status in ('success', 'warnings')"
    ).fetchone()
    return row[0] if row else None


def _record_errors(connection: DuckDBPyConnection, run: PipelineRun) -> None:
    row = connection.execute("select coalesce(max(error_id), 0) from etl.error_log").fetchone()
    first = (row[0] if row else 0) + 1
    values = [
        (
            first + i,
            e.at,
            e.stage,
            e.table_name,
            e.error_type,
            e.message,
            json.dumps({"run_id": run.run_id} | e.details),
        )
        for i, e in enumerate(run.errors)
    ]
    columns = "error_id, error_timestamp, pipeline_stage, table_name, error_type, error_message, error_details"
    for value in values:
        connection.execute(f"insert into etl.error_log ({columns}) values (?, ?, ?, ?, ?, ?, ?)", value)


def _insert(connection: DuckDBPyConnection, table: str, rows: list[tuple[Any, ...]], *, replace: bool = False) -> None:
    verb = "insert or replace" if replace else "insert"
    for row in rows:
        marks = ", ".join("?" * len(row))
        connection.execute(f"{verb} into etl.{table} values ({marks})", row)
