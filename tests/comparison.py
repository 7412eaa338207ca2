"""Are two warehouses the same? Told table by table, and of one that differs by its first differing rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

import duckdb

# When and by which run a row was loaded, which two builds of the same files do not share.
RUN_METADATA = frozenset(
    {"_loaded_at", "_run_id", "created_at", "updated_at", "dbt_updated_at", "first_seen_at", "is_new"}
)
# Where a row stood, which differs where the same records are delivered in other files.
PLACE = frozenset({"_source_file", "_source_line"})
_INEXACT = ("DOUBLE", "FLOAT")  # the last bits of a double depend on the order of its summands
_DIGITS = 9

Contents = dict[str, tuple[int, str]]


def contents(warehouse: Path, schemas: Collection[str], *, without: Collection[str] = RUN_METADATA) -> Contents:
    """Return rows and an order-free fingerprint of every table and view of the schemas, some columns aside."""
    result = {}
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        for table, columns in _columns(connection, schemas, without).items():
            row = connection.execute(
                f"select count(*), md5(string_agg(h, '' order by h)) from "
                f"(select md5(row({', '.join(columns.values())})::varchar) as h from {table})"
            ).fetchone()
            assert row
            result[table] = (row[0], row[1])
    return result


def differences(
    one: Path,
    other: Path,
    schemas: Collection[str],
    *,
    names: tuple[str, str] = ("stepwise", "at once"),
    without: Collection[str] = RUN_METADATA,
    rows: int = 3,
) -> str:
    """Say in which tables two warehouses differ, with the first rows that only one of them has; empty if in none."""
    left, right = (contents(warehouse, schemas, without=without) for warehouse in (one, other))
    told = []
    for table in sorted(left.keys() | right.keys()):
        if table not in left or table not in right:
            told.append(f"{table} is only in the warehouse built {names[0] if table in left else names[1]}")
        elif left[table] != right[table]:
            told.append(_rows_that_differ(one, other, table, names, without, rows))
    return "\n".join(told)


def _rows_that_differ(
    one: Path, other: Path, table: str, names: tuple[str, str], without: Collection[str], limit: int
) -> str:
    left, right = (_rows(warehouse, table, without) for warehouse in (one, other))
    lines = [f"{table}: {left.total():,} rows {names[0]}, {right.total():,} {names[1]}"]
    only = [sorted((more - fewer).elements(), key=repr) for more, fewer in ((left, right), (right, left))]
    for name, own, others in ((names[0], only[0], only[1]), (names[1], only[1], only[0])):
        lines += [f"  only {name}: {_shown(row, others)}" for row in own[:limit]]
        if len(own) > limit:
            lines.append(f"  … and {len(own) - limit:,} more only {name}")
    if len(lines) == 1:
        lines.append("  the columns differ")
    return "\n".join(lines)


_Row = tuple[tuple[str, str], ...]


def _shown(row: _Row, others: list[_Row]) -> str:
    """Show a row by its first column and what differs from the other warehouse's nearest row."""

    def different(other: _Row) -> list[tuple[str, str]]:
        return [pair for pair, its in zip(row, other, strict=False) if pair != its]

    nearest = min((different(other) for other in others), key=len, default=list(row))
    return ", ".join(f"{name}={value}" for name, value in dict([row[0], *nearest]).items())


def _rows(warehouse: Path, table: str, without: Collection[str]) -> Counter[_Row]:
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        columns = _columns(connection, [table.split(".")[0]], without)[table]
        rows = connection.execute(f"select {', '.join(columns.values())} from {table}").fetchall()
    return Counter(tuple(zip(columns, (str(value) for value in row), strict=True)) for row in rows)


def _columns(
    connection: duckdb.DuckDBPyConnection, schemas: Collection[str], without: Collection[str]
) -> Mapping[str, dict[str, str]]:
    """Return the columns to compare, by table, with the SQL of their values."""
    found = connection.execute(
        "select table_schema, table_name, column_name, data_type from information_schema.columns "
        "where list_contains($schemas, table_schema) order by table_schema, table_name, ordinal_position",
        {"schemas": list(schemas)},
    ).fetchall()
    tables: dict[str, dict[str, str]] = {}
    for schema, table, column, kind in found:
        columns = tables.setdefault(f"{schema}.{table}", {})
        if column not in without:
            columns[column] = f'round("{column}", {_DIGITS})' if kind in _INEXACT else f'"{column}"'
    return tables
