"""The data tests of the dbt project, compiled by dbt and run without it.

Their queries are run as dbt would run them (macro get_test_sql, and dbt.task.test for what the answer means).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from olistctl.results import NoProgress, Progress
from olistctl.transform.compiled import CompiledTest
from olistctl.transform.dbt import DbtReport, NodeResult
from olistctl.warehouse import in_parallel, machine_fault

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def run_tests(
    connection: DuckDBPyConnection, tests: Sequence[CompiledTest], progress: Progress | None = None
) -> DbtReport:
    """Run tests on an open warehouse. What a test finds is data in the report, and so is one that cannot run.

    Raises:
        OlistctlError: the machine refuses: the disk is full, say.
    """
    progress = progress or NoProgress()
    started = time.perf_counter()
    progress.start("Testing", len(tests))

    def run(cursor: DuckDBPyConnection, test: CompiledTest) -> NodeResult:
        progress.advance(0, test.name)
        node = _run(cursor, test)
        progress.advance(1)
        return node

    try:
        nodes = in_parallel(connection, run, tests)
    finally:
        progress.finish()
    return DbtReport(tuple(nodes), round(time.perf_counter() - started, 2))


def _run(connection: DuckDBPyConnection, test: CompiledTest) -> NodeResult:
    import duckdb

    result = NodeResult(test.name, "test", "pass", 0.0, test.file, test.model, test.column, owner=test.owner)
    if test.sql is None:
        return replace(result, status="error", message=test.problem)
    started = time.perf_counter()
    try:
        row = connection.execute(test.query).fetchone()
    except duckdb.Error as error:
        if fault := machine_fault(error):
            raise fault from None
        return replace(result, status="error", message=str(error))
    seconds = round(time.perf_counter() - started, 3)
    failures, should_warn, should_error = row or (None, None, None)
    if failures is None:
        return replace(result, status="error", message=f"`{test.fail_calc}` gives no number", seconds=seconds)
    status = "fail" if test.severity == "error" and should_error else "warn" if should_warn else "pass"
    if status == "pass":
        return replace(result, failures=0, seconds=seconds)
    return replace(result, status=status, failures=int(failures), sql=test.sql, seconds=seconds)
