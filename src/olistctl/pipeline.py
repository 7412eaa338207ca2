"""The pipeline: the stages in order, the same for every command that writes.

Each command is a list of steps over one stage file. At the end the run is entered in the ledger and the
stage is published in one rename; whatever goes wrong before leaves the live warehouse as it was, and the
failed run is entered in its ledger afterwards.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl import __version__, journal, ledger, logs
from olistctl.config import Settings
from olistctl.errors import ConfigError, DataError, Interrupted, OlistctlError, UsageError
from olistctl.ledger import LoggedError, PipelineRun
from olistctl.loading import LoadReport, load_files
from olistctl.reading import Inspection
from olistctl.results import Finding, NoProgress, Progress, counted
from olistctl.sources import Contract, find_files, load_contract
from olistctl.transform import BUILD, SNAPSHOT, TEST, DbtJob, DbtReport, NodeResult, run_dbt
from olistctl.transform.dbt import explain_failure
from olistctl.validation import inspect_all
from olistctl.warehouse import Stage, open_stage

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

log = logs.get_logger(__name__)

# What a full refresh keeps: it rebuilds everything but the history.
_HISTORY = ("snapshots",)


@dataclass(frozen=True)
class StageResult:
    """One line of the summary: a stage, how it ended, how many rows or nodes it handled."""

    stage: str
    result: str  # ok, warnings, failed
    rows: int | None
    seconds: float
    note: str


@dataclass(frozen=True)
class RunReport:
    """What a run did."""

    run_id: str
    command: str
    full_refresh: bool
    status: str  # success, warnings
    warehouse: Path
    seconds: float
    stages: tuple[StageResult, ...]
    findings: tuple[Finding, ...]
    load: LoadReport | None = None
    transform: DbtReport | None = None
    tests: DbtReport | None = None

    @property
    def failed_tests(self) -> tuple[NodeResult, ...]:
        """The tests that did not pass, warnings aside."""
        return self.tests.having("fail", "error") if self.tests else ()


@dataclass
class _Work:
    """A run while it is being done: what the steps read and what they leave for the next one."""

    settings: Settings
    command: str
    full_refresh: bool
    progress: Progress
    run_id: str
    started_at: datetime
    stage: Stage
    contract: Contract
    inspections: tuple[Inspection, ...] = ()
    load: LoadReport | None = None
    transform: DbtReport | None = None
    tests: DbtReport | None = None
    stages: list[StageResult] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    errors: list[LoggedError] = field(default_factory=list)

    def warn(self, finding: Finding, stage: str, table: str | None, error_type: str) -> None:
        """Note something that is wrong but stops nothing."""
        self.findings.append(finding)
        self.errors.append(LoggedError(_now(), stage, table, error_type, finding.message))
        log.warning("%s: %s%s", stage, f"{finding.where}: " if finding.where else "", finding.message)


@dataclass(frozen=True)
class _Outcome:
    """What a step says for the summary."""

    rows: int | None
    note: str
    flawed: bool = False  # something is not as it should be, and the findings of a later step say what


# --- the steps, as the design draws them ---


def _extract(work: _Work) -> _Outcome:
    """Stage 1, EXTRACT: find the files and look at every byte of them."""
    files = find_files(work.contract, work.settings.source_dir)
    if not any(file.exists for file in files):
        raise ConfigError(
            "none of the nine CSVs is there",
            where=str(work.settings.source_dir),
            hint="name their folder with --source-dir, or make a sample with `olistctl sample`",
        )
    work.inspections = inspect_all(files, work.progress)
    good = sum(inspection.can_load for inspection in work.inspections)
    records = sum(inspection.records for inspection in work.inspections)
    return _Outcome(records, f"{good} of {len(files)} files can be loaded", flawed=good < len(files))


def _load(work: _Work) -> _Outcome:
    """Stage 2, LOAD (Raw): the files become the tables of `raw`, with their audit."""
    with work.stage.connection() as connection, work.stage.attached_live(connection) as has_live:
        work.load = load_files(
            connection,
            work.contract,
            work.inspections,
            run_id=work.run_id,
            at=work.started_at,
            max_bad_share=work.settings.max_bad_share,
            fresh=work.full_refresh,
            has_live=has_live,
            progress=work.progress,
        )
    for file in work.load.faulty:
        work.warn(
            file.finding(),
            "extract" if file.status == "missing" else "load",
            f"raw.{file.table}",
            file.fault_type(),
        )
    return _Outcome(work.load.rows_loaded, work.load.summary)


def _transform(work: _Work) -> _Outcome:
    """Stage 3, TRANSFORM (dbt): staging, intermediate, snapshots, core, marts."""
    work.transform = _dbt(work, BUILD)
    return _models_done(work, work.transform)


def _snapshot(work: _Work) -> _Outcome:
    """Only the history: the dbt snapshots."""
    work.transform = _dbt(work, SNAPSHOT)
    return _models_done(work, work.transform)


def _test(work: _Work) -> _Outcome:
    """Stage 4, DATA QUALITY CHECKS: every dbt test; a failing one is a warning."""
    work.tests = _dbt(work, TEST)
    for node in work.tests.having("fail", "error", "warn"):
        rows = f"{node.failures:,} rows" if node.failures else node.message or ""
        where = f"{node.model}.{node.column}" if node.model and node.column else node.model or node.file
        hint = None if node.status == "warn" else f"olistctl test, or read {node.file}"
        work.warn(
            Finding(f"test {node.name} {_verb(node)}: {rows}", where, hint),
            "test",
            node.model,
            "test_" + node.status,
        )
    bad = len(work.tests.having("fail", "error"))
    warned = len(work.tests.having("warn"))
    passed = len(work.tests.having("pass"))
    return _Outcome(None, f"{passed} passed, {warned} warned, {bad} failed")


Step = Callable[[_Work], _Outcome]
PIPELINES: dict[str, dict[str, Step]] = {
    "run": {"validate": _extract, "load": _load, "transform": _transform, "test": _test},
    "load": {"validate": _extract, "load": _load},
    "transform": {"transform": _transform},
    "snapshot": {"snapshot": _snapshot},
    "test": {"test": _test},
}


def run_pipeline(
    settings: Settings,
    command: str,
    *,
    full_refresh: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
) -> RunReport:
    """Do the steps of a command on a stage file and publish it.

    `full_refresh` rebuilds everything but the history; `strict` turns warnings into a failure that publishes
    nothing.

    Raises:
        OlistctlError: the command could not be done; the live warehouse is as before.
    """
    contract = load_contract(settings.contract_file)
    started = time.perf_counter()
    with open_stage(settings, command) as stage:
        work = _Work(settings, command, full_refresh, progress or NoProgress(), _new_run_id(), _now(), stage, contract)
        logs.set_run_id(work.run_id)
        log.info("%s started: target %s, warehouse %s", command, settings.target, settings.warehouse)
        folder = settings.journal_dir
        journal.write_journal(folder, _run_of(work, journal.RUNNING))
        try:
            _prepare(work)
            for name, step in PIPELINES[command].items():
                _do(work, name, step)
            if strict and work.findings:
                raise DataError(
                    f"{counted(len(work.findings), 'warning')}, and --strict takes them as failures, the first: "
                    f"{work.findings[0].message}",
                    where=work.findings[0].where,
                    hint="nothing was published",
                )
            _publish(work)
        except BaseException as error:
            _record_failure(work, error)
            raise
    seconds = time.perf_counter() - started
    log.info("%s completed in %.2f seconds, %d warnings", command, seconds, len(work.findings))
    return _report(work, seconds)


def _prepare(work: _Work) -> None:
    """Fill the stage: a copy of the live warehouse, or for a full refresh only its ledger and history."""
    if "load" not in PIPELINES[work.command] and not work.stage.live.exists():
        raise DataError(
            "there is no warehouse yet",
            where=str(work.stage.live),
            hint="`olistctl run --full-refresh` builds it",
        )
    if not work.full_refresh:
        work.stage.copy_live()
    with work.stage.connection() as connection:
        if work.command in ("test", "snapshot") and not _has_models(connection):
            raise DataError("the models are not built yet", hint="olistctl transform")
        if work.full_refresh:
            with work.stage.attached_live(connection) as has_live:
                if has_live:
                    ledger.carry_over(connection)
                    work.stage.copy_schemas(connection, _HISTORY)
        ledger.create(connection)


def _has_models(connection: DuckDBPyConnection) -> bool:
    row = connection.execute("select count(*) from duckdb_views() where schema_name = 'staging'").fetchone()
    return bool(row and row[0])


def _do(work: _Work, name: str, step: Step) -> None:
    started = time.perf_counter()
    before = len(work.findings)
    log.info("%s: starting", name)
    try:
        outcome = step(work)
    except BaseException as error:
        seconds = round(time.perf_counter() - started, 2)
        work.stages.append(StageResult(name, "failed", None, seconds, str(error).splitlines()[0] if str(error) else ""))
        raise
    seconds = round(time.perf_counter() - started, 2)
    result = "warnings" if outcome.flawed or len(work.findings) > before else "ok"
    work.stages.append(StageResult(name, result, outcome.rows, seconds, outcome.note))
    log.info("%s: %s in %.2f seconds, %s", name, result, seconds, outcome.note)


def _publish(work: _Work) -> None:
    """Stage 5, PUBLISH: enter the run in the ledger and put the stage in place of the live warehouse."""
    folder = work.settings.journal_dir
    kept_aside = [run for run in journal.read_journal(folder) if run.run_id != work.run_id]

    def publish(work: _Work) -> _Outcome:
        with work.stage.connection() as connection:
            for run in kept_aside:
                ledger.record_run(connection, journal.as_ended(run))
            ledger.record_run(connection, _run_of(work, "warnings" if work.findings else "success"))
        work.stage.publish()
        return _Outcome(None, str(work.settings.warehouse))

    _do(work, "publish", publish)
    journal.forget_journal(folder, [work.run_id, *(run.run_id for run in kept_aside)])


def _record_failure(work: _Work, error: BaseException) -> None:
    """Keep a failed run aside, and enter it in the live warehouse's ledger where there is one."""
    stopped = isinstance(error, (KeyboardInterrupt, Interrupted))
    message = error.message if isinstance(error, OlistctlError) else f"{type(error).__name__}: {error}"
    where = error.where if isinstance(error, OlistctlError) else None
    log.error(
        "%s %s: %s%s",
        work.command,
        "interrupted" if stopped else "failed",
        f"{where}: " if where else "",
        message,
    )
    stage_name = work.stages[-1].stage if work.stages else work.command
    if not stopped:
        work.errors.append(LoggedError(_now(), stage_name, None, type(error).__name__, message, {"where": where}))
    folder = work.settings.journal_dir
    run = _run_of(work, "interrupted" if stopped else "failed", message)
    journal.write_journal(folder, run)
    if stopped or isinstance(error, UsageError) or not work.stage.live.exists():
        return  # quick, or not worth a publication, or nowhere to write: the next published file holds it
    try:
        work.stage.discard()
        work.stage.copy_live()
        with work.stage.connection() as connection:
            ledger.create(connection)
            ledger.record_run(connection, run)
        work.stage.publish()
        journal.forget_journal(folder, [run.run_id])
    except (OlistctlError, OSError) as second:
        log.error("the failed run stays in the journal: %s", second)


def _dbt(work: _Work, job: DbtJob) -> DbtReport:
    settings = work.settings
    return run_dbt(
        job,
        project=settings.dbt_project,
        warehouse=work.stage.file,
        artifacts=settings.state_dir / "dbt",
        target=settings.target,
        threads=settings.threads,
        progress=work.progress,
    )


def _models_done(work: _Work, report: DbtReport) -> _Outcome:
    """Stop at a failed model; otherwise say how many were built."""
    failed = report.having("error", "fail")
    if failed:
        with work.stage.connection() as connection:
            raise explain_failure(failed[0], work.settings.dbt_project, connection)
    models = sum(node.kind == "model" for node in report.nodes)
    snapshots = sum(node.kind == "snapshot" for node in report.nodes)
    return _Outcome(None, f"{models} models, {snapshots} snapshots")


def _verb(node: NodeResult) -> str:
    return {"warn": "warns", "fail": "fails", "error": "cannot run"}[node.status]


def _run_of(work: _Work, status: str, message: str | None = None) -> PipelineRun:
    return PipelineRun(
        run_id=work.run_id,
        command=work.command,
        target=work.settings.target,
        olistctl_version=__version__,
        full_refresh=work.full_refresh,
        started_at=work.started_at,
        finished_at=None if status == journal.RUNNING else _now(),
        status=status,
        rows_loaded=work.load.rows_loaded if work.load else 0,
        warnings=len(work.findings),
        message=message,
        stages=tuple(vars(stage) for stage in work.stages),
        errors=tuple(work.errors),
    )


def _report(work: _Work, seconds: float) -> RunReport:
    return RunReport(
        run_id=work.run_id,
        command=work.command,
        full_refresh=work.full_refresh,
        status="warnings" if work.findings else "success",
        warehouse=work.settings.warehouse,
        seconds=round(seconds, 2),
        stages=tuple(work.stages),
        findings=tuple(work.findings),
        load=work.load,
        transform=work.transform,
        tests=work.tests,
    )


def _new_run_id() -> str:
    return f"{_now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
