"""The tables of `etl`, and how those of an older warehouse become today's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from olistctl.warehouse import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# A table's columns by name, and at the end what else its definition holds.
TABLES: dict[str, tuple[dict[str, str], str]] = {
    "pipeline_runs": (
        {
            "run_id": "VARCHAR PRIMARY KEY",
            "command": "VARCHAR NOT NULL",
            "target": "VARCHAR NOT NULL",
            "olistctl_version": "VARCHAR NOT NULL",
            "full_refresh": "BOOLEAN NOT NULL",
            "started_at": "TIMESTAMP NOT NULL",
            "finished_at": "TIMESTAMP",
            "status": "VARCHAR NOT NULL",
            "rows_loaded": "BIGINT NOT NULL",
            "warnings": "BIGINT NOT NULL",
            "message": "VARCHAR",
            "stages": "JSON",
        },
        "",
    ),
    "source_files": (
        {
            "source": "VARCHAR NOT NULL",
            "file_name": "VARCHAR NOT NULL",
            "size_bytes": "BIGINT NOT NULL",
            "modified_at": "TIMESTAMP NOT NULL",
            "sha256": "VARCHAR NOT NULL",
            "contract_sha256": "VARCHAR NOT NULL",
            "records": "BIGINT NOT NULL",
            "rows_loaded": "BIGINT NOT NULL",
            "records_quarantined": "BIGINT NOT NULL",
            "loaded_at": "TIMESTAMP NOT NULL",
            "run_id": "VARCHAR NOT NULL",
            "amounts": "JSON",  # what its rows add up to by column of money, when they were read: the control total
        },
        "PRIMARY KEY (source, file_name)",
    ),
    "load_audit": (
        {
            "run_id": "VARCHAR NOT NULL",
            "source": "VARCHAR NOT NULL",
            "table_name": "VARCHAR NOT NULL",
            "file_name": "VARCHAR NOT NULL",
            "status": "VARCHAR NOT NULL",
            "records": "BIGINT NOT NULL",
            "rows_loaded": "BIGINT NOT NULL",
            "records_quarantined": "BIGINT NOT NULL",
            "reason": "VARCHAR",
            "sha256": "VARCHAR",
            "loaded_at": "TIMESTAMP NOT NULL",
            "seconds": "DOUBLE NOT NULL",
            "judged_by": "VARCHAR",  # what of contract and settings decides whether a file may load
        },
        "PRIMARY KEY (run_id, source, file_name)",
    ),
    "quarantine": (
        {
            "quarantine_id": "BIGINT PRIMARY KEY",
            "run_id": "VARCHAR NOT NULL",  # that found the record first
            "source": "VARCHAR NOT NULL",
            "file_name": "VARCHAR NOT NULL",
            "file_sha256": "VARCHAR NOT NULL",
            "line": "BIGINT NOT NULL",
            "byte_offset": "BIGINT NOT NULL",
            "raw": "BLOB NOT NULL",  # its bytes in the file, line end included
            "record_sha256": "VARCHAR NOT NULL",  # of the bytes without the line end: what a decision belongs to
            "key": "VARCHAR",  # as in changed_keys; NULL where its fields do not tell it
            "column_name": "VARCHAR",  # of the first of its faults, as are the next two
            "error_type": "VARCHAR NOT NULL",
            "error_message": "VARCHAR NOT NULL",
            "faults": "JSON NOT NULL",
            "status": "VARCHAR NOT NULL",
            "is_present": "BOOLEAN NOT NULL",  # its file still holds it, as a bad record
            "reason": "VARCHAR",  # why it was discarded
            "mended": "JSON",  # the fields that were loaded in its place
            "quarantined_at": "TIMESTAMP NOT NULL",
            "changed_at": "TIMESTAMP NOT NULL",
        },
        "",
    ),
    "changed_keys": (
        {
            "run_id": "VARCHAR NOT NULL",
            "source": "VARCHAR NOT NULL",
            # inserted, changed, deleted; rebuilt: all keys of the source; touched: none, but lines or counts may differ
            "change": "VARCHAR NOT NULL",
            "key": "VARCHAR",  # a JSON object of the key columns; NULL: rebuilt, touched
            "is_built": "BOOLEAN NOT NULL",  # the models know of it
        },
        "",
    ),
    "builds": (
        {
            "run_id": "VARCHAR NOT NULL",
            "project_sha256": "VARCHAR",  # of the dbt project; NULL: the models may not be what it makes of raw
            "built_at": "TIMESTAMP NOT NULL",
            "relations": "JSON",  # what dbt has made: [schema, table]
            "is_tested": "BOOLEAN",  # all of it, since it was built
            "failed_tests": "JSON",
        },
        "",
    ),
    # Of the version's own account, as `builds`: it says what the tests found in these rows.
    "tickets": (
        {
            "ticket_id": "BIGINT PRIMARY KEY",
            "test": "VARCHAR NOT NULL",
            "message": "VARCHAR NOT NULL",  # as the test said it last
            "place": "VARCHAR",
            "hint": "VARCHAR",
            "opened_at": "TIMESTAMP NOT NULL",
            "opened_by_run": "VARCHAR NOT NULL",
            "closed_at": "TIMESTAMP",  # NULL: the test does not pass yet
            "closed_by_run": "VARCHAR",
        },
        "",
    ),
    # The columns are the design's (section Error Logging Table).
    "error_log": (
        {
            "error_id": "BIGINT PRIMARY KEY",
            "error_timestamp": "TIMESTAMP NOT NULL",
            "pipeline_stage": "VARCHAR(50) NOT NULL",
            "table_name": "VARCHAR(100)",
            "error_type": "VARCHAR(50)",
            "error_message": "TEXT",
            "error_details": "JSON",
            "resolution_status": "VARCHAR(20) DEFAULT 'OPEN'",
            "created_at": "TIMESTAMP DEFAULT CURRENT_TIMESTAMP",
        },
        "",
    ),
}
# What a column was called in an older warehouse.
_EARLIER_NAMES = {"records_quarantined": "records_bad"}
# What stands for a value that must be there and that an older warehouse did not note: nothing that one could mean.
_NOT_NOTED = {
    "VARCHAR": "''",
    "BIGINT": "0",
    "DOUBLE": "0",
    "BOOLEAN": "false",
    "TIMESTAMP": "timestamp '1970-01-01'",
    "BLOB": "''::blob",
    "JSON": "'[]'",
}
# What describes the runs, not the rows: it outlives a rollback.
_HISTORY = ("pipeline_runs", "load_audit", "error_log")


def create(connection: DuckDBPyConnection) -> None:
    """Create the schema and its tables where they are missing, and bring those of an older release up to date."""
    connection.execute("create schema if not exists etl")
    found = _columns(connection, "current_database()")
    for name, (columns, _) in TABLES.items():
        present = found.get(name)
        if not present:
            _create(connection, name)
        elif present != list(columns):
            connection.execute(f"create temp table outdated as from etl.{name}")
            connection.execute(f"drop table etl.{name}")
            _create(connection, name)
            connection.execute(f"insert into etl.{name} by name {_select(name, present)} from outdated")
            connection.execute("drop table outdated")


def carry_over(connection: DuckDBPyConnection, tables: Iterable[str] = tuple(TABLES)) -> None:
    """Fill the empty ledger with that of the attached warehouse `live`, or only some of its tables."""
    create(connection)
    found = _columns(connection, "'live'")
    for name in tables:
        if present := found.get(name):
            connection.execute(f"insert into etl.{name} by name {_select(name, present)} from live.etl.{name}")


def keep_history_of(connection: DuckDBPyConnection) -> None:
    """Bring what the attached warehouse `live` knows of its runs into a ledger that stopped before them."""
    found = _columns(connection, "'live'")
    for name in _HISTORY:
        if present := found.get(name):
            connection.execute(
                f"insert or replace into etl.{name} by name {_select(name, present)} from live.etl.{name}"
            )


def is_present(connection: DuckDBPyConnection) -> bool:
    """Tell whether the database has a ledger."""
    return "pipeline_runs" in _columns(connection, "current_database()")


def is_current(connection: DuckDBPyConnection) -> bool:
    """Tell whether the ledger has all of today's tables and columns."""
    found = _columns(connection, "current_database()")
    return all(found.get(name) == list(columns) for name, (columns, _) in TABLES.items())


def _create(connection: DuckDBPyConnection, name: str) -> None:
    columns, constraint = TABLES[name]
    parts = [f"{column} {definition}" for column, definition in columns.items()]
    connection.execute(f"create table etl.{name} ({', '.join([*parts, constraint] if constraint else parts)})")


def _columns(connection: DuckDBPyConnection, database: str) -> dict[str, list[str]]:
    """Return the columns of each table of a ledger."""
    rows = connection.execute(
        "select table_name, list(column_name order by column_index) from duckdb_columns() "
        f"where database_name = {database} and schema_name = 'etl' group by table_name"
    ).fetchall()
    return dict(rows)


def _select(table: str, present: list[str]) -> str:
    """Return the `select` of today's columns from an older table, without those that may be empty and that it lacks."""
    chosen = []
    for name, definition in TABLES[table][0].items():
        earlier = _EARLIER_NAMES.get(name, name)
        if name in present:
            chosen.append(name)
        elif earlier in present:
            chosen.append(f"{quote(earlier)} as {name}")
        elif definition.endswith("NOT NULL"):
            chosen.append(f"{_NOT_NOTED[definition.partition('(')[0].split()[0]]} as {name}")
    return f"select {', '.join(chosen)}"
