"""Releases: the shared tables as Parquet, each release in a folder of its own, the newest one behind `latest`.

A release is written beside the others under a name that nobody reads, gets its own name when it is whole, and only
then `latest`, a symbolic link, moves to it, in one rename. Files of tables that have not changed are shared with the
release before, and no file is ever written again. So whoever reads through `latest` finds a whole release;
whoever reads several tables should look up once where it leads.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from olistctl import __version__, ledger
from olistctl.config import Settings
from olistctl.errors import EnvironmentFault, UsageError
from olistctl.publishing.tables import PARQUET, SharedTable, reading, shared_tables, writing
from olistctl.results import Finding, NoProgress, Progress, to_plain
from olistctl.warehouse import Relation, flush, in_parallel, is_as_published, kind_of, refused, writer_lock

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LATEST = "latest"
MANIFEST = "manifest.json"
_NAME = "%Y%m%dT%H%M%S.%fZ"
_FOLDER = re.compile(r"\d{8}T\d{6}\.\d{6}Z")
_DRAFT = ".draft"


@dataclass(frozen=True)
class ReleasedTable:
    """A table of a release: its file, how many rows and bytes it has."""

    table: str
    file: Path
    rows: int
    bytes: int


@dataclass(frozen=True)
class Unchanged:
    """The tables that a build left as they were after the build of an earlier run, `since_run`."""

    since_run: str
    relations: frozenset[Relation]


@dataclass(frozen=True)
class Release:
    """A release and where it lies; `problem` says why `latest` does not lead to it."""

    name: str
    folder: Path
    latest: Path
    tables: tuple[ReleasedTable, ...]
    is_new: bool = True  # otherwise it was there already
    problem: str | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with it, though it is whole."""
        if self.problem is None:
            return ()
        return (Finding(self.problem, str(self.latest), f"the release is whole, and can be read at {self.folder}"),)


def publish_release(
    settings: Settings, *, folder: Path | None = None, again: bool = False, progress: Progress | None = None
) -> Release:
    """Write a release of the published warehouse, unless the newest one is of it already.

    `folder`: where the releases lie, the setting's if not given; `again`: write it in any case. Older releases go,
    but for as many as the setting `publish.keep_versions` says.

    Raises:
        BusyError: another olistctl is writing.
        EnvironmentFault: there is no warehouse, or the folder cannot be written.
        UsageError: no folder is set.
    """
    folder = folder or settings.parquet_dir
    if folder is None:
        raise UsageError(
            "the setting parquet_dir is 'none', so there is no folder for releases",
            where=settings.origins.get("parquet_dir"),
            hint="--out DIR names one for this call",
        )
    with writer_lock(settings.state_dir, "publish", settings.lock_wait_seconds):
        known = None if again else _newest_of(_run_of(_build_of(settings)), folder)
        return known or write_release(settings, folder, progress or NoProgress())


def is_released(settings: Settings, build: ledger.Build | None) -> bool:
    """Tell whether the newest release is of this build of the models, or none is wanted."""
    return settings.parquet_dir is None or _newest_of(_run_of(build), settings.parquet_dir) is not None


def write_release(settings: Settings, folder: Path, progress: Progress, unchanged: Unchanged | None = None) -> Release:
    """Write a release of the published warehouse; the caller holds the writer's lock.

    Of tables that are `unchanged` the files of the newest release stand in it, too, as hard links.

    Raises:
        EnvironmentFault: there is no warehouse, or the folder cannot be written; `latest` is as before.
    """
    if folder.exists() and not folder.is_dir():
        raise EnvironmentFault(
            "a file lies where the folder of the releases should be",
            where=str(folder),
            hint="move it away, or set parquet_dir in config/olistctl.yml",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _clean(folder)
        name = _next_name(folder)
        draft = folder / f".{name}{_DRAFT}"
        try:
            _write(settings, draft, name, progress, _reusable(folder, unchanged))
            draft.rename(folder / name)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        problem = _point(folder, name)
        _prune(folder, settings.keep_versions + 1)
    except OSError as error:
        raise refused("the release cannot be written", error, folder) from None
    return _read(folder, name, is_new=True, problem=problem)


def _write(
    settings: Settings, draft: Path, name: str, progress: Progress, reusable: Mapping[Relation, ReleasedTable]
) -> None:
    with reading(settings) as connection:
        tables = shared_tables(connection, settings.dbt_artifacts)
        build = _last_build(connection)
        progress.start("Writing Parquet", sum(table.rows for table in tables))

        def write(cursor: DuckDBPyConnection, table: SharedTable) -> None:
            file = draft / _path_of(table)
            file.parent.mkdir(parents=True, exist_ok=True)
            progress.advance(0, table.name)
            if not _linked(cursor, table, reusable.get((table.schema, table.name)), file):
                with writing(table, file):
                    table.copy_to(cursor, file, PARQUET)
                flush(file)
            progress.advance(table.rows)

        in_parallel(connection, write, tables)
        progress.finish()
    manifest = {
        "release": name,
        "olistctl": __version__,
        "built_by_run": _run_of(build),
        "built_at": build.built_at.isoformat(sep=" ") if build else None,
        "tables": [
            {
                "table": f"{table.schema}.{table.name}",
                "file": _path_of(table),
                "rows": table.rows,
                "bytes": (draft / _path_of(table)).stat().st_size,
                "description": table.description,
                "columns": to_plain(table.columns),
            }
            for table in tables
        ],
    }
    (draft / MANIFEST).write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    for written in (draft / MANIFEST, *(folder for folder in draft.rglob("*") if folder.is_dir())):
        flush(written)


def _reusable(folder: Path, unchanged: Unchanged | None) -> dict[Relation, ReleasedTable]:
    """Return the tables of the newest release that are as they were, where it is of the build before this one."""
    release = _newest_of(unchanged.since_run, folder) if unchanged else None
    if release is None or unchanged is None:
        return {}
    tables = {table.table: table for table in release.tables}
    return {relation: tables[name] for relation in unchanged.relations if (name := ".".join(relation)) in tables}


def _linked(connection: DuckDBPyConnection, table: SharedTable, known: ReleasedTable | None, file: Path) -> bool:
    """Let a file of an earlier release stand in this one; return False where there is none, or it is not whole."""
    import duckdb

    if known is None or kind_of(connection, (table.schema, table.name)) != "table":
        return False
    try:
        rows = connection.execute("select num_rows from parquet_file_metadata(?)", [str(known.file)]).fetchone()
        if rows != (table.rows,) or known.file.stat().st_size != known.bytes:
            return False
        os.link(known.file, file)
    except (OSError, duckdb.IOException, duckdb.InvalidInputException):  # damaged, gone, or no links to be had here
        return False
    return True


def _path_of(table: SharedTable) -> str:
    return f"{table.schema}/{table.file_stem}.parquet"


def _point(folder: Path, name: str) -> str | None:
    """Let `latest` lead to a release; return why it cannot."""
    draft = folder / f".{LATEST}{_DRAFT}"
    try:
        draft.symlink_to(name, target_is_directory=True)
        draft.replace(folder / LATEST)
        flush(folder)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        return f"'{LATEST}' cannot lead to {name}: {error.strerror or error}"
    return None


def _build_of(settings: Settings) -> ledger.Build | None:
    """Return the build of the published warehouse; None where another program has changed it since."""
    with reading(settings) as connection:
        return _last_build(connection) if is_as_published(settings.warehouse, settings.state_dir) else None


def _last_build(connection: DuckDBPyConnection) -> ledger.Build | None:
    return ledger.last_build(connection) if ledger.is_present(connection) else None


def _run_of(build: ledger.Build | None) -> str | None:
    return build.run_id if build else None


def _newest_of(run_id: str | None, folder: Path) -> Release | None:
    """Return the release that `latest` leads to, if it is of the build of this run."""
    try:
        name = (folder / LATEST).readlink().name
        if run_id is None or _manifest(folder / name)["built_by_run"] != run_id:
            return None
        return _read(folder, name, is_new=False, problem=None)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read(folder: Path, name: str, *, is_new: bool, problem: str | None) -> Release:
    tables = tuple(
        ReleasedTable(known["table"], folder / name / known["file"], known["rows"], known["bytes"])
        for known in _manifest(folder / name)["tables"]
    )
    return Release(name, folder / name, folder / LATEST, tables, is_new, problem)


def _manifest(folder: Path) -> dict[str, Any]:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if not isinstance(manifest, dict):
        raise TypeError
    return manifest


def _releases(folder: Path) -> list[Path]:
    """Return the releases, the newest first; anything else that lies there is nobody's business here."""
    found = [path for path in folder.iterdir() if _moment_of(path.name) and (path / MANIFEST).is_file()]
    return sorted(found, reverse=True)


def _moment_of(name: str) -> datetime | None:
    with suppress(ValueError):  # the digits of no date
        return datetime.strptime(name, _NAME) if _FOLDER.fullmatch(name) else None
    return None


def _next_name(folder: Path) -> str:
    """Return a name later than any there, also after the clock was set back."""
    moment = datetime.now(UTC).replace(tzinfo=None)
    latest = max(filter(None, (_moment_of(release.name) for release in _releases(folder))), default=moment)
    with suppress(OverflowError):  # of the last day of all, which is none of ours
        moment = max(moment, latest + timedelta(microseconds=1))
    return f"{moment:{_NAME}}"


def _prune(folder: Path, keep: int) -> None:
    for release in _releases(folder)[keep:]:
        shutil.rmtree(release, ignore_errors=True)


def _clean(folder: Path) -> None:
    """Remove what a killed olistctl left."""
    for draft in folder.glob(f".*Z{_DRAFT}"):
        if _moment_of(draft.name[1:].removesuffix(_DRAFT)):
            shutil.rmtree(draft, ignore_errors=True)
    with suppress(OSError):
        (folder / f".{LATEST}{_DRAFT}").unlink()
