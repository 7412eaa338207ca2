"""A run does what has changed, says what it would do, and does nothing when nothing has."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from olistctl.transform.compiled import kept_compiled
from tests.project import Project
from tests.torture.scale import LONG

SELLERS = "olist_sellers_dataset.csv"
ORDERS = "olist_orders_dataset.csv"
LOG = "etl_pipeline.log"
LATER = "olist_orders_dataset_2018-11-01.csv"


def published(project: Project) -> tuple[int, int]:
    status = project.warehouse.stat()
    return status.st_ino, status.st_mtime_ns


def edit(file: Path, old: bytes, new: bytes) -> None:
    text = file.read_bytes()
    assert old in text
    file.write_bytes(text.replace(old, new, 1))


def move_a_seller(project: Project, town: str) -> str:
    """Let the first seller move; return its id."""
    file = project.source_dir / SELLERS
    header, first, *rest = file.read_bytes().splitlines(keepends=True)
    seller, zip_prefix, _, state = first.rstrip(b"\n").split(b",")
    file.write_bytes(header + b",".join([seller, zip_prefix, town.encode(), state]) + b"\n" + b"".join(rest))
    return seller.decode().strip('"')


def deliver_orders(project: Project, number: int = 2, status: bytes = b"canceled") -> list[str]:
    """Deliver later versions of the first orders; return their ids."""
    header, *orders = (project.source_dir / ORDERS).read_bytes().splitlines(keepends=True)
    chosen = [order for order in orders if b",delivered," in order][:number]
    (project.source_dir / LATER).write_bytes(
        header + b"".join(order.replace(b",delivered,", b"," + status + b",") for order in chosen)
    )
    return [order.split(b",")[0].decode().strip('"') for order in chosen]


# --- nothing has changed ---


def test_a_run_with_nothing_to_do_says_so_and_leaves_the_warehouse_as_it_is(project: Project) -> None:
    before = published(project)
    runs = project.value("select count(*) from etl.pipeline_runs")
    done = project.ok("run")
    assert "Nothing has changed" in done.stdout
    report = project.json("run")
    assert (report["status"], report["run_id"], report["stages"], report["findings"]) == ("unchanged", None, [], [])
    for command in ("load", "transform"):
        assert project.json(command)["status"] == "unchanged"
    assert published(project) == before
    assert project.value("select count(*) from etl.pipeline_runs") == runs


def imported_by_run(project: Project) -> set[str]:
    done = project.ok("run", PYTHONPROFILEIMPORTTIME="1")
    return {line.rsplit("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}


def test_a_run_with_nothing_to_do_imports_no_dbt_and_then_not_even_duckdb(project: Project) -> None:
    deadline = time.monotonic() + 20
    imported = imported_by_run(project)
    assert "duckdb" in imported, "it looks into the ledger"
    while "duckdb" in imported:  # until all that it depends on has been left alone for a while
        assert "dbt" not in imported
        assert time.monotonic() < deadline
        imported = imported_by_run(project)
    assert imported & {"dbt", "rich"} == set()
    move_a_seller(project, "a town")
    assert project.json("run")["status"] == "success"


def test_deliveries_and_full_refreshes_are_built_without_dbt_and_a_verification_is_not(
    project: Project, tmp_path: Path
) -> None:
    package = tmp_path / "without" / "dbt"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('there is no dbt')\n")
    without_dbt = {"PYTHONPATH": str(package.parent)}
    move_a_seller(project, "ilheus")
    deliver_orders(project)
    project.ok("run", **without_dbt)
    assert project.value("select count(*) from core.dim_seller where seller_city = 'ilheus' and is_current") == 1

    def is_refused(*arguments: str) -> bool:
        done = project.call(*arguments, **without_dbt)
        said = done.stderr + (project.folder / "logs" / LOG).read_text()
        return done.returncode != 0 and "there is no dbt" in said

    assert is_refused("run", "--full-refresh"), "what dbt compiled was for a warehouse without history"
    project.ok("run", "--full-refresh")
    project.ok("run", "--full-refresh", **without_dbt)
    assert is_refused("verify"), "it compares with what dbt builds"


def test_a_table_that_goes_on_gets_its_new_columns_from_dbt(project: Project) -> None:
    with duckdb.connect(str(project.warehouse)) as connection:
        connection.execute("alter table quality.dq_file_profiles drop column middle_value")
    project.ok("run", "--full-refresh")
    columns = "select count(*) from duckdb_columns() where table_name = 'dq_file_profiles'"
    assert project.value(f"{columns} and column_name = 'middle_value'") == 1


def test_a_touch_is_no_change_and_the_file_is_read_once(project: Project) -> None:
    before = published(project)
    file = project.source_dir / ORDERS
    os.utime(file, (1, 1))
    assert project.json("run")["status"] == "unchanged"
    cache = project.warehouse.parent / ".olist_dw" / "fingerprints.json"
    deadline = time.monotonic() + 10  # what was written a moment ago is not trusted yet: its ctime is now
    while not cache.exists() or str(file.stat().st_ctime_ns) not in cache.read_text():
        assert time.monotonic() < deadline
        assert project.json("run")["status"] == "unchanged"
    cache.write_text("no JSON {")
    assert project.json("run")["status"] == "unchanged", "the cache is no truth"
    assert published(project) == before


def test_a_missing_file_is_said_each_time_and_changes_nothing(project: Project) -> None:
    (project.source_dir / SELLERS).unlink()
    assert project.json("run")["status"] == "warnings"
    assert project.value("select count(*) from etl.error_log") == 1
    before = published(project)
    report = project.json("run")
    assert report["status"] == "unchanged"
    assert [(finding["where"], finding["hint"]) for finding in report["findings"]] == [
        (SELLERS, "deliver it and run again")
    ]
    assert published(project) == before
    assert project.call("run", "--strict").returncode == 1, "a warning that stands is a warning"
    project.ok("load", "--full-refresh")
    assert project.value("select count(*) from etl.error_log where error_type = 'file_not_found'") == 1


def test_a_run_that_only_notes_something_pushes_no_version_out(project: Project) -> None:
    move_a_seller(project, "outra cidade")
    project.ok("run")
    versions = project.json("rollback", "--list")
    (project.source_dir / SELLERS).unlink()
    assert project.json("run")["status"] == "warnings"
    assert project.json("rollback", "--list") == versions


def test_a_mended_record_reaches_the_models_with_the_next_run(project: Project) -> None:
    file = project.source_dir / "olist_order_items_dataset.csv"
    header, first, *rest = file.read_bytes().splitlines(keepends=True)
    order = first.split(b",")[0].decode().strip('"')
    fields = first.split(b",")
    file.write_bytes(header + b",".join([*fields[:5], b"12.345", fields[6]]) + b"".join(rest))
    project.ok("run")
    lost = project.query("select total_items from core.fact_orders where order_id = ?", order)
    project.ok("quarantine", "export", "--out", "mend")
    export = project.folder / "mend" / "order_items.csv"
    export.write_text(export.read_text().replace("12.345", "12.34"))
    project.ok("quarantine", "replay", str(export))
    assert project.query("select source, change from etl.changed_keys where not is_built") == [
        ("order_items", "inserted")
    ]
    assert project.json("run")["status"] == "success"
    mended = project.query("select total_items from core.fact_orders where order_id = ?", order)
    assert mended == [(lost[0][0] + 1,)]
    project.ok("quarantine", "reopen", "1")
    project.ok("run")
    assert project.query("select total_items from core.fact_orders where order_id = ?", order) == lost


def test_a_refused_file_is_read_again_when_it_changes_or_when_the_limits_do(project: Project) -> None:
    file = project.source_dir / SELLERS
    whole = file.read_bytes()
    edit(file, b'"seller_id"', b'"sellers_id"')
    assert project.json("run")["load"]["files"][6]["status"] == "refused"
    report = project.json("run")
    assert (report["status"], len(report["findings"])) == ("unchanged", 1)
    assert "schema" in report["findings"][0]["message"] or "seller_id" in report["findings"][0]["message"]
    again = project.ok("load", "--json", OLISTCTL_LOAD_MAX_BAD_SHARE="0.5")
    assert '"refused"' in again.stdout, "judged by other limits, it is judged again"
    file.write_bytes(whole)
    assert project.json("run")["findings"] == []


def test_what_was_loaded_and_not_yet_built_is_built_by_the_next_run(project: Project) -> None:
    seller = move_a_seller(project, "primeira")
    project.ok("load")
    deliver_orders(project)
    project.ok("load")
    assert {row[0] for row in project.query("select source from etl.changed_keys where not is_built")} == {
        "sellers", "orders",
    }  # fmt: skip
    report = project.json("run")
    (finding,) = report["findings"]
    assert finding["message"].startswith("canceled_has_no_delivery: "), "so the delivery says"
    assert project.query("select is_built, count(*) from etl.changed_keys group by all") == [(True, 3)]
    town = project.query("select seller_city from core.dim_seller where seller_id = ? and is_current", seller)
    assert town == [("primeira",)]
    assert project.value("select count(*) from core.fact_orders where order_status = 'canceled'") >= 2
    assert project.json("transform")["status"] == "unchanged"


def test_what_moves_in_its_file_or_cannot_be_loaded_reaches_the_quality_models(project: Project) -> None:
    """Neither changes a key, and what is told of it, lines and counts, is that of a full refresh all the same."""
    breaking = "from quality.dq_rule_violations where source_file = ? order by source_line desc limit 1"
    ((order, line),) = project.query(f"select order_id, source_line {breaking}", ORDERS)
    file = project.source_dir / ORDERS
    header, *records = file.read_bytes().splitlines(keepends=True)
    assert order.encode() in records[line - 2]
    file.write_bytes(header + records.pop(line - 2) + b"".join(records))
    move_a_seller(project, "outra cidade")
    project.ok("run")
    lines = "select distinct source_line from quality.dq_rule_violations where order_id = ? and source_file = ?"
    assert project.query(lines, order, ORDERS) == [(2,)]

    for name in (ORDERS, "olist_customers_dataset.csv", "olist_products_dataset.csv"):
        with (project.source_dir / name).open("ab") as stream:
            stream.write(b"no record\n")
    report = project.json("run")
    assert "nothing to build" not in {stage["note"] for stage in report["stages"]}
    assert {node["name"] for node in report["tests"]["nodes"] if node["status"] not in ("pass", "warn")} == set()
    held = "select amount from quality.dq_reconciliation where flow = 'orders' and entry = 'records in quarantine'"
    assert project.query(held) == [(-1,)]
    assert project.json("run")["status"] == "unchanged"
    record = project.value("select quarantine_id from etl.quarantine where source = 'orders'")
    project.ok("quarantine", "discard", str(record), "--reason", "no record")
    assert project.json("run")["status"] != "unchanged"
    assert project.query(held) == [(0,)]
    assert project.json("verify")["is_equal"]


@pytest.mark.skipif(not LONG, reason="several runs: make torture")
def test_a_test_that_fails_stands_for_strict_until_it_passes(project: Project) -> None:
    test = project.folder / "olist_dw_dbt" / "tests" / "assert_few_sellers.sql"
    test.write_text("select 1 from {{ ref('stg_category_translation') }} limit 1")
    assert project.json("run")["status"] == "warnings"
    move_a_seller(project, "outra cidade")
    report = project.json("run")
    assert "assert_few_sellers" not in {node["name"] for node in report["tests"]["nodes"]}
    assert "assert_few_sellers" in report["findings"][0]["message"], "what did not run again still stands"
    report = project.json("run")
    assert (report["status"], len(report["findings"])) == ("unchanged", 1)
    assert project.call("run", "--strict").returncode == 1
    test.write_text("select 1 from {{ ref('stg_category_translation') }} where false")
    assert project.json("run", "--strict")["status"] == "success"
    assert project.json("run", "--strict")["status"] == "unchanged"


def test_a_history_that_was_taken_first_reaches_what_hangs_on_it_alone(project: Project) -> None:
    products = project.source_dir / "olist_products_dataset.csv"
    header, first, *others = products.read_text(encoding="utf-8").splitlines(keepends=True)
    product, _, rest = first.split(",", maxsplit=2)
    products.write_text("".join([header, f"{product},novidade,{rest}", *others]), encoding="utf-8")
    for command in ("load", "snapshot", "transform"):
        project.ok(command)
    assert project.value("select count(*) from core.dim_category where product_category_name = 'novidade'") == 1
    assert project.json("verify")["is_equal"]


def test_only_tests_that_look_at_something_different_run_again(project: Project) -> None:
    move_a_seller(project, "um lugar")
    ran = {node["name"] for node in project.json("run")["tests"]["nodes"]}
    compiled = kept_compiled(project.artifacts)
    assert compiled
    about_sellers = {test.name for test in compiled.tests if test.is_about(["stg_sellers"])}
    assert ran < about_sellers
    assert {"unique_dim_seller_seller_key", "assert_dimensions_match_staging"} <= ran
    assert "unique_fact_order_items_order_item_key" in about_sellers - ran, "its table came out as it was"


def test_a_changed_project_builds_everything(project: Project) -> None:
    model = project.folder / "olist_dw_dbt" / "models" / "core" / "dimensions" / "dim_category.sql"
    model.write_text(model.read_text() + "-- a remark\n")
    plan = project.json("run", "--dry-run")
    assert plan["reason"] == "the dbt project has changed since the models were built"
    report = project.json("run")
    assert len(report["transform"]["nodes"]) > 30
    assert project.json("run")["status"] == "unchanged"


def test_a_model_that_is_deleted_leaves_the_warehouse_and_nobody_elses_table_does(project: Project) -> None:
    marts = project.folder / "olist_dw_dbt" / "models" / "marts" / "seller"
    (marts / "mart_extra.sql").write_text("select 1 as n")
    project.ok("run")
    with duckdb.connect(str(project.warehouse)) as analyst:
        analyst.execute("create table mart.my_own as from mart.mart_extra")
    (marts / "mart_extra.sql").unlink()
    report = project.json("run")
    assert "1 dropped" in next(stage["note"] for stage in report["stages"] if stage["stage"] == "transform")
    names = {name for (name,) in project.query("select table_name from duckdb_tables() where schema_name = 'mart'")}
    assert "mart_extra" not in names
    assert "my_own" in names


def test_a_warehouse_that_another_program_changed_is_built_anew(project: Project) -> None:
    before = project.contents("core", "mart")
    with duckdb.connect(str(project.warehouse)) as analyst:
        analyst.execute("update core.fact_orders set total_price = 0; drop table mart.mart_cohort_analysis")
        analyst.execute("create table main.notes as select 'mine' as note")
    plan = project.json("run", "--dry-run")
    assert plan["reason"] == "another program has changed the warehouse since it was published"
    project.ok("load"), "what is published in between hides nothing"
    assert len(project.json("run")["transform"]["nodes"]) > 30
    assert project.contents("core", "mart") == before
    assert project.value("select note from main.notes") == "mine"
    assert project.json("run")["status"] == "unchanged"


def test_loading_all_anew_leaves_the_marts_and_the_next_run_builds_and_tests_them(project: Project) -> None:
    before = project.contents("staging", "core", "mart")
    project.ok("load", "--full-refresh")
    assert project.contents("staging", "core", "mart") == before
    assert {c["inserted"] for c in project.json("run", "--full-refresh", "--dry-run")["changes"]} == {None}
    project.ok("transform")
    assert project.json("run", "--dry-run")["models"] == []
    report = project.json("run")
    assert len(report["tests"]["nodes"]) > 100, "nobody has tested yet what transform built"
    assert report["transform"] is None
    assert project.json("run")["status"] == "unchanged"


# --- the plan ---


def test_a_dry_run_says_what_the_run_then_does(project: Project) -> None:
    before = published(project)
    move_a_seller(project, "outra cidade")
    deliver_orders(project)
    plan = project.json("run", "--dry-run")
    assert project.json("status")["plan"] == plan
    assert published(project) == before
    assert plan["changes"] == [
        {"table": "raw.stg_orders", "inserted": 0, "changed": 2, "deleted": 0},
        {"table": "raw.stg_sellers", "inserted": 0, "changed": 1, "deleted": 0},
    ]
    assert {file["file"]: file["state"] for file in plan["files"] if file["is_news"]} == {
        LATER: "new", SELLERS: "changed",
    }  # fmt: skip
    report = project.json("run")
    built = [node["name"] for node in report["transform"]["nodes"]]
    assert sorted(plan["models"]) == sorted(built)
    assert "fact_orders" in built
    assert "dim_geography" not in built
    assert [(c["source"], c["changed"]) for c in report["load"]["changes"]] == [("orders", 2), ("sellers", 1)]
    assert project.json("run", "--dry-run")["models"] == []
    assert "would do nothing" in project.ok("run", "--dry-run").stdout


def test_a_dry_run_before_the_first_run_says_that_all_is_built(tmp_path: Path, project: Project) -> None:
    project.warehouse.unlink()
    plan = project.json("run", "--dry-run")
    assert plan["reason"] == "nothing is built yet"
    assert {change["inserted"] for change in plan["changes"]} == {None}
    assert "(nothing is built yet)" in project.ok("run", "--dry-run").stdout
    assert not project.warehouse.exists()
    (project.source_dir / SELLERS).write_text("<!DOCTYPE html>")
    plan = project.json("run", "--dry-run")
    assert [(finding["where"], finding["hint"]) for finding in plan["findings"]] == [
        (SELLERS, "unpack or export it as UTF-8 CSV")
    ]


# --- files that have shrunk ---


def test_a_delivery_that_looks_partial_waits_until_it_is_accepted(project: Project) -> None:
    file = project.source_dir / SELLERS
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[: len(lines) // 2]))
    sellers = project.value("select count(*) from core.dim_seller where is_current")
    plan = project.ok("run", "--dry-run")
    assert "held back" in plan.stderr
    assert f"olistctl run --accept {SELLERS}" in plan.stderr
    report = project.json("run")
    assert [f["status"] for f in report["load"]["files"] if f["file"] == SELLERS] == ["held"]
    assert project.query("select error_type from etl.error_log") == [("partial_file",)]
    assert project.value("select count(*) from core.dim_seller where is_current") == sellers, "it closes nobody"
    assert project.json("run")["status"] == "unchanged"
    assert "held back" in project.ok("run").stderr
    project.ok("run", "--full-refresh")
    assert project.value("select count(*) from raw.stg_sellers") == len(lines) - 1
    wrong = project.call("run", "--accept", SELLERS.replace("sellers", "seller"))
    assert (wrong.returncode, f"did you mean '{SELLERS}'?" in wrong.stderr) == (2, True)
    findings = project.json("run", "--accept", f"data/source/{SELLERS}")["findings"]
    assert [finding["message"].split(":")[0] for finding in findings] == [SELLERS, "item_has_seller"]
    assert project.value("select count(*) from raw.stg_sellers") == len(lines) // 2 - 1
    assert project.value("select count(*) from core.dim_seller where is_current") < sellers


# --- the contract changes ---


@pytest.fixture
def contract_file(project: Project) -> Iterator[Path]:
    yield project.folder / "config" / "sources.yml"


def test_a_changed_contract_is_said_and_reads_its_source_again(project: Project, contract_file: Path) -> None:
    loaded = project.query("select distinct _run_id from raw.stg_sellers")
    edit(contract_file, b"key: [order_id]", b"key: [customer_id]")
    assert [c["table"] for c in project.json("run", "--dry-run")["changes"]] == ["raw.stg_orders"]
    report = project.json("run")
    assert report["load"]["read_again"] == ["orders (contract changed: its key, or what its records may hold)"]
    assert project.query("select distinct _run_id from raw.stg_sellers") == loaded, "other sources stay"
    assert project.json("run")["status"] == "unchanged"
    ids = deliver_orders(project)
    project.ok("run")
    found = project.query("select order_status from core.fact_orders where list_contains(?, order_id)", ids)
    assert found == [("canceled",)] * 2, "changes that do not name their orders may have touched any"
