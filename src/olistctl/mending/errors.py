"""`olistctl errors`: what went wrong and whether somebody has dealt with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from olistctl import journal, ledger
from olistctl.config import Settings
from olistctl.errors import UsageError
from olistctl.ledger import ErrorEntry
from olistctl.mending.reading_ledger import published_ledger
from olistctl.results import counted
from olistctl.warehouse import holder_is_alive
from olistctl.writing import Outcome, Work, write_warehouse

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

OPEN = "OPEN"


@dataclass(frozen=True)
class ErrorList:
    """The errors that were asked for, the newest first, and how many more there are."""

    errors: tuple[ErrorEntry, ...]
    more: int


def list_errors(settings: Settings, *, status: str | None = OPEN, limit: int = 50) -> ErrorList:
    """Return the errors of the log (`status` None: of any status), those of runs not yet in it included."""
    found = _kept_aside(settings) if status in (None, OPEN) else ()
    if settings.warehouse.is_file() or not found:
        with published_ledger(settings) as connection:
            found += ledger.logged_errors(connection, status=status)
    return ErrorList(found[:limit], max(0, len(found) - limit))


def show_error(settings: Settings, error_id: int) -> ErrorEntry:
    """Return one error.

    Raises:
        UsageError: there is none of this number.
    """
    with published_ledger(settings) as connection:
        return _chosen(connection, [error_id])[0]


def settle_errors(
    settings: Settings, error_ids: Sequence[int], status: str, reason: str | None
) -> tuple[ErrorEntry, ...]:
    """Mark errors as resolved or ignored; return them as they are then.

    Raises:
        UsageError: there is no error of one of these numbers; none is marked.
    """
    settled: list[ErrorEntry] = []

    def settle(work: Work) -> Outcome:
        with work.stage.connection() as connection:
            _chosen(connection, error_ids)
            ledger.settle_errors(connection, error_ids, status, reason, work.started_at)
            settled.extend(_chosen(connection, error_ids))
        return Outcome(None, f"{counted(len(settled), 'error')} {status.lower()}")

    command = "errors resolve" if status == ledger.RESOLVED else "errors ignore"
    write_warehouse(settings, command, {"settle": settle}, brings_data=False)
    return tuple(settled)


def _chosen(connection: DuckDBPyConnection, error_ids: Sequence[int]) -> list[ErrorEntry]:
    known = {entry.error_id: entry for entry in ledger.logged_errors(connection)}
    for number in error_ids:
        if number not in known:
            raise UsageError(f"there is no error {number}", hint="`olistctl errors list --status all` shows them")
    return [known[number] for number in dict.fromkeys(error_ids)]


def _kept_aside(settings: Settings) -> tuple[ErrorEntry, ...]:
    """Return the errors of failed runs that no published warehouse holds yet."""
    runs = journal.read_journal(settings.journal_dir)
    if not holder_is_alive(settings.state_dir):
        runs = tuple(journal.as_ended(run) for run in runs)
    return tuple(
        ErrorEntry(None, e.at, e.stage, e.table_name, e.error_type, e.message, {"run_id": run.run_id} | e.details, OPEN)
        for run in reversed(runs)
        for e in reversed(run.errors)
    )
