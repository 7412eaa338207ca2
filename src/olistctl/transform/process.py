"""dbt in a process of its own: it starts while other work goes on, and ends at once when it is to.

Importing dbt and reading its manifest takes longer than loading a small delivery; in a second process both go on at a
time. And an interruption need not find its way through dbt, which turns some into failures and loses others: the
process is killed, and what it wrote was a stage that nobody reads.
"""

from __future__ import annotations

import signal
from types import TracebackType
from typing import Any

from olistctl import logs
from olistctl.errors import EnvironmentFault, OlistctlError, TransformError
from olistctl.results import NoProgress, Progress
from olistctl.transform.compiled import Compiled, CompiledAnew
from olistctl.transform.dbt import DbtReport
from olistctl.transform.jobs import DbtJob, DbtPlace
from olistctl.warehouse import Standing
from olistctl.workers import Worker, WorkerEnded

log = logs.get_logger(__name__)

# dbt makes locks with names. A process that Python starts for it takes away those of a worker that was ended, and would
# complain.
_SILENT = "ignore::UserWarning:multiprocessing.resource_tracker"


class DbtProcess:
    """Calls dbt; its process starts with the first call, or with `warm_up`, and ends with `close`.

    It is for one thread. Whatever interrupts a call ends the process; the next call has another one.
    """

    def __init__(self) -> None:
        self._worker = Worker("olistctl.transform.worker", "-W", _SILENT)
        self._unanswered = 0  # requests whose answers nobody has waited for

    def __enter__(self) -> DbtProcess:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def warm_up(self, place: DbtPlace) -> None:
        """Let dbt be imported and the project be parsed, for the next call; do not wait for it.

        It holds no lock: what dbt leaves of it, another olistctl may overwrite, and a reader must not trust anyway.
        """
        try:
            self._send("prepare_dbt", (place,), {})
        except WorkerEnded as ended:
            raise _error_of(ended) from None
        self._unanswered += 1

    def run(
        self,
        job: DbtJob,
        place: DbtPlace,
        *,
        select: tuple[str, ...] = (),
        exclude: tuple[str, ...] = (),
        full_refresh: bool = False,
        progress: Progress | None = None,
    ) -> DbtReport:
        """Run a dbt job, as `dbt.run_dbt` does, and raise what it raises."""
        options = {"select": select, "exclude": exclude, "full_refresh": full_refresh}
        report = self._call("run_dbt", (job, place), options, progress)
        assert isinstance(report, DbtReport)
        return report

    def compile(self, place: DbtPlace, *, is_built: bool, progress: Progress | None = None) -> Compiled:
        """Compile what can be run without dbt, as `compiling.compile_project` does, and raise what it raises."""
        compiled: Compiled = self._call("compile_project", (place,), {"is_built": is_built}, progress)
        return compiled

    def compile_anew(self, place: DbtPlace, standing: Standing, progress: Progress | None = None) -> CompiledAnew:
        """Compile all models for a full refresh, as `compiling.compile_anew` does, and raise what it raises."""
        compiled: CompiledAnew = self._call("compile_anew", (place, standing), {}, progress)
        return compiled

    def manifest(self, place: DbtPlace) -> dict[str, Any]:
        """Return the manifest of the project as it is, as `dbt.project_manifest` does."""
        manifest: dict[str, Any] = self._call("project_manifest", (place,), {})
        return manifest

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._worker.close()
        self._unanswered = 0

    def _call(
        self, function: str, arguments: tuple[Any, ...], options: dict[str, Any], progress: Progress | None = None
    ) -> Any:
        try:
            self._send(function, arguments, options)
            while self._unanswered:
                self._forget_answer()
            kind, content = self._worker.answer(progress or NoProgress())
        except WorkerEnded as ended:
            self.close()
            raise _error_of(ended) from None
        except BaseException:
            self.close()
            raise
        if kind == "failed":
            raise content
        return content

    def _forget_answer(self) -> None:
        kind, content = self._worker.answer(NoProgress())
        self._unanswered -= 1
        if kind == "failed":  # the call that follows will say it, if it matters
            log.info("dbt is not warm: %s", content)

    def _send(self, function: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        if not self._worker.is_alive:
            self.close()
        self._worker.send(function, arguments, options)


def _error_of(ended: WorkerEnded) -> OlistctlError:
    if ended.code == -signal.SIGKILL:  # nobody but the system does that
        hint = "free memory, or lower `memory_limit` or `threads` in config/olistctl.yml, and run again"
        return EnvironmentFault("dbt's process was killed: the machine may be out of memory", hint=hint)
    return TransformError(f"dbt's process ended {ended}", hint="nothing was published; run again")
