"""How rows enter a table of `etl`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def insert(
    connection: DuckDBPyConnection, table: str, rows: Iterable[tuple[Any, ...]], *, replace: bool = False
) -> None:
    """Insert whole rows; with `replace`, in place of those with the same key."""
    verb = "insert or replace" if replace else "insert"
    for row in rows:
        marks = ", ".join("?" * len(row))
        connection.execute(f"{verb} into etl.{table} values ({marks})", row)


def next_id(connection: DuckDBPyConnection, table: str, column: str) -> int:
    """Return the first number after those that are in use; there is one writer at a time."""
    row = connection.execute(f"select coalesce(max({column}), 0) + 1 from etl.{table}").fetchone()
    return int(row[0]) if row else 1
