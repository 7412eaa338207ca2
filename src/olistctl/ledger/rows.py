"""How rows enter a table of `etl`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_BATCH = 100


def insert(
    connection: DuckDBPyConnection, table: str, rows: Iterable[tuple[Any, ...]], *, replace: bool = False
) -> None:
    """Insert whole rows; with `replace`, in place of those with the same key, of which no two may be alike here."""
    verb = "insert or replace" if replace else "insert"
    waiting = list(rows)
    for start in range(0, len(waiting), _BATCH):
        batch = waiting[start : start + _BATCH]
        marks = ", ".join(f"({', '.join('?' * len(row))})" for row in batch)
        connection.execute(f"{verb} into etl.{table} values {marks}", list(chain.from_iterable(batch)))


def next_id(connection: DuckDBPyConnection, table: str, column: str) -> int:
    """Return the first number after those that are in use; there is one writer at a time."""
    row = connection.execute(f"select coalesce(max({column}), 0) + 1 from etl.{table}").fetchone()
    return int(row[0]) if row else 1
