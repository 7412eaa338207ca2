"""What a run would do: which files are news, which keys they change, which models follow."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl import ledger
from olistctl.config import Settings
from olistctl.config.strict_yaml import nearest_hint
from olistctl.errors import ConfigError, OlistctlError, UsageError
from olistctl.ledger import SourceChange
from olistctl.loading import FileState, Limits, LoadReport, file_states, load_files
from olistctl.loading.detection import NEW, unread
from olistctl.loading.report import HELD, MISSING, UNCHANGED
from olistctl.reading import Inspection, table_of
from olistctl.results import Finding, Progress
from olistctl.sources import NO_FILES, Contract, Fingerprints, SourceFile, find_files
from olistctl.spark import built_elsewhere
from olistctl.transform import affected_models, project_sha256
from olistctl.validation import inspect_all
from olistctl.warehouse import attach, connect_scratch, is_as_published, read_only

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NOTHING_BUILT = "nothing is built yet"
CHANGED_OUTSIDE = "another program has changed the warehouse since it was published"


@dataclass(frozen=True)
class Standing:
    """How a warehouse stands against the source folder and the dbt project.

    `unbuilt` are changes in `raw` that the models do not know yet; `outdated` says why all models must be built, if
    they must.
    """

    files: tuple[FileState, ...]
    unbuilt: tuple[SourceChange, ...]
    outdated: str | None
    build: ledger.Build | None

    @property
    def has_news(self) -> bool:
        """Tell whether a load would do or say anything new."""
        return any(file.is_news for file in self.files)

    @property
    def needs_models(self) -> bool:
        """Tell whether the models are not what they would be if built now."""
        return bool(self.unbuilt) or self.outdated is not None

    @property
    def is_tested(self) -> bool:
        """Tell whether all tests have run on the models as they are."""
        return self.build is not None and self.build.is_tested

    @property
    def failed_tests(self) -> tuple[Finding, ...]:
        """The tests that did not pass when they ran last."""
        failed = self.build.failed_tests if self.build else ()
        return tuple(Finding(test.message, test.where, test.hint) for test in failed)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is not as it should be with the files that are no news."""
        loads = (file.as_load() for file in self.files if not file.is_news)
        return tuple(load.finding() for load in loads if not load.is_whole)


@dataclass(frozen=True)
class TableChange:
    """How many rows a run would insert, change and delete in a table of `raw`, by key; None: all is read again."""

    table: str
    inserted: int | None
    changed: int | None
    deleted: int | None


@dataclass(frozen=True)
class Plan:
    """What a run would do; `models` in the order of the graph, None where dbt has not said yet which there are.

    `held_back` names the files that look partial, `findings` say what is wrong with these and with any other file.
    """

    files: tuple[FileState, ...]
    held_back: tuple[str, ...]
    findings: tuple[Finding, ...]
    changes: tuple[TableChange, ...]
    models: tuple[str, ...] | None
    reason: str | None  # why all models are built, not only those downstream of a change

    @property
    def is_empty(self) -> bool:
        """Tell whether a run would do nothing."""
        return not self.changes and self.models == () and not any(file.is_news for file in self.files)


def fingerprints_of(settings: Settings) -> Fingerprints:
    """Return what is known of the files that were read before."""
    return Fingerprints(settings.state_dir / "fingerprints.json")


def files_present(
    contract: Contract,
    source_dir: Path,
    accepted: frozenset[str] = frozenset(),
    only: frozenset[str] | None = None,
) -> tuple[SourceFile, ...]:
    """Return the files of the source folder; `accepted` must be names among them.

    `only`: names of files that may be taken; any other counts as not there yet.

    Raises:
        ConfigError: it cannot be read, or none of the nine is there.
        UsageError: a name is not there.
    """
    files = find_files(contract, source_dir)
    if only is not None:
        bases = {source.file for source in contract.sources}
        known = (file if file.name in only else replace(file, exists=False) for file in files)
        files = tuple(file for file in known if file.exists or file.name in bases)
    if not any(file.exists for file in files):
        raise ConfigError(
            "none of the nine CSVs is there",
            where=str(source_dir),
            hint=NO_FILES,
        )
    names = [file.name for file in files]
    for name in sorted(accepted - set(names)):
        message = f"there is no file '{name}' in {source_dir}"
        raise UsageError(message, where="option --accept", hint=nearest_hint(name, names))
    return files


def read_standing(
    connection: DuckDBPyConnection,
    settings: Settings,
    files: Sequence[SourceFile],
    limits: Limits,
    fingerprints: Fingerprints,
) -> Standing:
    """Compare a warehouse, whose ledger must be today's, with its files and its project."""
    states = file_states(connection, files, limits, fingerprints)
    unbuilt = ledger.source_changes(connection, is_built=False)
    build = ledger.last_build(connection)
    return Standing(states, unbuilt, _why_outdated(settings, build), build)


def find_standing(
    settings: Settings,
    contract: Contract,
    limits: Limits,
    fingerprints: Fingerprints,
    *,
    with_files: bool = True,
    only: frozenset[str] | None = None,
) -> Standing | None:
    """Return how the warehouse stands; None where that cannot be told, which is for a run to find out why."""
    import duckdb

    if not settings.warehouse.is_file():
        return None
    try:
        files = files_present(contract, settings.source_dir, limits.accepted, only) if with_files else ()
        with read_only(settings.warehouse) as connection:
            if ledger.is_current(connection):
                return read_standing(connection, settings, files, limits, fingerprints)
    except (OlistctlError, OSError, duckdb.Error):
        pass
    return None


def _why_outdated(settings: Settings, build: ledger.Build | None) -> str | None:
    if build is None:
        return _NOTHING_BUILT
    if not is_as_published(settings.warehouse, settings.state_dir):
        return CHANGED_OUTSIDE
    if build.project_sha256 is None:
        return "the models are not known to be what the dbt project makes of raw"
    if build.project_sha256 != project_sha256(settings.dbt_project):
        return "the dbt project has changed since the models were built"
    return built_elsewhere(settings, build.run_id)


def inspect_news(
    files: Sequence[SourceFile], states: Sequence[FileState], progress: Progress | None = None
) -> tuple[Inspection, ...]:
    """Inspect the files that are not known to be unchanged, in their order; `states` may be empty."""
    known = {(state.source, state.file): state for state in states if state.state == UNCHANGED}
    news = [file for file in files if (file.source.name, file.name) not in known]
    found = {(found.source, found.file): found for found in inspect_all(news, progress)}
    return tuple(
        found[key] if (key := (file.source.name, file.name)) in found else unread(file, known[key]) for file in files
    )


def make_plan(
    settings: Settings,
    contract: Contract,
    files: Sequence[SourceFile],
    limits: Limits,
    *,
    full_refresh: bool = False,
    progress: Progress | None = None,
) -> Plan:
    """Find out what `olistctl run` would do, by loading what is news into a scratch database; nothing is written.

    Raises:
        EnvironmentFault: the warehouse cannot be read.
    """
    if not settings.warehouse.is_file():
        standing = Standing(_new_files(files), (), _NOTHING_BUILT, None)
    else:
        with _readable_ledger(settings) as connection:
            standing = read_standing(connection, settings, files, limits, fingerprints_of(settings))
    report = None
    if full_refresh or standing.has_news:
        report = _load_on_trial(settings, contract, files, standing, limits, full_refresh, progress)
    return _plan(settings, contract, standing, report, full_refresh)


def _new_files(files: Sequence[SourceFile]) -> tuple[FileState, ...]:
    nothing = ledger.Held(0, 0)
    return tuple(
        FileState(f.source.name, f.source.table, f.name, NEW if f.exists else MISSING, True, None, nothing)
        for f in files
    )


def _plan(
    settings: Settings, contract: Contract, standing: Standing, report: LoadReport | None, full_refresh: bool
) -> Plan:
    tables = {source.name: source.table for source in contract.sources}
    changes = report.changes if report else ()
    files = report.files if report else tuple(file.as_load() for file in standing.files)
    all_changes = (*changes, *standing.unbuilt)
    reason = "--full-refresh" if full_refresh else standing.outdated
    if gone := sorted({file.source for file in standing.files} - set(tables)):
        reason = f"{', '.join(gone)} has left the contract"
    chosen = None if reason else sorted({tables[change.source] for change in all_changes})
    if not reason and (rebuilt := sorted({change.source for change in all_changes if change.rebuilt})):
        reason = f"all of {', '.join(rebuilt)} is read again"
    models: tuple[str, ...] | None = ()
    if chosen != []:
        models = affected_models(settings.dbt_project, settings.dbt_artifacts, chosen, without_views=not reason)
    return Plan(
        files=standing.files,
        held_back=tuple(file.file for file in files if file.status == HELD),
        findings=tuple(file.finding() for file in files if not file.is_whole),
        changes=tuple(_table_change(tables[change.source], change) for change in changes if change.brings_data),
        models=models,
        reason=reason,
    )


def _table_change(table: str, change: SourceChange) -> TableChange:
    if change.rebuilt:
        return TableChange(f"raw.{table}", None, None, None)
    return TableChange(f"raw.{table}", change.inserted, change.changed, change.deleted)


def _load_on_trial(
    settings: Settings,
    contract: Contract,
    files: Sequence[SourceFile],
    standing: Standing,
    limits: Limits,
    full_refresh: bool,
    progress: Progress | None,
) -> LoadReport:
    """Load as a run would, into a scratch database that begins with the tables that may change."""
    inspections = inspect_news(files, () if full_refresh else standing.files, progress)
    untouched = {state.source for state in standing.files if state.loaded}
    untouched -= {state.source for state in standing.files if state.is_news}
    with _scratch(settings) as (connection, has_live):
        connection.execute("create schema raw")
        for source in contract.sources if not full_refresh else ():
            kind = "view" if source.name in untouched else "table"
            if _is_in_live(connection, source.table):
                connection.execute(f"create {kind} {table_of(source)} as from live.{table_of(source)}")
        return load_files(
            connection,
            contract,
            inspections,
            run_id="plan",
            at=datetime(1970, 1, 1),
            limits=limits,
            fresh=full_refresh,
            has_live=has_live,
            progress=progress,
        )


@contextmanager
def _scratch(settings: Settings) -> Iterator[tuple[DuckDBPyConnection, bool]]:
    """Give a scratch database with the ledger of the warehouse, which is attached as `live` where there is one."""
    with (
        tempfile.TemporaryDirectory(prefix="olistctl-") as folder,
        connect_scratch(Path(folder), threads=settings.threads) as connection,
    ):
        has_live = settings.warehouse.is_file()
        if has_live:
            attach(connection, settings.warehouse, "live")
            ledger.carry_over(connection)
        else:
            ledger.create(connection)
        yield connection, has_live


@contextmanager
def _readable_ledger(settings: Settings) -> Iterator[DuckDBPyConnection]:
    """Open the warehouse for reading; of one with the ledger of an older release a copy that is brought up to date."""
    with read_only(settings.warehouse) as connection:
        if ledger.is_current(connection):
            yield connection
            return
    with _scratch(settings) as (connection, _):
        yield connection


def _is_in_live(connection: DuckDBPyConnection, table: str) -> bool:
    found = connection.execute(
        "select 1 from duckdb_tables() where database_name = 'live' and schema_name = 'raw' and table_name = ?",
        [table],
    ).fetchone()
    return found is not None
