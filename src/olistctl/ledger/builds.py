"""`etl.builds`: which state of the dbt project the models were built with, and what the tests said of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from olistctl.ledger.rows import insert

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class FailedTest:
    """A test that did not pass on the models as they are, as a user is told of it."""

    test: str
    message: str
    where: str | None
    hint: str | None


@dataclass(frozen=True)
class Build:
    """The models as they were built last; times are UTC.

    `project_sha256` is None when they are not known to be what the project makes of `raw`. `relations` are the names
    (schema, table) of what dbt has made. Unless `is_tested`, some of it has not been tested yet.
    """

    run_id: str
    project_sha256: str | None
    built_at: datetime
    relations: tuple[tuple[str, str], ...] = ()
    is_tested: bool = False
    failed_tests: tuple[FailedTest, ...] = ()


def last_build(connection: DuckDBPyConnection) -> Build | None:
    """Return how the models were built last; None if they never were."""
    row = connection.execute("from etl.builds").fetchone()
    if row is None:
        return None
    run_id, project_sha256, built_at, relations, is_tested, failed = row
    return Build(
        run_id,
        project_sha256,
        built_at,
        relations=tuple((schema, name) for schema, name in json.loads(relations or "[]")),
        is_tested=bool(is_tested),
        failed_tests=tuple(FailedTest(**test) for test in json.loads(failed or "[]")),
    )


def note_built(connection: DuckDBPyConnection, build: Build) -> None:
    """Note that the models are built from all that is in `raw`."""
    connection.execute("update etl.changed_keys set is_built = true where not is_built")
    connection.execute("delete from etl.builds")
    failed = json.dumps([vars(test) for test in build.failed_tests])
    values = build.run_id, build.project_sha256, build.built_at, json.dumps(build.relations), build.is_tested, failed
    insert(connection, "builds", [values])


def note_tested(
    connection: DuckDBPyConnection, tests: Collection[str] | None, failed: Sequence[FailedTest]
) -> tuple[FailedTest, ...]:
    """Note which of the tests that ran (None: all) failed; return those that failed earlier and did not run again."""
    build = last_build(connection)
    earlier = build.failed_tests if build and tests is not None else ()
    stand = tuple(test for test in earlier if test.test not in (tests or ()))
    connection.execute(
        "update etl.builds set is_tested = true, failed_tests = ?",
        [json.dumps([vars(test) for test in (*stand, *failed)])],
    )
    return stand


def forget_build(connection: DuckDBPyConnection) -> None:
    """Note that the models are not known to be what the project makes of `raw`: the next run builds all of them."""
    connection.execute("update etl.builds set project_sha256 = null, is_tested = false")
