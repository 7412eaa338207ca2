"""Incremental models against their full refresh: raw changes, keys say where, dbt builds what they touch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from olistctl.loading.currency import mark_current
from olistctl.sources import Contract, load_contract
from olistctl.transform import (
    BUILD,
    VIEWS,
    DbtPlace,
    DbtReport,
    LeftToDbt,
    affected_models,
    compiled_anew_for,
    dbt,
    invoking,
    lend_parsing,
    parsing,
    run_models,
    selectors,
)
from olistctl.transform.compiling import compile_anew, compile_project
from olistctl.transform.dbt import prepare_dbt, run_dbt
from olistctl.warehouse import Standing, standing
from tests.comparison import RUN_METADATA, contents
from tests.project import Project

BY_ORDER = ("int_order_enriched", "fact_orders", "fact_order_items", "fact_payments", "fact_reviews")
METRICS = ("int_customer_metrics", "int_product_metrics", "int_seller_metrics")
INCREMENTAL = (*BY_ORDER, "dim_customer", "dim_product", "dim_seller", *METRICS)
SNAPSHOTS = tuple(f"snapshots.snapshot_dim_{name}" for name in ("customer", "product", "seller"))
LISTS = tuple(f"int_affected_{name}" for name in ("orders", "order_items", "customers", "products", "sellers"))


class Warehouse:
    """A built warehouse whose raw tables a test changes as a load would, noting the keys."""

    def __init__(self, project: Project, contract: Contract) -> None:
        self.project = project
        self.contract = contract
        self.keys = {source.name: source.key or ("geolocation_zip_code_prefix",) for source in contract.sources}
        self.kept = project.folder / "kept.duckdb"
        self.before = project.folder / "before.duckdb"
        self.compiled = compile_project(self.place, is_built=True)
        self.unchanged: set[str] = set()  # by the last build without dbt

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.project.warehouse)) as connection:
            return connection.execute(sql).fetchall()

    def note(self, source: str, change: str, where: str) -> None:
        """Note the keys of the rows that are there."""
        fields = ", ".join(f"'{name}', {name}" for name in self.keys[source])
        self.execute(
            f"insert into etl.changed_keys select distinct 'test', '{source}', '{change}', "
            f"cast(json_object({fields}) as varchar), false from raw.stg_{source} where {where}"
        )

    def insert(self, source: str, where: str, **values: object) -> None:
        """Insert copies of rows with some values replaced, as from a file that sorts last."""
        new = values | {"_source_file": "z.csv"}
        replaced = ", ".join(f"{literal(value)} as {name}" for name, value in new.items())
        self.execute(
            f"create or replace temp table added as select * replace ({replaced}) from raw.stg_{source} where {where}; "
            f"insert into raw.stg_{source} from added"
        )
        keys = [f"{name} = {literal(values[name])}" for name in self.keys[source] if name in values]
        self.note(source, "inserted", " and ".join(keys) or where)

    def update(self, source: str, where: str, **values: object) -> None:
        self.note(source, "changed", where)
        assignments = ", ".join(f"{name} = {literal(value)}" for name, value in values.items())
        self.execute(f"update raw.stg_{source} set {assignments} where {where}")

    def delete(self, source: str, where: str) -> None:
        assert self.execute(f"select 1 from raw.stg_{source} where {where} limit 1"), (source, where)
        self.note(source, "deleted", where)
        self.execute(f"delete from raw.stg_{source} where {where}")

    def pending(self) -> list[str]:
        """The raw tables with changes that no build has seen."""
        return [
            f"stg_{source}"
            for (source,) in self.execute("select distinct source from etl.changed_keys where not is_built order by 1")
        ]

    def mark_current(self) -> None:
        with duckdb.connect(str(self.project.warehouse)) as connection:
            for source in self.contract.sources:
                connection.execute(f"update raw.{source.table} set _is_current = true")
                mark_current(connection, source)

    def build(
        self, *, full_refresh: bool = False, select: tuple[str, ...] = (), exclude: tuple[str, ...] = ()
    ) -> DbtReport:
        self.mark_current()
        report = run_dbt(BUILD, self.place, select=select, exclude=exclude, full_refresh=full_refresh)
        assert {node.status for node in report.nodes} == {"success"}, report.having("error", "skipped", "fail")
        return report

    def build_without_dbt(self, at: datetime) -> DbtReport | None:
        """Build what is pending as dbt has compiled it; None where only dbt knows what that touches."""
        models, changed = self.compiled.models_about(self.pending()), self.compiled.changed_by(self.pending())
        assert models and self.compiled.unknown_changes
        if self.execute(self.compiled.unknown_changes) != [(0,)]:
            return None
        with duckdb.connect(str(self.project.warehouse)) as connection:
            report = run_models(connection, models, self.artifacts, at=at, changed=changed)
        assert {node.status for node in report.nodes} <= {"success", "unchanged"}, report.having("error")
        self.unchanged = {node.name for node in report.having("unchanged")}
        return report

    def refresh(self, at: datetime) -> DbtReport:
        """Build all anew as dbt has compiled it; that this is what dbt builds, a test of its own says."""
        kinds, compiled = self.kinds(), compiled_anew_for(self.place)
        if compiled is None or compiled.standing != kinds:
            compiled = compile_anew(self.place, kinds)
        models = compiled.models_about(None)
        assert models and not compiled.needs_dbt
        self.mark_current()
        with duckdb.connect(str(self.project.warehouse)) as connection:
            report = run_models(connection, models, self.artifacts, at=at)
        assert {node.status for node in report.nodes} == {"success"}, report.having("error")
        return report

    @property
    def place(self) -> DbtPlace:
        return DbtPlace(self.project.folder / "olist_dw_dbt", self.project.warehouse, self.artifacts, "dev", 2)

    @property
    def artifacts(self) -> Path:
        return self.project.artifacts

    def kinds(self) -> Standing:
        """The tables and views that stand."""
        with duckdb.connect(str(self.project.warehouse)) as connection:
            return standing(connection)

    def contents(self, *more: str) -> dict[str, tuple[int, str]]:
        found = self.project.contents("intermediate", "core", "mart", *more)
        return {table: content for table, content in found.items() if table.split(".")[1] not in LISTS}

    def build_incrementally(self) -> DbtReport:
        """Build what is pending, and compare with a full refresh of the same raw tables and snapshots.

        What is built as dbt has compiled it, without dbt, must be what dbt builds, history and quality included.
        """
        shutil.copy(self.project.warehouse, self.before)
        report = self.build(select=selectors(self.pending()), exclude=VIEWS)
        by_dbt = self.contents("snapshots", "quality")
        times = [f"select greatest(max(dbt_valid_from), max(dbt_valid_to)) as moment from {name}" for name in SNAPSHOTS]
        at = self.execute(f"select max(moment) from ({' union all '.join(times)})")[0][0]
        shutil.copy(self.project.warehouse, self.kept)
        shutil.copy(self.before, self.project.warehouse)
        self.mark_current()
        if without := self.build_without_dbt(at):
            ours = self.contents("snapshots", "quality")
            assert [table for table in by_dbt if ours[table] != by_dbt[table]] == []
            assert {node.name for node in without.nodes} == {node.name for node in report.nodes}
        shutil.copy(self.kept, self.project.warehouse)
        self.execute("update etl.changed_keys set is_built = true")
        stepwise = self.contents()
        shutil.copy(self.project.warehouse, self.kept)
        self.refresh(datetime(2030, 1, 1))
        whole = self.contents()
        shutil.copy(self.kept, self.project.warehouse)  # go on with what was built step by step
        assert [table for table in whole if stepwise[table] != whole[table]] == []
        return report


def literal(value: object) -> str:
    return "null" if value is None else "'" + str(value).replace("'", "''") + "'"


@pytest.fixture(scope="module")
def warehouse(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """One for all tests of this module, which build one after the other."""
    folder = tmp_path_factory.mktemp("incremental") / "project"
    shutil.copytree(built.folder, folder, symlinks=True)
    yield Warehouse(Project(folder), load_contract(folder / "config" / "sources.yml"))


class Cast:
    """Orders and people of the sample, each handed out once, so that no change hides another."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.used: set[str] = set()

    def take(self, condition: str, wanted: str = "order_id") -> str:
        """Return the order (or another column) of a person who was not taken before."""
        rows = self.warehouse.execute(
            f"select {wanted}, customer_unique_id from intermediate.int_order_enriched as o "
            f"where {condition} order by order_id"
        )
        value, person = next(row for row in rows if row[1] not in self.used)
        self.used.add(person)
        return str(value)


TWICE = (
    "customer_order_number = 1 and customer_unique_id in "
    "(select customer_unique_id from core.fact_orders where customer_order_number = 2)"
)
ONCE = f"not ({TWICE}) and customer_order_number = 1"


# A load time that no row has: it shows whether a row was written again, and is no part of the comparison.
_MARK = "timestamp '2001-01-01 00:00:00'"
_MARKED = {"intermediate.int_order_enriched": "_loaded_at"} | {f"core.{name}": "created_at" for name in BY_ORDER[1:]}
_MEMBERS = {"customer": "core.fact_orders", "product": "core.fact_order_items", "seller": "core.fact_order_items"}


def mark(warehouse: Warehouse, order: str) -> None:
    """Mark the rows of an order, and of its customer, products and sellers."""
    for table, column in _MARKED.items():
        warehouse.execute(f"update {table} set {column} = {_MARK} where order_id = '{order}'")
    for member, table in _MEMBERS.items():
        chosen = f"select {member}_id from {table} where order_id = '{order}'"
        warehouse.execute(f"update core.dim_{member} set updated_at = {_MARK} where {member}_id in ({chosen})")


def marked(warehouse: Warehouse) -> set[str]:
    """The orders whose rows are still marked in every table, those of a customer, a product and a seller included."""
    tables = [f"select order_id from {table} where {column} = {_MARK}" for table, column in _MARKED.items()]
    tables += [
        f"select order_id from {table} join core.dim_{member} as d using ({member}_id) where d.updated_at = {_MARK}"
        for member, table in _MEMBERS.items()
    ]
    return {order for (order,) in warehouse.execute(" intersect ".join(tables))}


def test_orders_items_payments_and_reviews(warehouse: Warehouse) -> None:
    cast = Cast(warehouse)
    take, change = cast.take, warehouse

    # A new order of a new customer_id of a known person, before all their others.
    model = take(f"{ONCE} and has_items and has_review and total_items = 1")
    customer = change.execute(f"select customer_id from raw.stg_orders where order_id = '{model}'")[0][0]
    change.insert("customers", f"customer_id = '{customer}'", customer_id="new customer")
    change.insert(
        "orders", f"order_id = '{model}'", order_id='new "order" ü\\', customer_id="new customer",
        order_purchase_timestamp="2016-01-05 10:00:00",
    )  # fmt: skip
    change.insert("order_items", f"order_id = '{model}'", order_id='new "order" ü\\')
    change.insert("order_payments", f"order_id = '{model}'", order_id='new "order" ü\\')
    change.insert("order_reviews", f"order_id = '{model}'", order_id='new "order" ü\\')

    # Gone: the first of two orders but not its items; another one with all that it has.
    change.delete("orders", f"order_id = '{take(TWICE + ' and has_items')}'")
    gone = take(f"{TWICE} and has_items and has_payment and has_review")
    for source in ("orders", "order_items", "order_payments", "order_reviews"):
        change.delete(source, f"order_id = '{gone}'")
    change.delete("order_items", f"order_item_id = 2 and order_id = '{take(f'{ONCE} and total_items > 1')}'")
    change.delete("order_items", f"order_id = '{take(f'{ONCE} and total_items = 1')}'")
    change.delete("order_payments", f"order_id = '{take(f'{ONCE} and payment_count = 1')}'")
    change.delete("order_reviews", f"order_id = '{take(f'{ONCE} and review_count = 1')}'")

    # Rows of an order that nobody knows.
    for source in ("order_items", "order_payments", "order_reviews"):
        change.insert(source, f"order_id = '{model}'", order_id="nobody's")

    # Corrected: a status, the time that orders two orders, a payment, an item, whose order it is.
    change.update("orders", f"order_id = '{take(f'{ONCE} and is_delivered')}'", order_status="canceled")
    change.update("orders", f"order_id = '{take(TWICE)}'", order_purchase_timestamp="2018-12-01 10:00:00")
    change.update("order_payments", f"order_id = '{take(f'{ONCE} and has_payment')}'", payment_value="0.07")
    change.update("order_items", f"order_id = '{take(f'{ONCE} and has_items')}'", price="1234.56")
    change.update("orders", f"order_id = '{take(TWICE)}'", customer_id=take(ONCE, "customer_id"))

    # A second review that is later than the first.
    reviewed = take(f"{ONCE} and review_count = 1 and review_score = 5")
    change.insert(
        "order_reviews", f"order_id = '{reviewed}'", review_id="second", review_score="1",
        review_answer_timestamp="2019-01-01 10:00:00",
    )  # fmt: skip
    change.note("order_reviews", "inserted", "review_id = 'second'")

    # The same keys with blanks around them, in a later file.
    for source, condition, value in (
        ("orders", "is_delivered", {"order_status": " SHIPPED "}),
        ("order_items", "has_items", {"price": "2.22"}),
        ("order_payments", "has_payment", {"payment_value": "3.33"}),
        ("order_reviews", "has_review", {"review_score": "2"}),
    ):
        order = take(f"{ONCE} and {condition}")
        change.insert(source, f"order_id = '{order}'", **({"order_id": f"  {order} "} | value))

    # A build that stops after its first model leaves the next one as much to do.
    mark(change, untouched := take(f"{ONCE} and has_items and has_payment and has_review"))
    change.build(select=("int_affected_orders", "int_order_enriched"))
    names = {node.name for node in change.build_incrementally().nodes}
    assert set(BY_ORDER) < names
    assert names.isdisjoint({"snapshot_dim_product", "snapshot_dim_seller", "dim_geography", "dim_category"})
    assert marked(change) == {untouched}, "rows of other orders stay as they are"


def test_customers_and_zip_codes(warehouse: Warehouse) -> None:
    take, change = Cast(warehouse).take, warehouse
    change.update(
        "customers", f"customer_id = '{take(TWICE, 'customer_id')}'",
        customer_unique_id=take(TWICE, "customer_unique_id"),
    )  # fmt: skip
    change.update("customers", f"customer_id = '{take(TWICE, 'customer_id')}'", customer_unique_id="a new person")
    change.update(
        "customers", f"customer_id = '{take(ONCE, 'customer_id')}'",
        customer_zip_code_prefix="99999", customer_city="longe", customer_state="AC",
    )  # fmt: skip
    change.delete("customers", f"customer_id = '{take(TWICE, 'customer_id')}'")
    known = "customer_zip_code_prefix in (select zip_code_prefix from core.dim_geography)"
    away = take(f"{ONCE} and {known}", "customer_zip_code_prefix")
    change.delete("geolocation", f"geolocation_zip_code_prefix = '{away}'")
    change.build_incrementally()
    assert change.execute(
        f"select count(*) from core.fact_orders as f join raw.stg_customers as c using (customer_id) "
        f"where customer_zip_code_prefix = '{away}' and geography_key <> '-1'"
    ) == [(0,)]

    # They come back, the zip prefix with blanks and for a known prefix as well.
    gone = change.execute("select min(customer_id) from raw.stg_orders anti join raw.stg_customers using (customer_id)")
    change.insert(
        "customers", "_source_line = 2", customer_id=gone[0][0], customer_unique_id=take(ONCE, "customer_unique_id")
    )
    change.insert("geolocation", "_source_line = 2", geolocation_zip_code_prefix=f" {away} ")
    change.build_incrementally()
    assert change.execute(
        f"select count(*) > 0 from core.fact_orders as f join raw.stg_customers as c using (customer_id) "
        f"where customer_zip_code_prefix = '{away}' and geography_key <> '-1'"
    ) == [(True,)]


def test_products_sellers_and_categories(warehouse: Warehouse) -> None:
    change = warehouse
    sold = [row[0] for row in change.execute("select distinct product_id from raw.stg_order_items order by 1 limit 3")]
    sellers = [
        row[0] for row in change.execute("select distinct seller_id from raw.stg_order_items order by 1 desc limit 3")
    ]
    change.delete("products", f"product_id = '{sold[0]}'")
    change.update("products", f"product_id = '{sold[1]}'", product_category_name="outra")
    change.insert("products", f"product_id = '{sold[2]}'", product_id=f" {sold[2]}", product_weight_g="7")
    change.delete("sellers", f"seller_id = '{sellers[0]}'")
    change.update("sellers", f"seller_id = '{sellers[1]}'", seller_city="outra")
    category = change.execute("select min(product_category_name) from raw.stg_category_translation")[0][0]
    change.delete("category_translation", f"product_category_name = '{category}'")
    # Items of a product, and of a seller, that nobody knows yet.
    item = "order_id = (select min(order_id) from raw.stg_order_items) and order_item_id = 1"
    change.insert("order_items", item, order_id="late 1", product_id="late product")
    change.insert("order_items", item, order_id="late 2", seller_id="late seller")
    names = {node.name for node in change.build_incrementally().nodes}
    assert {"fact_order_items", "dim_category", "snapshot_dim_seller"} < names

    for source in ("products", "sellers"):
        key = change.keys[source][0]
        change.insert(source, "_source_line = 2", **{key: f"late {source[:-1]}"})
    change.insert("products", "_source_line = 2", product_id=sold[0])
    change.insert("sellers", "_source_line = 2", seller_id=sellers[0])
    report = change.build_incrementally()
    names = {node.name for node in report.nodes}
    assert "fact_order_items" in names
    assert names.isdisjoint({"int_order_enriched", "fact_orders", "fact_reviews", "snapshot_dim_customer"})
    assert change.execute("select count(*) from core.fact_order_items where '-1' in (product_key, seller_key)") == [
        (0,)
    ]


def test_only_what_changed_is_checked_and_added_up_again(warehouse: Warehouse) -> None:
    change = warehouse
    change.update("sellers", "seller_id = (select max(seller_id) from raw.stg_sellers)", seller_city="outra")
    built = {node.name for node in change.build_incrementally().nodes} - change.unchanged
    assert "dim_seller" in built
    assert {name for name in built if name.startswith("int_findings_")} == {
        "int_findings_dim_seller",
        "int_findings_fact_order_items",  # whose sellers must be there
    }
    assert {name for name in built if name.startswith("int_amounts_")} == {
        "int_amounts_sellers",
        "int_amounts_dimensions",
        "int_amounts_ledger",
    }


def test_changes_all_over_the_place(warehouse: Warehouse) -> None:
    """Every 40th row of every source goes, every 41st comes back changed by a neighbour's values."""
    change = warehouse
    for source in change.keys:
        change.delete(source, "hash(_source_line, 1) % 40 = 0")
    for source, column in {
        "orders": "customer_id",
        "order_items": "product_id",
        "order_payments": "payment_value",
        "order_reviews": "order_id",
        "customers": "customer_unique_id",
        "products": "product_category_name",
        "sellers": "seller_zip_code_prefix",
    }.items():
        where = "hash(_source_line, 2) % 41 = 0"
        change.note(source, "changed", where)
        change.execute(
            f"update raw.stg_{source} as row set {column} = next.value from (select rowid as id, {where} as is_hit, "
            f"lead({column}) over (order by _source_file, _source_line) as value from raw.stg_{source}) as next "
            "where next.id = row.rowid and next.is_hit and next.value is not null"
        )
        change.note(source, "changed", where)
    change.build_incrementally()


def test_nothing_is_built_below_what_comes_out_as_it_was(warehouse: Warehouse) -> None:
    """Which build_incrementally holds to what dbt makes of all of it."""
    change = warehouse
    change.update("sellers", "_source_line = 3", seller_city="where nobody has sold yet")
    change.build_incrementally()
    sold = {"fact_order_items", "mart_executive_monthly", "mart_executive_dashboard", "mart_cohort_analysis"}
    assert sold <= change.unchanged
    assert not change.unchanged & {"dim_seller", "mart_seller_scorecard", "mart_delivery_metrics", "dq_reconciliation"}

    change.update("order_reviews", "_source_line = 3", review_comment_message="a text of which orders know nothing")
    change.build_incrementally()
    assert {"fact_orders", "fact_order_items", "mart_customer_analytics", "mart_delivery_metrics"} <= change.unchanged
    assert "fact_reviews" not in change.unchanged

    change.update("orders", "_source_line = 3", order_status="canceled")
    change.build_incrementally()
    assert not change.unchanged & {"fact_orders", "fact_order_items", "mart_customer_analytics"}


def test_unknown_changes_replace_everything(warehouse: Warehouse) -> None:
    """Without a full refresh: a source that was loaded anew, then a ledger that has no keys."""
    change = warehouse
    for number, source in enumerate(("orders", "order_items", "order_payments", "order_reviews")):
        change.execute(f"delete from raw.stg_{source} where hash(order_id) % 7 in (0, {number})")
        change.execute(f"insert into etl.changed_keys values ('test', '{source}', 'rebuilt', null, false)")
    change.build_incrementally()
    change.execute("create table kept_keys as from etl.changed_keys; drop table etl.changed_keys")
    change.execute("delete from raw.stg_order_payments where hash(order_id) % 7 = 6")
    change.build()
    assert change.execute("select count(*) from core.fact_payments where hash(order_id) % 7 = 6") == [(0,)]
    change.execute("create table etl.changed_keys as from kept_keys; drop table kept_keys")


def test_the_nodes_of_a_change_are_known_without_dbt(warehouse: Warehouse) -> None:
    change, project = warehouse, warehouse.project.folder / "olist_dw_dbt"
    change.update("sellers", "_source_line = 2", seller_city="longe")
    expected = affected_models(project, change.artifacts, change.pending())
    assert expected
    report = change.build(select=selectors(change.pending()))
    assert {node.name for node in report.nodes} == set(expected)
    without = affected_models(project, change.artifacts, change.pending(), without_views=True)
    report = change.build(select=selectors(change.pending()), exclude=VIEWS)
    assert {node.name for node in report.nodes} == set(without or ()) == set(expected) - {"stg_sellers"}
    assert expected.index("snapshot_dim_seller") < expected.index("dim_seller") < expected.index("fact_order_items")
    assert affected_models(project, change.artifacts, []) == selectors([]) == ()

    (project / "models" / "more.sql").write_text("select 1 as one")
    assert affected_models(project, change.artifacts, ["stg_sellers"]) is None, "the project is another one now"


def test_what_only_dbt_can_build_is_left_to_dbt(warehouse: Warehouse) -> None:
    change, models = warehouse, warehouse.project.folder / "olist_dw_dbt" / "models"
    assert not change.compiled.needs_dbt
    of_sellers = "select seller_id from {{ ref('stg_sellers') }}"
    for name, text in {
        "hooked": "{{ config(materialized='table', post_hook='select 1') }} " + of_sellers,
        "asking": "{{ config(materialized='table') }} {% set n = run_query('select 1') %} " + of_sellers,
        "merging": "{{ config(materialized='incremental', unique_key='seller_id') }} " + of_sellers,
        "plain": "{{ config(materialized='table', post_hook='{{ log_model(1) }}') }} " + of_sellers,
        "seen": "{{ config(materialized='view') }} " + of_sellers,
    }.items():
        (models / f"{name}.sql").write_text(text)
    change.build()
    compiled = compile_project(change.place, is_built=True)
    queries = {model.name: model.sql for model in compiled.models or ()}
    assert [queries[name] for name in ("hooked", "asking", "merging")] == [None, None, None]
    assert queries["plain"] and "seen" not in queries
    assert compiled.needs_dbt and compiled.models_about(["stg_sellers"]) is None
    assert compiled.models_about(["stg_geolocation"]), "what changes elsewhere does not touch them"
    for name in ("hooked", "asking", "merging", "plain", "seen"):
        (models / f"{name}.sql").unlink()


BUILT = ("staging", "intermediate", "core", "mart", "quality", "snapshots")
# When versions began and ended, and what is made of it; dbt looks at the clock anew for each snapshot.
MOMENTS = {"dbt_valid_from", "dbt_valid_to", "dbt_scd_id", "effective_from", "effective_to", "customer_key"}


@pytest.mark.parametrize("before", ["nothing", "history", "everything"])
def test_a_full_refresh_without_dbt_is_that_of_dbt(project: Project, before: str) -> None:
    change = Warehouse(project, load_contract(project.folder / "config" / "sources.yml"))
    kept = {"nothing": (), "history": ("quality", "snapshots"), "everything": BUILT}[before]
    for schema in set(BUILT) - set(kept):
        change.execute(f"drop schema {schema} cascade")
    change.execute("update raw.stg_customers set customer_city = 'longe' where hash(customer_id) % 5 = 0")
    change.execute("delete from raw.stg_customers where hash(customer_id) % 7 = 0")
    if before == "everything":
        change.execute("drop view staging.stg_orders; create table staging.stg_orders as select 1 as was_a_table")
        change.execute("drop table core.dim_date; create view core.dim_date as select 1 as was_a_view")
    change.mark_current()
    shutil.copy(project.warehouse, change.before)

    report = change.build(full_refresh=True)
    by_dbt, kinds = contents(project.warehouse, BUILT, without=RUN_METADATA | MOMENTS), change.kinds()
    shutil.copy(change.before, project.warehouse)
    without = change.refresh(datetime(2030, 1, 1))
    assert {node.name for node in without.nodes} == {node.name for node in report.nodes}
    assert set(without.relations) == set(report.relations)
    assert change.kinds() == kinds
    ours = contents(project.warehouse, BUILT, without=RUN_METADATA | MOMENTS)
    assert [table for table in by_dbt if ours.get(table) != by_dbt[table]] == []
    closed = change.execute("select count(*) from snapshots.snapshot_dim_customer where dbt_valid_to = '2030-01-01'")
    assert (closed[0][0] > 0) == (before != "nothing")


def test_a_table_that_goes_on_and_lacks_a_column_is_left_to_dbt(project: Project) -> None:
    change = Warehouse(project, load_contract(project.folder / "config" / "sources.yml"))
    change.execute("alter table quality.dq_file_profiles drop column middle_value")
    compiled = compile_anew(change.place, change.kinds())
    with duckdb.connect(str(project.warehouse)) as connection, pytest.raises(LeftToDbt):
        run_models(connection, compiled.models, change.artifacts, at=datetime(2030, 1, 1))
    change.execute("alter table snapshots.snapshot_dim_seller drop column seller_city")
    with duckdb.connect(str(project.warehouse)) as connection, pytest.raises(LeftToDbt):
        run_models(connection, compiled.models, change.artifacts, at=datetime(2030, 1, 1))


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that dbt gets."""
    commands: list[str] = []
    invoke = invoking.invoke

    def invoke_and_note(arguments: Sequence[str], *more: Any) -> Any:
        commands.append(arguments[0])
        return invoke(arguments, *more)

    for module in (dbt, parsing):
        monkeypatch.setattr(module, "invoke", invoke_and_note)
    return commands


def test_the_project_is_parsed_once_until_it_changes(warehouse: Warehouse, commands: list[str]) -> None:
    project = warehouse.project.folder / "olist_dw_dbt"
    for _ in range(2):
        warehouse.build(select=("stg_sellers",))
    assert commands[-2:] == ["build", "build"]
    (project / "models" / "another.sql").write_text("select 1 as one")
    report = warehouse.build(select=("another",))
    assert [node.name for node in report.nodes] == ["another"]
    assert commands[-2:] == ["parse", "build"]


@pytest.mark.parametrize("what", ["damaged", "gone", "another environment"])
def test_what_dbt_has_kept_is_used_only_where_it_holds(
    warehouse: Warehouse, commands: list[str], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    project, kept = warehouse.project.folder / "olist_dw_dbt", warehouse.artifacts / "target" / "partial_parse.msgpack"
    (project / "models" / "of_a_city.sql").write_text("select '{{ env_var('CITY', 'none') }}' as city")
    warehouse.build(select=("of_a_city",))
    if what == "damaged":
        kept.write_bytes(kept.read_bytes()[:1000])
    elif what == "gone":
        kept.unlink()
    else:
        monkeypatch.setenv("CITY", "sao paulo")
    warehouse.build(select=("of_a_city",))
    assert commands[-2:] == ["parse", "build"]
    city = "sao paulo" if what == "another environment" else "none"
    assert warehouse.execute("select city from core.of_a_city") == [(city,)]
    warehouse.build(select=("of_a_city",))
    assert commands[-2:] == ["build", "build"]


def test_what_dbt_has_parsed_serves_a_copy_of_the_project_and_a_scratch_file(
    project: Project, commands: list[str]
) -> None:
    artifacts = project.artifacts
    scratch = project.folder / "scratch"
    lend_parsing(artifacts, scratch / "dbt")
    place = DbtPlace(project.folder / "olist_dw_dbt", scratch / "olist_dw.duckdb", scratch / "dbt", "dev", 2)
    prepare_dbt(place)
    assert commands == []


def test_no_part_of_the_graph_leaves_a_list_of_affected_orders_behind(built: Project) -> None:
    """Whoever selects `source:raw.stg_x+` and gets an incremental model gets the list that it replaces."""
    manifest = json.loads((built.artifacts / "target" / "manifest.json").read_text())
    child_map: dict[str, list[str]] = manifest["child_map"]
    models = {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["config"].get("incremental_strategy") == "replace_affected"
    }
    assert set(models) == set(INCREMENTAL)
    for key, source in manifest["sources"].items():
        below, todo = set(), [key]
        while todo:
            below.update(todo)
            todo = [child for one in todo for child in child_map[one] if child not in below]
        for model in models.values():
            affected_by = model["config"]["meta"].get("affected_by", "int_affected_orders")
            if model["unique_id"] in below:
                assert f"model.olist_dw.{affected_by}" in below, (source["name"], model["name"])
