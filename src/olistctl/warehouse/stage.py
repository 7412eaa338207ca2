"""The stage file: readers keep yesterday's warehouse until today's is whole.

A writing command works in a copy under the state folder. Publishing checkpoints it, closes it, checks it,
flushes it to the disk and renames it over the live file, so a reader sees the old or the new warehouse
and never a mixture, and a kill at any moment leaves the live file as it was. The replaced file stays as a
version that a rollback can bring back.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from olistctl.config import Settings
from olistctl.errors import BusyError, EnvironmentFault
from olistctl.logs import get_logger
from olistctl.warehouse.connection import another, attach, connect, connect_to_fill, quote
from olistctl.warehouse.faults import DamagedWarehouse, machine_fault, refused
from olistctl.warehouse.lock import writer_lock
from olistctl.warehouse.published import note_published
from olistctl.warehouse.versions import (
    Version,
    clean_versions,
    flush,
    keep_version,
    prune_versions,
    versions_folder,
)

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

log = get_logger(__name__)

# What must be readable before anyone gets to read it.
_CHECKED_SCHEMAS = ("raw", "core", "mart", "etl")


@dataclass(frozen=True)
class Published:
    """What a publication did beside publishing: the version it kept, or why it could not keep one."""

    kept: Version | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Stage:
    """A private copy of the warehouse that can be published; it has the live file's name.

    It stays open from its first connection on, for to open and close it each time, with its log brought into it, takes
    a tenth of a small run; `let_go` before another process opens it. Without a state folder no version is kept. A
    damaged live file counts as none, until it is set aside.
    """

    live: Path
    file: Path
    threads: int
    memory_limit: str | None
    state_dir: Path | None = None
    keep_versions: int = 1
    storage_version: str | None = None
    live_is_damaged: bool = False
    # The live file as it was when the work began with it: what is in it later is not in the stage.
    _seen: list[tuple[int, int, int]] = field(default_factory=list, compare=False, repr=False)
    _anchor: list[DuckDBPyConnection] = field(default_factory=list, compare=False, repr=False)
    _pruning: list[Thread] = field(default_factory=list, compare=False, repr=False)

    @property
    def has_live(self) -> bool:
        """Tell whether there is a live warehouse that can be read."""
        return self.live.is_file() and not self.live_is_damaged

    @contextmanager
    def connection(self) -> Iterator[DuckDBPyConnection]:
        """Give a connection of its own to the stage file."""
        if not self._anchor:
            opened = connect_to_fill(
                self.file,
                threads=self.threads,
                memory_limit=self.memory_limit,
                storage_version=self.storage_version,
            )
            self._anchor.append(opened)
        connection = another(self._anchor[0])
        try:
            yield connection
        finally:
            connection.close()

    def let_go(self) -> None:
        """Close the stage file, with all that was written in it, and every connection to it."""
        while self._anchor:
            self._anchor.pop().close()

    def copy_live(self) -> None:
        """Begin with a copy of the live warehouse, if there is one.

        Raises:
            EnvironmentFault: the disk is full, say.
        """
        if self.has_live:
            self._seen[:] = [identity(self.live)]
            for suffix in ("", ".wal"):  # a log that a foreign writer left belongs to the file
                self._fill(self.live.with_name(self.live.name + suffix), suffix)

    def copy_version(self, version: Version) -> None:
        """Begin with a copy of a kept version.

        Raises:
            DamagedWarehouse: the version is damaged itself.
            EnvironmentFault: it is gone, or the disk is full, say.
        """
        if not version.file.is_file():
            hint = "`olistctl rollback --list` shows which there are"
            raise EnvironmentFault(f"there is no version '{version.name}'", where=str(version.file), hint=hint)
        self.discard()
        self._fill(version.file, "")
        connect(self.file, readonly=True).close()

    def _fill(self, source: Path, suffix: str) -> None:
        if not source.exists():
            return
        target = self.file.with_name(self.file.name + suffix)
        try:
            shutil.copyfile(source, target)
        except OSError as error:
            self.discard()
            raise refused("the new warehouse cannot be written", error, target) from None

    @contextmanager
    def attached_live(self, connection: DuckDBPyConnection) -> Iterator[bool]:
        """Attach the live warehouse as `live` for reading; give False when there is none."""
        if not self.has_live:
            yield False
            return
        if not self._seen:
            self._seen.append(identity(self.live))
        attach(connection, self.live, "live")
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
        self.let_go()
        for suffix in ("", ".wal"):
            self.file.with_name(self.file.name + suffix).unlink(missing_ok=True)

    def publish(self, *, keep_replaced: bool = True, run_id: str | None = None) -> Published:
        """Make the stage the live warehouse, in one rename.

        The replaced file is kept as a version, unless `keep_replaced` is off: a publication that only adds to the
        ledger must not push the last good data out. With `run_id` the ledger must hold that run.

        Raises:
            EnvironmentFault: the stage is not whole, the disk is full, or the system does not let the file be
                replaced; the live warehouse is as before.
            BusyError: another program has the live warehouse open for writing.
        """
        self._close_off(run_id)
        self._check_live()
        try:
            flush(self.file)
            published = self._keep_replaced() if keep_replaced else Published()
            if self.state_dir:
                note_published(self.file, self.state_dir)
            if self.live_is_damaged:
                self._set_aside()
            with suppress(FileNotFoundError):
                self.live.with_name(self.live.name + ".wal").unlink()
            self.file.replace(self.live)
            flush(self.live.parent)
        except OSError as error:
            raise _not_replaced(error, self.live) from None
        self._seen.clear()
        if self.state_dir and self.keep_versions and not published.problem:
            self._prune(versions_folder(self.state_dir))
        return published

    def _prune(self, folder: Path) -> None:
        """Remove older versions beside what comes after the publication: to free a large file takes a while.

        Where no thread is to be had they go another time, for what is published is published.
        """
        thread = Thread(target=prune_versions, args=(folder, self.keep_versions), name="prune")
        with suppress(RuntimeError):
            thread.start()
            self._pruning.append(thread)

    def wait(self) -> None:
        """Wait until older versions are gone."""
        while self._pruning:
            self._pruning.pop().join()

    def _check_live(self) -> None:
        """Raise BusyError if another program writes or has written to the live file: its changes would be lost."""
        if not self.has_live:
            return
        connect(self.live, readonly=True).close()
        if self._seen and identity(self.live) != self._seen[0]:
            raise BusyError(
                "another program has changed the warehouse while this command worked",
                where=str(self.live),
                hint="its changes stay, and nothing was published; run again",
            )

    def _close_off(self, run_id: str | None) -> None:
        """Bring everything into the one file, and check that a reader would find it there."""
        import duckdb

        try:
            with self.connection() as connection:
                connection.execute("checkpoint")
            self.let_go()
            wal = self.file.with_name(self.file.name + ".wal")
            if wal.exists():  # a stale one would be replayed into the new file, silently
                raise _not_whole(self.file, "a part of it is still in its write-ahead log")
            self._check(run_id)
        except duckdb.Error as error:
            fault = machine_fault(error, self.file)
            if fault and not isinstance(fault, DamagedWarehouse):
                raise fault from None
            raise _not_whole(self.file, fault.message if fault else str(error).splitlines()[0]) from None
        except DamagedWarehouse as error:
            raise _not_whole(self.file, error.message) from None

    def _check(self, run_id: str | None) -> None:
        connection = connect(self.file, readonly=True)
        try:
            tables = connection.execute(
                "select schema_name, table_name from duckdb_tables() where list_contains(?, schema_name)",
                [list(_CHECKED_SCHEMAS)],
            ).fetchall()
            counts = [f"select count(*) from {quote(schema)}.{quote(table)}" for schema, table in tables]
            if counts:
                connection.execute(" union all ".join(counts)).fetchall()
            if run_id is None:
                return
            found = ("etl", "pipeline_runs") in tables and connection.execute(
                "select count(*) from etl.pipeline_runs where run_id = ?", [run_id]
            ).fetchone() == (1,)
            if not found:
                raise _not_whole(self.file, f"the run {run_id} is not in its ledger")
        finally:
            connection.close()

    def _keep_replaced(self) -> Published:
        """Keep the live file as a version.

        A failure does not stop the publication: the finished warehouse is worth more than an old copy, all of
        whose data and history it holds or could load again. Older versions stay then.
        """
        if not self.has_live or self.state_dir is None or self.keep_versions < 1:
            return Published()
        folder = versions_folder(self.state_dir)
        try:
            kept = keep_version(self.live, folder)
            flush(folder)
        except OSError as error:
            fault = machine_fault(error, folder)
            problem = f"the replaced warehouse could not be kept for a rollback: {fault.message if fault else error}"
            log.warning("%s: %s", folder, problem)
            return Published(problem=problem)
        return Published(kept)

    def _set_aside(self) -> None:
        """Keep the damaged live file, and its log, for whoever wants to save something from it."""
        folder = (self.state_dir or self.live.parent) / "damaged"
        aside = keep_version(self.live, folder)
        log.warning("%s: the damaged file is kept as %s", self.live, aside.file)
        wal = self.live.with_name(self.live.name + ".wal")
        if wal.exists():
            wal.replace(aside.file.with_name(aside.file.name + ".wal"))
        flush(folder)


def stage_file(settings: Settings) -> Path:
    """Return the stage file, which has the live file's name."""
    return settings.stage_dir / settings.warehouse.name


@contextmanager
def open_stage(settings: Settings, command: str, *, tolerate_damage: bool = False) -> Iterator[Stage]:
    """Lock the warehouse and give an empty stage.

    Nothing is published unless `Stage.publish` is called; the stage is removed in any case. With
    `tolerate_damage` a live file that DuckDB cannot read counts as none, and is set aside when the stage is published.

    Raises:
        BusyError: another olistctl is writing.
        DamagedWarehouse: DuckDB cannot read the live file.
        EnvironmentFault: the folder cannot be written.
    """
    folder = settings.stage_dir
    with writer_lock(settings.state_dir, command, settings.lock_wait_seconds):
        try:
            _make_empty(settings, folder)
            damaged = _is_damaged(settings.warehouse, tolerate_damage)
            stage = Stage(
                settings.warehouse,
                stage_file(settings),
                settings.threads,
                settings.memory_limit,
                settings.state_dir,
                settings.keep_versions,
                settings.storage_version,
                damaged,
            )
            try:
                yield stage
            finally:
                stage.let_go()
                stage.wait()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def identity(file: Path) -> tuple[int, int, int]:
    """Return what tells a file from the one that took its place, or that was written to."""
    status = file.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _make_empty(settings: Settings, folder: Path) -> None:
    """Make the stage's folder, and remove what a killed writer left; nobody else is writing now."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
        clean_versions(versions_folder(settings.state_dir), settings.warehouse)
        for draft in (*settings.journal_dir.glob("*.tmp"), *settings.state_dir.glob("damaged/*.draft")):
            draft.unlink(missing_ok=True)
        folder.mkdir(parents=True)
    except OSError as error:
        raise refused("the new warehouse cannot be written", error, folder) from None


def _is_damaged(live: Path, tolerate: bool) -> bool:
    if not live.exists():
        return False
    try:
        fold_in_log(live)
        connect(live, readonly=True).close()
    except DamagedWarehouse:
        if not tolerate:
            raise
        return True
    return False


def fold_in_log(live: Path) -> None:
    """Bring the log that a killed foreign writer left into its file, so that no rename can part the two."""
    if live.with_name(live.name + ".wal").exists():
        connection = connect(live)
        connection.execute("checkpoint")
        connection.close()


def _not_replaced(error: OSError, live: Path) -> EnvironmentFault:
    if os.name == "nt" and isinstance(error, PermissionError):
        return EnvironmentFault(
            "this system does not let a file be replaced that a program has open; the warehouse is as before",
            where=str(live),
            hint="close what has it open (a notebook, a BI tool, a DuckDB shell) and run again",
        )
    return refused("the finished warehouse could not be put in place", error, live)


def _not_whole(file: Path, reason: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"the finished warehouse cannot be read back, so it is not published: {reason}",
        where=str(file),
        hint="run again; if it comes back, check the disk and the memory of this machine",
    )
