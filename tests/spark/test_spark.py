"""The same warehouse on Spark: what DuckDB makes of the same files, published at once, whatever fails in between.

The tests tell one story on one cluster, in their order.
"""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.spark.cluster import SECONDS
from tests.spark.conftest import Desk, ended
from tests.torture.scale import LONG
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("spark")

Rows = list[dict[str, str]]
# A model of a user's own.
EXTRA_MODEL = Path("olist_dw_dbt", "models", "marts", "mart_extra.sql")


def rows_of(desk: Desk, source: str) -> Rows:
    with (desk.project.source_dir / f"olist_{source}_dataset.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def deliver(desk: Desk, source: str, day: str, rows: Rows) -> None:
    file = desk.project.source_dir / f"olist_{source}_dataset_{day}.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def changed(rows: Rows, **values: str) -> Rows:
    return [row | values for row in rows]


def state_of(desk: Desk) -> tuple[Any, ...]:
    """The run that readers see, and what etl.publication says of it."""
    ((run_id, state),) = desk.cluster.query("select run_id, state from etl.publication")
    return run_id, state


@contextmanager
def watched(desk: Desk, sql: str) -> Iterator[set[Any]]:
    """Ask the cluster again and again while something else goes on; give all the answers."""
    answers: set[Any] = set()
    over = threading.Event()
    session = desk.cluster.session()

    def ask() -> None:
        while not over.is_set():
            answers.add(session.run(sql)[0])

    reader = threading.Thread(target=ask)
    reader.start()
    try:
        yield answers
    finally:
        over.set()
        reader.join()
        session.close()


def during_the_build(desk: Desk, do: Callable[[], None], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Start a run, do something once dbt has begun to build on the cluster, and return how the run ended."""
    process = desk.start(*arguments)
    # The model that every build begins with.
    first = "select 1 from intermediate.int_affected_orders.refs where name like 'olistctl_%'"
    session = desk.cluster.session()
    wait_for(lambda: process.poll() is not None or session.run(first), "the build", SECONDS)
    session.close()
    assert process.poll() is None, ended(process)
    assert state_of(desk)[1] == "working"
    do()
    return ended(process)


def test_what_is_missing_is_said_before_anything_is_done(desk: Desk) -> None:
    for name, value, message in [
        ("OLISTCTL_SPARK_TABLE_FORMAT", "none", "spark_table_format is not set"),
        ("OLISTCTL_SPARK_HOST", "none", "spark_host is not set"),
        ("OLISTCTL_SPARK_LANDING", "none", "spark_landing is not set"),
        ("OLISTCTL_SPARK_PORT", "1", "Spark's Thrift server does not answer"),
        ("OLISTCTL_SPARK_LANDING_ON_CLUSTER", "/not/there", "the cluster cannot use the landing"),
    ]:
        done = desk.call("run", **{name: value})
        assert done.returncode == 2, done
        assert "error: " in done.stderr and message in done.stderr and "next: " in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
    assert not desk.warehouse.exists()


def test_a_server_that_would_give_wrong_results_is_refused(desk: Desk) -> None:
    """With the cache a session that has read a table builds from what it was then."""
    desk.cluster.kill("server")
    desk.cluster.start_server(without="spark.sql.catalog.spark_catalog.cache-enabled")
    done = desk.call("run")
    desk.cluster.kill("server")
    desk.cluster.start_server()
    assert done.returncode == 2
    assert (
        "error: " in done.stderr and "sessions remember tables" in done.stderr and "cache-enabled=false" in done.stderr
    )


def test_a_full_refresh_gives_what_duckdb_gives(desk: Desk) -> None:
    (desk.project.folder / EXTRA_MODEL).write_text("select count(*) as order_count from {{ ref('fact_orders') }}\n")
    on_duckdb = desk.project.json("run", "--full-refresh")
    on_spark = desk.json("run", "--full-refresh")
    assert desk.differences() == ""
    assert _tests(on_spark) == _tests(on_duckdb)
    assert {status for _, status in _tests(on_spark)} <= {"pass", "warn"}
    assert state_of(desk) == (on_spark["run_id"], "published")


def test_nothing_is_done_where_nothing_has_changed(desk: Desk) -> None:
    assert desk.json("run")["status"] == "unchanged"


def test_a_delivery_gives_what_duckdb_gives_though_a_worker_is_killed_and_no_reader_sees_half_of_it(desk: Desk) -> None:
    orders, items = rows_of(desk, "orders"), rows_of(desk, "order_items")
    bought = [order for order in orders if any(item["order_id"] == order["order_id"] for item in items)][:10]
    ids = {order["order_id"]: f"{number:032d}" for number, order in enumerate(bought)}
    new = [order | {"order_id": ids[order["order_id"]]} for order in bought]
    new_items = [item | {"order_id": ids[item["order_id"]]} for item in items if item["order_id"] in ids]
    deliver(desk, "orders", "2018-11-01", [*new, *changed(orders[20:25], order_status="canceled")])
    deliver(desk, "order_items", "2018-11-01", new_items)
    deliver(desk, "customers", "2018-11-01", changed(rows_of(desk, "customers")[:3], customer_city="outra cidade"))
    deliver(desk, "sellers", "2018-11-01", changed(rows_of(desk, "sellers")[:2], seller_city="outra cidade"))

    on_duckdb = desk.project.json("run")
    facts = "select count(*), sum(total_amount) from core.fact_orders"
    marts = "select sum(order_count), sum(gmv) from mart.mart_executive_monthly"
    with watched(desk, facts) as of_facts, watched(desk, marts) as of_marts:
        done = during_the_build(desk, lambda: desk.cluster.kill("worker-1"), "run", "--json")
    assert done.returncode == 0, done.stderr
    desk.cluster.start_worker("worker-1")
    for seen, sql in ((of_facts, facts), (of_marts, marts)):
        assert len(seen | set(desk.cluster.query(sql))) == 2, "one answer before the publication, another one after it"
    on_spark = json.loads(done.stdout)
    assert desk.differences() == ""
    assert _tests(on_duckdb) <= _tests(on_spark), "DuckDB tests only what has come out different"
    assert desk.cluster.query("select count(*) from core.dim_customer where not is_current") == [(3,)]
    built = {node["name"] for node in on_spark["transform"]["nodes"]}
    assert "fact_orders" in built and "stg_orders" not in built, "only what the changes touch is built"


def test_a_server_that_goes_is_one_clear_error_and_a_rerun_heals(desk: Desk) -> None:
    """A delivery, a file that has gone, and one that has changed."""
    before = state_of(desk)[0]
    unavailable = "select count(*) from core.fact_orders where order_status = 'unavailable'"
    seen = desk.cluster.query(unavailable)
    deliver(desk, "orders", "2018-11-02", changed(rows_of(desk, "orders")[30:35], order_status="unavailable"))
    (desk.project.source_dir / "olist_sellers_dataset_2018-11-01.csv").unlink()
    base = desk.project.source_dir / "olist_order_payments_dataset.csv"
    lines = base.read_bytes().splitlines(keepends=True)
    base.write_bytes(b"".join(lines[:1] + lines[3:]))
    desk.project.ok("run")

    done = during_the_build(desk, lambda: desk.cluster.kill("server"), "run", "--json")
    assert done.returncode == 2, done
    error = json.loads(done.stdout)["error"]
    assert error["message"] == "Spark's Thrift server does not answer"
    assert error["where"] == f"127.0.0.1:{desk.cluster.port}"
    assert "Traceback" not in done.stderr

    desk.cluster.start_server()
    run_id, state = state_of(desk)
    assert (run_id, state) == (before, "working")
    assert desk.cluster.query(unavailable) == seen, "readers have what they had"
    desk.ok("run")
    assert desk.differences() == ""
    assert desk.cluster.query(unavailable) != seen
    assert _branches(desk) == set(), "what the lost run had begun is gone"


@pytest.mark.skipif(not LONG, reason="builds all anew, twice: TORTURE=1 runs it")
def test_a_publication_that_is_cut_short_is_built_anew_though_no_file_has_changed(desk: Desk) -> None:
    (desk.project.folder / EXTRA_MODEL).unlink()
    process = desk.start("run", "--full-refresh")
    wait_for(lambda: process.poll() is not None or state_of(desk)[1] == "publishing", "the publication", 600)
    process.send_signal(signal.SIGKILL)
    done = ended(process)
    assert done.returncode == -signal.SIGKILL, done
    assert state_of(desk)[1] == "publishing"

    report = desk.json("run")
    assert len(report["transform"]["nodes"]) > 40, "what stands there is not trusted"
    assert state_of(desk) == (report["run_id"], "published")
    desk.project.ok("run")
    assert desk.differences() == ""
    assert desk.cluster.query("show tables in mart like 'mart_extra'") == []


def test_other_commands_work_there_or_say_what_differs(desk: Desk, tmp_path: Path) -> None:
    status = desk.json("status")
    assert status["warehouse"] == str(desk.warehouse)
    assert status["runs"][0]["command"] == "run"
    desk.ok("publish", "--mart", "mart_seller_scorecard", "--format", "csv", "--out", str(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["mart_seller_scorecard.csv"]
    assert desk.json("report")
    desk.ok("docs", "--out", str(tmp_path / "docs.html"))
    assert desk.json("snapshot")["status"] in ("success", "warnings")
    assert desk.json("run")["status"] == "unchanged", "what the snapshot command has published is known"
    assert len(desk.json("test")["tests"]["nodes"]) > 200
    for command in ("rollback", "verify"):
        done = desk.call(command)
        assert done.returncode == 2
        assert "Spark cluster" in done.stderr and "next: " in done.stderr, done.stderr


def _tests(report: dict[str, Any]) -> set[tuple[str, str]]:
    return {(node["name"], node["status"]) for node in report["tests"]["nodes"]}


def _branches(desk: Desk) -> set[str]:
    found = set()
    for schema in ("raw", "core", "mart"):
        for _, table, *_ in desk.cluster.query(f"show tables in {schema}"):
            found |= {name for (name,) in desk.cluster.query(f"select name from {schema}.{table}.refs")}
    return found - {"main"}
