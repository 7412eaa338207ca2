"""One run of a command that writes: its steps on a stage file, its entry in the ledger, its publication.

Whatever goes wrong before the publication leaves the live warehouse as it was, and the failed run is entered in
its ledger afterwards.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from olistctl import __version__, interruption, journal, ledger, logs
from olistctl.config import Settings
from olistctl.errors import DataError, EnvironmentFault, Interrupted, OlistctlError, Superseded, UsageError
from olistctl.ledger import LoggedError, PipelineRun
from olistctl.results import Finding, NoProgress, Progress, counted
from olistctl.runs import StageResult
from olistctl.warehouse import Stage, holder_is_alive, is_as_published, machine_fault, open_stage

log = logs.get_logger(__name__)

# What the stage holds before the first step: a copy of the live warehouse; its ledger and its history alone, from
# which a full refresh rebuilds the rest; nothing.
Beginning = Literal["copy", "history", "empty"]
_HISTORY = ("snapshots", "quality")
# What ends a run whatever its files are by now.
_FINAL = (KeyboardInterrupt, Interrupted, Superseded)


@dataclass(frozen=True)
class Outcome:
    """What a step says for the summary."""

    rows: int | None
    note: str
    flawed: bool = False  # something is not as it should be, and the findings of a later step say what


@dataclass
class Work:
    """A run while it is being done."""

    settings: Settings
    command: str
    full_refresh: bool
    strict: bool
    progress: Progress
    run_id: str
    started_at: datetime
    stage: Stage
    brings_data: bool = True  # otherwise only the ledger changes, and no earlier version must be pushed out for it
    rows_loaded: int = 0
    stages: list[StageResult] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    errors: list[LoggedError] = field(default_factory=list)
    is_published: bool = False

    @property
    def status(self) -> str:
        """How a run that got through ends."""
        return "warnings" if self.findings else "success"

    def warn(self, finding: Finding, stage: str, table: str | None, error_type: str, *, is_known: bool = False) -> None:
        """Note something that is wrong but stops nothing; what `is_known` was logged by an earlier run."""
        self.findings.append(finding)
        if is_known:
            return
        details = {"where": finding.where} if finding.where else {}
        self.errors.append(LoggedError(_now(), stage, table, error_type, finding.message, details))
        log.warning("%s: %s%s", stage, f"{finding.where}: " if finding.where else "", finding.message)


Step = Callable[[Work], Outcome]


def write_warehouse(
    settings: Settings,
    command: str,
    steps: Mapping[str, Step],
    *,
    full_refresh: bool = False,
    strict: bool = False,
    needs_warehouse: bool = True,
    brings_data: bool = True,
    begin_with: Beginning = "copy",
    tolerates_damage: bool = False,
    confirm: Callable[[], None] | None = None,
    before_publication: Callable[[Work], None] | None = None,
    afterwards: Mapping[str, Step] | None = None,
    progress: Progress | None = None,
) -> Work:
    """Do the steps on a stage file and publish it; then what is to be done `afterwards`, with the published file.

    `full_refresh` is for the record; `strict` turns warnings into a failure that publishes nothing;
    `needs_warehouse`: there must be a live warehouse already; `brings_data`: the replaced file is kept as a version to
    roll back to; `begin_with`: what the stage holds before the first step; `tolerates_damage`: a live file that
    cannot be read counts as none; `confirm` is called before anything of the steps, a failure included, is to be seen
    outside the stage: it may wait, and raises Superseded if nothing is to be; `before_publication` is called when
    nothing can keep the run from being published any more. What goes wrong `afterwards` is a warning: the warehouse is
    published.

    Raises:
        OlistctlError: a step could not be done; the live warehouse is as before.
    """
    with open_stage(settings, command, tolerate_damage=tolerates_damage) as stage:
        given = progress or NoProgress()
        work = Work(settings, command, full_refresh, strict, given, _new_run_id(), _now(), stage, brings_data)
        logs.set_run_id(work.run_id)
        log.info("%s started: target %s, warehouse %s", command, settings.target, settings.warehouse)
        journal.write_journal(settings.journal_dir, _run_of(work, journal.RUNNING))
        try:
            if needs_warehouse and not stage.live.exists():
                hint = "`olistctl run --full-refresh` builds it"
                raise EnvironmentFault("there is no warehouse yet", where=str(stage.live), hint=hint)
            _fill(work, begin_with)
            for name, step in steps.items():
                _do(work, name, step)
            if strict and work.findings:
                _fail_for_warnings(work)
            if confirm:
                confirm()
            _publish(work, before_publication)
            for name, step in (afterwards or {}).items():
                _follow_up(work, name, step)
            stage.wait()
        except BaseException as error:
            meant = _meant(work, error)
            if confirm and not work.is_published and not isinstance(meant, _FINAL):
                meant = _meant(work, _confirmed(work, meant, confirm))
            _record_failure(work, meant)
            if meant is error:
                raise
            raise meant from None
    return work


def has_leftovers(settings: Settings) -> bool:
    """Tell whether a run that was killed, or published nothing, left something that the next one clears up."""
    if holder_is_alive(settings.state_dir):
        return False
    return settings.stage_dir.exists() or bool(journal.read_journal(settings.journal_dir))


def _fill(work: Work, begin_with: Beginning) -> None:
    if begin_with == "copy":
        _copy_live(work)
    elif begin_with == "history":
        with work.stage.connection() as connection:
            with work.stage.attached_live(connection) as has_live:
                if has_live:
                    ledger.carry_over(connection)
                    work.stage.copy_schemas(connection, _HISTORY)
            ledger.create(connection)


def _copy_live(work: Work) -> None:
    """Begin with a copy of the live warehouse; of one that another program has changed, all models are built anew."""
    work.stage.copy_live()
    with work.stage.connection() as connection:
        ledger.create(connection)
        if work.stage.has_live and not is_as_published(work.stage.live, work.settings.state_dir):
            log.warning("%s: another program has changed the warehouse since it was published", work.stage.live)
            ledger.forget_build(connection)


def _do(work: Work, name: str, step: Step) -> None:
    started = time.perf_counter()
    before = len(work.findings)
    log.info("%s: starting", name)
    try:
        outcome = step(work)
        if not work.is_published and (stop := interruption.stopped("nothing was published")):
            raise stop  # a library has swallowed the interruption
    except BaseException as error:
        seconds = round(time.perf_counter() - started, 2)
        work.stages.append(StageResult(name, "failed", None, seconds, str(error).splitlines()[0] if str(error) else ""))
        raise
    seconds = round(time.perf_counter() - started, 2)
    result = "warnings" if outcome.flawed or len(work.findings) > before else "ok"
    work.stages.append(StageResult(name, result, outcome.rows, seconds, outcome.note))
    log.info("%s: %s in %.2f seconds, %s", name, result, seconds, outcome.note)


def _fail_for_warnings(work: Work) -> None:
    first = work.findings[0]
    raise DataError(
        f"{counted(len(work.findings), 'warning')}, and --strict takes them as failures, the first: {first.message}",
        where=first.where,
        hint="mend what they say, or leave --strict out; nothing was published",
    )


def _publish(work: Work, before: Callable[[Work], None] | None) -> None:
    """Stage 5, PUBLISH: enter the run in the ledger and put the stage in place of the live warehouse."""
    folder = work.settings.journal_dir
    kept_aside = [run for run in journal.read_journal(folder) if run.run_id != work.run_id]

    def publish(work: Work) -> Outcome:
        with work.stage.connection() as connection:
            for run in kept_aside:
                ledger.record_run(connection, journal.as_ended(run))
            ledger.record_run(connection, _run_of(work, work.status))
        with interruption.held():  # after the rename it would be too late to say that nothing was published
            if before:
                before(work)
            done = work.stage.publish(keep_replaced=work.brings_data, run_id=work.run_id)
            work.is_published = True
            journal.forget_journal(folder, [work.run_id, *(run.run_id for run in kept_aside)])
        if done.problem:
            hint = "older versions stay, and the next run tries to keep one again"
            work.warn(Finding(done.problem, str(work.settings.warehouse), hint), "publish", None, "no_version")
        return Outcome(None, str(work.settings.warehouse))

    _do(work, "publish", publish)


def _follow_up(work: Work, name: str, step: Step) -> None:
    try:
        _do(work, name, step)
    except Interrupted:
        raise
    except OlistctlError as error:
        work.warn(Finding(error.message, error.where, error.hint), name, None, type(error).__name__)


def _meant(work: Work, error: BaseException) -> BaseException:
    """Return the interruption, or the machine's refusal, that an error of a library comes from; else the error."""
    if isinstance(error, Interrupted):  # of dbt, which listens for itself
        return error
    hint = "the warehouse was already published" if work.is_published else "nothing was published"
    stop = interruption.stopped(hint)
    if stop or isinstance(error, OlistctlError):
        return stop or error
    return machine_fault(error, work.settings.warehouse) or error


def _confirmed(work: Work, error: BaseException, confirm: Callable[[], None]) -> BaseException:
    """Return the error, or Superseded if what has failed is not to be seen."""
    log.info("%s: %s; waiting until it is certain", work.command, error, exc_info=not isinstance(error, OlistctlError))
    work.stage.discard()  # on a full disk this makes room for what is still to come
    try:
        confirm()
    except (KeyboardInterrupt, Superseded) as instead:
        return instead
    return error


def _record_failure(work: Work, error: BaseException) -> None:
    """Keep a failed run aside, and enter it in the live warehouse's ledger where there is one."""
    if work.is_published:
        return  # the ledger has the run as it ended
    if isinstance(error, Superseded):
        log.info("%s: %s; nothing that this run has said counts", work.command, error)
    if type(error) in (UsageError, Superseded):  # nothing went wrong: a number that is not there, say
        journal.forget_journal(work.settings.journal_dir, [work.run_id])
        return
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
    run = _run_of(work, "interrupted" if stopped else "failed", message)
    work.stage.discard()  # on a full disk this makes room for the journal
    try:
        journal.write_journal(work.settings.journal_dir, run)
    except OSError as second:
        log.error("the journal cannot be written: %s", second)
    if stopped or isinstance(error, UsageError) or not work.stage.has_live:
        return  # quick, or not worth a publication, or nowhere to write: the next published file holds it
    try:
        _enter_in_live(work, run)
    except Exception as second:  # whatever it is, what went wrong first is what the user must hear
        log.error("the failed run stays in the journal: %s", second)


def _enter_in_live(work: Work, run: PipelineRun) -> None:
    _copy_live(work)
    with work.stage.connection() as connection:
        ledger.record_run(connection, run)
    work.stage.publish(keep_replaced=False)
    journal.forget_journal(work.settings.journal_dir, [run.run_id])


def _run_of(work: Work, status: str, message: str | None = None) -> PipelineRun:
    return PipelineRun(
        run_id=work.run_id,
        command=work.command,
        target=work.settings.target,
        olistctl_version=__version__,
        full_refresh=work.full_refresh,
        started_at=work.started_at,
        finished_at=None if status == journal.RUNNING else _now(),
        status=status,
        rows_loaded=work.rows_loaded,
        warnings=len(work.findings),
        message=message,
        stages=tuple(vars(stage) for stage in work.stages),
        errors=tuple(work.errors),
    )


def _new_run_id() -> str:
    return f"{_now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
