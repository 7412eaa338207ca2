"""Connections to DuckDB, opened one way everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from olistctl.errors import BusyError, EnvironmentFault

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Clients of DuckDB 1.5 can open what a newer one wrote.
STORAGE_VERSION = "v1.5.0"


def quote(identifier: str) -> str:
    """Return an identifier as SQL, whatever characters it holds."""
    return '"' + identifier.replace('"', '""') + '"'


def connect(
    file: Path, *, readonly: bool = False, threads: int | None = None, memory_limit: str | None = None
) -> DuckDBPyConnection:
    """Open a warehouse file.

    Raises:
        EnvironmentFault: it is no DuckDB file, is of a newer DuckDB, or cannot be read or written.
        BusyError: another program has it open for writing.
    """
    import duckdb

    config: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if not readonly:
        config["storage_compatibility_version"] = STORAGE_VERSION
        config["temp_directory"] = str(file.parent / "tmp")
    if threads:
        config["threads"] = threads
    if memory_limit:
        config["memory_limit"] = memory_limit
    try:
        connection = duckdb.connect(str(file), read_only=readonly, config=config)
    except duckdb.Error as error:
        raise _explain(file, error) from None
    connection.execute("set enable_progress_bar = false")
    return connection


@contextmanager
def connect_scratch(folder: Path, *, threads: int | None = None) -> Iterator[DuckDBPyConnection]:
    """Open a database in memory that spills to `folder` and is gone afterwards."""
    import duckdb

    config: dict[str, Any] = {
        "temp_directory": str(folder),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if threads:
        config["threads"] = threads
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("set enable_progress_bar = false")
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def read_only(file: Path) -> Iterator[DuckDBPyConnection]:
    """Open the published warehouse for reading.

    Raises:
        EnvironmentFault: there is none, or it cannot be opened.
    """
    if not file.is_file():
        raise EnvironmentFault(
            "there is no warehouse yet", where=str(file), hint="`olistctl run --full-refresh` builds it"
        )
    connection = connect(file, readonly=True)
    try:
        yield connection
    finally:
        connection.close()


def _explain(file: Path, error: Exception) -> Exception:
    text = str(error).splitlines()[0]
    if "Could not set lock" in text or "Conflicting lock" in text:
        return BusyError(
            f"another program has the warehouse open for writing: {text}",
            where=str(file),
            hint="close it there (a DuckDB shell, a notebook, a BI tool) or open it there read-only",
        )
    return EnvironmentFault(
        f"DuckDB cannot open the file: {text}",
        where=str(file),
        hint="if it is no warehouse of olistctl, point `warehouse` in config/olistctl.yml at another file",
    )
