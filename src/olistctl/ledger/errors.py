"""`etl.error_log`: every error of every stage, and whether somebody has dealt with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from olistctl.ledger.rows import next_id

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# The resolution statuses are the design's.
RESOLVED, IGNORED = "RESOLVED", "IGNORED"  # besides OPEN, the default of the column


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
class ErrorEntry:
    """An error as the log holds it; `error_id` is None while no published warehouse holds it yet."""

    error_id: int | None
    at: datetime
    stage: str
    table_name: str | None
    error_type: str
    message: str
    details: dict[str, Any]
    status: str


def log_errors(connection: DuckDBPyConnection, run_id: str, errors: Sequence[LoggedError]) -> None:
    """Add the errors of a run."""
    first = next_id(connection, "error_log", "error_id")
    columns = (
        "error_id, error_timestamp, pipeline_stage, table_name, error_type, error_message, error_details, created_at"
    )
    entered_at = datetime.now(UTC).replace(tzinfo=None)  # the column's default has the zone of the machine
    for number, error in enumerate(errors, first):
        details = json.dumps({"run_id": run_id} | error.details, default=str)
        connection.execute(
            f"insert into etl.error_log ({columns}) values (?, ?, ?, ?, ?, ?, ?, ?)",
            [number, error.at, error.stage, error.table_name, error.error_type, error.message, details, entered_at],
        )


def logged_errors(connection: DuckDBPyConnection, *, status: str | None = None) -> tuple[ErrorEntry, ...]:
    """Return the errors of the log, the newest first; with `status`, only those."""
    rows = connection.execute(
        """
        select error_id, error_timestamp, pipeline_stage, table_name, coalesce(error_type, ''),
            coalesce(error_message, ''), error_details, coalesce(resolution_status, 'OPEN')
        from etl.error_log
        where $status is null or coalesce(resolution_status, 'OPEN') = $status
        order by error_id desc
        """,
        {"status": status},
    ).fetchall()
    return tuple(ErrorEntry(*(*row[:6], json.loads(row[6] or "{}"), row[7])) for row in rows)


def settle_errors(
    connection: DuckDBPyConnection, error_ids: Sequence[int], status: str, reason: str | None, at: datetime
) -> None:
    """Set the status of errors; the design's columns have no place for the reason, so it joins the details."""
    for entry in logged_errors(connection):
        if entry.error_id in error_ids:
            resolution = {"status": status, "reason": reason, "at": str(at)}
            connection.execute(
                "update etl.error_log set resolution_status = ?, error_details = ? where error_id = ?",
                [status, json.dumps(entry.details | {"resolution": resolution}), entry.error_id],
            )
