"""Call dbt in this process and turn what it says into results."""

from __future__ import annotations

import _thread
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from olistctl.errors import ConfigError, ExitCode, Interrupted, TransformError
from olistctl.results import NoProgress, Progress
from olistctl.transform.jobs import DbtJob, arguments_of
from olistctl.warehouse import machine_fault

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# The variable by which the project's profiles.yml learns where the warehouse is.
WAREHOUSE_VARIABLE = "OLISTCTL_WAREHOUSE"


@dataclass(frozen=True)
class NodeResult:
    """What became of one model, snapshot or test."""

    name: str
    kind: str
    status: str  # success, pass, warn, fail, error, skipped
    seconds: float
    file: str
    model: str | None = None  # of a test: the model it tests
    column: str | None = None
    failures: int | None = None
    message: str | None = None
    compiled: Path | None = None


@dataclass(frozen=True)
class DbtReport:
    """What a dbt job did."""

    nodes: tuple[NodeResult, ...]
    seconds: float

    def having(self, *statuses: str) -> tuple[NodeResult, ...]:
        """Return the nodes with one of the statuses."""
        return tuple(node for node in self.nodes if node.status in statuses)


def run_dbt(
    job: DbtJob,
    *,
    project: Path,
    warehouse: Path,
    artifacts: Path,
    target: str,
    threads: int,
    select: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> DbtReport:
    """Run a dbt job against a warehouse file that nobody else has open.

    Failing nodes are data in the report.

    Raises:
        ConfigError: there is no dbt project.
        TransformError: dbt could not start: the project does not parse or the connection fails.
        Interrupted: the user asked to stop.
    """
    if not (project / "dbt_project.yml").is_file():
        raise ConfigError(
            "there is no dbt project", where=str(project), hint="set `dbt_project` in config/olistctl.yml"
        )
    progress = progress or NoProgress()
    arguments = arguments_of(job, project=project, artifacts=artifacts, target=target, threads=threads, select=select)
    progress.start(job.label)
    try:
        with _environment(WAREHOUSE_VARIABLE, str(warehouse)):
            outcome = _invoke(arguments, _follow(job, progress))
    finally:
        progress.finish()
    if outcome.exception is not None or not hasattr(outcome.result, "results"):
        raise _explain(outcome.exception, project, warehouse)
    nodes = tuple(_node(result, artifacts) for result in outcome.result.results)
    for node in nodes:
        if node.status == "error" and (fault := machine_fault(node.message or "", warehouse)):
            raise fault
    return DbtReport(nodes, round(outcome.result.elapsed_time, 2))


def explain_failure(node: NodeResult, project: Path, connection: DuckDBPyConnection) -> TransformError:
    """Return the error that names a failed model, its place, the database's words and the compiled SQL."""
    place, hint = node.file, "nothing was published"
    if node.compiled:
        hint = f"read the compiled SQL in {node.compiled}; {hint}"
        statement = _failing_line(connection, node.compiled.read_text(encoding="utf-8"))
        if statement and (line := _line_of(project / node.file, statement)):
            place = f"{node.file}:{line}"
    return TransformError(node.message or "it failed", where=f"{node.kind} {node.name} ({place})", hint=hint)


def _failing_line(connection: DuckDBPyConnection, sql: str) -> str | None:
    """Return the line at which the database stops; dbt's own message has lost it for a model under contract."""
    import duckdb

    try:
        connection.execute(f"explain {sql}")
    except duckdb.Error as error:
        quoted = re.search(r"^LINE \d+: (?:\.\.\.)?(.+?)(?:\.\.\.)?$", str(error), re.MULTILINE)
        return quoted.group(1).strip() if quoted else None
    return None


def _line_of(file: Path, statement: str) -> int | None:
    """Find a line of compiled SQL in the model; None where it is not there exactly once."""
    text = file.read_text(encoding="utf-8").splitlines()
    lines = [number for number, line in enumerate(text, 1) if statement in line]
    return lines[0] if len(lines) == 1 else None


def _invoke(arguments: list[str], callback: Callable[[Any], None]) -> Any:
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    with _noting_signals() as noted:
        try:
            outcome = dbtRunner(callbacks=[callback]).invoke(arguments)
        except KeyboardInterrupt:
            outcome = None
        finally:
            # Otherwise the adapter keeps the file locked until the process ends.
            DuckDBConnectionManager.close_all_connections()
    if noted or outcome is None:
        raise _stopped(noted[0] if noted else signal.SIGINT)
    return outcome


@contextmanager
def _noting_signals() -> Iterator[list[int]]:
    """Note Ctrl-C and SIGTERM and interrupt; dbt may swallow the interruption or make a failure of it."""
    noted: list[int] = []
    ended = threading.Event()

    def note(signum: int, frame: FrameType | None) -> None:
        if not noted:
            threading.Thread(target=_insist, args=(signum, ended), daemon=True).start()
        noted.append(signum)
        if not ended.is_set():
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield noted
    finally:
        ended.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def _insist(signum: int, ended: threading.Event) -> None:
    """Cancel dbt's statements, and interrupt it, until it ends.

    dbt cancels once, and waits for a statement that began a moment later; an interruption that comes up in a
    destructor is lost.
    """
    from dbt.adapters.factory import FACTORY

    for seconds in chain((0.2, 0.2), repeat(0.5)):
        if ended.wait(seconds):
            return
        for adapter in list(FACTORY.adapters.values()):
            with suppress(Exception):  # a connection that closes just now
                adapter.connections.cancel_open()
        if seconds == 0.5:
            _thread.interrupt_main(signal.Signals(signum))


def _stopped(signum: int) -> Interrupted:
    stopped = Interrupted("stopped while dbt was running", hint="nothing was published")
    if signum == signal.SIGTERM:
        stopped.exit_code = ExitCode.TERMINATED
    return stopped


def _follow(job: DbtJob, progress: Progress) -> Callable[[Any], None]:
    """Return a listener that turns dbt's events into progress, naming what runs now."""
    running: list[str] = []

    def on_event(event: Any) -> None:
        name = event.info.name
        if name == "ConcurrencyLine":
            progress.start(job.label, float(event.data.node_count))
        elif name == "NodeStart":
            running.append(event.data.node_info.node_name)
            progress.advance(0, _names(running))
        elif name == "NodeFinished":
            if event.data.node_info.node_name in running:
                running.remove(event.data.node_info.node_name)
            progress.advance(1, _names(running))

    return on_event


def _names(running: list[str]) -> str:
    return ", ".join(running[:2])


def _node(result: Any, artifacts: Path) -> NodeResult:
    node = result.node
    message = _clean(result.message) if result.message else None
    failed = str(result.status) in ("error", "fail", "runtime error")
    compiled = artifacts / "target" / "compiled" / node.package_name / node.original_file_path
    return NodeResult(
        name=node.name,
        kind=str(node.resource_type),
        status="error" if str(result.status) == "runtime error" else str(result.status),
        seconds=round(result.execution_time, 2),
        file=node.original_file_path,
        model=_tested_model(node),
        column=getattr(node, "column_name", None),
        failures=result.failures,
        message=message,
        compiled=compiled if failed and compiled.is_file() else None,
    )


def _tested_model(node: Any) -> str | None:
    attached = getattr(node, "attached_node", None)
    return attached.rsplit(".", 1)[-1] if attached else None


def _clean(message: str) -> str:
    """Drop dbt's own heading and place lines from a database message."""
    lines = [line.rstrip() for line in str(message).splitlines()]
    kept = [
        line
        for line in lines
        if not re.match(r"\s*(Runtime|Database|Compilation) Error in |\s*compiled code at ", line)
    ]
    return "\n".join(line.removeprefix("  ") for line in kept if line.strip())


def _explain(exception: BaseException | None, project: Path, warehouse: Path) -> Exception:
    if fault := machine_fault(exception or "", warehouse):
        return fault
    text = _clean(str(exception)) if exception else "dbt gave no result"
    return TransformError(f"dbt could not run: {text}", where=str(project), hint="nothing was published")


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
