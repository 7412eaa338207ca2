"""The data tests of the dbt project, compiled by dbt and run without it.

Their queries are run as dbt would run them (macro get_test_sql, and dbt.task.test for what the answer means).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from olistctl.results import NoProgress, Progress
from olistctl.transform.compiled import CompiledTest
from olistctl.transform.dbt import DbtReport, NodeResult
from olistctl.warehouse import in_parallel, machine_fault

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class QueryFailed(Exception):
    """The query of a test cannot run; the text is the engine's reason."""


# Runs a query and returns its first row; raises QueryFailed.
Asking = Callable[[str], "Sequence[Any] | None"]


def run_tests(
    connection: DuckDBPyConnection, tests: Sequence[CompiledTest], progress: Progress | None = None
) -> DbtReport:
    """Run tests on an open warehouse. What a test finds is data in the report, and so is one that cannot run.

    Raises:
        OlistctlError: the machine refuses: the disk is full, say.
    """

    def run(judge: Callable[[CompiledTest, Asking], NodeResult]) -> list[NodeResult]:
        return in_parallel(connection, lambda cursor, test: judge(test, partial(_asked, cursor)), tests)

    return judged(run, len(tests), progress)


def judged(
    run: Callable[[Callable[[CompiledTest, Asking], NodeResult]], Sequence[NodeResult]],
    count: int,
    progress: Progress | None = None,
) -> DbtReport:
    """Return the report of tests that `run` puts to an engine: it calls what it is given with each, and how to ask."""
    progress = progress or NoProgress()
    started = time.perf_counter()
    progress.start("Testing", count)

    def judge(test: CompiledTest, ask: Asking) -> NodeResult:
        progress.advance(0, test.name)
        node = _judge(test, ask)
        progress.advance(1)
        return node

    try:
        nodes = run(judge)
    finally:
        progress.finish()
    return DbtReport(tuple(nodes), round(time.perf_counter() - started, 2))


def _asked(connection: DuckDBPyConnection, query: str) -> Sequence[Any] | None:
    import duckdb

    try:
        row: Sequence[Any] | None = connection.execute(query).fetchone()
    except duckdb.Error as error:
        if fault := machine_fault(error):
            raise fault from None
        raise QueryFailed(str(error)) from None
    return row


def _judge(test: CompiledTest, ask: Asking) -> NodeResult:
    result = NodeResult(test.name, "test", "pass", 0.0, test.file, test.model, test.column, owner=test.owner)
    if test.sql is None:
        return replace(result, status="error", message=test.problem)
    started = time.perf_counter()
    try:
        row = ask(test.query)
    except QueryFailed as error:
        return replace(result, status="error", message=str(error))
    seconds = round(time.perf_counter() - started, 3)
    failures, should_warn, should_error = row or (None, None, None)
    if failures is None:
        return replace(result, status="error", message=f"`{test.fail_calc}` gives no number", seconds=seconds)
    status = "fail" if test.severity == "error" and should_error else "warn" if should_warn else "pass"
    if status == "pass":
        return replace(result, failures=0, seconds=seconds)
    return replace(result, status=status, failures=int(failures), sql=test.sql, seconds=seconds)
