"""`etl.tickets`: one for each test that does not pass, from the run that found it to the run in which it passed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from olistctl.ledger.builds import FailedTest
from olistctl.ledger.rows import insert, next_id

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Ticket:
    """A test that does not pass; times are UTC."""

    ticket_id: int
    test: str
    message: str
    place: str | None
    hint: str | None
    opened_at: datetime
    opened_by_run: str

    @property
    def key(self) -> str:
        """What no other ticket has, not even one that took its number after a rollback."""
        return f"{self.ticket_id} {self.opened_by_run}"


def note_tickets(
    connection: DuckDBPyConnection,
    failed: Sequence[FailedTest],
    has_passed: Callable[[str], bool],
    run_id: str,
    at: datetime,
) -> None:
    """Open a ticket for every test that failed and has none, and close those of the tests that `has_passed` names.

    A test that found several things has one ticket, with a line for each of them.
    """
    waiting = {ticket.test: ticket.ticket_id for ticket in open_tickets(connection)}
    for test in _by_test(failed):
        if test.test in waiting:
            connection.execute(
                "update etl.tickets set message = ?, place = ?, hint = ? where ticket_id = ?",
                [test.message, test.where, test.hint, waiting.pop(test.test)],
            )
        else:
            number = next_id(connection, "tickets", "ticket_id")
            values = (number, test.test, test.message, test.where, test.hint, at, run_id, None, None)
            insert(connection, "tickets", [values])
    for name, number in waiting.items():
        if has_passed(name):
            connection.execute(
                "update etl.tickets set closed_at = ?, closed_by_run = ? where ticket_id = ?", [at, run_id, number]
            )


def _by_test(failed: Sequence[FailedTest]) -> Iterator[FailedTest]:
    found: dict[str, list[FailedTest]] = {}
    for test in failed:
        found.setdefault(test.test, []).append(test)
    for first, *others in found.values():
        yield replace(first, message="\n".join(one.message for one in (first, *others)))


def open_tickets(connection: DuckDBPyConnection) -> tuple[Ticket, ...]:
    """Return the tickets of the tests that do not pass yet, the oldest first."""
    rows = connection.execute(
        "select ticket_id, test, message, place, hint, opened_at, opened_by_run from etl.tickets "
        "where closed_at is null order by ticket_id"
    ).fetchall()
    return tuple(Ticket(*row) for row in rows)
