"""What the data breaks is found, named and listed with its place; rows and cents are followed from file to mart."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.delivery import NAMES
from tests.integration.test_dbt_project import dbt
from tests.project import Project

ORDER, OTHER = "f" * 32, "e" * 32
Rows = list[list[str]]


def read(project: Project, source: str) -> Rows:
    with (project.source_dir / NAMES[source]).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def write(project: Project, source: str, rows: Rows, suffix: str = "") -> str:
    """Write a file that feeds a source, and return its name."""
    name = NAMES[source].replace(".csv", f"{suffix}.csv")
    end = "\r\n" if source == "order_reviews" else "\n"
    with (project.source_dir / name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator=end).writerows(rows)
    return name


def deliver(project: Project, source: str, *records: str) -> str:
    header, *_ = read(project, source)
    return write(project, source, [header, *(record.split(",") for record in records)], "_2019-01")


@pytest.fixture(scope="module")
def damaged(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that has loaded a delivery in which a thing or two is wrong."""
    project = Project(tmp_path_factory.mktemp("damaged") / "project")
    shutil.copytree(built.folder, project.folder, symlinks=True)
    known = read(project, "orders")[7]
    seller = read(project, "sellers")[1][0]
    deliver(
        project,
        "orders",
        f"{ORDER},nobody,lost,2019-01-02 10:00:00,2019-01-01 10:00:00,,,2019-01-20 00:00:00",
        ",".join([*known[:2], "canceled", *known[3:]]),
    )
    deliver(
        project,
        "order_items",
        f"{ORDER},1,no product,{seller},2019-01-05 10:00:00,10.50,0.00",
        f"{OTHER},1,no product,{seller},2019-01-05 10:00:00,20.25,1.00",
    )
    deliver(project, "order_payments", f"{ORDER},1,voucher,1,-3.00", f"{OTHER},1,voucher,1,ten")
    project.ok("run", OLISTCTL_LOAD_MAX_BAD_SHARE="1")
    return project


def test_a_row_that_breaks_a_rule_stays_and_is_listed_with_its_place(damaged: Project) -> None:
    rows = damaged.query(
        "select rule, model, record_key, record_values, source_file, source_line "
        "from quality.dq_rule_violations where order_id = ? order by rule",
        ORDER,
    )
    orders, items, payments = (
        NAMES[source].replace(".csv", "_2019-01.csv") for source in ("orders", "order_items", "order_payments")
    )
    item = f"order_id={ORDER}, order_item_id=1"
    payment = f"order_id={ORDER}, payment_sequential=1"
    times = "order_purchase_timestamp=2019-01-02 10:00:00, order_approved_at=2019-01-01 10:00:00"
    order = f"order_id={ORDER}"
    refund = "payment_type=voucher, payment_value=-3.00"
    paid = "total_amount=10.50, total_payment=-3.00, payment_difference=-13.50"
    assert rows == [
        ("approved_after_purchase", "fact_orders", order, times, orders, 2),
        ("freight_is_charged", "fact_order_items", item, "price=10.50, freight_value=0.00", items, 2),
        ("order_has_review", "fact_orders", order, "order_status=lost, review_count=0", orders, 2),
        ("order_status_is_known", "fact_orders", order, "order_status=lost", orders, 2),
        ("payment_is_not_negative", "fact_payments", payment, refund, payments, 2),
        ("payments_match_items", "fact_orders", order, paid, orders, 2),
    ]  # fmt: skip
    assert damaged.value(f"select order_status from core.fact_orders where order_id = '{ORDER}'") == "lost"


def test_orphans_are_listed_and_keep_their_facts(damaged: Project) -> None:
    rows = damaged.query(
        "select rule, record_key, column_name, missing_value, parent, source_line from quality.dq_orphans "
        "where order_id in (?, ?) order by all",
        ORDER,
        OTHER,
    )
    first, second = (f"order_id={order}, order_item_id=1" for order in (ORDER, OTHER))
    assert rows == [
        ("item_has_order", second, "order_id", OTHER, "fact_orders", 3),
        ("item_has_product", second, "product_id", "no product", "dim_product", 3),
        ("item_has_product", first, "product_id", "no product", "dim_product", 2),
        ("order_has_customer", f"order_id={ORDER}", "customer_id", "nobody", "dim_customer", 2),
    ]
    keys = f"select product_key, customer_key from core.fact_order_items where order_id = '{ORDER}'"
    assert damaged.query(keys) == [("-1", "-1")]
    flags = damaged.query("select flag_count, rules from quality.dq_order_flags where order_id = ?", ORDER)
    assert flags == [
        (
            8,
            "approved_after_purchase, freight_is_charged, item_has_product, order_has_customer, order_has_review, "
            "order_status_is_known, payment_is_not_negative, payments_match_items",
        )
    ]


def test_every_difference_between_the_layers_has_a_name_and_a_count(damaged: Project) -> None:
    report = json.loads(damaged.call("test", "--json").stdout)
    flows = {flow["flow"]: flow for flow in report["reconciliation"]}
    reasons = {name: {reason["reason"]: reason["amount"] for reason in flow["reasons"]} for name, flow in flows.items()}
    assert {name: flow["unexplained"] for name, flow in flows.items() if flow["unexplained"]} == {}
    assert reasons["orders"] == {"replaced by a later record of the key": -1}
    assert reasons["order_payments"] == {"records in quarantine": -1}
    assert reasons["order_items"] == {"items whose order is missing": -1}
    assert reasons["order_items price"] == {"items whose order is missing": -20.25}
    assert flows["orders"]["amounts"]["files"] == 2002
    assert flows["orders"]["amounts"]["mart"] == 2001
    items = flows["order_items price"]["amounts"]
    assert items["mart"] == pytest.approx(items["core"] - 20.25)


def test_a_failing_test_says_what_failed_to_people_and_to_ci(damaged: Project, tmp_path: Path) -> None:
    done = damaged.call("test", "--junit", str(tmp_path / "results.xml"), GITHUB_ACTIONS="true", COLUMNS="240")
    assert done.returncode == 1, "a rule of severity error is broken"
    assert "From file to mart" in done.stdout
    query = "select * from quality.dq_rule_violations where rule = 'order_status_is_known'"
    assert f"All: {query}" in done.stdout
    assert ORDER in done.stdout
    assert "::warning title=dq_rules::order_status_is_known: 1 of 2001 rows break it" in done.stderr
    assert len(damaged.query(query)) == 1
    suite = ElementTree.parse(tmp_path / "results.xml").getroot()
    failed = {(case.get("classname"), case.get("name")) for case in suite.findall("testcase/failure/..")}
    assert ("dq_rules", "rules_of_severity_error") in failed
    assert suite.get("failures") == str(len(failed))


def test_the_tests_say_what_dbt_says_of_them(damaged: Project) -> None:
    ours = json.loads(damaged.call("test", "--json").stdout)["tests"]["nodes"]
    assert dbt(damaged, "test", "--exclude-resource-type", "unit_test").returncode == 1
    results = json.loads((damaged.folder / "olist_dw_dbt" / "target" / "run_results.json").read_text())["results"]
    theirs = {result["unique_id"].split(".")[2]: (result["status"], result["failures"]) for result in results}
    assert {node["name"]: (node["status"], node["failures"]) for node in ours} == theirs
    assert {status for status, _ in theirs.values()} == {"pass", "warn", "fail"}


def test_a_test_that_asks_the_warehouse_is_compiled_anew_each_time(project: Project) -> None:
    tests = project.folder / "olist_dw_dbt" / "tests"
    kept = project.artifacts / "compiled.json"
    before = kept.read_bytes()
    kept.write_bytes(before[:-10])
    assert len(project.json("test")["tests"]["nodes"]) > 100
    assert kept.read_bytes() == before, "a damaged file is none"
    asks = "{% if execute %}{% set n = run_query('from raw.stg_orders').rows | length %}{% endif %}"
    query = "select {{ n or 0 }} as n from {{ ref('dim_date') }} limit 1"
    (tests / "assert_as_many.sql").write_text(f"{asks}\n{query}")
    (tests / "assert_broken.sql").write_text("select * from {{ ref('dim_date') }} where no_such_column")
    kept.unlink()
    nodes = {node["name"]: node for node in json.loads(project.call("test", "--json").stdout)["tests"]["nodes"]}
    assert (nodes["assert_as_many"]["status"], nodes["assert_as_many"]["failures"]) == ("fail", 1)
    assert "select 2000 as n" in nodes["assert_as_many"]["sql"]
    assert nodes["assert_broken"]["status"] == "error"
    assert "no_such_column" in nodes["assert_broken"]["message"]
    assert not kept.exists()


def test_a_reference_says_which_model_must_know_its_parent(project: Project) -> None:
    rules = project.folder / "olist_dw_dbt" / "models" / "quality" / "_rules.yml"
    entry = "- {name: review_has_customer, description: '', owner: desk, severity: warn, model: fact_reviews, "
    entry += "column: order_key, parent: dim_customer, parent_column: customer_key}"
    rules.write_text(rules.read_text().replace("        references:\n", f"        references:\n          {entry}\n"))
    done = project.call("run")
    assert done.returncode == 1
    model = "models/intermediate/quality/int_findings_fact_reviews.sql"
    assert f"leads to dim_customer: add that to the parents in {model}" in done.stderr


def test_an_order_that_gets_lost_on_the_way_is_an_error(project: Project) -> None:
    model = project.folder / "olist_dw_dbt" / "models" / "core" / "facts" / "fact_payments.sql"
    text = model.read_text()
    model.write_text(text.replace("select * from final", "select * from final where payment_value < 100"))
    done = project.ok("run")
    assert "order_payments payment_value: -" in done.stderr
    assert "reais between staging.stg_order_payments and core.fact_payments that nothing explains" in done.stderr
    model.write_text(text)
    done = project.ok("run")
    assert "nothing explains" not in done.stderr
    kept = "select count(*) from duckdb_tables() where schema_name = 'dbt_test__audit'"
    assert project.value(kept) == 0, "what failed once leaves nothing behind"


def anomalies(project: Project) -> list[tuple[Any, ...]]:
    return project.query("select kind, subject, message from quality.dq_anomalies where is_new order by all")


def emptied(column: str) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        place = rows[0].index(column)
        return [rows[0], *([*row[:place], "", *row[place + 1 :]] for row in rows[1:])]

    return change


def test_files_that_are_unlike_those_before_are_found_on_arrival(project: Project) -> None:
    header, *orders = read(project, "orders")
    old = write(project, "orders", [header, *sorted(orders, key=lambda row: row[3])[:60]], "_2019-01")
    header, *items = read(project, "order_items")
    cents = [[*row[:5], str(round(float(row[5]) * 100)), row[6]] for row in items[:200]]
    new = write(project, "order_items", [header, *cents], "_2019-01")
    write(project, "products", emptied("product_weight_g")(read(project, "products")))
    heading, *reviews = read(project, "order_reviews")
    write(project, "order_reviews", [heading, *reviews[: len(reviews) * 2 // 3]])
    done = project.ok("run", "--accept", NAMES["order_reviews"])
    found = {subject: message for _, subject, message in anomalies(project)}
    assert set(found) == {new, old, NAMES["products"], NAMES["order_reviews"]}
    assert found[old].startswith(f"{old}: newest day of order_purchase_timestamp 201")
    assert f"{new}: median of price" in found[new]
    emptied_weight = f"{NAMES['products']}: share of empty fields of product_weight_g 1.0, in its version before 0.0"
    assert found[NAMES["products"]].startswith(emptied_weight)
    assert found[NAMES["order_reviews"]].startswith(f"{NAMES['order_reviews']}: rows 13")
    for message in found.values():
        assert message in done.stderr

    project.ok("run", "--full-refresh")
    versions = "select count(distinct sha256) from quality.dq_file_profiles where file_name = ?"
    assert project.query(versions, NAMES["products"]) == [(2,)], "a full refresh keeps what files were like"
    for name in (new, old):
        (project.source_dir / name).unlink()
    write(project, "order_items", [header, *items[:200]], "_2019-02")
    project.ok("run")
    assert anomalies(project) == [], "a delivery like those before is none"
