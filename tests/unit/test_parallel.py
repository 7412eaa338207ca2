"""Many statements at a time on one database."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest

from olistctl.warehouse import in_parallel

FOR_EVER = "select count(*) from range(1000000) as a (x), range(1000000) as b (y) where (x * y) % 7 = 3"


def answer(cursor: duckdb.DuckDBPyConnection, number: int) -> int:
    ((found,),) = cursor.execute("select max(a) + ? from t", [number]).fetchall()
    return int(found)


@pytest.fixture
def database(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(tmp_path / "dw.duckdb"), config={"threads": 2})
    connection.execute("create table t as select range as a from range(101)")
    return connection


def test_results_come_in_the_order_of_the_items_and_statements_run_at_once(
    database: duckdb.DuckDBPyConnection,
) -> None:
    together = threading.Barrier(2, timeout=20)

    def work(cursor: duckdb.DuckDBPyConnection, number: int) -> int:
        together.wait()
        return answer(cursor, number)

    with database:
        assert in_parallel(database, work, range(20)) == [100 + number for number in range(20)]
        assert in_parallel(database, work, []) == []


def callers(cursor: duckdb.DuckDBPyConnection, number: int) -> int:
    """Return how many of DuckDB's threads are callers; fail at 0."""
    chosen = "case when $1 = 0 then error('no') else current_setting('external_threads') end"
    ((found,),) = cursor.execute(f"select {chosen}", [number]).fetchall()
    return int(found)


def test_many_statements_have_a_core_each_and_few_have_those_that_are_idle(
    database: duckdb.DuckDBPyConnection,
) -> None:
    with database:
        assert in_parallel(database, callers, [1] * 20) == [2] * 20
        assert in_parallel(database, callers, [1] * 19) == [1] * 19
        assert in_parallel(database, callers, [1] * 20, {1: [0]}) == [1] * 20, "one may have to be waited for"


def test_duckdb_has_its_threads_back_whatever_happens(database: duckdb.DuckDBPyConnection) -> None:
    with database:
        with pytest.raises(duckdb.InvalidInputException):
            in_parallel(database, callers, [0] * 20)
        assert callers(database, 1) == 1


def test_an_item_waits_for_those_before_it(database: duckdb.DuckDBPyConnection) -> None:
    def work(cursor: duckdb.DuckDBPyConnection, number: int) -> int:
        found = sum(made(cursor, other) for other in range(number + 1, 6))
        cursor.execute(f"create table made_{number} as select {number} + {found} as a")
        return found

    def made(cursor: duckdb.DuckDBPyConnection, number: int) -> int:
        ((found,),) = cursor.execute(f"select a from made_{number}").fetchall()
        return int(found)

    with database:
        after = {number: range(number + 1, 6) for number in range(6)}
        assert in_parallel(database, work, range(6), after) == [129, 64, 31, 14, 5, 0]


def test_an_error_ends_all(database: duckdb.DuckDBPyConnection) -> None:
    done: list[int] = []

    def work(cursor: duckdb.DuckDBPyConnection, number: int) -> None:
        if number == 0:
            raise ValueError("of the first")
        if number == 1:
            cursor.execute(FOR_EVER)
        done.append(number)

    with database, pytest.raises(ValueError, match="of the first"):
        in_parallel(database, work, range(1_000))
    assert len(done) < 1_000


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let Python hear of SIGINT, which a shell may have switched off for what it starts in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_ends_what_runs(database: duckdb.DuckDBPyConnection) -> None:
    begun = threading.Event()

    def work(cursor: duckdb.DuckDBPyConnection, sql: str) -> None:
        begun.set()
        cursor.execute(sql)

    def interrupt() -> None:
        begun.wait(20)
        time.sleep(0.2)  # into the statement; before it, the test would be the same and prove less
        main = threading.main_thread().ident
        assert main
        signal.pthread_kill(main, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    started = time.monotonic()
    with database, pytest.raises(KeyboardInterrupt):
        in_parallel(database, work, [FOR_EVER] * 10)
    assert time.monotonic() - started < 10


def test_an_interruption_ends_what_was_begun_a_moment_before(
    database: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the submission of a work and the note of it, where a signal may come, too."""

    class Pool(ThreadPoolExecutor):
        def submit(self, *arguments: Any, **named: Any) -> Any:
            super().submit(*arguments, **named)
            assert begun.wait(20)
            raise KeyboardInterrupt

    begun = threading.Event()

    def work(cursor: duckdb.DuckDBPyConnection, sql: str) -> None:
        begun.set()
        cursor.execute(sql)

    monkeypatch.setattr("olistctl.warehouse.parallel.ThreadPoolExecutor", Pool)
    started = time.monotonic()
    with database, pytest.raises(KeyboardInterrupt):
        in_parallel(database, work, [FOR_EVER])
    assert time.monotonic() - started < 10
