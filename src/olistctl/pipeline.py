"""The pipeline: the steps of a command in order, on a stage that is published in the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

from olistctl import logs, notify, steps
from olistctl.config import Settings
from olistctl.engines import engine_of
from olistctl.errors import BusyError, Interrupted, OlistctlError, Superseded
from olistctl.idleness import note_idle, surroundings_of
from olistctl.loading import Limits
from olistctl.planning import find_standing, fingerprints_of
from olistctl.publishing import NothingToShare, is_released, publish_release
from olistctl.results import Finding, Progress
from olistctl.runs import RunReport, StageResult
from olistctl.sources import load_contract
from olistctl.steps import RunState
from olistctl.transform import DbtProcess
from olistctl.writing import Outcome, Work, has_leftovers, write_warehouse

log = logs.get_logger(__name__)

_Step = Callable[[RunState, Work], Outcome]
_PIPELINES: dict[str, dict[str, _Step]] = {
    "run": {"validate": steps.extract, "load": steps.load, "transform": steps.transform, "test": steps.test},
    "load": {"validate": steps.extract, "load": steps.load},
    "transform": {"transform": steps.transform},
    "snapshot": {"snapshot": steps.snapshot},
    "test": {"test": steps.test},
    "verify": {
        "validate": steps.extract,
        "load": steps.load,
        "transform": steps.transform,
    },  # into a scratch that nobody reads
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
    state = RunState(contract, limits, fingerprints, engine, full_refresh, only, confirm)
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
    if "transform" in _PIPELINES[command]:
        engine.warm_up(full_refresh=full_refresh)
    work = write_warehouse(
        settings,
        command,
        {name: partial(step, state) for name, step in _PIPELINES[command].items()},
        full_refresh=full_refresh,
        strict=strict,
        # One stage anew is no reason to take from readers what the others have built.
        begin_with="history" if full_refresh and {"load", "transform"} <= set(_PIPELINES[command]) else "copy",
        needs_warehouse="load" not in _PIPELINES[command],
        brings_data=command != "test",  # whose findings must not push the last good data out
        confirm=partial(steps.confirm_files, state) if confirm else None,
        before_publication=engine.publish,
        afterwards={"export": partial(steps.export, state)} if command == "run" and settings.parquet_dir else None,
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
    settings: Settings, command: str, state: RunState, *, strict: bool, progress: Progress | None
) -> RunReport | None:
    """Return the report of a command that has nothing to do; None where it has, or a warning must be heard again.

    What goes wrong here is left to the command itself, whose failure is entered in the ledger.
    """
    own = _PIPELINES[command]
    if not {"load", "transform"} & set(own) or has_leftovers(settings):
        return None
    with_files = "load" in own
    standing = find_standing(
        settings, state.contract, state.limits, state.fingerprints, with_files=with_files, only=state.only
    )
    if standing is None:
        return None
    state.fingerprints.save()
    busy = ("load" in own and standing.has_news) or ("transform" in own and standing.needs_models)
    findings = standing.findings if "load" in own else ()
    if "test" in own:
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
    outcome, seconds = steps.exported(release), round(time.perf_counter() - started, 2)
    stage = StageResult("export", "warnings" if release.problem else "ok", outcome.rows, seconds, outcome.note)
    return replace(idle, stages=(stage,))


def warm_up(settings: Settings, dbt: DbtProcess) -> None:
    """Begin with what the next run with this process of dbt will need; do not wait for it."""
    engine_of(settings, dbt).warm_up(full_refresh=False)
