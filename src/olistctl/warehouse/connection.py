"""Connections to DuckDB, opened one way everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from olistctl.errors import BusyError, EnvironmentFault, OlistctlError
from olistctl.warehouse.faults import DamagedWarehouse, machine_fault
from olistctl.warehouse.versions import versions_beside

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_CONFIG: dict[str, Any] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # How many records a CSV has is not known when a join on it is planned. Taken for few, they were compared with
    # every shift of the lines: three minutes for a million reviews, instead of one second.
    "asof_loop_join_threshold": 0,
}
# DuckDB compresses a row group of 122,880 rows while a table is filled, on every core, but what does not fill one only
# at the checkpoint, table after table on one core: at the real size that were nearly all tables.
ROW_GROUP_SIZE = 30_720
# An empty database must be open to attach a file to. Called `memory`, it would be in the way of what has that name.
_NO_NAME = '"no database"'


def quote(identifier: str) -> str:
    """Return an identifier as SQL, whatever characters it holds."""
    return '"' + identifier.replace('"', '""') + '"'


def connect(
    file: Path,
    *,
    readonly: bool = False,
    threads: int | None = None,
    memory_limit: str | None = None,
) -> DuckDBPyConnection:
    """Open a warehouse file.

    Raises:
        DamagedWarehouse: it is damaged, no DuckDB file, or of a newer DuckDB.
        EnvironmentFault: it cannot be read or written.
        BusyError: another program has it open for writing.
    """
    import duckdb

    config = _config(threads=threads, memory_limit=memory_limit)
    if not readonly:
        config["temp_directory"] = str(file.parent / "tmp")
    with _explained(file):
        connection = duckdb.connect(str(file), read_only=readonly, config=config)
    connection.execute("set enable_progress_bar = false")
    return connection


def connect_to_fill(
    file: Path, *, threads: int | None = None, memory_limit: str | None = None, storage_version: str | None = None
) -> DuckDBPyConnection:
    """Open a warehouse file for a build, whose tables are compressed on every core while they are filled.

    For more connections to it take `another` of this one, with which they end. A file that is made has the
    `storage_version`; that of another stays as it is.

    Raises:
        DamagedWarehouse: it is damaged, no DuckDB file, or of a newer DuckDB.
        EnvironmentFault: it cannot be read or written.
        BusyError: another program has it open for writing.
    """
    import duckdb

    config = _config(
        threads=threads,
        memory_limit=memory_limit,
        storage_compatibility_version=storage_version,
        temp_directory=str(file.parent / "tmp"),
    )
    with _explained(file):
        connection = duckdb.connect(":memory:", config=config)
        try:
            connection.execute(f"attach ':memory:' as {_NO_NAME}; use {_NO_NAME}; detach memory")
            attach(connection, file, option=f"row_group_size {ROW_GROUP_SIZE}")
            ((database,),) = connection.execute(
                "select database_name from duckdb_databases() where path is not null"
            ).fetchall()
            connection.execute(f"use {quote(database)}; detach {_NO_NAME}; set enable_progress_bar = false")
        except BaseException:
            connection.close()
            raise
    return connection


def another(connection: DuckDBPyConnection) -> DuckDBPyConnection:
    """Return one more connection beside an open one, with a transaction and temporary tables of its own."""
    ((database,),) = connection.execute("select current_database()").fetchall()
    second = connection.cursor()
    second.execute(f"use {quote(database)}; set enable_progress_bar = false")
    return second


def attach(connection: DuckDBPyConnection, file: Path, name: str | None = None, *, option: str = "read_only") -> None:
    """Attach another file to an open database, under a name, or that which DuckDB makes of the file's."""
    path = str(file).replace("'", "''")
    alias = f"as {quote(name)} " if name else ""
    connection.execute(f"attach '{path}' {alias}({option})")


@contextmanager
def connect_scratch(folder: Path, *, threads: int | None = None) -> Iterator[DuckDBPyConnection]:
    """Open a database in memory that spills to `folder` and is gone afterwards."""
    import duckdb

    config = _CONFIG | {"temp_directory": str(folder)}
    if threads:
        config["threads"] = threads
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("set enable_progress_bar = false")
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def read_only(
    file: Path, *, threads: int | None = None, memory_limit: str | None = None
) -> Iterator[DuckDBPyConnection]:
    """Open the published warehouse for reading.

    Raises:
        EnvironmentFault: there is none, or it cannot be opened.
    """
    if not file.exists():
        raise EnvironmentFault(
            "there is no warehouse yet", where=str(file), hint="`olistctl run --full-refresh` builds it"
        )
    connection = connect(file, readonly=True, threads=threads, memory_limit=memory_limit)
    try:
        yield connection
    finally:
        connection.close()


def _config(**given: int | str | None) -> dict[str, Any]:
    return _CONFIG | {name: value for name, value in given.items() if value}


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    """Turn what keeps a file from being opened into an error that says what to do."""
    import duckdb

    try:
        _check_kind(file)
        yield
    except (duckdb.Error, OSError, MemoryError) as error:
        raise _explain(file, error) from None


def _check_kind(file: Path) -> None:
    """Refuse what is no DuckDB file before DuckDB looks at it.

    DuckDB would wait for ever at a named pipe, and look for an extension that reads SQLite.
    """
    if not file.exists():
        return
    if not file.is_file():
        raise _no_warehouse(file, "not a regular file")
    with file.open("rb") as stream:
        head = stream.read(16)
    if head[8:12] == b"DUCK":
        return
    kind = "an empty file" if not head else "a SQLite database" if head.startswith(b"SQLite") else "not a DuckDB file"
    raise _no_warehouse(file, kind)


def _no_warehouse(file: Path, kind: str) -> DamagedWarehouse:
    return DamagedWarehouse(
        f"DuckDB cannot open the file: it is {kind}",
        where=str(file),
        hint=_rollback_hint(file)
        or "if it is no warehouse of olistctl, point `warehouse` in config/olistctl.yml at another file",
    )


def _explain(file: Path, error: BaseException) -> OlistctlError:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if any(sign in text for sign in ("Could not set lock", "Conflicting lock", "used by another process")):
        return BusyError(
            f"another program has the warehouse open for writing: {text}",
            where=str(file),
            hint="close it there (a DuckDB shell, a notebook, a BI tool) or open it there read-only",
        )
    fault = machine_fault(error, file)
    if isinstance(fault, DamagedWarehouse):
        hint = _rollback_hint(file) or fault.hint
        return DamagedWarehouse(f"DuckDB cannot open the file: {fault.message}", where=str(file), hint=hint)
    if fault:
        return fault
    return EnvironmentFault(
        f"DuckDB cannot open the file: {text}",
        where=str(file),
        hint="if it is no warehouse of olistctl, point `warehouse` in config/olistctl.yml at another file",
    )


def _rollback_hint(file: Path) -> str | None:
    if not versions_beside(file):
        return None
    return "`olistctl rollback` puts the last kept version in its place, and keeps this file aside"
