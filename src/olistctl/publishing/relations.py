"""What stands in the published warehouse: tables and views, with their columns and rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from olistctl.warehouse import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Relation:
    """A table or view of the warehouse; `loaded_at` is known of the tables of `raw`."""

    kind: str
    rows: int
    loaded_at: datetime | None
    columns: tuple[tuple[str, str], ...]


def relations_of(connection: DuckDBPyConnection) -> dict[tuple[str, str], Relation]:
    """Return all tables and views by schema and name, their rows counted."""
    columns: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for schema, table, column, type_ in connection.execute(
        "select schema_name, table_name, column_name, data_type from duckdb_columns() "
        "where database_name = current_database() and not internal order by schema_name, table_name, column_index"
    ).fetchall():
        columns.setdefault((schema, table), []).append((column, type_))
    views = set(connection.execute("select schema_name, view_name from duckdb_views() where not internal").fetchall())
    relations = {}
    for (schema, table), found in columns.items():
        loaded = "max(_loaded_at)" if schema == "raw" and "_loaded_at" in dict(found) else "null"
        query = f"select count(*), {loaded} from {quote(schema)}.{quote(table)}"
        ((rows, loaded_at),) = connection.execute(query).fetchall()
        kind = "VIEW" if (schema, table) in views else "BASE TABLE"
        relations[schema, table] = Relation(kind, rows, loaded_at, tuple(found))
    return relations
