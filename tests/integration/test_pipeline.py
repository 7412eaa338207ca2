"""The pipeline on a generated sample: what it builds, and what stays when something goes wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from olistctl.sources import Contract, load_contract
from tests.project import ORDERS, Project, clean_environment, records_of
from tests.waiting import wait_for

BUILT_SCHEMAS = ("raw", "staging", "core", "mart")


@pytest.fixture(scope="session")
def contract(built: Project) -> Contract:
    return load_contract(built.folder / "config" / "sources.yml")


# --- what a full refresh builds ---


def test_every_record_of_every_file_is_in_raw_and_in_the_ledger(built: Project, contract: Contract) -> None:
    for source in contract.sources:
        records = records_of(built.source_dir / source.file)
        assert built.value(f"select count(*) from raw.{source.table}") == records
        audit = built.query(
            "select status, records, rows_loaded, records_quarantined from etl.load_audit where file_name = ?",
            source.file,
        )
        assert audit == [("loaded", records, records, 0)]
        assert built.query("select rows_loaded from etl.source_files where source = ?", source.name) == [(records,)]


def test_every_raw_row_says_where_it_came_from(built: Project) -> None:
    text = (built.source_dir / "olist_order_reviews_dataset.csv").read_bytes().split(b"\n")
    rows = built.query("select review_id, _source_line from raw.stg_order_reviews")
    assert len(text) > len(rows) + 1, "the sample has reviews of several lines"
    for review_id, line in rows:
        assert review_id.encode() in text[line - 1]


def test_money_is_the_same_to_the_cent_from_file_to_mart(built: Project) -> None:
    price, freight = built.query("select sum(price), sum(freight_value) from raw.stg_order_items")[0]
    paid = built.value("select sum(payment_value) from raw.stg_order_payments")
    assert built.query("select sum(price), sum(freight_value) from core.fact_order_items") == [(price, freight)]
    assert built.query("select sum(total_amount), sum(total_payment) from core.fact_orders") == [
        (price + freight, paid)
    ]
    assert built.value("select sum(gmv) from mart.mart_executive_dashboard") == price + freight


def test_every_order_is_counted_once_in_every_layer(built: Project) -> None:
    assert built.query("select count(*), count(distinct order_id) from core.fact_orders") == [(ORDERS, ORDERS)]
    assert built.value("select sum(order_count) from mart.mart_executive_dashboard") == ORDERS


def test_all_tests_of_the_project_pass_on_a_sample(built: Project) -> None:
    report = json.loads((built.folder / "run.json").read_text())
    assert report["findings"] == []
    assert {node["status"] for node in report["tests"]["nodes"]} == {"pass"}
    assert len(report["tests"]["nodes"]) > 150


def test_status_tells_files_freshness_and_runs(built: Project) -> None:
    report = built.json("status")
    assert {file["state"] for file in report["files"]} == {"unchanged"}
    assert report["runs"][0]["status"] == "success"
    assert report["newest_order_at"]
    assert {"raw", "core", "mart"} == {table["schema"] for table in report["tables"]}


def test_the_log_names_the_run_on_every_line(built: Project) -> None:
    run_id = built.value("select run_id from etl.pipeline_runs where command = 'run'")
    lines = (built.folder / "logs" / "etl_pipeline.log").read_text().splitlines()
    assert any(run_id in line and "completed" in line for line in lines)


def test_the_log_has_a_line_for_every_model_and_snapshot(built: Project) -> None:
    report = json.loads((built.folder / "run.json").read_text())
    log = (built.folder / "logs" / "etl_pipeline.log").read_text()
    nodes = [f"{node['kind']} {node['name']}: success in " for node in report["transform"]["nodes"]]
    assert len(nodes) > 40
    assert [node for node in nodes if log.count(node) != 1] == []


def test_a_renamed_warehouse_still_answers(built: Project, tmp_path: Path) -> None:
    shutil.copy(built.warehouse, tmp_path / "copy.duckdb")
    import duckdb

    with duckdb.connect(str(tmp_path / "copy.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) from staging.stg_orders").fetchone() == (ORDERS,)


# --- running again ---


def test_deliveries_edits_and_removals_give_what_a_full_refresh_gives(project: Project) -> None:
    header, first, *_ = (project.source_dir / "olist_orders_dataset.csv").read_bytes().splitlines(keepends=True)
    order_id = first.split(b",")[0].strip(b'"').decode()
    before = project.query("select order_status from staging.stg_orders where order_id = ?", order_id)
    delivery = project.source_dir / "olist_orders_dataset_2018-11-01.csv"
    delivery.write_bytes(header + first.replace(before[0][0].encode(), b"canceled"))

    report = project.json("run")
    states = {file["file"]: file["status"] for file in report["load"]["files"]}
    assert states.pop(delivery.name) == "loaded"
    assert set(states.values()) == {"unchanged"}
    assert project.query("select order_status from staging.stg_orders where order_id = ?", order_id) == [("canceled",)]
    assert project.value("select count(*) from core.fact_orders") == ORDERS
    stepwise = project.contents(*BUILT_SCHEMAS)
    project.ok("run", "--full-refresh")
    assert project.contents(*BUILT_SCHEMAS) == stepwise

    delivery.unlink()
    project.ok("run")
    assert project.query("select order_status from staging.stg_orders where order_id = ?", order_id) == before


def test_history_follows_changed_gone_and_returning_members_through_refreshes(project: Project) -> None:
    sellers = project.source_dir / "olist_sellers_dataset.csv"
    header, first, *rest = sellers.read_bytes().splitlines(keepends=True)
    seller_id, zip_prefix, _, state = first.rstrip(b"\n").split(b",")
    sellers.write_bytes(header + b",".join([seller_id, zip_prefix, b"nova cidade", state]) + b"\n" + b"".join(rest))
    seller = seller_id.strip(b'"').decode()
    facts = project.contents("core")["core.fact_order_items"]

    project.ok("run", "--full-refresh")
    versions = project.query(
        "select seller_city, is_current, effective_from = timestamp '1900-01-01' from core.dim_seller "
        "where seller_id = ? order by effective_from",
        seller,
    )
    assert [version[1:] for version in versions] == [(False, True), (True, False)]
    assert versions[1][0] == "nova cidade"
    assert project.contents("core")["core.fact_order_items"] == facts

    sellers.write_bytes(header + b"".join(rest))
    (finding,) = project.json("run")["findings"]
    assert finding["message"].startswith("item_has_seller: "), (
        "a member that is gone leaves orphans, and breaks no test"
    )
    assert project.value(f"select count(*) from core.dim_seller where seller_id = '{seller}' and is_current") == 0
    assert project.contents("core")["core.fact_order_items"] == facts
    sellers.write_bytes(header + first + b"".join(rest))
    project.ok("run")
    windows = project.query(
        f"select effective_from, effective_to from core.dim_seller where seller_id = '{seller}' order by 1"
    )
    assert len(windows) == 3
    assert [end for _, end in windows[:-1]] == [start for start, _ in windows[1:]], "no gap while it was gone"
    assert windows[-1][1] is None

    project.ok("snapshot")
    assert project.value("select count(*) from snapshots.snapshot_dim_seller") == 2 + project.value(
        "select count(*) from raw.stg_sellers"
    )


def test_a_missing_and_a_refused_file_keep_their_rows_even_in_a_full_refresh(project: Project) -> None:
    counts = project.query("select (select count(*) from raw.stg_sellers), (select count(*) from raw.stg_products)")
    (project.source_dir / "olist_sellers_dataset.csv").unlink()
    products = project.source_dir / "olist_products_dataset.csv"
    products.write_bytes(products.read_bytes().replace(b"product_weight_g", b"product_weight", 1))

    for arguments in (["run"], ["run", "--full-refresh"]):
        done = project.ok(*arguments)
        assert "missing: the file is not there" in done.stderr
        assert "refused: column 'product_weight_g' is called 'product_weight'" in done.stderr
        assert (
            project.query("select (select count(*) from raw.stg_sellers), (select count(*) from raw.stg_products)")
            == counts
        )
    errors = project.query(
        "select distinct pipeline_stage, error_type, resolution_status from etl.error_log order by all"
    )
    assert errors == [("extract", "file_not_found", "OPEN"), ("load", "schema_mismatch", "OPEN")]


def test_bad_records_are_counted_named_and_not_loaded(project: Project) -> None:
    items = project.source_dir / "olist_order_items_dataset.csv"
    lines = items.read_bytes().split(b"\n")
    fields = lines[9].split(b",")
    lines[9] = b",".join([*fields[:5], b"1.23456", fields[6]])
    items.write_bytes(b"\n".join(lines))
    records = records_of(items)

    invalid = project.call("validate")
    assert invalid.returncode == 1
    assert f"1 of {records:,} records are bad, the first in line 10: 1 bad_money in price" in invalid.stderr
    done = project.ok("run")
    assert "bad_money in price" in done.stderr
    assert project.value("select count(*) from core.fact_order_items") == records - 1
    strict = project.call("run", "--full-refresh", "--strict")
    assert strict.returncode == 1
    assert "nothing was published" in strict.stderr


@pytest.mark.parametrize("full_refresh", [[], ["--full-refresh"]])
def test_a_changed_contract_reads_its_source_again_or_loses_nothing(project: Project, full_refresh: list[str]) -> None:
    contract = project.folder / "config" / "sources.yml"
    contract.write_text(contract.read_text().replace("name: price, type: money", "name: price, type: coordinate"))
    report = project.json("load", *full_refresh)
    loaded = {file["file"] for file in report["load"]["files"] if file["status"] == "loaded"}
    assert "olist_order_items_dataset.csv" in loaded
    assert full_refresh or loaded == {"olist_order_items_dataset.csv"}
    assert project.value("select typeof(price) from raw.stg_order_items limit 1") == "DOUBLE"

    contract.write_text(contract.read_text().replace("name: price, type: coordinate", "name: price, type: money"))
    (project.source_dir / "olist_order_items_dataset.csv").unlink()
    refused = project.call("load", *full_refresh)
    assert refused.returncode == 1
    assert "must be read again (contract changed: price was" in refused.stderr
    assert project.value("select count(*) from raw.stg_order_items") > ORDERS


# --- when something goes wrong ---


def test_a_failing_model_is_named_with_its_place_and_publishes_nothing(project: Project) -> None:
    model = project.folder / "olist_dw_dbt" / "models" / "core" / "facts" / "fact_payments.sql"
    model.write_text(model.read_text().replace("select * from final", "select *, no_such_column from final"))
    line = model.read_text().splitlines().index("select *, no_such_column from final") + 1
    before = project.warehouse.stat().st_ino, project.contents(*BUILT_SCHEMAS)

    done = project.call("transform")

    assert done.returncode == 1
    assert f"model fact_payments (models/core/facts/fact_payments.sql:{line})" in done.stderr
    assert "no_such_column" in done.stderr
    assert "compiled" in done.stderr
    assert "Traceback" not in done.stderr
    assert project.contents(*BUILT_SCHEMAS) == before[1]
    runs = project.query("select command, status, message from etl.pipeline_runs order by started_at desc limit 1")
    assert runs[0][:2] == ("transform", "failed")
    assert "no_such_column" in runs[0][2]


def test_a_failing_test_warns_in_run_and_fails_test(project: Project) -> None:
    (project.folder / "olist_dw_dbt" / "tests" / "assert_nothing.sql").write_text(
        "select order_id from {{ ref('fact_orders') }} where order_status = 'delivered'"
    )
    done = project.ok("run")
    assert "test assert_nothing fails" in done.stderr
    assert project.query("select status, warnings from etl.pipeline_runs order by started_at desc limit 1") == [
        ("warnings", 1)
    ]
    assert project.call("test").returncode == 1
    assert project.call("run", "--strict").returncode == 1


def test_a_second_writer_leaves_with_4_and_names_the_first(project: Project) -> None:
    state = project.folder / "data" / ".olist_dw"
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from olistctl.warehouse import writer_lock\n"
            f"with writer_lock(Path({str(state)!r}), 'held'): print('held', flush=True); sys.stdin.read()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        busy = project.call("load", "--full-refresh")
        assert busy.returncode == 4
        assert f"process {holder.pid} (`olistctl held`)" in busy.stderr
        assert project.call("status").returncode == 0, "readers do not wait"
    finally:
        holder.communicate()


@pytest.mark.parametrize(
    ("signal_number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_a_run_that_is_stopped_leaves_the_warehouse_as_it_was(
    project: Project, signal_number: signal.Signals, exit_code: int
) -> None:
    before = project.contents(*BUILT_SCHEMAS)
    log = project.folder / "logs" / "etl_pipeline.log"
    run = subprocess.Popen(
        project.command("run", "--full-refresh", "--quiet"),
        cwd=project.folder,
        env=clean_environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    already = log.read_text().count("transform: starting")
    wait_for(lambda: log.read_text().count("transform: starting") > already, "the run to transform")
    os.kill(run.pid, signal_number)
    _, errors = run.communicate(timeout=30)

    assert run.returncode == exit_code, errors
    assert "Traceback" not in errors
    assert project.contents(*BUILT_SCHEMAS) == before
    project.ok("load")
    assert not list((project.folder / "data" / ".olist_dw" / "stage").glob("*"))
    statuses = [status for (status,) in project.query("select status from etl.pipeline_runs order by started_at")]
    assert statuses == ["success", "killed" if exit_code == -9 else "interrupted", "success"]


def test_readers_keep_yesterdays_warehouse_while_today_is_published(project: Project) -> None:
    with project.reader() as reader:
        (project.source_dir / "olist_sellers_dataset.csv").unlink()
        project.ok("load", "--full-refresh")
        assert reader.execute("select count(*) from core.fact_orders").fetchone() == (ORDERS,)


def test_a_file_that_is_no_warehouse_is_refused_and_kept(project: Project) -> None:
    project.warehouse.write_bytes(b"this is no database" * 1000)
    done = project.call("run", "--full-refresh")
    assert done.returncode == 2
    assert "DuckDB cannot open the file" in done.stderr
    assert project.warehouse.read_bytes().startswith(b"this is no database")
