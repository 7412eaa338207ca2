"""The tables that are shared as files: all of schemas core and mart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl.config import Settings
from olistctl.errors import DataError
from olistctl.transform import read_descriptions
from olistctl.warehouse import ROW_GROUP_SIZE, machine_fault, quote, read_only, refused

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SCHEMAS = ("core", "mart")
# Most bytes are keys, which are digests: to compress them, or to gather a dictionary of them, takes as long as writing.
# Groups of rows are as small as those of the warehouse, so what is gathered of one stays in the processor's cache.
PARQUET = f"format parquet, compression uncompressed, row_group_size {ROW_GROUP_SIZE}, dictionary_size_limit 2000"
CSV = "format csv, header"
_NOT_IN_A_FILE_NAME = str.maketrans({sign: f"%{ord(sign):02X}" for sign in '%/\\:*?"<>|\0'})


class NothingToShare(DataError):
    """There are no tables in the shared schemas."""


@dataclass(frozen=True)
class Column:
    """A column with its DuckDB type and what the dbt project says of it."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class SharedTable:
    """A table or view of the published warehouse."""

    schema: str
    name: str
    rows: int
    description: str
    columns: tuple[Column, ...]

    @property
    def query(self) -> str:
        """The SQL that reads it."""
        return f"select * from {quote(self.schema)}.{quote(self.name)}"

    @property
    def file_stem(self) -> str:
        """Its name as that of a file, which leads into no other folder."""
        return self.name.translate(_NOT_IN_A_FILE_NAME)

    def copy_to(self, connection: DuckDBPyConnection, file: Path, options: str) -> None:
        """Let DuckDB write it to a file; `options` are those of its COPY."""
        path = str(file).replace("'", "''")
        connection.execute(f"copy ({self.query}) to '{path}' ({options})")


@contextmanager
def reading(settings: Settings) -> Iterator[DuckDBPyConnection]:
    """Open the published warehouse, whose file stays the same while it is read.

    Raises:
        EnvironmentFault: there is none, it cannot be opened, or the machine refuses what is done meanwhile.
    """
    import duckdb

    file = settings.warehouse
    try:
        with read_only(file, threads=settings.threads, memory_limit=settings.memory_limit) as connection:
            yield connection
    except (duckdb.Error, MemoryError) as error:
        raise machine_fault(error, file) or error from None


def shared_tables(connection: DuckDBPyConnection, artifacts: Path) -> tuple[SharedTable, ...]:
    """Return the tables and views of the shared schemas, by name.

    Raises:
        NothingToShare: nothing is built yet.
    """
    known = read_descriptions(artifacts)
    columns: dict[tuple[str, str], list[Column]] = {}
    for schema, table, column, type_ in connection.execute(
        "select schema_name, table_name, column_name, data_type from duckdb_columns() "
        "where database_name = current_database() and list_contains($schemas, schema_name) "
        "order by schema_name, table_name, column_index",
        {"schemas": list(SCHEMAS)},
    ).fetchall():
        described = known.get((schema, table))
        text = described.columns.get(column, "") if described else ""
        columns.setdefault((schema, table), []).append(Column(column, type_, text))
    if not columns:
        raise NothingToShare("the models are not built yet", where=", ".join(SCHEMAS), hint="olistctl run")
    return tuple(
        SharedTable(
            schema,
            table,
            connection.execute(f"select count(*) from {quote(schema)}.{quote(table)}").fetchall()[0][0],
            known[schema, table].table if (schema, table) in known else "",
            tuple(found),
        )
        for (schema, table), found in columns.items()
    )


@contextmanager
def writing(table: SharedTable, file: Path) -> Iterator[None]:
    """Say what is wrong where a table cannot be written to a file.

    Raises:
        EnvironmentFault: the machine refuses.
        DataError: a view cannot be read.
    """
    import duckdb

    try:
        yield
    except duckdb.InterruptException:
        raise
    except (OSError, duckdb.IOException) as error:
        raise refused(f"{table.name} cannot be written", error, file) from None
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        name = f"{table.schema}.{table.name}"
        hint = "see what stands in it: `olistctl run --full-refresh` builds the models anew"
        raise machine_fault(error, file) or DataError(f"it cannot be read: {reason}", where=name, hint=hint) from None
