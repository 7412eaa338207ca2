"""`etl.pipeline_runs`: what ran, how it ended, with what."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from olistctl.ledger.errors import LoggedError, log_errors
from olistctl.ledger.rows import insert

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


# Commands that publish a file without changing any data in it.
_WITHOUT_DATA = ("test", "quarantine discard", "errors resolve", "errors ignore")


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
    insert(connection, "pipeline_runs", [values])
    log_errors(connection, run.run_id, run.errors)


def recent_runs(connection: DuckDBPyConnection, limit: int) -> tuple[PipelineRun, ...]:
    """Return the last runs, the newest first."""
    rows = connection.execute(
        "select * from etl.pipeline_runs order by started_at desc, run_id desc limit ?", [limit]
    ).fetchall()
    return tuple(PipelineRun(*(*row[:-1], tuple(json.loads(row[-1] or "[]")))) for row in rows)


def last_publication(connection: DuckDBPyConnection) -> datetime | None:
    """Return when a run last published new data."""
    row = connection.execute(
        "select max(finished_at) from etl.pipeline_runs "
        "where status in ('success', 'warnings') and not list_contains($without_data, command)",
        {"without_data": list(_WITHOUT_DATA)},
    ).fetchone()
    return row[0] if row else None
