"""How rows enter a table of `etl`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def insert(
    connection: DuckDBPyConnection, table: str, rows: Iterable[tuple[Any, ...]], *, replace: bool = False
) -> None:
    """Insert whole rows; with `replace`, in place of those with the same key, of which no two may be alike here.

    Column by column: to read a statement with a mark for each value takes DuckDB longest of all.
    """
    columns = [list(values) for values in zip(*rows, strict=True)]
    if columns:
        verb = "insert or replace" if replace else "insert"
        connection.execute(f"{verb} into etl.{table} select {', '.join(['unnest(?)'] * len(columns))}", columns)


def next_id(connection: DuckDBPyConnection, table: str, column: str) -> int:
    """Return the first number after those that are in use; there is one writer at a time."""
    row = connection.execute(f"select coalesce(max({column}), 0) + 1 from etl.{table}").fetchone()
    return int(row[0]) if row else 1
