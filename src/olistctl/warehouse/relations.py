"""Tables and views of the database that is in use, by schema and name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from olistctl.warehouse.connection import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Schema and name; and the same with which of the two it is.
Relation = tuple[str, str]
Standing = tuple[tuple[str, str, str], ...]


def standing(connection: DuckDBPyConnection) -> Standing:
    """Return all tables and views: schema, name, and "table" or "view"."""
    return tuple(
        connection.execute(
            """
            select schema_name, table_name, 'table'
            from duckdb_tables()
            where database_name = current_database() and not temporary
            union all
            select schema_name, view_name, 'view'
            from duckdb_views()
            where database_name = current_database() and not temporary and not internal
            order by all
            """
        ).fetchall()
    )


def kind_of(connection: DuckDBPyConnection, relation: Relation) -> str | None:
    """Return whether a relation is a "table" or a "view"; None where there is none."""
    row = connection.execute(
        """
        select 'table'
        from duckdb_tables()
        where database_name = current_database() and schema_name = $1 and table_name = $2
        union all
        select 'view'
        from duckdb_views()
        where database_name = current_database() and schema_name = $1 and view_name = $2
        """,
        relation,
    ).fetchone()
    return str(row[0]) if row else None


def drop_relations(connection: DuckDBPyConnection, relations: Iterable[Relation]) -> int:
    """Drop those of the tables and views that are there; return how many they were."""
    dropped = 0
    for relation in relations:
        if kind := kind_of(connection, relation):
            connection.execute(f"drop {kind} {'.'.join(map(quote, relation))}")
            dropped += 1
    return dropped
