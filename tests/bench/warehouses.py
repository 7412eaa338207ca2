"""Look into the warehouses that the contestants built, and fail when they are not the same.

A process of its own opens them (this file as a program), so that the measuring process stays small.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_COMPARED = ("core", "mart")
# Load times differ by nature, and the last bits of a double depend on the order of its summands.
_NOT_COMPARED = ("created_at", "updated_at")
_INEXACT = ("DOUBLE", "FLOAT")


@dataclass(frozen=True)
class Table:
    """The size of a table and a digest of its rows in any order, load times and doubles aside."""

    rows: int
    digest: str


def contents(warehouse: Path) -> dict[str, Table]:
    """Return the tables of core and mart."""
    tables: dict[str, Any] = json.loads(_call("contents", str(warehouse)))
    return {name: Table(**table) for name, table in tables.items()}


def carry_over(origin: Path, warehouse: Path, tables: Sequence[tuple[str, str]]) -> None:
    """Copy tables (schema, name) from one warehouse to another."""
    if tables:
        _call("carry", str(origin), str(warehouse), json.dumps(tables))


def table_differences(name: str, expected: Mapping[str, Table], found: Mapping[str, Table]) -> list[str]:
    """Say how the tables of a contestant differ from the expected ones."""
    problems = []
    for table in sorted(expected.keys() | found.keys()):
        ours, theirs = expected.get(table), found.get(table)
        if ours is None or theirs is None:
            problems.append(f"{name}: {table} is {'missing' if theirs is None else 'one too many'}")
        elif ours.rows != theirs.rows:
            problems.append(f"{name}: {table} has {theirs.rows:,} rows, and should have {ours.rows:,}")
        elif ours != theirs:
            problems.append(f"{name}: {table} has the right {ours.rows:,} rows, but other values")
    return problems


def test_differences(name: str, expected: Mapping[str, int], found: Mapping[str, int]) -> list[str]:
    """Say how the results of the data tests (failing rows by test) differ from the expected ones."""
    wrong = sorted(test for test in expected.keys() | found.keys() if expected.get(test) != found.get(test))
    return [
        f"{name}: test {test} has the result {found.get(test, 'not run')}, and should have {expected.get(test, 'none')}"
        for test in wrong
    ]


def _call(*arguments: str) -> str:
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


# --- from here on: the process that opens the files ---


def _contents(connection: DuckDBPyConnection) -> dict[str, Any]:
    columns = connection.execute(
        """
        select table_schema, table_name, column_name, data_type
        from information_schema.columns
        where list_contains($schemas, table_schema)
        order by table_schema, table_name, ordinal_position
        """,
        {"schemas": list(_COMPARED)},
    ).fetchall()
    compared: dict[str, list[str]] = {}
    for schema, table, column, kind in columns:
        names = compared.setdefault(f"{schema}.{table}", [])
        if column not in _NOT_COMPARED and kind not in _INEXACT:
            names.append(f'coalesce(cast("{column}" as varchar), chr(0))')
    result = {}
    for table, names in compared.items():
        row = connection.execute(f"select count(*), sum(hash(concat_ws(chr(1), {', '.join(names)}))) from {table}")
        count, digest = row.fetchall()[0]
        result[table] = {"rows": count, "digest": str(digest)}
    return result


def _carry(origin: str, warehouse: str, tables: Sequence[tuple[str, str]]) -> None:
    import duckdb

    connection = duckdb.connect(warehouse)
    path = origin.replace("'", "''")
    connection.execute(f"attach '{path}' as origin (read_only)")
    for schema, table in tables:
        connection.execute(f'create schema if not exists "{schema}"')
        connection.execute(f'create table "{schema}"."{table}" as from origin."{schema}"."{table}"')
    connection.close()


def _main(arguments: Sequence[str]) -> None:
    import duckdb

    match arguments:
        case ["contents", warehouse]:
            with duckdb.connect(warehouse, read_only=True) as connection:
                print(json.dumps(_contents(connection)))
        case ["carry", origin, warehouse, tables]:
            _carry(origin, warehouse, json.loads(tables))
        case _:
            sys.exit(f"not known: {arguments}")


if __name__ == "__main__":
    _main(sys.argv[1:])
