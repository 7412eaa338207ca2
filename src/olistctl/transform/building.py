"""The models and snapshots of the dbt project, compiled by dbt and run without it.

Each is built as dbt's materialization would: `table` as in macros/materializations.sql, `view` and `incremental` of
dbt-duckdb, this one with the strategies of macros/incremental.sql, `snapshot` with the strategy `check` and
`hard_deletes: invalidate`. A test holds the two to each other. Of a snapshot an incremental run looks only at the
members that it may have changed; and what turns out as it was builds nothing below it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl.results import NoProgress, Progress
from olistctl.transform.compiled import CompiledModel
from olistctl.transform.dbt import DbtReport, NodeResult
from olistctl.transform.jobs import BUILD, compiled_file
from olistctl.warehouse import Relation, in_parallel, machine_fault, quote, standing

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class _ModelFailed(Exception):
    """A model could not be built; nothing below it is."""

    def __init__(self, node: NodeResult) -> None:
        super().__init__(node.message)
        self.node = node


class LeftToDbt(Exception):
    """Only dbt knows what to do: a table that goes on with its rows has not all columns that its model has now."""


def run_models(
    connection: DuckDBPyConnection,
    models: Sequence[CompiledModel],
    artifacts: Path,
    *,
    at: datetime,
    changed: Collection[Relation] | None = None,
    progress: Progress | None = None,
) -> DbtReport:
    """Build models and snapshots in an open warehouse, in the order of the graph.

    `at` (UTC) is when versions of members open and close. `changed` are the tables that have changed since all models
    were built (None: nobody knows): a model that reads none of them, and none that comes out different here, is as it
    was, and "unchanged" in the report. The first model that fails ends the build, and is data in the
    report. Its SQL is left in dbt's `artifacts`, where dbt leaves that of its own.

    Raises:
        LeftToDbt: dbt must build them; it may begin with what is there now.
        duckdb.Error: the machine refuses: the disk is full, say.
    """
    progress = progress or NoProgress()
    started = time.perf_counter()
    progress.start(BUILD.label, len(models))
    for schema in sorted({model.relation[0] for model in models}):
        connection.execute(f"create schema if not exists {quote(schema)}")

    # Asked once: of tables DuckDB gathers so much at each question that a small run would notice.
    kinds = {(schema, name): kind for schema, name, kind in standing(connection)}
    news = set(changed or ())

    def build(cursor: DuckDBPyConnection, model: CompiledModel) -> NodeResult:
        progress.advance(0, model.name)
        if changed is None or not news.isdisjoint(model.inputs):
            node = _build(cursor, model, kinds.get(model.relation), at, artifacts)
        else:
            node = _node(model, "unchanged")
        if node.status == "success":
            news.add(model.relation)
        progress.advance(1)
        return node if changed is not None else replace(node, status="success")

    numbers = {model.name: number for number, model in enumerate(models)}
    after = {numbers[model.name]: [numbers[name] for name in model.after if name in numbers] for model in models}
    try:
        nodes = in_parallel(connection, build, models, after)
    except _ModelFailed as failed:
        nodes = [failed.node]
    finally:
        progress.finish()
    return DbtReport(tuple(nodes), round(time.perf_counter() - started, 2))


def _node(model: CompiledModel, status: str) -> NodeResult:
    return NodeResult(model.name, model.kind, status, 0.0, model.file, relation=model.relation)


def _build(
    connection: DuckDBPyConnection, model: CompiledModel, kind: str | None, at: datetime, artifacts: Path
) -> NodeResult:
    """Build a model; `kind` is what stands in its place, a "table" or a "view", if anything does."""
    import duckdb

    started = time.perf_counter()
    try:
        connection.begin()
        is_changed = _BUILDERS[model.materialized](connection, model, kind, at)
        connection.commit()
    except duckdb.Error as error:
        if machine_fault(error):
            raise
        compiled = compiled_file(artifacts, model.package, model.file)
        compiled.parent.mkdir(parents=True, exist_ok=True)
        compiled.write_text(model.sql or "", encoding="utf-8")
        raise _ModelFailed(replace(_node(model, "error"), message=str(error), compiled=compiled)) from error
    node = _node(model, "success" if is_changed else "unchanged")
    return replace(node, seconds=round(time.perf_counter() - started, 2))


def _build_view(connection: DuckDBPyConnection, model: CompiledModel, kind: str | None, at: datetime) -> bool:
    """Make the view, in the place of whatever stood there."""
    if kind:
        connection.execute(f"drop {kind} {_name(model.relation)}")
    connection.execute(f"create view {_name(model.relation)} as (\n{model.sql}\n)")
    return True


def _build_table(connection: DuckDBPyConnection, model: CompiledModel, kind: str | None, at: datetime) -> bool:
    """Make the table beside the old one, which it may read, and put it in its place."""
    schema, name = map(quote, model.relation)
    draft = f"{schema}.{quote(model.relation[1] + '__dbt_tmp')}"
    connection.execute(f"drop table if exists {draft}")
    if model.columns:
        declared = ", ".join(f"{column} {data_type}" for column, data_type in model.columns)
        names = ", ".join(column for column, _ in model.columns)
        connection.execute(f"create table {draft} ({declared})")
        connection.execute(f"insert into {draft} ({names}) select {names} from (\n{model.sql}\n) as model_subq")
    else:
        connection.execute(f"create table {draft} as (\n{model.sql}\n)")
    if kind:
        connection.execute(f"drop {kind} {schema}.{name}")
    connection.execute(f"alter table {draft} rename to {name}")
    return True


def _build_incremental(connection: DuckDBPyConnection, model: CompiledModel, kind: str | None, at: datetime) -> bool:
    """Replace the rows of what is affected, or add the new ones; return whether the table has other rows now.

    The rows to go are looked for once, in a column as long as the table; afterwards they are known by their numbers.
    """
    table, draft, old = _name(model.relation), quote(model.name + "__dbt_tmp"), quote(model.name + "__old")
    connection.execute(f"create temporary table {draft} as (\n{model.sql}\n)")
    columns = _columns_of(connection, draft, table)
    affected = "false"
    if model.strategy == "replace_affected":
        assert model.affected_by and model.affected_key
        key = quote(model.affected_key)
        affected = f"{key} in (select {key} from {_name(model.affected_by)})"
    connection.execute(f"create temporary table {old} as select rowid as id from {table} where {affected}")
    replaced = f"from {table} where rowid in (select id from {old})"
    is_changed = not _are_same(connection, (f"from {draft}", draft), (f"select {columns} {replaced}", old))
    if is_changed:
        connection.execute(f"delete {replaced}")
        connection.execute(f"insert into {table} by name from {draft}")
    connection.execute(f"drop table {draft}; drop table {old}")
    return is_changed


def _are_same(connection: DuckDBPyConnection, one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Tell whether two queries give the same rows, in whatever order; each comes with a table that has as many.

    Most that do not are not as many.
    """
    count = f"select (select count(*) from {one[1]}) = (select count(*) from {other[1]})"
    if connection.execute(count).fetchone() == (False,):
        return False
    return connection.execute(f"({one[0]}) except all ({other[0]}) limit 1").fetchone() is None


def _build_snapshot(connection: DuckDBPyConnection, model: CompiledModel, kind: str | None, at: datetime) -> bool:
    """Close the versions of members that changed or are gone, and open those of members that changed or are new.

    Return whether there were any.

    As dbt's macros snapshot_staging_table and snapshot_merge_sql do, of the members that the run may have changed; and
    as build_snapshot_table does, where there is no history yet.
    """
    assert model.unique_key
    table, key = _name(model.relation), quote(model.unique_key)
    opened = f"""
        select
            *,
            md5(coalesce(cast({key} as varchar), '') || '|' || cast($at::timestamp as varchar)) as dbt_scd_id,
            $at::timestamp as dbt_updated_at,
            $at::timestamp as dbt_valid_from,
            null::timestamp as dbt_valid_to
    """
    if kind is None:
        connection.execute(f"create table {table} as {opened} from (\n{model.sql}\n) as members", {"at": at})
        return True
    chosen = f"{key} in (select {key} from {_name(model.affected_by)})" if model.affected_by else "true"
    same = " and ".join(f"ours.{column} is not distinct from theirs.{column}" for column in map(quote, model.checked))
    connection.execute(
        f"create temporary table snapshot_now as from (\n{model.sql}\n) as members where {chosen}",
    )
    _columns_of(connection, "snapshot_now", table)
    connection.execute(
        f"create temporary table snapshot_same as select ours.{key} from snapshot_now as ours "
        f"inner join {table} as theirs using ({key}) where theirs.dbt_valid_to is null and {same}"
    )
    closed = connection.execute(
        f"update {table} set dbt_valid_to = $at "
        f"where dbt_valid_to is null and {chosen} and {key} not in (select {key} from snapshot_same)",
        {"at": at},
    ).fetchone()
    news = f"{opened} from snapshot_now where {key} not in (select {key} from snapshot_same)"
    added = connection.execute(f"insert into {table} by name {news}", {"at": at}).fetchone()
    connection.execute("drop table snapshot_now; drop table snapshot_same")
    return (closed, added) != ((0,), (0,))


_BUILDERS: Mapping[str, Callable[[DuckDBPyConnection, CompiledModel, str | None, datetime], bool]] = {
    "view": _build_view,
    "table": _build_table,
    "incremental": _build_incremental,
    "snapshot": _build_snapshot,
}


def _columns_of(connection: DuckDBPyConnection, draft: str, table: str) -> str:
    """Return the columns of a draft, as SQL; raise LeftToDbt where the table has not all of them."""
    names = "select column_name from (describe {})"
    mine, theirs = (connection.execute(names.format(relation)).fetchall() for relation in (draft, table))
    if not set(mine) <= set(theirs):
        raise LeftToDbt(table)
    return ", ".join(quote(name) for (name,) in mine)


def _name(relation: Relation) -> str:
    return ".".join(map(quote, relation))
