"""`olistctl verify`: does the warehouse hold what a full refresh from today's files would give?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl import ledger, logs
from olistctl.config import Settings
from olistctl.errors import OlistctlError, TransformError, UsageError
from olistctl.loading import Limits
from olistctl.loading.report import MISSING, UNCHANGED
from olistctl.pipeline import run_pipeline
from olistctl.planning import CHANGED_OUTSIDE, Standing, fingerprints_of, read_standing
from olistctl.results import Finding, Progress, counted
from olistctl.runs import RunReport
from olistctl.sources import find_files, load_contract
from olistctl.verifying.compare import TableComparison, compare_warehouses
from olistctl.verifying.scratch import scratch_of
from olistctl.warehouse import read_only

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

log = logs.get_logger(__name__)

_NAMED = 5


@dataclass(frozen=True)
class VerifyReport:
    """How the warehouse compares with a full refresh, table by table.

    `kept_files` are missing or refused: a full refresh takes their rows from the warehouse, so those prove nothing.
    """

    warehouse: Path
    source_dir: Path
    tables: tuple[TableComparison, ...]
    kept_files: tuple[str, ...]
    models_are_behind: bool
    seconds: float

    @property
    def different(self) -> tuple[TableComparison, ...]:
        """The tables that are not equal."""
        return tuple(table for table in self.tables if not table.is_equal)

    @property
    def rows(self) -> int:
        """The rows of the warehouse that were compared."""
        return sum(table.rows_live or 0 for table in self.tables)

    @property
    def summary(self) -> str:
        """The result in a line."""
        seconds = f"in {self.seconds:.1f} s"
        if self.different:
            return f"different: {len(self.different)} of {counted(len(self.tables), 'table')}, {seconds}"
        return f"equal: {counted(len(self.tables), 'table')}, {counted(self.rows, 'row')}, {seconds}"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What differs, and what mends it."""
        hint = "`olistctl run --full-refresh` brings the warehouse to what its files say"
        if self.models_are_behind:
            hint = "`olistctl transform`: the models have not been built since raw or the dbt project changed"
        last = len(self.different) - 1
        return tuple(
            Finding(table.what, table.name, hint if number == last else None)
            for number, table in enumerate(self.different)
        )


def verify(settings: Settings, *, rows: int = 5, progress: Progress | None = None) -> VerifyReport:
    """Build a full refresh in a scratch and compare every table with it; up to `rows` example rows a side.

    The refresh begins with the ledger's decisions and the history, as `run --full-refresh` does, so a difference is
    one that such a run would make. The live warehouse is only read.

    Raises:
        UsageError: files or contract have changed since the last run, so the two cannot be compared; or there is no
            warehouse file to compare, since the tables are on a Spark cluster.
        OlistctlError: the refresh cannot be built, or the machine refuses.
    """
    if settings.engine == "spark":
        raise UsageError(
            "verify compares warehouse files, and this target's tables are on a Spark cluster",
            where=f"target {settings.target}",
            hint="verify a target with engine duckdb that loads the same files",
        )
    log.info("verify started: warehouse %s", settings.warehouse)
    try:
        report = _verify(settings, rows, progress)
    except OlistctlError as error:
        log.error("verify ended: %s", error)
        raise
    log.info("verify: %s", report.summary)
    return report


def _verify(settings: Settings, rows: int, progress: Progress | None) -> VerifyReport:
    started = time.perf_counter()
    with scratch_of(settings) as scratch:
        with read_only(scratch.live) as connection:
            standing = _check_comparable(connection, settings)
        run = _build(scratch.settings, progress)
        _check_files_stayed(scratch.live, scratch.settings.warehouse)
        tables = compare_warehouses(
            scratch.live,
            scratch.settings.warehouse,
            rows=rows,
            threads=settings.threads,
            memory_limit=settings.memory_limit,
            progress=progress,
        )
    kept = tuple(file.file for file in run.load.faulty if file.kept) if run.load else ()
    seconds = round(time.perf_counter() - started, 2)
    is_behind = standing.needs_models and standing.outdated != CHANGED_OUTSIDE  # that may have changed raw as well
    return VerifyReport(settings.warehouse, settings.source_dir, tables, kept, is_behind, seconds)


def _check_comparable(connection: DuckDBPyConnection, settings: Settings) -> Standing:
    """Check that the warehouse was loaded from the files and by the contract of today; return how it stands."""
    if not ledger.is_current(connection):
        raise UsageError(
            "no run of this release has written the warehouse", where=settings.warehouse.name, hint="olistctl run"
        )
    contract = load_contract(settings.contract_file)
    for file in ledger.loaded_files(connection):
        source = contract.find(file.source)
        if source is None or source.fingerprint != file.contract_sha256:
            raise UsageError(
                f"the contract of '{file.source}' has changed since {file.file_name} was loaded",
                where=str(settings.contract_file),
                hint="`olistctl run` first: it reads the file again",
            )
    files = find_files(contract, settings.source_dir)
    standing = read_standing(connection, settings, files, Limits.of(settings), fingerprints_of(settings))
    news = [state for state in standing.files if state.is_news and state.state not in (MISSING, UNCHANGED)]
    _stop_for([f"{state.file} ({state.state})" for state in news], settings)
    return standing


def _build(settings: Settings, progress: Progress | None) -> RunReport:
    try:
        with logs.silenced():
            return run_pipeline(settings, "verify", full_refresh=True, progress=progress)
    except TransformError as error:  # its own hint is a file of the scratch, which is about to go
        hint = "`olistctl run --full-refresh` fails in the same way, and keeps the compiled SQL"
        raise TransformError(error.message, where=error.where, hint=hint) from None


def _check_files_stayed(live: Path, fresh: Path) -> None:
    """Check that no file changed between the look at the folder and the end of its loading."""
    loaded = []
    for warehouse in (live, fresh):
        with read_only(warehouse) as connection:
            loaded.append({(f.source, f.file_name, f.sha256) for f in ledger.loaded_files(connection)})
    changed = sorted({name for _, name, _ in loaded[0] ^ loaded[1]})
    if changed:
        _stop_for(changed, None)


def _stop_for(files: list[str], settings: Settings | None) -> None:
    if not files:
        return
    named = ", ".join(files[:_NAMED]) + (f" and {len(files) - _NAMED} more" if len(files) > _NAMED else "")
    since = "since the last run" if settings else "while this command worked"
    raise UsageError(
        f"the source folder has changed {since}, so there is nothing to compare with: {named}",
        where=str(settings.source_dir) if settings else None,
        hint="`olistctl run` first",
    )
