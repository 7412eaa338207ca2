"""The pipeline: the stages of the design in order, for every command that loads or builds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from olistctl import logs
from olistctl.config import Settings
from olistctl.errors import ConfigError, DataError
from olistctl.loading import LoadReport, load_files
from olistctl.reading import Inspection
from olistctl.results import Finding, Progress
from olistctl.sources import Contract, find_files, load_contract
from olistctl.transform import BUILD, SNAPSHOT, TEST, DbtJob, DbtReport, NodeResult, run_dbt
from olistctl.transform.dbt import explain_failure
from olistctl.validation import inspect_all
from olistctl.writing import Outcome, StageResult, Work, write_warehouse

log = logs.get_logger(__name__)


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
class _State:
    """What the steps of a run leave for the next one and for the report."""

    contract: Contract
    inspections: tuple[Inspection, ...] = ()
    load: LoadReport | None = None
    transform: DbtReport | None = None
    tests: DbtReport | None = None


# --- the steps, as the design draws them ---


def _extract(state: _State, work: Work) -> Outcome:
    """Stage 1, EXTRACT: find the files and look at every byte of them."""
    files = find_files(state.contract, work.settings.source_dir)
    if not any(file.exists for file in files):
        raise ConfigError(
            "none of the nine CSVs is there",
            where=str(work.settings.source_dir),
            hint="name their folder with --source-dir, or make a sample with `olistctl sample`",
        )
    state.inspections = inspect_all(files, work.progress)
    good = sum(inspection.can_load for inspection in state.inspections)
    records = sum(inspection.records for inspection in state.inspections)
    return Outcome(records, f"{good} of {len(files)} files can be loaded", flawed=good < len(files))


def _load(state: _State, work: Work) -> Outcome:
    """Stage 2, LOAD (Raw): the files become the tables of `raw`, with their audit."""
    with work.stage.connection() as connection, work.stage.attached_live(connection) as has_live:
        state.load = load_files(
            connection,
            state.contract,
            state.inspections,
            run_id=work.run_id,
            at=work.started_at,
            max_bad_share=work.settings.max_bad_share,
            fresh=work.full_refresh,
            has_live=has_live,
            evidence_dir=work.settings.quarantine_dir,
            progress=work.progress,
        )
    work.rows_loaded = state.load.rows_loaded
    for file in state.load.faulty:
        work.warn(
            file.finding(),
            "extract" if file.status == "missing" else "load",
            f"raw.{file.table}",
            file.fault_type(),
            is_known=file.status == "unchanged",
        )
    return Outcome(state.load.rows_loaded, state.load.summary)


def _transform(state: _State, work: Work) -> Outcome:
    """Stage 3, TRANSFORM (dbt): staging, intermediate, snapshots, core, marts."""
    state.transform = _dbt(work, BUILD)
    return _models_done(work, state.transform)


def _snapshot(state: _State, work: Work) -> Outcome:
    """Only the history: the dbt snapshots."""
    _check_models(work)
    state.transform = _dbt(work, SNAPSHOT)
    return _models_done(work, state.transform)


def _test(state: _State, work: Work) -> Outcome:
    """Stage 4, DATA QUALITY CHECKS: every dbt test; a failing one is a warning."""
    _check_models(work)
    state.tests = _dbt(work, TEST)
    for node in state.tests.having("fail", "error", "warn"):
        rows = f"{node.failures:,} rows" if node.failures else node.message or ""
        where = f"{node.model}.{node.column}" if node.model and node.column else node.model or node.file
        hint = None if node.status == "warn" else f"olistctl test, or read {node.file}"
        work.warn(
            Finding(f"test {node.name} {_verb(node)}: {rows}", where, hint),
            "test",
            node.model,
            "test_" + node.status,
        )
    bad = len(state.tests.having("fail", "error"))
    warned = len(state.tests.having("warn"))
    passed = len(state.tests.having("pass"))
    return Outcome(None, f"{passed} passed, {warned} warned, {bad} failed")


_Step = Callable[[_State, Work], Outcome]
PIPELINES: dict[str, dict[str, _Step]] = {
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
    started = time.perf_counter()
    state = _State(load_contract(settings.contract_file))
    work = write_warehouse(
        settings,
        command,
        {name: partial(step, state) for name, step in PIPELINES[command].items()},
        full_refresh=full_refresh,
        strict=strict,
        needs_warehouse="load" not in PIPELINES[command],
        progress=progress,
    )
    seconds = time.perf_counter() - started
    log.info("%s completed in %.2f seconds, %d warnings", command, seconds, len(work.findings))
    return RunReport(
        run_id=work.run_id,
        command=command,
        full_refresh=full_refresh,
        status=work.status,
        warehouse=settings.warehouse,
        seconds=round(seconds, 2),
        stages=tuple(work.stages),
        findings=tuple(work.findings),
        load=state.load,
        transform=state.transform,
        tests=state.tests,
    )


def _check_models(work: Work) -> None:
    with work.stage.connection() as connection:
        if not connection.execute("select 1 from duckdb_views() where schema_name = 'staging' limit 1").fetchone():
            raise DataError("the models are not built yet", hint="olistctl transform")


def _dbt(work: Work, job: DbtJob) -> DbtReport:
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


def _models_done(work: Work, report: DbtReport) -> Outcome:
    """Stop at a failed model; otherwise say how many were built."""
    failed = report.having("error", "fail")
    if failed:
        with work.stage.connection() as connection:
            raise explain_failure(failed[0], work.settings.dbt_project, connection)
    models = sum(node.kind == "model" for node in report.nodes)
    snapshots = sum(node.kind == "snapshot" for node in report.nodes)
    return Outcome(None, f"{models} models, {snapshots} snapshots")


def _verb(node: NodeResult) -> str:
    return {"warn": "warns", "fail": "fails", "error": "cannot run"}[node.status]
