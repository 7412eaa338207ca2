"""The rows of `raw`, and what the models read of the ledger, brought to the cluster.

The cluster knows which rows of which file it holds: etl.shipped_files has a fingerprint of each file's rows. What
differs from the warehouse file is shipped, a file's rows as a whole.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from olistctl.reading import IS_CURRENT
from olistctl.results import Progress
from olistctl.spark.connection import Session, StatementFailed, name_of
from olistctl.spark.landing import Landing
from olistctl.spark.publication import TABLE_OPTIONS, Relation, note_replaced
from olistctl.warehouse import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SHIPPED = "etl.shipped_files"
# What models read of the ledger, without the bytes of bad records.
_LEDGER = {"changed_keys": "*", "source_files": "*", "quarantine": '* exclude ("raw")'}
_TYPES = {
    "VARCHAR": "string",
    "JSON": "string",
    "TIMESTAMP": "timestamp",
    "INTEGER": "int",
    "BIGINT": "bigint",
    "DOUBLE": "double",
    "BOOLEAN": "boolean",
    "DATE": "date",
}


def ship(
    spark: Session,
    connection: DuckDBPyConnection,
    landing: Landing,
    tables: Collection[str] | None,
    progress: Progress,
) -> tuple[Relation, ...]:
    """Bring the tables of `raw` (None: all of them, whatever the cluster holds) and the ledger into a branch.

    Returns what was written.

    Raises:
        StatementFailed: Spark refuses.
        EnvironmentFault: the landing place cannot be written, or the server has gone.
    """
    present = _raw_tables(connection)
    chosen = [table for table in present if tables is None or table in tables]
    known = {} if tables is None else _known_files(spark)
    progress.start("Shipping", len(chosen) + len(_LEDGER) + 1)
    try:
        _note_files(connection, chosen, known)
        for table in chosen:
            progress.advance(0, f"raw.{table}")
            _ship_table(spark, connection, landing, table, known=table in {name for name, _ in known})
            progress.advance()
        written = [("raw", table) for table in chosen]
        for name, columns in (*_LEDGER.items(), ("shipped_files", "*")):
            source = "shipped_files" if name == "shipped_files" else f"etl.{name}"
            _replace(spark, connection, landing, ("etl", name), f"select {columns} from {source}")
            written.append(("etl", name))
            progress.advance()
    finally:
        connection.execute("drop table if exists temp.shipped_files")
        progress.finish()
    return tuple(written)


def _raw_tables(connection: DuckDBPyConnection) -> list[str]:
    rows = connection.execute("select table_name from duckdb_tables() where schema_name = 'raw' order by 1").fetchall()
    return [name for (name,) in rows]


def _known_files(spark: Session) -> dict[tuple[str, str], tuple[int, str]]:
    """Return the fingerprints of the files whose rows the cluster holds, by table and name."""
    try:
        rows = spark.run(f"select table_name, file_name, row_count, fingerprint from {_SHIPPED}")
    except StatementFailed:
        return {}
    return {(table, file): (count, fingerprint) for table, file, count, fingerprint in rows}


def _note_files(
    connection: DuckDBPyConnection, chosen: Collection[str], known: dict[tuple[str, str], tuple[int, str]]
) -> None:
    """Make the table `shipped_files`: all files that the cluster will hold, and which of them are news to it."""
    connection.execute(
        "create or replace temp table shipped_files "
        "(table_name varchar, file_name varchar, row_count bigint, fingerprint varchar)"
    )
    connection.execute("create or replace temp table known_files as from shipped_files")
    for (table, file), (count, fingerprint) in known.items():
        into = "known_files" if table in chosen else "shipped_files"
        connection.execute(f"insert into {into} values (?, ?, ?, ?)", [table, file, count, fingerprint])
    for table in chosen:
        names = ", ".join(quote(name) for name, _ in _columns(connection, table))
        connection.execute(
            f"insert into shipped_files select ?, _source_file, count(*), sum(hash({names}))::varchar "
            f"from raw.{quote(table)} group by _source_file",
            [table],
        )


def _ship_table(spark: Session, connection: DuckDBPyConnection, landing: Landing, table: str, *, known: bool) -> None:
    """Bring a table of `raw` to what it is here: the rows of the files that are news, or of all."""
    columns = _columns(connection, table)
    relation = ("raw", table)
    query = f"select {', '.join(quote(name) for name, _ in columns)} from raw.{quote(table)}"
    if not known or _columns_there(spark, relation) != columns:
        there = landing.put(connection, f"raw/{table}", query)
        _write_whole(spark, relation, columns, there, "partitioned by (_source_file)")
        return
    files = "select * from {} where table_name = $table"
    here, there = files.format("shipped_files"), files.format("known_files")
    of_table = {"table": table}
    outdated = f"select file_name from ({there} except {here})"
    if connection.execute(f"select 1 from ({outdated}) limit 1", of_table).fetchone():
        gone = landing.put(connection, f"gone/{table}", outdated, of_table)
        spark.run(f"delete from {name_of(*relation)} where _source_file in (select file_name from {gone})")
    news = f"select file_name from ({here} except {there})"
    if connection.execute(f"select 1 from ({news}) limit 1", of_table).fetchone():
        there = landing.put(connection, f"raw/{table}", f"{query} where _source_file in ({news})", of_table)
        spark.run(f"insert into {name_of(*relation)} select {_cast(columns)} from {there}")


def _replace(spark: Session, connection: DuckDBPyConnection, landing: Landing, relation: Relation, query: str) -> None:
    described = connection.execute(f"describe {query}").fetchall()
    columns = [(name, _type(kind)) for name, kind, *_ in described]
    there = landing.put(connection, "/".join(relation), query)
    _write_whole(spark, relation, columns, there)


def _write_whole(
    spark: Session, relation: Relation, columns: list[tuple[str, str]], there: str, more: str = ""
) -> None:
    """Put rows in the place of all that a table holds in the branch.

    One with other columns has to be replaced, which takes from readers what they see.
    """
    standing = _columns_there(spark, relation)
    rows = f"select {_cast(columns)} from {there}"
    if standing == columns:
        spark.run(f"insert overwrite {name_of(*relation)} {rows}")
        return
    if standing:
        note_replaced(spark)
    spark.run(f"create or replace table {name_of(*relation)} {TABLE_OPTIONS} {more} as {rows}")


def _columns(connection: DuckDBPyConnection, table: str) -> list[tuple[str, str]]:
    """Return the columns of a table of `raw` with Spark's types; which records are current, Spark finds itself."""
    rows = connection.execute(f"describe raw.{quote(table)}").fetchall()
    return [(name, _type(kind)) for name, kind, *_ in rows if name != IS_CURRENT]


def _columns_there(spark: Session, relation: Relation) -> list[tuple[str, str]]:
    try:
        rows = spark.run(f"describe table {name_of(*relation)}")
    except StatementFailed:
        return []
    found = []
    for name, kind, *_ in rows:
        if not name or name.startswith("#"):  # what is said of partitions
            break
        found.append((name, "timestamp" if kind == "timestamp_ntz" else kind))
    return found


def _type(kind: str) -> str:
    return _TYPES.get(kind, kind.lower())


def _cast(columns: Collection[tuple[str, str]]) -> str:
    return ", ".join(f"cast({name_of(name)} as {kind}) as {name_of(name)}" for name, kind in columns)
