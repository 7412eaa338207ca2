"""Call dbt in this process and turn what it says into results; who does not want it here has `DbtProcess`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from olistctl.errors import TransformError
from olistctl.results import NoProgress, Progress
from olistctl.transform.invoking import end_sessions_quietly, import_dbt, invoke
from olistctl.transform.jobs import DbtJob, DbtPlace, arguments_of, compiled_file, shared_arguments
from olistctl.transform.parsing import ParseFailed, parse_ahead, parsed_manifest, place_named
from olistctl.transform.project import check_project, current_manifest, mark_parsed, written_manifest
from olistctl.warehouse import machine_fault

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class NodeResult:
    """What became of one model, snapshot or test."""

    name: str
    kind: str
    status: str  # success, unchanged, pass, warn, fail, error, skipped
    seconds: float
    file: str
    model: str | None = None  # of a test: the model it tests
    column: str | None = None
    failures: int | None = None
    message: str | None = None
    compiled: Path | None = None
    relation: tuple[str, str] | None = None  # of a model, seed or snapshot: the schema and the name that it has there
    owner: str | None = None  # of a test: whom its own meta, or that of its model, names
    sql: str | None = None  # of a test that found something: the query of the rows that fail


@dataclass(frozen=True)
class DbtReport:
    """What a dbt job did."""

    nodes: tuple[NodeResult, ...]
    seconds: float

    def having(self, *statuses: str) -> tuple[NodeResult, ...]:
        """Return the nodes with one of the statuses."""
        return tuple(node for node in self.nodes if node.status in statuses)

    @property
    def relations(self) -> tuple[tuple[str, str], ...]:
        """The tables and views (schema, name) of the models and seeds; history is not dbt's to take away."""
        return tuple(sorted(node.relation for node in self.nodes if node.relation and node.kind != "snapshot"))

    @property
    def built(self) -> tuple[NodeResult, ...]:
        """The nodes without those that are as they were, though something above them has changed."""
        return tuple(node for node in self.nodes if node.status != "unchanged")


def prepare_dbt(place: DbtPlace) -> None:
    """Import dbt and parse the project for the next call in this process, which says it if the project does not."""
    import_dbt()
    with suppress(ParseFailed):
        parse_ahead(place)


def project_manifest(place: DbtPlace) -> dict[str, Any]:
    """Return the manifest of the project as it is, as dbt writes it; parsed anew where what dbt has left is older.

    Raises:
        ConfigError: there is no dbt project.
        TransformError: the project does not parse.
    """
    check_project(place.project)
    known = current_manifest(place.project, place.artifacts)
    if known is not None:
        return known
    mark_parsed(place.artifacts, None)  # dbt writes it when it parses, and only then
    try:
        parsed_manifest(place)
    except ParseFailed as failed:
        raise _explain(failed.reason, place, hint="mend the project, then try again") from None
    return written_manifest(place.artifacts)


def run_dbt(
    job: DbtJob,
    place: DbtPlace,
    *,
    select: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    full_refresh: bool = False,
    progress: Progress | None = None,
) -> DbtReport:
    """Run a dbt job against a warehouse file that nobody else has open.

    `select` chooses nodes in dbt's own words, else all, without those of `exclude`; `full_refresh` builds incremental
    models anew. Failing nodes are data in the report.

    Raises:
        ConfigError: there is no dbt project.
        TransformError: dbt could not start: the project does not parse or the connection fails.
    """
    arguments = arguments_of(job, select=select, exclude=exclude, full_refresh=full_refresh)
    outcome, _ = call_dbt(replace(job, arguments=tuple(arguments)), place, progress)
    nodes = tuple(_node(result, place.artifacts) for result in outcome.result.results)
    for node in nodes:
        if node.status == "error" and (fault := machine_fault(node.message or "", place.warehouse)):
            raise fault
    return DbtReport(nodes, round(outcome.result.elapsed_time, 2))


def call_dbt(job: DbtJob, place: DbtPlace, progress: Progress | None = None) -> tuple[Any, Any]:
    """Call dbt with the arguments of a job; return what it says, in its own types, and the manifest it worked with.

    Raises:
        ConfigError: there is no dbt project.
        TransformError: dbt could not start: the project does not parse or the connection fails.
    """
    check_project(place.project)
    progress = progress or NoProgress()
    problems: list[Exception] = []
    progress.start(job.label)
    if place.adapter == "dbt-spark":
        end_sessions_quietly()
    try:
        manifest = parsed_manifest(place)
        with place_named(place):
            arguments = [*job.arguments, *shared_arguments(place, job.target)]
            outcome = invoke(arguments, _follow(job, progress, problems), manifest)
    except ParseFailed as failed:
        raise _explain(failed.reason, place) from None
    finally:
        progress.finish()
    if problems:
        raise problems[0]
    if outcome.exception is not None or not hasattr(outcome.result, "results"):
        raise _explain(outcome.exception, place)
    return outcome, manifest


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


def _follow(job: DbtJob, progress: Progress, problems: list[Exception]) -> Callable[[Any], None]:
    """Return a listener that turns dbt's events into progress, naming what runs now.

    What goes wrong in it is kept in `problems`: dbt calls it in its own threads, and would wait for ever for one that
    raises.
    """
    running: list[str] = []

    def on_event(event: Any) -> None:
        try:
            tell(event)
        except Exception as error:
            problems.append(error)

    def tell(event: Any) -> None:
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
    compiled = compiled_file(artifacts, node.package_name, node.original_file_path)
    return NodeResult(
        name=node.name,
        kind=str(node.resource_type),
        status="error" if str(result.status) == "runtime error" else str(result.status),
        seconds=round(result.execution_time, 2),
        file=node.original_file_path,
        message=message,
        compiled=compiled if failed and compiled.is_file() else None,
        relation=(node.schema, node.alias),
    )


def _clean(message: str) -> str:
    """Drop dbt's own heading and place lines from a database message."""
    lines = [line.rstrip() for line in str(message).splitlines()]
    kept = [
        line
        for line in lines
        if not re.match(r"\s*(Runtime|Database|Compilation) Error in |\s*compiled code at ", line)
    ]
    return "\n".join(line.removeprefix("  ") for line in kept if line.strip())


def _explain(exception: BaseException | None, place: DbtPlace, hint: str = "nothing was published") -> Exception:
    if fault := machine_fault(exception or "", place.warehouse):
        return fault
    text = _clean(str(exception)) if exception else "dbt gave no result"
    if "dbt deps" in text:  # a run downloads nothing
        hint = f"cd {shlex.quote(str(place.project))} && dbt deps, then try again; {hint}"
    return TransformError(f"dbt could not run: {text}", where=str(place.project), hint=hint)
