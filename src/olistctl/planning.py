"""What a run would do: which files are news, which keys they change, which models follow."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl import ledger
from olistctl.config import Settings
from olistctl.errors import ConfigError
from olistctl.ledger import SourceChange
from olistctl.loading import FileState, Limits, LoadReport, file_states, load_files
from olistctl.loading.detection import unread
from olistctl.loading.report import HELD, UNCHANGED
from olistctl.reading import Inspection, table_of
from olistctl.results import Finding, Progress
from olistctl.sources import Contract, Fingerprints, SourceFile, find_files
from olistctl.transform import affected_models, project_sha256
from olistctl.validation import inspect_all
from olistctl.warehouse import connect_scratch, read_only

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Standing:
    """How a warehouse stands against the source folder and the dbt project.

    `unbuilt` are changes in `raw` that the models do not know yet; `is_built` tells whether the models were built with
    the project as it is.
    """

    files: tuple[FileState, ...]
    unbuilt: tuple[SourceChange, ...]
    is_built: bool

    @property
    def has_news(self) -> bool:
        """Tell whether a load would do or say anything new."""
        return any(file.is_news for file in self.files)

    @property
    def needs_models(self) -> bool:
        """Tell whether the models are not what they would be if built now."""
        return bool(self.unbuilt) or not self.is_built

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


def files_present(contract: Contract, source_dir: Path) -> tuple[SourceFile, ...]:
    """Return the files of the source folder.

    Raises:
        ConfigError: it cannot be read, or none of the nine is there.
    """
    files = find_files(contract, source_dir)
    if not any(file.exists for file in files):
        raise ConfigError(
            "none of the nine CSVs is there",
            where=str(source_dir),
            hint="name their folder with --source-dir, or make a sample with `olistctl sample`",
        )
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
    built_by = ledger.built_project(connection)
    return Standing(states, unbuilt, built_by is not None and built_by == project_sha256(settings.dbt_project))


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
    progress: Progress | None = None,
) -> Plan:
    """Find out what `olistctl run` would do, by loading what is news into a scratch database; nothing is written.

    Raises:
        EnvironmentFault: the warehouse cannot be read.
    """
    if not settings.warehouse.is_file():
        return _first_plan(files)
    with _readable_ledger(settings) as connection:
        standing = read_standing(connection, settings, files, limits, fingerprints_of(settings))
    report = _load_on_trial(settings, contract, files, standing, limits, progress) if standing.has_news else None
    return _plan(settings, contract, standing, report)


def _first_plan(files: Sequence[SourceFile]) -> Plan:
    nothing = ledger.Held(0, 0)
    states = (
        FileState(f.source.name, f.source.table, f.name, "new" if f.exists else "missing", True, None, nothing)
        for f in files
    )
    changes = tuple(TableChange(f"raw.{file.source.table}", None, None, None) for file in files if file.exists)
    return Plan(tuple(states), (), (), tuple(dict.fromkeys(changes)), None, "nothing is built yet")


def _plan(settings: Settings, contract: Contract, standing: Standing, report: LoadReport | None) -> Plan:
    tables = {source.name: source.table for source in contract.sources}
    changes = report.changes if report else ()
    files = report.files if report else tuple(file.as_load() for file in standing.files)
    touched = {change.source for change in (*changes, *standing.unbuilt)}
    rebuilt = [change.source for change in (*changes, *standing.unbuilt) if change.rebuilt]
    reason = None
    if not standing.is_built:
        reason = "the dbt project has changed since the models were built"
    elif rebuilt:
        reason = f"all of {', '.join(sorted(set(rebuilt)))} is read again"
    chosen = None if not standing.is_built else sorted(tables[source] for source in touched if source in tables)
    return Plan(
        files=standing.files,
        held_back=tuple(file.file for file in files if file.status == HELD),
        findings=tuple(file.finding() for file in files if not file.is_whole),
        changes=tuple(_table_change(tables[change.source], change) for change in changes),
        models=affected_models(settings.dbt_project, settings.state_dir / "dbt", chosen) if chosen != [] else (),
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
    progress: Progress | None,
) -> LoadReport:
    """Load as a run would, into a scratch database that begins with the tables that may change."""
    inspections = inspect_news(files, standing.files, progress)
    untouched = {state.source for state in standing.files if state.loaded}
    untouched -= {state.source for state in standing.files if state.is_news}
    with _scratch(settings) as connection:
        ledger.carry_over(connection)
        connection.execute("create schema raw")
        for source in contract.sources:
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
            fresh=False,
            progress=progress,
        )


@contextmanager
def _scratch(settings: Settings) -> Iterator[DuckDBPyConnection]:
    with (
        tempfile.TemporaryDirectory(prefix="olistctl-") as folder,
        connect_scratch(Path(folder), threads=settings.threads) as connection,
    ):
        path = str(settings.warehouse).replace("'", "''")
        connection.execute(f"attach '{path}' as live (read_only)")
        yield connection


@contextmanager
def _readable_ledger(settings: Settings) -> Iterator[DuckDBPyConnection]:
    """Open the warehouse for reading; of one with the ledger of an older release a copy that is brought up to date."""
    with read_only(settings.warehouse) as connection:
        if ledger.is_current(connection):
            yield connection
            return
    with _scratch(settings) as connection:
        ledger.carry_over(connection)
        yield connection


def _is_in_live(connection: DuckDBPyConnection, table: str) -> bool:
    found = connection.execute(
        "select 1 from duckdb_tables() where database_name = 'live' and schema_name = 'raw' and table_name = ?",
        [table],
    ).fetchone()
    return found is not None
