"""The steps of a run, as the design draws them: what each does on the stage, and leaves for the next one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from olistctl import ledger, logs
from olistctl.engines import Engine
from olistctl.errors import Superseded
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
from olistctl.planning import files_present, inspect_news
from olistctl.publishing import NothingToShare, Release, Unchanged, write_release
from olistctl.quality import FailingTest, Flow, read_reconciliation
from olistctl.reading import Inspection
from olistctl.results import Finding, counted
from olistctl.sources import Contract, Fingerprints
from olistctl.transform import DbtReport, project_sha256
from olistctl.writing import Outcome, Work

log = logs.get_logger(__name__)


@dataclass
class RunState:
    """What the steps of a run leave for the next one and for the report."""

    contract: Contract
    limits: Limits
    fingerprints: Fingerprints
    engine: Engine
    full_refresh: bool = False
    only: frozenset[str] | None = None  # the files that may be taken; None: all
    confirm: Callable[[], None] | None = None  # says whether the files have settled, see `confirm_files`
    inspections: tuple[Inspection, ...] = ()
    tables: tuple[str, ...] | None = ()  # of raw, whose changes a run builds and tests; None: all
    was_tested: bool = False  # all that is in the warehouse, before this run
    unchanged: Unchanged | None = None  # the tables that the build has left as they were
    load: LoadReport | None = None
    transform: DbtReport | None = None
    tests: DbtReport | None = None
    failing: tuple[FailingTest, ...] = ()
    reconciliation: tuple[Flow, ...] = ()


def extract(state: RunState, work: Work) -> Outcome:
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


def load(state: RunState, work: Work) -> Outcome:
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
            confirm_files(state)
        evidence = work.settings.quarantine_dir
        state.load = keep_evidence(connection, evidence, state.load, state.inspections, work.run_id)
    work.rows_loaded = state.load.rows_loaded
    work.brings_data = any(change.brings_data for change in state.load.changes)
    for file in state.load.faulty:
        work.warn(
            file.finding(),
            "extract" if file.status == "missing" else "load",
            f"raw.{file.table}",
            file.fault_type(),
            is_known=file.is_known,
        )
    return Outcome(state.load.rows_loaded, state.load.summary)


def confirm_files(state: RunState) -> None:
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


def transform(state: RunState, work: Work) -> Outcome:
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


def snapshot(state: RunState, work: Work) -> Outcome:
    """Only the history: the dbt snapshots."""
    state.engine.check_built(work)
    state.transform = state.engine.snapshot(work)
    return _models_done(state, work)


def test(state: RunState, work: Work) -> Outcome:
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


def export(state: RunState, work: Work) -> Outcome:
    """Stage 5, PUBLISH & CONSUME: marts and core as Parquet, once readers of the warehouse have it."""
    assert work.settings.parquet_dir
    try:
        release = write_release(work.settings, work.settings.parquet_dir, work.progress, state.unchanged)
    except NothingToShare:  # a dbt project of somebody's own
        return Outcome(None, "no tables in core or mart")
    for finding in release.findings:
        work.warn(finding, "export", None, "no_latest")
    return exported(release)


def exported(release: Release) -> Outcome:
    """Say what a release holds and where it is."""
    rows = sum(table.rows for table in release.tables)
    return Outcome(rows, f"{counted(len(release.tables), 'table')}, {release.latest}")


def _models_done(state: RunState, work: Work) -> Outcome:
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
