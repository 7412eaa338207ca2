"""The stage file: readers keep yesterday's warehouse until today's is whole.

A writing command works in a copy under the state folder. Publishing checkpoints it, closes it, checks it,
flushes it to the disk and renames it over the live file, so a reader sees the old or the new warehouse
and never a mixture, and a kill at any moment leaves the live file as it was.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl.config import Settings
from olistctl.errors import EnvironmentFault
from olistctl.warehouse.connection import connect, quote
from olistctl.warehouse.lock import writer_lock

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Stage:
    """A private copy of the warehouse that can be published; it has the live file's name."""

    live: Path
    file: Path
    threads: int
    memory_limit: str | None

    @contextmanager
    def connection(self) -> Iterator[DuckDBPyConnection]:
        """Open the stage file; close every connection before dbt or `publish` opens it anew."""
        connection = connect(self.file, threads=self.threads, memory_limit=self.memory_limit)
        try:
            yield connection
        finally:
            connection.close()

    def copy_live(self) -> None:
        """Begin with a copy of the live warehouse, if there is one."""
        for suffix in ("", ".wal"):  # a log that a foreign writer left belongs to the file
            live = self.live.with_name(self.live.name + suffix)
            if live.exists():
                shutil.copyfile(live, self.file.with_name(self.file.name + suffix))

    @contextmanager
    def attached_live(self, connection: DuckDBPyConnection) -> Iterator[bool]:
        """Attach the live warehouse as `live` for reading; give False when there is none."""
        if not self.live.is_file():
            yield False
            return
        path = str(self.live).replace("'", "''")
        connection.execute(f"attach '{path}' as live (read_only)")
        try:
            yield True
        finally:
            connection.execute("detach live")

    def copy_schemas(self, connection: DuckDBPyConnection, schemas: tuple[str, ...]) -> None:
        """Copy the tables of some schemas from the attached live warehouse."""
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'live' order by all"
        ).fetchall()
        for schema, table in tables:
            if schema in schemas:
                name = f"{quote(schema)}.{quote(table)}"
                connection.execute(f"create schema if not exists {quote(schema)}")
                connection.execute(f"create table {name} as from live.{name}")

    def discard(self) -> None:
        """Throw the work away."""
        for suffix in ("", ".wal"):
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)

    def publish(self) -> None:
        """Make the stage the live warehouse, in one rename.

        Raises:
            EnvironmentFault: the disk is full, or the system does not let the file be replaced.
            BusyError: another program has the live warehouse open for writing.
        """
        with self.connection() as connection:
            connection.execute("checkpoint")
        wal = self.file.with_name(self.file.name + ".wal")
        if wal.exists():  # a stale one would be replayed into the new file, silently
            raise EnvironmentFault("the stage file still has a write-ahead log", where=str(wal))
        connect(self.file, readonly=True).close()  # it must open before readers get it
        if self.live.is_file():  # BusyError if another program is writing to it: its changes would be lost
            connect(self.live, readonly=True).close()
        try:
            _flush(self.file)
            with suppress(FileNotFoundError):
                self.live.with_name(self.live.name + ".wal").unlink()
            self.file.replace(self.live)
            _flush(self.live.parent)
        except OSError as error:
            raise EnvironmentFault(
                f"the finished warehouse could not be put in place: {error}",
                where=str(self.live),
                hint="close the programs that have it open, check space and permissions, and run again",
            ) from None


@contextmanager
def open_stage(settings: Settings, command: str) -> Iterator[Stage]:
    """Lock the warehouse and give an empty stage.

    Nothing is published unless `Stage.publish` is called; the stage is removed in any case.

    Raises:
        BusyError: another olistctl is writing.
        EnvironmentFault: the folder cannot be written, or the live file is no warehouse.
    """
    folder = settings.state_dir / "stage"
    stage = Stage(settings.warehouse, folder / settings.warehouse.name, settings.threads, settings.memory_limit)
    with writer_lock(settings.state_dir, command, settings.lock_wait_seconds):
        try:
            shutil.rmtree(folder, ignore_errors=True)  # what a killed writer left
            folder.mkdir(parents=True)
            if stage.live.exists():
                _fold_in_log(stage.live)
                connect(stage.live, readonly=True).close()
        except OSError as error:
            raise EnvironmentFault(f"cannot make the stage file: {error}", where=str(folder)) from None
        try:
            yield stage
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _fold_in_log(live: Path) -> None:
    """Bring the log that a killed foreign writer left into its file, so that no rename can part the two."""
    if live.with_name(live.name + ".wal").exists():
        connection = connect(live)
        connection.execute("checkpoint")
        connection.close()


def _flush(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
