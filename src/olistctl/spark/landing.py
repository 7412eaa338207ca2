"""The place where this machine and the cluster hand tables to each other, as Parquet files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from olistctl.config import Settings
from olistctl.errors import ConfigError, EnvironmentFault
from olistctl.spark.connection import Session, literal, name_of, target_of
from olistctl.warehouse import machine_fault

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# How large a part of a table may get: the cluster reads parts side by side.
_PART = "128MB"
_NAMED_BY = "spark_landing in config/olistctl.yml names it"


@dataclass(frozen=True)
class Landing:
    """A folder, by the name that each side has for it: a path, or the URL of a store such as s3://bucket/olist."""

    here: str
    there: str
    run_id: str

    @classmethod
    def of(cls, settings: Settings, run_id: str) -> Landing:
        """Return the landing of a run of the settings' target.

        Raises:
            ConfigError: the target names none.
        """
        if settings.spark_landing is None:
            hint = "name a folder or store that this machine and the cluster see: spark_landing: /mnt/lake/olist"
            raise ConfigError("spark_landing is not set", where=target_of(settings), hint=hint)
        there = settings.spark_landing_on_cluster or settings.spark_landing
        return cls(settings.spark_landing.rstrip("/"), there.rstrip("/"), run_id)

    @property
    def is_folder(self) -> bool:
        """Tell whether it is a folder of a file system, not a store."""
        return "://" not in self.here

    def put(
        self, connection: DuckDBPyConnection, name: str, query: str, parameters: dict[str, Any] | None = None
    ) -> str:
        """Write the rows of a query as a table of Parquet files; return it as Spark reads it."""
        path = f"{self.here}/{self.run_id}/{name}".replace("'", "''")
        options = f"format parquet, compression zstd, file_size_bytes '{_PART}'"
        if self.is_folder:
            self._make_room(name)
        else:  # DuckDB would look what is in the folder, and a store such as S3 knows none before a file is there
            self._register(connection)
            options += ", overwrite_or_ignore"
        with self._explained("written"):
            connection.execute(f"copy ({query}) to '{path}' ({options})", parameters)
        return "parquet." + name_of(f"{self.there}/{self.run_id}/{name}")

    def ask_for(self, spark: Session, name: str, query: str) -> None:
        """Let Spark write the rows of a query; `fetched` reads them."""
        if self.is_folder:
            self._make_room(name)
        place = literal(f"{self.there}/{self.run_id}/{name}")
        spark.run(f"insert overwrite directory {place} using parquet select * from (\n{query}\n)")

    def fetch(self, connection: DuckDBPyConnection, name: str, table: str) -> None:
        """Make a table, named in quotes, of what Spark wrote."""
        if not self.is_folder:
            self._register(connection)
        files = f"{self.here}/{self.run_id}/{name}/*.parquet".replace("'", "''")
        with self._explained("read"):
            connection.execute(f"create or replace table {table} as from read_parquet('{files}')")

    def clear(self) -> None:
        """Remove what the run has left; what cannot be removed stays."""
        if self.is_folder:
            shutil.rmtree(Path(self.here, self.run_id), ignore_errors=True)
        else:
            with suppress(Exception):
                self._store().rm(f"{self.here}/{self.run_id}", recursive=True)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Turn DuckDB's words about a file of the landing into an error of the machine."""
        import duckdb

        try:
            yield
        except duckdb.Error as error:
            if fault := machine_fault(error):
                raise fault from None
            lines = str(error).splitlines()
            reason = lines[-1] if lines[0].startswith("Traceback") else lines[0]  # a store's errors come with all of it
            message = f"the landing cannot be {what}: {reason}"
            raise EnvironmentFault(message, where=self.here, hint=_NAMED_BY) from None

    def _make_room(self, name: str) -> None:
        try:
            Path(self.here, self.run_id, name).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"the landing folder cannot be written: {error.strerror}"
            raise EnvironmentFault(message, where=self.here, hint=_NAMED_BY) from None

    def _register(self, connection: DuckDBPyConnection) -> None:
        """Let DuckDB read and write the store."""
        store = self._store()
        store.invalidate_cache()  # it remembers what a folder held before the cluster wrote there
        if self.here.split("://")[0] not in connection.list_filesystems():
            connection.register_filesystem(store)

    def _store(self) -> Any:
        """Return the file system of the store, as DuckDB can use it, too."""
        try:
            from fsspec.core import url_to_fs

            store, _ = url_to_fs(self.here)  # the host of a URL counts, where it has one
        except (ImportError, ValueError) as error:
            message = f"nothing here can speak to the store: {error}"
            raise EnvironmentFault(message, where=self.here, hint="install the package that it names") from None
        return store
