"""One call of dbt in this process, and the file that it must let go of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any


def invoke(arguments: Sequence[str], callback: Callable[[Any], None] | None = None, manifest: Any = None) -> Any:
    """Call dbt in this process; with a manifest, which it will change, it parses nothing."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    try:
        return dbtRunner(manifest=manifest, callbacks=[callback] if callback else []).invoke([*arguments])
    finally:
        # Otherwise the adapter keeps the file locked until the process ends.
        DuckDBConnectionManager.close_all_connections()


def end_sessions_quietly() -> None:
    """Let a session of Spark that cannot be ended be one that has ended.

    Spark 4.0 comes without a class of Hive's (LlapSigner) that ending a session asks for, now and then; dbt would make
    a failure of a run that has done all it was to do.
    """
    from pyhive.hive import Connection

    end = Connection.close

    def close(connection: Any) -> None:
        with suppress(Exception):
            end(connection)

    if end.__module__ != __name__:  # not done yet
        Connection.close = close


def import_dbt() -> None:
    """Import what `invoke` needs, which takes a second."""
    from dbt.adapters.duckdb import connections  # noqa: F401
    from dbt.cli import main  # noqa: F401
