"""`olistctl verify` on real runs: the warehouse is what a full refresh would give, or it is said what is not."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.project import Project, clean_environment
from tests.torture.scale import LONG

SCRATCH = Path("data/.olist_dw/verify/scratch")


def trace(project: Project) -> dict[str, str]:
    """Return every file that a warehouse is made of, with its content; locks and dbt's artifacts aside."""
    found = {}
    for file in sorted((project.folder / "data").rglob("*")):
        name = str(file.relative_to(project.folder))
        if file.is_file() and "/dbt/" not in name and not name.endswith("/lock"):
            found[name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def different(project: Project) -> dict[str, Any]:
    """Verify, and return what the JSON says of the tables that differ."""
    done = project.call("verify", "--json")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["is_equal"] is False
    return {f"{table['schema']}.{table['table']}": table for table in report["tables"] if not table["is_equal"]}


def tamper(project: Project, *statements: str) -> None:
    with duckdb.connect(str(project.warehouse)) as connection:
        for statement in statements:
            connection.execute(statement)


def deliver(project: Project, name: str, base: str, change: tuple[bytes, bytes]) -> Path:
    """Deliver the first records of a base file again, changed."""
    lines = (project.source_dir / base).read_bytes().splitlines(keepends=True)[:6]
    file = project.source_dir / name
    file.write_bytes(lines[0] + b"".join(lines[1:]).replace(*change))
    return file


def test_a_warehouse_is_equal_after_a_run_and_nothing_of_the_proof_stays(project: Project) -> None:
    before = trace(project)
    done = project.ok("verify")
    schemas = "'raw', 'staging', 'snapshots', 'core', 'mart', 'quality'"
    tables = project.value(f"select count(*) from information_schema.tables where table_schema in ({schemas})")
    assert done.stdout.startswith(f"equal: {tables} tables, ")
    assert trace(project) == before
    assert not (project.folder / SCRATCH).exists()
    log = (project.folder / "logs" / "etl_pipeline.log").read_text().splitlines()
    assert len([line for line in log if "verif" in line]) == 2
    assert "verify: equal" in log[-1]
    assert project.json("status")["runs"][0]["command"] == "run", "the ledger knows nothing of it"


def test_it_stays_equal_through_deliveries_removals_and_files_that_are_away(project: Project) -> None:
    new = deliver(project, "olist_sellers_dataset_2018-11.csv", "olist_sellers_dataset.csv", (b",SP", b",RJ"))
    deliver(project, "olist_orders_dataset_2018-11.csv", "olist_orders_dataset.csv", (b"delivered", b"shipped"))
    project.ok("run")
    new.unlink()
    (project.source_dir / "olist_customers_dataset.csv").unlink()
    reviews = project.source_dir / "olist_order_reviews_dataset.csv"
    reviews.write_bytes(reviews.read_bytes().replace(b"review_score", b"score", 1))
    items = project.source_dir / "olist_order_items_dataset.csv"
    items.write_bytes(items.read_bytes() + b"bad,record\n")
    project.ok("run")
    before = trace(project)
    report = project.json("verify")
    assert report["is_equal"] is True
    assert report["kept_files"] == ["olist_customers_dataset.csv", "olist_order_reviews_dataset.csv"]
    assert report["rows"] > 80_000
    rows = {f"{table['schema']}.{table['table']}": table["rows_fresh"] for table in report["tables"]}
    assert rows["raw.stg_customers"] == 2000, "a missing file keeps its rows"
    assert trace(project) == before
    assert "olist_customers_dataset.csv is missing" in project.ok("verify").stderr


def test_a_cell_that_was_changed_is_found_and_named(project: Project) -> None:
    ((order,),) = project.query("select order_id from core.fact_orders order by order_id limit 1 offset 7")
    tamper(project, f"update core.fact_orders set order_status = '[bold]odd' where order_id = '{order}'")
    before = trace(project)
    done = project.call("verify")
    assert done.returncode == 1
    assert "core.fact_orders" in done.stdout
    assert order in done.stdout
    assert "[bold]odd" in done.stdout
    assert "error: core.fact_orders: 1 row only in the warehouse, 1 only in a full refresh" in done.stderr
    assert "next: `olistctl run --full-refresh`" in done.stderr
    assert "Traceback" not in done.stderr
    assert trace(project) == before

    tables = different(project)
    assert list(tables) == ["core.fact_orders"]
    table = tables["core.fact_orders"]
    assert (table["key"], table["differing"], table["only_live"]) == (["order_id"], ["order_status"], 1)
    assert [example["values"]["order_id"] for example in table["examples"]] == [order, order]


def test_a_lost_history_and_a_lost_table_are_found(project: Project) -> None:
    tamper(
        project,
        "delete from snapshots.snapshot_dim_seller where seller_id in (select min(seller_id) from raw.stg_sellers)",
        "drop table mart.mart_state_flows",
    )
    tables = different(project)
    assert tables["snapshots.snapshot_dim_seller"]["only_fresh"] == 1
    assert tables["mart.mart_state_flows"]["rows_live"] is None
    assert "core.fact_orders" not in tables


@pytest.mark.skipif(not LONG, reason="several runs: make torture")
def test_models_that_are_older_than_the_rows_are_said_to_be(project: Project) -> None:
    deliver(project, "olist_orders_dataset_2018-11.csv", "olist_orders_dataset.csv", (b"delivered", b"shipped"))
    project.ok("load")
    done = project.call("verify", "--quiet")
    assert (done.returncode, "next: `olistctl transform`" in done.stderr) == (1, True), done.stderr
    project.ok("transform")
    project.ok("verify")


@pytest.mark.parametrize("change", ["new", "changed", "removed", "contract"])
def test_files_that_changed_since_the_last_run_are_said_before_it_begins(project: Project, change: str) -> None:
    file = deliver(project, "olist_orders_dataset_2018-11.csv", "olist_orders_dataset.csv", (b"delivered", b"shipped"))
    if change != "new":
        project.ok("load")
    if change == "changed":
        file.write_bytes(file.read_bytes().replace(b"shipped", b"invoiced"))
    elif change == "removed":
        file.unlink()
    elif change == "contract":
        contract = project.folder / "config" / "sources.yml"
        text = contract.read_text().replace(
            "{name: order_approved_at, type: timestamp}", "{name: order_approved_at, type: text}"
        )
        contract.write_text(text)
    before = trace(project)
    done = project.call("verify")
    assert done.returncode == 2, done.stdout + done.stderr
    assert (f"{file.name} ({change})" if change != "contract" else "has changed since") in done.stderr
    assert "next: `olistctl run` first" in done.stderr
    assert "Reading" not in done.stderr
    assert trace(project) == before


@pytest.mark.skipif(not LONG, reason="several runs: make torture")
def test_a_file_that_was_refused_is_no_change_until_it_is_another_one(project: Project) -> None:
    sellers = project.source_dir / "olist_sellers_dataset.csv"
    good = sellers.read_bytes()
    sellers.write_bytes(good.replace(b"seller_city", b"city"))
    assert "(changed)" in project.call("verify").stderr
    project.ok("run")
    project.ok("verify")
    sellers.write_bytes(good.replace(b"seller_city", b"town"))
    assert project.call("verify").returncode == 2
    sellers.write_bytes(good)
    project.ok("verify")


def test_another_folder_is_another_comparison(project: Project, tmp_path: Path) -> None:
    done = project.call("verify", "--source-dir", str(tmp_path / "nowhere"))
    assert (done.returncode, "--source-dir" in done.stderr) == (2, True)
    project.ok("sample", "--orders", "50", "--seed", "9", "--out", str(tmp_path / "other"))
    assert (
        "olist_orders_dataset.csv (changed)" in project.call("verify", "--source-dir", str(tmp_path / "other")).stderr
    )


def test_without_a_warehouse_there_is_nothing_to_verify(project: Project) -> None:
    project.warehouse.unlink()
    done = project.call("verify", "--json")
    assert (done.returncode, "olistctl run --full-refresh" in done.stderr) == (2, True)


def test_a_model_that_fails_points_at_a_run_not_at_the_scratch(project: Project) -> None:
    model = project.folder / "olist_dw_dbt" / "models" / "marts" / "geographic" / "mart_state_flows.sql"
    model.write_text(model.read_text() + "\nwhere no_such_column\n")
    before = trace(project)
    done = project.call("verify")
    assert done.returncode == 1
    assert "no_such_column" in done.stderr
    assert str(SCRATCH) not in done.stderr
    assert trace(project) == before


@pytest.mark.parametrize("seconds", [0.0, 3.0])
def test_a_verification_that_is_stopped_leaves_nothing(project: Project, seconds: float) -> None:
    before = trace(project)
    process = subprocess.Popen(
        project.command("verify"),
        cwd=project.folder,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    scratch = project.folder / SCRATCH
    while not scratch.exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert "Traceback" not in errors
    assert not scratch.exists()
    assert trace(project) == before


def test_what_a_killed_verification_left_is_cleared_by_the_next(project: Project) -> None:
    process = subprocess.Popen(
        project.command("verify", "--quiet"), cwd=project.folder, env=clean_environment(), stdout=subprocess.DEVNULL
    )
    scratch = project.folder / SCRATCH
    while not (scratch / "fresh" / ".olist_dw" / "stage").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert scratch.exists()
    project.ok("verify", "--quiet")
    assert not scratch.exists()
