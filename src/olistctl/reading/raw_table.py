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

METADATA_COLUMNS = {
    "_source_file": "VARCHAR",
    "_source_line": "BIGINT",
    "_loaded_at": "TIMESTAMP",
    "_run_id": "VARCHAR",
}


@dataclass(frozen=True)
class Reading:
    """One read of one file: the connection, what is read, and the values of its metadata columns."""

    connection: DuckDBPyConnection
    source: Source
    inspection: Inspection
    run_id: str
    loaded_at: datetime

    @property
    def file(self) -> str:
        """The name by which the ledger knows the file."""
        return self.inspection.file

    def execute(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        return self.connection.execute(sql, parameters).fetchall()

    def insert_good(self, records: str, parameters: dict[str, Any] | None = None, *, line: str | None = None) -> None:
        """Insert the good ones of `records`: SQL after `from`, with columns of text and `_record`, its number.

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
        self.execute(
            f"insert into {table_of(self.source)} select {values}, $file, {line}, $loaded_at, $run_id "
            f"from (select * from {records} where {good}) {join}",
            {"file": self.file, "loaded_at": self.loaded_at, "run_id": self.run_id} | (parameters or {}),
        )

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

    def count_loaded(self) -> int:
        """Return how many rows of the file are in the table."""
        ((count,),) = self.execute(
            f"select count(*) from {table_of(self.source)} where _source_file = $file", {"file": self.file}
        )
        return int(count)

    def delete_loaded(self) -> None:
        """Take the rows of the file out of the table."""
        self.execute(f"delete from {table_of(self.source)} where _source_file = $file", {"file": self.file})


def create_raw_table(connection: DuckDBPyConnection, source: Source) -> None:
    """Create the empty table of a source, in place of one that is there."""
    columns = {column.name: SQL_TYPES[column.type] for column in source.columns} | METADATA_COLUMNS
    body = ", ".join(f"{quote(name)} {sql_type}" for name, sql_type in columns.items())
    connection.execute("create schema if not exists raw")
    connection.execute(f"create or replace table {table_of(source)} ({body})")


def table_of(source: Source) -> str:
    """Return the quoted name of a source's table in `raw`."""
    return f"raw.{quote(source.table)}"
