"""`etl.tickets`: one for each failing test, until it passes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from olistctl import ledger
from olistctl.ledger import FailedTest

AT = datetime(2018, 9, 1, 12, 30)
ORDERS = FailedTest("unique_orders", "test unique_orders fails: 2 rows", "orders.id", "olistctl test")
SELLERS = FailedTest("not_null_sellers", "test not_null_sellers warns: 1 row", None, None)


@pytest.fixture
def etl(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    ledger.create(connection)
    yield connection


def note(etl: duckdb.DuckDBPyConnection, run: int, failed: list[FailedTest], passed: str = "") -> list[tuple[int, str]]:
    """Note the tests of a run; return number and test of the tickets that are open then."""
    ledger.note_tickets(etl, failed, passed.split().__contains__, f"run-{run}", AT)
    return [(ticket.ticket_id, ticket.test) for ticket in ledger.open_tickets(etl)]


def test_a_ticket_opens_once_and_closes_when_its_test_passes(etl: duckdb.DuckDBPyConnection) -> None:
    assert note(etl, 1, [ORDERS]) == [(1, "unique_orders")]
    assert note(etl, 2, [ORDERS, SELLERS]) == [(1, "unique_orders"), (2, "not_null_sellers")]
    assert note(etl, 3, [SELLERS]) == [(1, "unique_orders"), (2, "not_null_sellers")], "it did not run"
    assert note(etl, 4, [SELLERS], "unique_orders") == [(2, "not_null_sellers")]
    assert etl.execute("select opened_by_run, closed_by_run from etl.tickets order by ticket_id").fetchall() == [
        ("run-1", "run-4"),
        ("run-2", None),
    ]
    assert note(etl, 5, [ORDERS, SELLERS], "unique_orders") == [(2, "not_null_sellers"), (3, "unique_orders")]
    assert note(etl, 6, [], "unique_orders not_null_sellers") == []
    assert etl.execute("select count(*) from etl.tickets").fetchall() == [(3,)]


def test_an_open_ticket_says_what_its_test_said_last(etl: duckdb.DuckDBPyConnection) -> None:
    note(etl, 1, [ORDERS])
    note(etl, 2, [FailedTest(ORDERS.test, "test unique_orders fails: 9 rows", "orders", "read it")])
    (ticket,) = ledger.open_tickets(etl)
    assert (ticket.message, ticket.place, ticket.hint) == ("test unique_orders fails: 9 rows", "orders", "read it")
    assert (ticket.opened_at, ticket.opened_by_run, ticket.key) == (AT, "run-1", "1 run-1")


def test_tickets_outlive_a_full_refresh(tmp_path: Path, etl: duckdb.DuckDBPyConnection) -> None:
    note(etl, 1, [ORDERS])
    etl.execute(f"attach '{tmp_path / 'live.duckdb'}' as file")
    etl.execute("copy from database memory to file")
    etl.execute("detach file")
    with duckdb.connect() as fresh:
        fresh.execute(f"attach '{tmp_path / 'live.duckdb'}' as live (read_only)")
        ledger.carry_over(fresh)
        assert [ticket.test for ticket in ledger.open_tickets(fresh)] == ["unique_orders"]


def test_a_ledger_without_tickets_gets_the_table(etl: duckdb.DuckDBPyConnection) -> None:
    etl.execute("drop table etl.tickets")
    assert not ledger.is_current(etl)
    ledger.create(etl)
    assert ledger.is_current(etl)
    assert ledger.open_tickets(etl) == ()


def test_a_test_that_finds_several_things_has_one_ticket(etl: duckdb.DuckDBPyConnection) -> None:
    two = replace(ORDERS, message="another thing")
    assert note(etl, 1, [ORDERS, two]) == [(1, "unique_orders")]
    assert ledger.open_tickets(etl)[0].message == "test unique_orders fails: 2 rows\nanother thing"
    assert note(etl, 2, [two]) == [(1, "unique_orders")]
    assert ledger.open_tickets(etl)[0].message == "another thing"
