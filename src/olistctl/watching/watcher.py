"""The loop: look, wait until what came is whole, run, and live on whatever goes wrong."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from olistctl import interruption, logs
from olistctl.config import Settings
from olistctl.errors import BusyError, Interrupted, OlistctlError, Superseded
from olistctl.heartbeat import Heartbeat, WatcherState, now, watch_folder
from olistctl.loading import Limits
from olistctl.pipeline import run_pipeline, warm_up
from olistctl.planning import files_present, find_standing, fingerprints_of
from olistctl.reading import CHANGED_WHILE_READ, UNREADABLE
from olistctl.results import Finding, NoProgress, Progress, counted
from olistctl.runs import RunReport
from olistctl.sources import load_contract
from olistctl.transform import DbtProcess
from olistctl.warehouse import writer_lock
from olistctl.watching.ahead import Observed, Settling, begins_at
from olistctl.watching.folder import Folder, Listing
from olistctl.watching.intake import Intake, Rules, State, Verdict, named
from olistctl.watching.memory import known, recall, remember
from olistctl.watching.observer import Observer
from olistctl.watching.pauses import Pauses

log = logs.get_logger(__name__)

_LOOK_SECONDS = 1.0  # between two looks where no events come
_BREATH_SECONDS = 0.05  # after an event: a file that is being written sends thousands
_UP_TO_DATE = "up to date; waiting for a change"


@dataclass(frozen=True)
class WatchOptions:
    """How long to watch: `once` ends when nothing is left to do, `until` after so many seconds."""

    once: bool = False
    until: float | None = None


@dataclass(frozen=True)
class WatchEvent:
    """Something that a watcher tells; `at` is UTC.

    `event`: started, ready, waiting, running, delivered, unchanged, warning, busy, failed, recovered, stopped.
    """

    event: str
    message: str
    at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(tzinfo=None))
    details: Mapping[str, Any] = field(default_factory=dict)


class Watcher:
    """Watches the source folder of the settings; `tell` hears of everything that happens.

    A run is the ordinary incremental one. One that fails is tried again, with growing pauses or when a file changes.
    """

    def __init__(
        self,
        settings: Settings,
        options: WatchOptions,
        tell: Callable[[WatchEvent], None],
        *,
        progress: Progress | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._options = options
        self._hear = tell
        self._progress = progress or NoProgress()
        self._clock = clock
        self._wake = threading.Event()
        contract = load_contract(settings.contract_file)
        self._rules = Rules.of(settings, contract)
        self._folder = Folder(settings.source_dir, contract, self._rules.marker)
        self._intake = Intake(self._rules, contract, self._folder.unfinished)
        self._observer = Observer(settings.source_dir, self._wake)
        self._pauses = Pauses()
        self._failing: Exception | None = None
        self._is_due = False  # a run must be tried, whatever the files say
        self._told: set[tuple[str, str | None]] = set()  # the findings that hold now
        self._tried: Listing | None = None  # what the last run began with
        self._run_seconds: float | None = None  # of the last delivery; None: the next one must not begin early
        self._place = watch_folder(settings.state_dir)
        self._said: tuple[str, ...] = ()
        self._is_ready = self._is_warm = options.once
        self._dbt = DbtProcess()
        self._beat = Heartbeat(self._place, self._first_state())

    @property
    def state(self) -> WatcherState:
        """What the heartbeat says."""
        return self._beat.state

    def watch(self) -> None:
        """Watch until the options, or a signal, end it.

        Raises:
            BusyError: another watcher watches for this warehouse; with `once`, another olistctl is writing.
            Interrupted: the user or the system asked to stop.
            OlistctlError: the last run failed, and its next try lies beyond the end.
        """
        ends_at = None if self._options.until is None else self._clock() + self._options.until
        with _one_watcher(self._settings), self._beat, self._dbt, closing(self._observer):
            try:
                self._loop(ends_at)
            except (KeyboardInterrupt, Interrupted):
                self._tell("stopped", "asked to stop")
                raise
            self._tell("stopped", self._why_it_ends())
        if self._failing:
            raise self._failing

    def _loop(self, ends_at: float | None) -> None:
        self._begin()
        self._tell("started", f"watching {self._settings.source_dir}", source_dir=self._settings.source_dir)
        while True:
            pause = self._turn()
            if pause is None or (ends_at is not None and self._clock() >= ends_at):
                return
            self._wait(pause if ends_at is None else min(pause, ends_at - self._clock()))

    def _begin(self) -> None:
        """Take the files that a run has seen for seen, so that only what came since is news."""
        listing = self._folder.look() or Listing({})
        fingerprints = fingerprints_of(self._settings)
        standing = find_standing(self._settings, self._folder.contract, Limits.of(self._settings), fingerprints)
        if standing is None:
            return
        fingerprints.save()
        self._intake.taken = recall(self._place) or known(standing.files, listing.files)
        self._told = {_words(finding) for finding in (*standing.findings, *standing.failed_tests)}
        is_behind = standing.needs_models or not standing.is_tested
        self._is_due = is_behind or (standing.has_news and not self._intake.changed(listing))

    def _turn(self) -> float | None:
        """Look once and do what is due; return for how many seconds at most to wait, None at the end."""
        self._stop_if_asked()
        has_events = not self._settings.watch_poll and self._observer.attend()
        listing = self._folder.look()
        verdict = self._intake.see(listing, self._clock())
        if listing is not None and self._must_run(listing, verdict):
            self._run(listing)
            return 0.0
        self._say_what_waits(verdict, has_events)
        early_in = self._early_in(listing, verdict)
        if listing is not None and early_in is not None and early_in <= 0:
            self._run(listing, settles_in=verdict.again_in)
            return 0.0
        if self._options.once and verdict.again_in is None:
            if not (listing and listing.files):
                files_present(self._folder.contract, self._folder.path)  # says what is wrong with the folder
            return None
        if verdict.state is State.IDLE and not self._is_warm and not self._failing:
            self._is_warm = True
            warm_up(self._settings, self._dbt)
            if not self._is_ready:
                self._is_ready = True
                self._tell("ready", _UP_TO_DATE)
                return 0.0
        pauses = [self._settings.watch_rescan_seconds if has_events else self._look_seconds()]
        pauses += [one for one in (verdict.again_in, early_in) if one is not None]
        pauses += [] if self._pauses.next_at is None else [self._pauses.next_at - self._clock()]
        return max(0.0, min(pauses))

    def _must_run(self, listing: Listing, verdict: Verdict) -> bool:
        if self._pauses.next_at is not None and listing == self._tried:
            return verdict.state is not State.WAITING and self._clock() >= self._pauses.next_at
        is_due = self._is_due or not self._settings.warehouse.is_file()
        return verdict.state is State.READY or (verdict.state is State.IDLE and is_due)

    def _early_in(self, listing: Listing | None, verdict: Verdict) -> float | None:
        """Return in how many seconds a run may begin with files that have not settled; None if it must not.

        It may when all that is missing is time, and the last run brought its delivery in.
        """
        if verdict.again_in is None or self._run_seconds is None or self._failing or self._pauses.next_at is not None:
            return None
        if self._settings.engine == "spark":  # it leaves a branch on the cluster, and says of which run it is
            return None
        settle = self._rules.settle_seconds
        left = verdict.again_in - settle + begins_at(settle, self._run_seconds)
        if left > 0:
            return left
        return left if self._intake.judge(listing, settle).state is State.READY else None

    def _look_seconds(self) -> float:
        return min(_LOOK_SECONDS, self._settings.watch_rescan_seconds)

    def _wait(self, seconds: float) -> None:
        if seconds > 0 and self._wake.wait(seconds):
            self._wake.clear()
            time.sleep(min(_BREATH_SECONDS, seconds))

    # --- a run ---

    def _run(self, listing: Listing, *, settles_in: float | None = None) -> None:
        """Run with these files, which settle in so many seconds, if they have not yet."""
        names = self._intake.changed(listing)
        if listing != self._tried:  # another state of the files is another try, not the next one
            self._pauses.reset()
        self._tried = listing
        self._is_warm = self._options.once  # a run uses up what dbt has ready
        self._folder.forget_all_but(listing.files)
        self._said = ()
        self._beat.update(waiting_for=())

        try:
            report = self._report(listing, names) if settles_in is None else self._early(listing, names, settles_in)
        except Interrupted:
            raise
        except Superseded as error:
            log.info("watch: thrown away: %s", error)
            self._run_seconds = None
            self._beat.update(state="waiting")
        except BusyError as error:
            self._try_again(error, "busy")
        except OlistctlError as error:
            self._try_again(error, "failed")
        except Exception as error:
            self._stop_if_asked()
            log.error("bug", exc_info=error)
            self._try_again(error, "failed")
        else:
            self._intake.taken = listing
            remember(self._place, listing)
            self._is_due = False
            self._ran(report, names)
        finally:
            logs.set_run_id("-")

    def _early(self, listing: Listing, names: tuple[str, ...], settles_in: float) -> RunReport:
        """Run while the files settle; raise Superseded if they do not, or if another olistctl is writing just now."""
        with Settling(self._folder.look, listing, settles_in, self._progress) as settling:
            try:
                report = self._report(listing, names, settling)
                settling.wait()
            except BusyError as busy:
                raise Superseded(busy.message) from busy
            except Superseded:
                if settling.news:
                    self._intake.see(*settling.news)
                raise
        return report

    def _report(self, listing: Listing, names: tuple[str, ...], settling: Settling | None = None) -> RunReport:
        def begun() -> None:
            self._beat.update(state="running", next_try_at=None)
            self._tell("running", f"running: {named(names) or 'once more'}", files=names)

        report = run_pipeline(
            self._settings,
            "run",
            # What arrives from here on may be half a file, and is for the next run.
            only=frozenset(listing.files),
            confirm=settling.wait if settling else None,
            dbt=self._dbt,
            progress=Observed(self._progress, begun, settling.check if settling else lambda: None),
        )
        if report.status != "unchanged":
            self._run_seconds = report.seconds - (settling.waited if settling else 0)
        return report

    def _ran(self, report: RunReport, names: tuple[str, ...]) -> None:
        if self._failing:
            self._tell("recovered", "it goes on")
        self._failing = None
        files = report.load.files if report.load else ()
        if any(file.reason_type in (CHANGED_WHILE_READ, UNREADABLE) for file in files):
            self._pauses.failed(self._clock())  # what it is next time says nothing of what it was
        else:
            self._pauses.reset()
        self._beat.update(state="waiting", failure=None, failed_at=None, next_try_at=None)
        if report.status == "unchanged":
            self._tell("unchanged", "nothing but times has changed", files=names)
        else:
            self._delivered(report)
        for finding in report.findings:
            if _words(finding) not in self._told:
                self._tell("warning", finding.message, where=finding.where, hint=finding.hint)
        self._told = {_words(finding) for finding in report.findings}

    def _delivered(self, report: RunReport) -> None:
        rows = report.load.rows_loaded if report.load else 0
        files = [vars(file) for file in report.load.files if file.status != "unchanged"] if report.load else []
        shown = [{key: file[key] for key in ("file", "status", "records", "loaded", "quarantined")} for file in files]
        self._beat.update(
            deliveries=self.state.deliveries + 1,
            last_run_id=report.run_id,
            last_status=report.status,
            last_rows=rows,
            last_seconds=report.seconds,
            last_at=now(),
        )
        self._tell(
            "delivered",
            f"{report.run_id}: {report.status}, {counted(rows, 'row')} of {counted(len(files), 'file')} "
            f"in {report.seconds:.1f} s",
            run_id=report.run_id,
            status=report.status,
            rows=rows,
            seconds=report.seconds,
            warnings=len(report.findings),
            files=shown,
        )

    def _try_again(self, error: Exception, event: str) -> None:
        """Note a failure; it is told once in full, and then that it is still there."""
        self._stop_if_asked()  # a library may have made another error of it
        if self._options.once:
            raise error
        pause = self._pauses.failed(self._clock(), is_busy=event == "busy")
        is_news = str(error) != str(self._failing)
        self._failing = error
        next_at = (datetime.now(UTC) + timedelta(seconds=pause)).isoformat(timespec="seconds")
        self._beat.update(
            state="retrying", failures=self.state.failures + 1, failure=str(error), failed_at=now(), next_try_at=next_at
        )
        message = error.message if isinstance(error, OlistctlError) else f"a bug in olistctl: {error!r}"
        self._tell(
            event,
            f"{message if is_news else 'still: ' + message}; next try in {pause:.0f} s",
            where=getattr(error, "where", None),
            hint=getattr(error, "hint", None) if is_news else None,
            tries=self._pauses.failures,
            next_try_in=pause,
        )

    # --- what it says ---

    def _say_what_waits(self, verdict: Verdict, has_events: bool) -> None:
        """Tell what the watcher waits for, when that has changed."""
        by = "events" if has_events else "looking"
        if by != self.state.watches_by:
            self._beat.update(watches_by=by)
        if verdict.reasons == self._said:
            return
        self._said = verdict.reasons
        state = "retrying" if self._pauses.next_at is not None else "waiting"
        self._beat.update(state=state, waiting_for=verdict.reasons)
        if verdict.reasons:
            self._tell("waiting", f"waiting: {'; '.join(verdict.reasons)}", reasons=verdict.reasons)
        elif not self._failing:
            self._tell("ready", _UP_TO_DATE)

    def _tell(self, event: str, message: str, **details: Any) -> None:
        level = {"failed": log.error, "busy": log.warning, "warning": log.warning}.get(event, log.info)
        level("watch: %s: %s", event, message)
        try:
            self._hear(WatchEvent(event, message, details=details))
        except BrokenPipeError:
            raise  # nobody listens any more
        except OSError as error:  # where stdout leads, the disk is full, say
            log.warning("watch: cannot tell: %s", error)

    def _stop_if_asked(self) -> None:
        if stop := interruption.stopped():
            raise stop

    def _why_it_ends(self) -> str:
        if not self._options.once:
            return "the time is over"
        return f"nothing more can be done without {'; '.join(self._said)}" if self._said else "nothing is left to do"

    def _first_state(self) -> WatcherState:
        by = "looking" if self._settings.watch_poll else "events"
        folder = str(self._settings.source_dir)
        return WatcherState(os.getpid(), now(), now(), folder, "waiting", by)


def _words(finding: Finding) -> tuple[str, str | None]:
    return finding.message, finding.where


@contextmanager
def _one_watcher(settings: Settings) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(writer_lock(watch_folder(settings.state_dir), "watch"))
        except BusyError as busy:
            hint = "leave the work to it, or end it first; `olistctl status` tells what it does"
            raise BusyError("another `olistctl watch` is at work", where=busy.where, hint=hint) from None
        yield
