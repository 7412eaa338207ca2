"""The data tests of the dbt project: compiled by dbt, run without it.

dbt takes about a hundredth of a second for each test, whatever it asks; two hundred tests of a small delivery would
cost more than its models. So dbt compiles them once for a state of the project, and the queries are run here as dbt
would run them (macro get_test_sql, and dbt.task.test for what the answer means).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from olistctl.drafts import written
from olistctl.results import NoProgress, Progress
from olistctl.transform.dbt import DbtReport, NodeResult, call_dbt
from olistctl.transform.jobs import COMPILE_TESTS, DbtPlace
from olistctl.transform.parsing import parsing_state
from olistctl.transform.project import ALWAYS_BUILT
from olistctl.warehouse import in_parallel, machine_fault

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FILE = "tests.json"
# What makes a compiled query depend on more than the project's files: on the warehouse, the environment, the clock.
_DEPENDS_ON_MORE = re.compile(
    r"run_query|\bstatement\b|adapter\s*\.\s*(?!dispatch\b)|load_relation|load_result|\bgraph\b|\bexecute\b|env_var"
    r"|run_started_at|invocation_id|\bmodules\b|\bflags\b"
)

_STORES = "macro.dbt.should_store_failures"  # reads a flag that is no part of the query


@dataclass(frozen=True)
class CompiledTest:
    """A data test as dbt compiled it; `sources` are the tables of `raw` that it looks at, through whatever models.

    `sql` is None where dbt could not compile it, for the reason in `problem`. `reads` are the nodes that it names.
    """

    name: str
    file: str
    model: str | None
    column: str | None
    owner: str | None
    severity: str  # error, warn
    fail_calc: str
    warn_if: str
    error_if: str
    limit: int | None
    sql: str | None
    problem: str | None
    sources: tuple[str, ...]
    reads: tuple[str, ...]

    @property
    def query(self) -> str:
        """The query as dbt runs it: how many rows fail, whether that is enough to warn, and enough for an error."""
        limit = "" if self.limit is None else f"limit {self.limit}"
        return (
            f"select {self.fail_calc}, {self.fail_calc} {self.warn_if}, {self.fail_calc} {self.error_if} "
            f"from (\n{self.sql}\n{limit}) as dbt_internal_test"
        )

    def is_about(self, tables: Collection[str]) -> bool:
        """Tell whether a change of tables of `raw` can change what the test says; see `project.selectors`."""
        return bool(set(self.sources) & set(tables)) or ALWAYS_BUILT in self.reads


def compiled_tests(place: DbtPlace, progress: Progress | None = None) -> tuple[CompiledTest, ...]:
    """Return all data tests, compiled for a warehouse file that nobody has open.

    Raises:
        ConfigError: there is no dbt project.
        TransformError: dbt could not start: the project does not parse or the connection fails.
    """
    state = parsing_state(place)
    if state and (kept := kept_tests(place.artifacts, state)) is not None:
        return kept
    outcome, manifest = call_dbt(COMPILE_TESTS, place, progress)
    results = [result for result in outcome.result.results if str(result.node.resource_type) == "test"]
    results.sort(key=lambda result: result.node.name)  # dbt gives them as its threads end
    tests = tuple(_compiled(result, manifest) for result in results)
    is_static = all(_is_static(result.node, manifest) for result in results)
    if state and is_static and all(test.sql for test in tests):
        with written(place.artifacts / _FILE) as draft:
            draft.write_text(json.dumps({"state": state, "tests": [asdict(test) for test in tests]}), encoding="utf-8")
    return tests


def run_tests(
    connection: DuckDBPyConnection, tests: Sequence[CompiledTest], progress: Progress | None = None
) -> DbtReport:
    """Run tests on an open warehouse. What a test finds is data in the report, and so is one that cannot run.

    Raises:
        OlistctlError: the machine refuses: the disk is full, say.
    """
    progress = progress or NoProgress()
    started = time.perf_counter()
    progress.start("Testing", len(tests))

    def run(cursor: DuckDBPyConnection, test: CompiledTest) -> NodeResult:
        progress.advance(0, test.name)
        node = _run(cursor, test)
        progress.advance(1)
        return node

    try:
        nodes = in_parallel(connection, run, tests)
    finally:
        progress.finish()
    return DbtReport(tuple(nodes), round(time.perf_counter() - started, 2))


def _run(connection: DuckDBPyConnection, test: CompiledTest) -> NodeResult:
    import duckdb

    result = NodeResult(test.name, "test", "pass", 0.0, test.file, test.model, test.column, owner=test.owner)
    if test.sql is None:
        return replace(result, status="error", message=test.problem)
    started = time.perf_counter()
    try:
        row = connection.execute(test.query).fetchone()
    except duckdb.Error as error:
        if fault := machine_fault(error):
            raise fault from None
        return replace(result, status="error", message=str(error))
    seconds = round(time.perf_counter() - started, 3)
    failures, should_warn, should_error = row or (None, None, None)
    if failures is None:
        return replace(result, status="error", message=f"`{test.fail_calc}` gives no number", seconds=seconds)
    status = "fail" if test.severity == "error" and should_error else "warn" if should_warn else "pass"
    if status == "pass":
        return replace(result, failures=0, seconds=seconds)
    return replace(result, status=status, failures=int(failures), sql=test.sql, seconds=seconds)


def kept_tests(artifacts: Path, state: dict[str, Any] | None = None) -> tuple[CompiledTest, ...] | None:
    """Return what was compiled for a state of the project (None: any); None where there is none, or it is damaged."""
    try:
        kept = json.loads((artifacts / _FILE).read_text(encoding="utf-8"))
        if state and kept["state"] != state:
            return None
        lists = ("sources", "reads")
        return tuple(CompiledTest(**test | {name: tuple(test[name]) for name in lists}) for test in kept["tests"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _compiled(result: Any, manifest: Any) -> CompiledTest:
    node = result.node
    read = [key for key in (getattr(node, "attached_node", None), *node.depends_on.nodes) if key]
    is_good = str(result.status) == "success" and node.compiled_code is not None
    return CompiledTest(
        name=node.name,
        file=node.original_file_path,
        model=read[0].rsplit(".", 1)[-1] if read else None,
        column=getattr(node, "column_name", None),
        owner=_owner(node, [manifest.nodes[key] for key in read if key in manifest.nodes]),
        severity=node.config.severity.lower(),
        fail_calc=node.config.fail_calc,
        warn_if=node.config.warn_if,
        error_if=node.config.error_if,
        limit=node.config.limit,
        sql=node.compiled_code if is_good else None,
        problem=None if is_good else str(result.message or "dbt could not compile it"),
        sources=tuple(sorted(_sources_above(read, manifest))),
        reads=tuple(key.rsplit(".", 1)[-1] for key in read),
    )


def _owner(node: Any, models: Sequence[Any]) -> str | None:
    """Return whom the meta of a test names as its owner, or that of the models that it reads."""
    owners = (one.config.meta.get("owner") for one in (node, *models))
    return next((str(owner) for owner in owners if owner), None)


def _sources_above(keys: Iterable[str], manifest: Any) -> set[str]:
    found: set[str] = set()
    seen: set[str] = set()
    todo = list(keys)
    while todo:
        key = todo.pop()
        if key in seen:
            continue
        seen.add(key)
        if key in manifest.sources:
            source = manifest.sources[key]
            found |= {source.identifier} if source.source_name == "raw" else set()
        elif key in manifest.nodes:
            todo += manifest.nodes[key].depends_on.nodes
    return found


def _is_static(node: Any, manifest: Any) -> bool:
    """Tell whether a test compiles to the same query as long as the project's files are the same."""
    todo, seen, texts = list(node.depends_on.macros), {_STORES}, [node.raw_code]
    while todo:
        key = todo.pop()
        if key not in seen and key in manifest.macros:
            seen.add(key)
            texts.append(manifest.macros[key].macro_sql)
            todo += manifest.macros[key].depends_on.macros
    return not any(_DEPENDS_ON_MORE.search(text) for text in texts)
