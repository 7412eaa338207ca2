"""The tables of `raw`, and how records enter them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from olistctl.reading.guards import SQL_TYPES, is_good, typed
from olistctl.reading.inspection import Inspection
from olistctl.sources import Source
from olistctl.warehouse import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# The temporary table of rows that are still to be compared with those in `raw`.
INCOMING = "incoming"
METADATA_COLUMNS = {
    "_source_file": "VARCHAR",
    "_source_line": "BIGINT",
    "_loaded_at": "TIMESTAMP",
    "_run_id": "VARCHAR",
}
# Whether a row is the current record of its key; the loader keeps it so (`loading.currency`).
IS_CURRENT = "_is_current"
ADDED_COLUMNS = frozenset({*METADATA_COLUMNS, IS_CURRENT})


@dataclass(frozen=True)
class Reading:
    """One read of one file: the connection, what is read, and the values of its metadata columns."""

    connection: DuckDBPyConnection
    source: Source
    inspection: Inspection
    run_id: str
    loaded_at: datetime
    into: str | None = None  # in place of the source's table in `raw`

    @property
    def table(self) -> str:
        """The quoted name of the table that rows go to."""
        return self.into or table_of(self.source)

    @property
    def file(self) -> str:
        """The name by which the ledger knows the file."""
        return self.inspection.file

    def execute(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        return self.connection.execute(sql, parameters).fetchall()

    def insert_good(self, records: str, parameters: dict[str, Any] | None = None, *, line: str | None = None) -> int:
        """Insert the good ones of `records`: SQL after `from`, with columns of text and `_record`, its number.

        Return how many they are.

        `line`: the SQL of the physical line, where the number of the record does not tell it.
        """
        columns = self.source.columns
        values = ", ".join(f"{typed(column)} as {quote(column.name)}" for column in columns)
        good = " and ".join(is_good(column) for column in columns)
        join = ""
        if line is None:
            line = "_record + 1"
            if self.inspection.scan.line_shifts:
                line, join = "_record + 1 + coalesce(_shift, 0)", "asof left join line_shifts on _record >= _first"
        ((count,),) = self.execute(
            f"insert into {self.table} select {values}, $file, {line}, $loaded_at, $run_id, true "
            f"from (select * from {records} where {good}) {join}",
            {"file": self.file, "loaded_at": self.loaded_at, "run_id": self.run_id} | (parameters or {}),
        )
        return int(count)

    def create_shifts(self, name: str, shifts: list[tuple[int, int]]) -> None:
        """Create a temporary table of `_shift` by the `_first` number that it holds for."""
        self.execute(
            f"create or replace temp table {name} as "
            "select unnest($first::bigint[]) as _first, unnest($shift::bigint[]) as _shift",
            {"first": [first for first, _ in shifts], "shift": [shift for _, shift in shifts]},
        )

    @contextmanager
    def line_shifts(self) -> Iterator[None]:
        """Give SQL the shifts between record number and physical line, where there are any."""
        shifts = self.inspection.scan.line_shifts
        if not shifts:
            yield
            return
        self.create_shifts("line_shifts", shifts)
        try:
            yield
        finally:
            with suppress(Exception):  # the transaction may be lost already
                self.execute("drop table line_shifts")

    def amounts(self) -> dict[str, str]:
        """Return what the rows of the file add up to, in reais, by column of money."""
        names = [column.name for column in self.source.columns if column.type == "money"]
        if not names:
            return {}
        sums = ", ".join(f"coalesce(sum({quote(name)}), 0)::varchar" for name in names)
        (row,) = self.execute(f"select {sums} from {self.table} where _source_file = $file", {"file": self.file})
        return dict(zip(names, row, strict=True))

    def delete_loaded(self) -> None:
        """Take the rows of the file out of the table."""
        self.execute(f"delete from {self.table} where _source_file = $file", {"file": self.file})


def create_raw_table(connection: DuckDBPyConnection, source: Source) -> None:
    """Create the empty table of a source, in place of one that is there."""
    connection.execute("create schema if not exists raw")
    connection.execute(f"create or replace table {table_of(source)} ({_columns(source)})")


def create_incoming_table(connection: DuckDBPyConnection, source: Source) -> None:
    """Create the empty temporary table `incoming` for rows of a source, in place of one that is there."""
    connection.execute(f"create or replace temp table {INCOMING} ({_columns(source)})")


def _columns(source: Source) -> str:
    columns = {column.name: SQL_TYPES[column.type] for column in source.columns} | METADATA_COLUMNS
    defined = [f"{quote(name)} {sql_type}" for name, sql_type in columns.items()]
    return ", ".join([*defined, f"{IS_CURRENT} BOOLEAN DEFAULT true"])


def columns_in_raw(connection: DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Return the columns that the tables in `raw` have now, with their SQL types, by table."""
    rows = connection.execute(
        "select table_name, column_name, data_type from duckdb_columns() "
        "where database_name = current_database() and schema_name = 'raw' order by table_name, column_index"
    ).fetchall()
    columns: dict[str, dict[str, str]] = {}
    for table, name, kind in rows:
        columns.setdefault(table, {})[name] = kind
    return columns


def tables_in_raw(connection: DuckDBPyConnection) -> frozenset[str]:
    """Return the names of the tables that are in `raw`."""
    rows = connection.execute(
        "select table_name from duckdb_tables() where database_name = current_database() and schema_name = 'raw'"
    ).fetchall()
    return frozenset(name for (name,) in rows)


def table_of(source: Source) -> str:
    """Return the quoted name of a source's table in `raw`."""
    return f"raw.{quote(source.table)}"
