"""Tests that did not pass: their rows are kept in the warehouse, and some of them shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from olistctl.results import Finding, counted
from olistctl.transform import NodeResult
from olistctl.warehouse import quote, standing

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Where dbt itself keeps failing rows (`dbt test --store-failures`).
SCHEMA = "dbt_test__audit"
_SAMPLES = 5
_SPOKEN = 20  # of one test; its table has them all
_LONGEST_VALUE = 80  # a cell may hold what a customer wrote
_PLAIN = re.compile("[a-z][a-z0-9_]*")  # a name that goes into a query, and a shell's quotes, as it is
_VERBS = {"warn": "warns", "fail": "fails", "error": "cannot run"}


@dataclass(frozen=True)
class Sample:
    """Some rows as text that is cut where it is long; `query` reads all of them, from the published warehouse."""

    query: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]


@dataclass(frozen=True)
class Failure:
    """One thing that a test found, in words, with rows that show it."""

    message: str
    owner: str | None
    sample: Sample | None = None


@dataclass(frozen=True)
class FailingTest:
    """A test that did not pass; `rows` is how many rows fail it, None where it cannot run."""

    test: str
    status: str  # warn, fail, error
    model: str | None
    column: str | None
    rows: int | None
    owner: str | None
    file: str
    failures: tuple[Failure, ...] = ()

    @property
    def where(self) -> str:
        """The column or the model that it tests, or its file."""
        return f"{self.model}.{self.column}" if self.model and self.column else self.model or self.file

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What a user is told of it, with where to look next."""
        return tuple(Finding(_told(failure), self.where, self._next(failure)) for failure in self.failures)

    def _next(self, failure: Failure) -> str:
        if failure.sample is None:
            return f"read {self.file}"
        return f"`olistctl test` shows some rows, `{failure.sample.query}` all"


# Makes a table, named in quotes, of the rows of a query.
Keeping = Callable[[str, str], None]


def keep_failing_rows(
    connection: DuckDBPyConnection, nodes: Sequence[NodeResult], *, everything: bool, keep: Keeping | None = None
) -> tuple[FailingTest, ...]:
    """Keep the rows that fail the tests that ran, in place of what these left earlier, and return the tests.

    `everything`: all tests ran, so nothing that any other has left is true any more. `keep` fetches the rows where the
    models are not in this warehouse.
    """
    keep = keep or (lambda table, sql: _create(connection, table, sql))
    if everything:
        connection.execute(f"drop schema if exists {SCHEMA} cascade")
    connection.execute(f"create schema if not exists {SCHEMA}")
    kept = {name.casefold() for schema, name, _ in standing(connection) if schema == SCHEMA}
    failing: dict[str, FailingTest] = {}
    for node in nodes:
        if (name := node.name.casefold()) in kept:
            connection.execute(f"drop table if exists {_table(node)}")
        if node.status in _VERBS:
            failing[node.name] = _failing(connection, node, keep)
            kept.add(name)  # dbt lets two columns have tests of one name
    return tuple(failing.values())


def _create(connection: DuckDBPyConnection, table: str, sql: str) -> None:
    connection.execute(f"create table {table} as\n{sql}")


def _failing(connection: DuckDBPyConnection, node: NodeResult, keep: Keeping) -> FailingTest:
    test = FailingTest(
        test=node.name,
        status=node.status,
        model=node.model,
        column=node.column,
        rows=node.failures,
        owner=node.owner,
        file=node.file,
    )
    if not node.sql:
        return replace(test, failures=(Failure(f"{_what(test)}: {node.message or ''}", node.owner),))
    table = _table(node)
    keep(table, node.sql)
    sample = _sample(connection, f"select * from {table}")
    if "message" in sample.columns:
        return replace(test, failures=_spoken(connection, test, sample))
    return replace(test, failures=(Failure(f"{_what(test)}: {counted(test.rows or 0, 'row')}", node.owner, sample),))


def _spoken(connection: DuckDBPyConnection, test: FailingTest, rows: Sample) -> tuple[Failure, ...]:
    """Return what rows say that have a column `message`: each is a failure, with an owner of its own if it names one.

    One may also say where the records are listed that it is about: `listed_in` a relation, `listed_by` a column of it,
    `listed_as` the column's value.
    """
    cursor = connection.execute(f"{rows.query} order by message limit {_SPOKEN}")
    names = [name for name, *_ in cursor.description or ()]
    failures = []
    for values in cursor.fetchall():
        row = dict(zip(names, values, strict=True))
        sample = rows
        if row.get("listed_in"):
            sample = _sample(connection, _listing(*(str(row[f"listed_{how}"]) for how in ("in", "by", "as"))))
        failures.append(Failure(str(row["message"]), row.get("owner") or test.owner, sample))
    if (more := (test.rows or 0) - len(failures)) > 0:
        failures.append(Failure(f"{test.test}: {more:,} more", test.owner, rows))
    return tuple(failures)


def _listing(relation: str, column: str, value: str) -> str:
    place = ".".join(map(_name, relation.split(".")))
    literal = value.replace("'", "''")
    return f"select * from {place} where {_name(column)} = '{literal}'"


def _table(node: NodeResult) -> str:
    return f"{SCHEMA}.{_name(node.name)}"


def _name(identifier: str) -> str:
    return identifier if _PLAIN.fullmatch(identifier) else quote(identifier)


def _sample(connection: DuckDBPyConnection, query: str) -> Sample:
    cursor = connection.execute(f"{query} limit {_SAMPLES}")
    columns = tuple(column for column, *_ in cursor.description or ())
    return Sample(query, columns, tuple(tuple(map(_text, row)) for row in cursor.fetchall()))


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = str(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _what(test: FailingTest) -> str:
    return f"test {test.test} {_VERBS[test.status]}"


def _told(failure: Failure) -> str:
    return f"{failure.message} (owner: {failure.owner})" if failure.owner else failure.message
