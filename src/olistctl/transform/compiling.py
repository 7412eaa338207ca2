"""Let dbt compile what can be run without it.

dbt takes some hundredths of a second for each node, whatever it asks, and seconds to be imported: the two hundred tests
and fifty models of a small delivery would cost more than their queries. So dbt compiles them once: the data
tests, and the models and snapshots as an incremental run of a built warehouse has them, and as a full refresh does.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from olistctl.results import Progress
from olistctl.transform.compiled import (
    Compiled,
    CompiledAnew,
    CompiledModel,
    CompiledTest,
    keep_compiled,
)
from olistctl.transform.dbt import call_dbt
from olistctl.transform.jobs import COMPILE, COMPILE_ANEW, COMPILE_TESTS, DbtJob, DbtPlace
from olistctl.transform.parsing import parsing_state
from olistctl.transform.project import ALWAYS_BUILT
from olistctl.warehouse import Relation, Standing

# What makes compiled SQL depend on more than the project's files: on the rows of the warehouse, the environment, the
# clock; and on which tables stand.
_DEPENDS_ON_MORE = re.compile(
    r"run_query|\bstatement\s*\(|adapter\s*\.\s*(?!dispatch\b)|load_result|env_var|run_started_at|invocation_id"
    r"|\bmodules\s*\.|\bflags\s*\."
)
_ASKS_WHAT_STANDS = re.compile(r"load_relation|\bgraph\b|\bexecute\b")
_STORES = "macro.dbt.should_store_failures"  # reads a flag that is no part of the query
# What these ask has one answer in an incremental run of a built warehouse: it is one, all tables stand, and the changes
# are known by their keys. In a full refresh it depends on which tables stand before it.
_ANSWERED = ("is_incremental", "should_full_refresh", "load_relation", "extent_of_replacement", "built_relations")
_ONLY_LOGS = re.compile(r"\s*\{\{-?\s*log_model\([^{}]*\)\s*-?\}\}\s*")


def compile_project(place: DbtPlace, *, is_built: bool, progress: Progress | None = None) -> Compiled:
    """Compile all data tests for a warehouse file that nobody has open, and the models, too, if it `is_built`.

    That is: all models stand, as this state of the project makes them of what is loaded.

    Raises:
        ConfigError: there is no dbt project.
        TransformError: dbt could not start: the project does not parse or the connection fails.
    """
    state = parsing_state(place)
    by_kind, manifest = _compile(COMPILE if is_built else COMPILE_TESTS, place, progress)
    tests = tuple(_test(result, manifest) for result in by_kind.get("test", []))
    compiled = Compiled(tests)
    if is_built:
        tables = [result for kind in ("model", "snapshot") for result in by_kind.get(kind, []) if _is_table(result)]
        unknown = [result.node.compiled_code for result in by_kind.get("analysis", [])]
        models = tuple(_model(result, manifest) for result in tables)
        compiled = Compiled(tests, models, unknown[0] if unknown and not _has_operations(manifest) else None)
    is_static = all(_is_static(result.node, manifest) for result in by_kind.get("test", []))
    if state and is_static and all(test.sql for test in tests):
        keep_compiled(place.artifacts, state, compiled)
    return compiled


def compile_anew(place: DbtPlace, standing: Standing, progress: Progress | None = None) -> CompiledAnew:
    """Compile all models and snapshots for a full refresh of a warehouse file that nobody has open.

    `standing` are the tables and views that it holds, by which the next full refresh knows that this is its own, too.

    Raises:
        ConfigError: there is no dbt project.
        TransformError: dbt could not start: the project does not parse or the connection fails.
    """
    state = parsing_state(place)
    by_kind, manifest = _compile(COMPILE_ANEW, place, progress)
    stand = {(schema, name) for schema, name, _ in standing}
    results = [result for kind in ("model", "snapshot") for result in by_kind.get(kind, [])]
    models = tuple(
        _model_anew(result, manifest, stand) for result in results if result.node.config.materialized != "ephemeral"
    )
    has_more = _has_operations(manifest) or any(str(node.resource_type) == "seed" for node in manifest.nodes.values())
    compiled = CompiledAnew(() if has_more else models, standing)
    if state:
        keep_compiled(place.artifacts, state, compiled)
    return compiled


def _compile(job: DbtJob, place: DbtPlace, progress: Progress | None) -> tuple[dict[str, list[Any]], Any]:
    """Return what dbt compiled, by kind of node and in order of their names, and the manifest."""
    outcome, manifest = call_dbt(job, place, progress)
    by_kind: dict[str, list[Any]] = {}
    for result in sorted(outcome.result.results, key=_name):  # dbt gives them as its threads end
        by_kind.setdefault(str(result.node.resource_type), []).append(result)
    return by_kind, manifest


def _is_table(result: Any) -> bool:
    """Tell whether a run that builds no views builds it."""
    return result.node.config.materialized in ("table", "incremental", "snapshot")


def _name(result: Any) -> str:
    return str(result.node.name)


def _test(result: Any, manifest: Any) -> CompiledTest:
    node = result.node
    read = [key for key in (getattr(node, "attached_node", None), *node.depends_on.nodes) if key]
    is_good = _is_good(result)
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
        sources=_sources_above(read, manifest),
        reads=tuple(key.rsplit(".", 1)[-1] for key in read),
        inputs=_tables(_read_by(read, manifest), manifest),
    )


def _model(result: Any, manifest: Any) -> CompiledModel:
    node, config = result.node, result.node.config
    strategy = getattr(config, "incremental_strategy", None)
    affected_by = config.meta.get("affected_by") or (ALWAYS_BUILT if strategy == "replace_affected" else None)
    list_of = _node_named(affected_by, manifest)
    read = _read_by(node.depends_on.nodes, manifest)
    before = {manifest.nodes[key].name for key in read if key in manifest.nodes} | {affected_by or node.name}
    can_run = _is_good(result) and _is_plain(node) and _is_static(node, manifest, knows_what_stands=True)
    return CompiledModel(
        name=node.name,
        kind=str(node.resource_type),
        file=node.original_file_path,
        package=node.package_name,
        relation=(node.schema, node.alias),
        materialized=config.materialized,
        sql=node.compiled_code if can_run else None,
        inputs=_tables(read, manifest),
        columns=tuple((column.name, column.data_type) for column in node.columns.values())
        if getattr(node, "contract", None) and node.contract.enforced
        else (),
        strategy=strategy,
        affected_by=(list_of.schema, list_of.alias) if list_of else None,
        affected_key=config.meta.get("affected_key", "order_id"),
        unique_key=config.unique_key if isinstance(config.unique_key, str) else None,
        checked=tuple(config.check_cols) if _is_list(getattr(config, "check_cols", None)) else (),
        after=tuple(sorted(before - {node.name})),
        sources=_sources_above([node.unique_id], manifest),
    )


def _model_anew(result: Any, manifest: Any, stand: Collection[tuple[str, str]]) -> CompiledModel:
    """Return a model as a full refresh builds it: an incremental one is a table like any other.

    But not one that says `full_refresh: false`, if it stands; it goes on with its rows, as snapshots do.
    """
    model = replace(_model(result, manifest), affected_by=None)
    goes_on = result.node.config.full_refresh is False and model.relation in stand
    is_table = model.materialized == "incremental" and not goes_on
    return replace(model, materialized="table") if is_table else model


def _is_good(result: Any) -> bool:
    return str(result.status) == "success" and result.node.compiled_code is not None


def _is_plain(node: Any) -> bool:
    """Tell whether `building` knows all that dbt does for a model besides its query."""
    config = node.config
    hooks = (*config.pre_hook, *config.post_hook)
    extra = config.get("grants"), config.get("indexes"), config.get("sql_header"), any(config.persist_docs.values())
    has_constraints = any(column.constraints for column in node.columns.values()) or getattr(node, "constraints", None)
    if node.language != "sql" or any(extra) or has_constraints or not all(_ONLY_LOGS.fullmatch(h.sql) for h in hooks):
        return False
    if config.materialized == "incremental":
        predicates = config.get("predicates") or config.get("incremental_predicates")
        return config.incremental_strategy in ("replace_affected", "append") and not (config.unique_key or predicates)
    if config.materialized == "snapshot":
        more = config.get("dbt_valid_to_current"), config.get("updated_at"), config.get("invalidate_hard_deletes")
        names = config.get("snapshot_meta_column_names")
        is_usual = config.strategy == "check" and config.get("hard_deletes") == "invalidate" and not any(more)
        has_names = names is not None and any(vars(names).values())
        return is_usual and not has_names and isinstance(config.unique_key, str) and _is_list(config.check_cols)
    return config.materialized in ("table", "view")


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _has_operations(manifest: Any) -> bool:
    """Tell whether the project has hooks of a whole run (`on-run-start`, `on-run-end`)."""
    return any(str(node.resource_type) == "operation" for node in manifest.nodes.values())


def _owner(node: Any, models: Sequence[Any]) -> str | None:
    """Return whom the meta of a test names as its owner, or that of the models that it reads."""
    owners = (one.config.meta.get("owner") for one in (node, *models))
    return next((str(owner) for owner in owners if owner), None)


def _node_named(name: str | None, manifest: Any) -> Any:
    return next((node for node in manifest.nodes.values() if node.name == name), None)


def _read_by(keys: Iterable[str], manifest: Any) -> set[str]:
    """Return the tables, views and sources among these keys, and those that their views and ephemeral models read."""
    found: set[str] = set()
    todo, seen = list(keys), set()
    while todo:
        key = todo.pop()
        if key in seen or not (key in manifest.nodes or key in manifest.sources):
            continue
        seen.add(key)
        materialized = manifest.nodes[key].config.materialized if key in manifest.nodes else "table"
        if materialized in ("view", "ephemeral"):
            todo += manifest.nodes[key].depends_on.nodes
        if materialized != "ephemeral":
            found.add(key)
    return found


def _tables(keys: Iterable[str], manifest: Any) -> tuple[Relation, ...]:
    """Return those of nodes and sources that hold rows."""
    nodes = [manifest.nodes[key] for key in keys if key in manifest.nodes]
    sources = [manifest.sources[key] for key in keys if key in manifest.sources]
    found = {(node.schema, node.alias) for node in nodes if node.config.materialized != "view"}
    return tuple(sorted(found | {(source.schema, source.identifier) for source in sources}))


def _sources_above(keys: Iterable[str], manifest: Any) -> tuple[str, ...]:
    """Return the tables of `raw` that nodes read, through whatever models."""
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
    return tuple(sorted(found))


def _is_static(node: Any, manifest: Any, *, knows_what_stands: bool = False) -> bool:
    """Tell whether a node compiles to the same query as long as the project's files are the same.

    `knows_what_stands`: it is used again only where what stands is the same, as for models it is.
    """
    todo, seen, texts = list(node.depends_on.macros), {_STORES}, [node.raw_code]
    while todo:
        key = todo.pop()
        if key in seen or key not in manifest.macros or (knows_what_stands and key.rsplit(".", 1)[-1] in _ANSWERED):
            continue
        seen.add(key)
        texts.append(manifest.macros[key].macro_sql)
        todo += manifest.macros[key].depends_on.macros
    patterns = (_DEPENDS_ON_MORE,) if knows_what_stands else (_DEPENDS_ON_MORE, _ASKS_WHAT_STANDS)
    return not any(pattern.search(text) for text in texts for pattern in patterns)
