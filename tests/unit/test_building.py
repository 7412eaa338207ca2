"""Models and snapshots run without dbt; tests/integration/test_incremental_models.py holds them to what dbt builds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from olistctl.transform import CompiledModel, DbtReport, run_models

FIRST, THEN = datetime(2026, 1, 1), datetime(2026, 1, 2)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(tmp_path / "dw.duckdb"), config={"threads": 2}) as connection:
        connection.execute("create schema raw; create schema core; create table core.touched (id varchar)")
        yield connection


def model(name: str, sql: str, materialized: str = "table", reads: tuple[str, ...] = (), **more: Any) -> CompiledModel:
    kind = "snapshot" if materialized == "snapshot" else "model"
    inputs, file = tuple(("core", table) for table in reads), f"models/{name}.sql"
    return CompiledModel(name, kind, file, "olist_dw", ("core", name), materialized, sql, inputs, **more)


def build(
    warehouse: duckdb.DuckDBPyConnection,
    *models: CompiledModel,
    at: datetime = FIRST,
    artifacts: Path = Path(),
    changed: tuple[str, ...] | None = None,
) -> DbtReport:
    known = None if changed is None else {("core", name) for name in changed}
    return run_models(warehouse, models, artifacts, at=at, changed=known)


def statuses(report: DbtReport) -> dict[str, str]:
    return {node.name: node.status for node in report.nodes}


def rows(warehouse: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return warehouse.execute(sql).fetchall()


def test_a_table_takes_the_place_of_the_old_one_with_the_types_of_its_contract(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    warehouse.execute("create table core.t as select 1 as a")
    by_contract = model(
        "t", "select 2 as b, (select max(a) from core.t) as a", columns=(("a", "bigint"), ("b", "text"))
    )
    report = build(warehouse, by_contract)
    assert [(node.name, node.status, node.relation) for node in report.nodes] == [("t", "success", ("core", "t"))]
    assert rows(warehouse, "from core.t") == [(1, "2")]
    assert rows(warehouse, "select column_name, column_type from (describe core.t)") == [
        ("a", "BIGINT"),
        ("b", "VARCHAR"),
    ]
    build(warehouse, model("t", "select 3 as c"))
    assert rows(warehouse, "from core.t") == [(3,)]


def test_rows_of_what_is_affected_are_replaced_and_others_stay(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("insert into core.touched values ('changed'), ('gone'), ('new')")
    warehouse.execute(
        "create table core.f as select * from (values ('stays', 1), ('changed', 2), ('gone', 3)) as t (id, n)"
    )
    facts = model(
        "f", "select 20 as n, 'changed' as id union all select 40, 'new'", "incremental",
        strategy="replace_affected", affected_by=("core", "touched"), affected_key="id",
    )  # fmt: skip
    for _ in range(2):
        build(warehouse, facts)
        assert rows(warehouse, "from core.f order by n") == [("stays", 1), ("changed", 20), ("new", 40)]
    build(warehouse, replace(facts, strategy="append", affected_by=None))
    assert rows(warehouse, "select count(*) from core.f") == [(5,)]


@pytest.mark.parametrize(
    ("sql", "status", "found"),
    [
        ("select n, id from (values (2, 'a'), (1, 'a')) as t (n, id)", "unchanged", [(1, "a"), (2, "a"), (9, "b")]),
        ("select n, id from (values (2, 'a'), (2, 'a')) as t (n, id)", "success", [(2, "a"), (2, "a"), (9, "b")]),
        ("select n, id from (values (3, 'a'), (2, 'a')) as t (n, id)", "success", [(2, "a"), (3, "a"), (9, "b")]),
        ("select null as n, 'a' as id", "success", [(9, "b"), (None, "a")]),
        ("select 1 as n, 'a' as id where false", "success", [(9, "b")]),
    ],
)
def test_the_table_below_a_change_is_built_again_where_the_change_reaches_it(
    warehouse: duckdb.DuckDBPyConnection, sql: str, status: str, found: list[tuple[int | None, str]]
) -> None:
    """Rows are the same in whatever order, and as often."""
    warehouse.execute("insert into core.touched values ('a'); create table core.below as select 'as it was' as said")
    warehouse.execute("create table core.f as select * from (values (1, 'a'), (2, 'a'), (9, 'b')) as t (n, id)")
    facts = model(
        "f", sql, "incremental", reads=("news",), strategy="replace_affected", affected_by=("core", "touched"),
        affected_key="id",
    )  # fmt: skip
    below = model("below", "select 'built' as said", reads=("f", "other"), after=("f",))
    report = build(warehouse, below, facts, changed=("news",))
    assert statuses(report) == {"f": status, "below": status}
    assert {node.name for node in report.built} == ({"below", "f"} if status == "success" else set())
    assert report.relations == (("core", "below"), ("core", "f"))
    assert rows(warehouse, "from core.f order by n, id") == found
    assert rows(warehouse, "from core.below") == [("built" if status == "success" else "as it was",)]
    assert statuses(build(warehouse, below, facts, changed=("elsewhere",))) == {"below": "unchanged", "f": "unchanged"}
    anew = build(warehouse, below, facts, changed=None)
    assert statuses(anew) == {"below": "success", "f": "success"}, "nobody knows what has changed"


def test_rows_that_are_added_are_a_change_and_none_are_not(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("create table core.seen (n integer); create table core.news (n integer)")
    seen = model("seen", "select n from core.news", "incremental", reads=("news",), strategy="append")
    below = model("below", "select count(*) as n from core.seen", reads=("seen",), after=("seen",))
    assert statuses(build(warehouse, seen, below, changed=("news",))) == {"seen": "unchanged", "below": "unchanged"}
    warehouse.execute("insert into core.news values (1)")
    assert statuses(build(warehouse, seen, below, changed=("news",))) == {"seen": "success", "below": "success"}
    assert rows(warehouse, "from core.below") == [(1,)]


def test_each_is_built_after_what_it_reads(warehouse: duckdb.DuckDBPyConnection) -> None:
    names = [f"t{number}" for number in range(8)]
    for name in names:
        warehouse.execute(f"create table core.{name} as select -1 as n")
    chain = [
        model(
            name,
            f"select n + 1 as n from core.{before}" if before else "select 0 as n",
            after=(before,) if before else (),
        )
        for name, before in zip(names, [None, *names], strict=False)
    ]
    build(warehouse, *reversed(chain))
    assert rows(warehouse, "from core.t7") == [(7,)]


def snapshot(**more: Any) -> CompiledModel:
    sql = "select id, name, town, loaded from raw.members"
    return model("s", sql, "snapshot", unique_key="id", checked=("name", "town"), **more)


@pytest.fixture
def members(warehouse: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Three members with an open version each, and one that is gone."""
    warehouse.execute(
        """
        create table raw.members (id varchar, name varchar, town varchar, loaded integer);
        insert into raw.members values ('a', 'Ana', null, 1), ('b', 'Bia', 'Rio', 1), ('c', 'Cao', 'Rio', 1);
        create table core.s as
        select *, 'id of ' || id as dbt_scd_id, timestamp '2026-01-01' as dbt_updated_at,
            timestamp '2026-01-01' as dbt_valid_from, null::timestamp as dbt_valid_to
        from raw.members;
        insert into core.s values ('d', 'Dora', 'Rio', 1, 'id of d', timestamp '2025-01-01', timestamp '2025-01-01',
            timestamp '2025-02-01');
        """
    )
    return warehouse


def versions(warehouse: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    opened_or_closed = "dbt_valid_from = '2026-01-02', dbt_valid_to = '2026-01-02'"
    return rows(warehouse, f"select id, town, loaded, {opened_or_closed} from core.s order by 1, 3, 4")


def test_members_that_change_come_go_and_return_have_their_versions(members: duckdb.DuckDBPyConnection) -> None:
    members.execute("update raw.members set loaded = 2; update raw.members set town = 'Ilhéus' where id = 'a'")
    members.execute("delete from raw.members where id = 'b'; insert into raw.members values ('d', 'Dora', 'Rio', 2)")
    members.execute("insert into raw.members values ('e', 'Eva', null, 2)")
    for status in ("success", "unchanged"):  # a rerun adds none
        assert statuses(build(members, snapshot(reads=("raw",)), at=THEN, changed=("raw",))) == {"s": status}
        assert versions(members) == [
            ("a", None, 1, False, True),
            ("a", "Ilhéus", 2, True, None),
            ("b", "Rio", 1, False, True),
            ("c", "Rio", 1, False, None),  # what is not checked makes no version
            ("d", "Rio", 1, False, False),
            ("d", "Rio", 2, True, None),
            ("e", None, 2, True, None),
        ]
    assert rows(members, "select count(distinct dbt_scd_id), count(*) from core.s") == [(7, 7)]


def test_a_snapshot_looks_at_the_members_that_may_have_changed(members: duckdb.DuckDBPyConnection) -> None:
    members.execute("update raw.members set town = 'Ilhéus'; delete from raw.members where id = 'c'")
    members.execute("insert into core.touched values ('b'), ('c')")
    build(members, snapshot(affected_by=("core", "touched")), at=THEN)
    assert versions(members) == [
        ("a", None, 1, False, None),
        ("b", "Rio", 1, False, True),
        ("b", "Ilhéus", 1, True, None),
        ("c", "Rio", 1, False, True),
        ("d", "Rio", 1, False, False),
    ]


def test_a_model_that_fails_ends_the_build_and_leaves_its_table_and_its_query(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    warehouse.execute("create table core.bad as select 1 as a; create table core.below as select 1 as a")
    bad = model("bad", "select cast('x' as integer) as a")
    below = model("below", "select a from core.bad", after=("bad",))
    (node,) = build(warehouse, bad, below, artifacts=tmp_path).nodes
    assert (node.name, node.status, node.file) == ("bad", "error", "models/bad.sql")
    assert node.message and "Could not convert string 'x' to INT32" in node.message
    assert node.compiled and node.compiled.read_text() == bad.sql
    assert rows(warehouse, "select (from core.bad), (from core.below)") == [(1, 1)]
    assert rows(warehouse, "select count(*) from duckdb_tables() where table_name like '%tmp'") == [(0,)]
