"""The pipeline: the stages of the design in order, for every command that loads or builds."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial

from olistctl import ledger, logs, notify
from olistctl.config import Settings
from olistctl.engines import Engine, engine_of
from olistctl.errors import BusyError, Interrupted, OlistctlError, Superseded
from olistctl.idleness import note_idle, surroundings_of
from olistctl.loading import (
    FileState,
    Limits,
    LoadReport,
    brings_evidence,
    file_states,
    keep_evidence,
    load_files,
    mark_older_tables,
)
from olistctl.planning import files_present, find_standing, fingerprints_of, inspect_news
from olistctl.publishing import NothingToShare, Release, Unchanged, is_released, publish_release, write_release
from olistctl.quality import FailingTest, Flow, read_reconciliation
from olistctl.reading import Inspection
from olistctl.results import Finding, Progress, counted
from olistctl.runs import RunReport, StageResult
from olistctl.sources import Contract, Fingerprints, load_contract
from olistctl.transform import DbtProcess, DbtReport, project_sha256
from olistctl.writing import Outcome, Work, has_leftovers, write_warehouse

log = logs.get_logger(__name__)


@dataclass
class _State:
    """What the steps of a run leave for the next one and for the report."""

    contract: Contract
    limits: Limits
    fingerprints: Fingerprints
    engine: Engine
    full_refresh: bool = False
    only: frozenset[str] | None = None  # the files that may be taken; None: all
    confirm: Callable[[], None] | None = None  # says whether the files have settled, see `_confirm`
    inspections: tuple[Inspection, ...] = ()
    tables: tuple[str, ...] | None = ()  # of raw, whose changes a run builds and tests; None: all
    was_tested: bool = False  # all that is in the warehouse, before this run
    unchanged: Unchanged | None = None  # the tables that the build has left as they were
    load: LoadReport | None = None
    transform: DbtReport | None = None
    tests: DbtReport | None = None
    failing: tuple[FailingTest, ...] = ()
    reconciliation: tuple[Flow, ...] = ()


# --- the steps, as the design draws them ---


def _extract(state: _State, work: Work) -> Outcome:
    """Stage 1, EXTRACT: find the files and look at every byte of them."""
    files = files_present(state.contract, work.settings.source_dir, state.limits.accepted, state.only)
    known: tuple[FileState, ...] = ()
    if not state.full_refresh:
        with work.stage.connection() as connection:
            known = file_states(connection, files, state.limits, state.fingerprints)
    state.inspections = inspect_news(files, known, work.progress)
    for inspection in state.inspections:
        if inspection.sha256 and inspection.identity:
            state.fingerprints.note(inspection.path, inspection.identity, inspection.sha256)
    state.fingerprints.save()
    unchanged = sum(file.state == "unchanged" for file in known)
    good = sum(inspection.can_load for inspection in state.inspections)
    records = sum(inspection.records for inspection in state.inspections)
    note = f"{good} of {len(files)} files can be loaded"
    return Outcome(records, f"{note}, {unchanged} unchanged" if unchanged else note, flawed=good < len(files))


def _load(state: _State, work: Work) -> Outcome:
    """Stage 2, LOAD (Raw): the files become the tables of `raw`, with their audit."""
    with work.stage.connection() as connection, work.stage.attached_live(connection) as has_live:
        state.load = load_files(
            connection,
            state.contract,
            state.inspections,
            run_id=work.run_id,
            at=work.started_at,
            limits=state.limits,
            fresh=state.full_refresh,
            has_live=has_live,
            progress=work.progress,
        )
        if state.confirm and brings_evidence(state.load):
            log.info("load: bad data, waiting until the files have settled")
            _confirm(state)
        evidence = work.settings.quarantine_dir
        state.load = keep_evidence(connection, evidence, state.load, state.inspections, work.run_id)
    work.rows_loaded = state.load.rows_loaded
    work.brings_data = bool(state.load.changes)
    for file in state.load.faulty:
        work.warn(
            file.finding(),
            "extract" if file.status == "missing" else "load",
            f"raw.{file.table}",
            file.fault_type(),
            is_known=file.is_known,
        )
    return Outcome(state.load.rows_loaded, state.load.summary)


def _confirm(state: _State) -> None:
    """Raise Superseded if the files are no longer those that were read, where somebody asks.

    By their content: what is written within the same tick of a coarse clock leaves times as they were.
    """
    if state.confirm is None:
        return
    state.confirm()
    for inspection in state.inspections:
        if inspection.sha256 and not state.fingerprints.still_has(inspection.path, inspection.sha256):
            raise Superseded("it has changed since it was read", where=inspection.file)
    state.fingerprints.save()


def _transform(state: _State, work: Work) -> Outcome:
    """Stage 3, TRANSFORM (dbt): staging, intermediate, snapshots, core, marts; what is downstream of a change."""
    project = project_sha256(work.settings.dbt_project)
    with work.stage.connection() as connection:
        mark_older_tables(connection, state.contract)
        unbuilt = ledger.source_changes(connection, is_built=False)
        before = ledger.last_build(connection)
    state.was_tested = before is not None and before.is_tested
    is_built = (
        before is not None
        and not state.full_refresh
        and before.project_sha256 == project
        and state.engine.holds(work, before)
    )
    if is_built and not unbuilt:
        return Outcome(None, "nothing to build")
    touched = {change.source for change in unbuilt}
    state.tables = tuple(s.table for s in state.contract.sources if s.name in touched) if is_built else None
    rebuilt = not is_built or any(change.rebuilt for change in unbuilt)
    work.brings_data = True
    state.transform = state.engine.build(work, state.tables, anew=rebuilt)
    outcome = _models_done(state, work)
    build = ledger.Build(work.run_id, project, work.started_at)
    dropped = 0
    if state.tables is None:
        build = replace(build, relations=state.transform.relations)
        gone = set(before.relations) - set(build.relations) if before else set()
        dropped = state.engine.drop(work, sorted(gone))
    else:
        assert before
        build = replace(build, relations=before.relations, failed_tests=before.failed_tests)
        built = {node.relation for node in state.transform.built}
        state.unchanged = Unchanged(before.run_id, frozenset(one for one in before.relations if one not in built))
    with work.stage.connection() as connection:
        ledger.note_built(connection, build)
    return replace(outcome, note=f"{outcome.note}, {dropped} dropped") if dropped else outcome


def _snapshot(state: _State, work: Work) -> Outcome:
    """Only the history: the dbt snapshots."""
    state.engine.check_built(work)
    state.transform = state.engine.snapshot(work)
    return _models_done(state, work)


def _test(state: _State, work: Work) -> Outcome:
    """Stage 4, DATA QUALITY CHECKS: every dbt test; a failing one is a warning."""
    state.engine.check_built(work)
    tables = None if work.command == "test" or work.strict or not state.was_tested else state.tables
    if tables is not None and not tables:
        return Outcome(None, "nothing to test")
    everything = tables is None
    state.tests = state.engine.test(work, tables)
    tested = None if everything else {node.name for node in state.tests.nodes}
    state.failing = state.engine.keep_failing(work, state.tests, everything=everything)
    with work.stage.connection() as connection:
        failed = [
            ledger.FailedTest(test.test, finding.message, finding.where, finding.hint)
            for test in state.failing
            for finding in test.findings
        ]
        stand = ledger.note_tested(connection, tested, failed)
        passes = _passes(state.tests, everything)
        ledger.note_tickets(connection, (*stand, *failed), passes, work.run_id, work.started_at)
        state.reconciliation = read_reconciliation(connection)
    for test in state.failing:
        for finding in test.findings:
            work.warn(finding, "test", test.model, "test_" + test.status)
    for known in stand:
        work.warn(Finding(known.message, known.where, known.hint), "test", None, "test_fail", is_known=True)
    bad = len(state.tests.having("fail", "error"))
    warned = len(state.tests.having("warn"))
    passed = len(state.tests.having("pass"))
    return Outcome(None, f"{passed} passed, {warned} warned, {bad} failed")


def _export(state: _State, work: Work) -> Outcome:
    """Stage 5, PUBLISH & CONSUME: marts and core as Parquet, once readers of the warehouse have it."""
    assert work.settings.parquet_dir
    try:
        release = write_release(work.settings, work.settings.parquet_dir, work.progress, state.unchanged)
    except NothingToShare:  # a dbt project of somebody's own
        return Outcome(None, "no tables in core or mart")
    for finding in release.findings:
        work.warn(finding, "export", None, "no_latest")
    return _exported(release)


def _exported(release: Release) -> Outcome:
    rows = sum(table.rows for table in release.tables)
    return Outcome(rows, f"{counted(len(release.tables), 'table')}, {release.latest}")


_Step = Callable[[_State, Work], Outcome]
PIPELINES: dict[str, dict[str, _Step]] = {
    "run": {"validate": _extract, "load": _load, "transform": _transform, "test": _test},
    "load": {"validate": _extract, "load": _load},
    "transform": {"transform": _transform},
    "snapshot": {"snapshot": _snapshot},
    "test": {"test": _test},
    "verify": {"validate": _extract, "load": _load, "transform": _transform},  # into a scratch that nobody reads
}


def run_pipeline(
    settings: Settings,
    command: str,
    *,
    full_refresh: bool = False,
    strict: bool = False,
    accepted: frozenset[str] = frozenset(),
    only: frozenset[str] | None = None,
    confirm: Callable[[], None] | None = None,
    dbt: DbtProcess | None = None,
    progress: Progress | None = None,
) -> RunReport:
    """Do the steps of a command on a stage file and publish it; a command with nothing to do leaves all as it is.

    `full_refresh` rebuilds everything but the history; `strict` turns warnings into a failure that publishes
    nothing; `accepted` are names of files that load however much they have shrunk; `only` are names of the files
    that may be taken: any other counts as not there yet; `confirm` is called before anything that comes of the files,
    a failure included, is to be seen: it may wait, and raises Superseded if they have changed; `dbt` is a process to
    go on with. The channels of the settings hear of it, a failure included; one that cannot be reached is a finding of
    the report, or a note of the error.

    Raises:
        OlistctlError: the command could not be done; the live warehouse is as before.
    """
    try:
        with nullcontext(dbt) if dbt else DbtProcess() as dbt:
            limits = Limits.of(settings, accepted)
            report = _run(settings, command, limits, only, full_refresh, strict, confirm, dbt, progress)
    except Superseded:
        raise
    except Exception as error:
        if command != "verify":
            for problem in notify.tell_failed(settings, command, error):
                error.add_note(f"{problem.where}: {problem.message}" if problem.where else problem.message)
        raise
    if command == "verify":
        return report
    rows = report.load.rows_loaded if report.load else None
    ended = notify.Ended(command, report.run_id, report.status, rows, report.seconds, report.stages, report.findings)
    return replace(report, findings=(*report.findings, *notify.tell_done(settings, ended)))


def _run(
    settings: Settings,
    command: str,
    limits: Limits,
    only: frozenset[str] | None,
    full_refresh: bool,
    strict: bool,
    confirm: Callable[[], None] | None,
    dbt: DbtProcess,
    progress: Progress | None,
) -> RunReport:
    started = time.perf_counter()
    engine = engine_of(settings, dbt)
    contract, fingerprints = load_contract(settings.contract_file), fingerprints_of(settings)
    state = _State(contract, limits, fingerprints, engine, full_refresh, only, confirm)
    surroundings = None
    if not (full_refresh or limits.accepted or only is not None):
        surroundings = surroundings_of(settings, command, state.contract.rules_file)
    if not full_refresh and (idle := _idle(settings, command, state, strict=strict, progress=progress)):
        if surroundings and not idle.stages:
            note_idle(settings, surroundings, idle.findings)
        seconds = time.perf_counter() - started
        log.info("%s: nothing has changed", command)
        return replace(idle, seconds=round(seconds, 2))
    if command != "load":
        engine.check()
    if "transform" in PIPELINES[command]:
        engine.warm_up(full_refresh=full_refresh)
    work = write_warehouse(
        settings,
        command,
        {name: partial(step, state) for name, step in PIPELINES[command].items()},
        full_refresh=full_refresh,
        strict=strict,
        # One stage anew is no reason to take from readers what the others have built.
        begin_with="history" if full_refresh and {"load", "transform"} <= set(PIPELINES[command]) else "copy",
        needs_warehouse="load" not in PIPELINES[command],
        brings_data=command != "test",  # whose findings must not push the last good data out
        confirm=partial(_confirm, state) if confirm else None,
        before_publication=engine.publish,
        afterwards={"export": partial(_export, state)} if command == "run" and settings.parquet_dir else None,
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
        failing=state.failing,
        reconciliation=state.reconciliation,
    )


def _idle(
    settings: Settings, command: str, state: _State, *, strict: bool, progress: Progress | None
) -> RunReport | None:
    """Return the report of a command that has nothing to do; None where it has, or a warning must be heard again.

    What goes wrong here is left to the command itself, whose failure is entered in the ledger.
    """
    steps = PIPELINES[command]
    if not {"load", "transform"} & set(steps) or has_leftovers(settings):
        return None
    with_files = "load" in steps
    standing = find_standing(
        settings, state.contract, state.limits, state.fingerprints, with_files=with_files, only=state.only
    )
    if standing is None:
        return None
    state.fingerprints.save()
    busy = ("load" in steps and standing.has_news) or ("transform" in steps and standing.needs_models)
    findings = standing.findings if "load" in steps else ()
    if "test" in steps:
        busy = busy or not standing.is_tested
        findings += standing.failed_tests
    if busy or (strict and findings):
        return None
    report = RunReport(None, command, False, "unchanged", settings.warehouse, 0.0, (), findings)
    behind = command == "run" and not is_released(settings, standing.build)
    return _catch_up(settings, report, progress) if behind else report


def _catch_up(settings: Settings, idle: RunReport, progress: Progress | None) -> RunReport:
    """Write the Parquet files of a warehouse that is up to date: an earlier run could not, or was not to."""
    started = time.perf_counter()
    try:
        release = publish_release(settings, progress=progress)
    except Interrupted:
        raise
    except (NothingToShare, BusyError):  # who writes there will write them, too
        return idle
    except OlistctlError as error:
        return replace(idle, findings=(*idle.findings, Finding(error.message, error.where, error.hint)))
    idle = replace(idle, findings=(*idle.findings, *release.findings))
    outcome, seconds = _exported(release), round(time.perf_counter() - started, 2)
    stage = StageResult("export", "warnings" if release.problem else "ok", outcome.rows, seconds, outcome.note)
    return replace(idle, stages=(stage,))


def warm_up(settings: Settings, dbt: DbtProcess) -> None:
    """Begin with what the next run with this process of dbt will need; do not wait for it."""
    engine_of(settings, dbt).warm_up(full_refresh=False)


def _models_done(state: _State, work: Work) -> Outcome:
    """Stop at a failed model; otherwise say how many were built."""
    assert state.transform
    for node in state.transform.nodes:
        log.info("%s %s: %s in %.2f seconds", node.kind, node.name, node.status, node.seconds)
    failed = state.transform.having("error", "fail")
    if failed:
        raise state.engine.explain(work, failed[0])
    built = [node.kind for node in state.transform.built]
    unchanged = len(state.transform.nodes) - len(built)
    note = f"{counted(built.count('model'), 'model')}, {counted(built.count('snapshot'), 'snapshot')}"
    return Outcome(None, f"{note}, {unchanged} unchanged" if unchanged else note)


def _passes(tests: DbtReport, everything: bool) -> Callable[[str], bool]:
    """Return what tells whether a test passed; one that is gone from the project has nothing left to fail."""
    ran = {node.name: node.status for node in tests.nodes}
    return lambda test: ran.get(test, "pass" if everything else "") == "pass"
