"""Right on the real data: 20,000 real orders, to the cent. Skipped only where the data is absent."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.project import REAL_DATA, Project, new_project

pytestmark = pytest.mark.skipif(not REAL_DATA.is_dir(), reason=f"the real subset is not at {REAL_DATA}")

RAW_ROWS = {
    "stg_customers": 20_000,
    "stg_orders": 20_000,
    "stg_order_items": 22_618,
    "stg_order_payments": 20_873,
    "stg_order_reviews": 19_986,
    "stg_products": 11_318,
    "stg_sellers": 2_096,
    "stg_geolocation": 84_239,
    "stg_category_translation": 71,
}
PRICE, FREIGHT, PAYMENTS = Decimal("2768685.99"), Decimal("451112.79"), Decimal("3249579.78")
STATUSES = {
    "delivered": 19_430,
    "shipped": 215,
    "canceled": 124,
    "unavailable": 117,
    "invoiced": 57,
    "processing": 55,
    "created": 2,
}


@pytest.fixture(scope="session")
def real(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = new_project(tmp_path_factory.mktemp("real") / "project", like=built)
    project.ok("run", "--full-refresh", "--source-dir", str(REAL_DATA))
    return project


def test_the_delivery_is_good(real: Project) -> None:
    assert real.json("validate", "--source-dir", str(REAL_DATA))["problems"] == 0


def test_raw_holds_every_row(real: Project) -> None:
    assert {table: real.value(f"select count(*) from raw.{table}") for table in RAW_ROWS} == RAW_ROWS


def test_money_in_core(real: Project) -> None:
    assert real.query("select sum(price), sum(freight_value) from core.fact_order_items") == [(PRICE, FREIGHT)]
    assert real.query("select sum(total_price), sum(total_freight) from core.fact_orders") == [(PRICE, FREIGHT)]
    assert real.value("select sum(payment_value) from core.fact_payments") == PAYMENTS
    assert real.value("select sum(total_payment) from core.fact_orders") == PAYMENTS


@pytest.mark.parametrize(
    ("mart", "expression", "total"),
    [
        ("mart_executive_dashboard", "sum(gmv)", PRICE + FREIGHT),
        ("mart_executive_monthly", "sum(gmv)", PRICE + FREIGHT),
        ("mart_executive_monthly", "sum(revenue)", PRICE),
    ],
)
def test_money_in_the_marts(real: Project, mart: str, expression: str, total: Decimal) -> None:
    assert real.value(f"select {expression} from mart.{mart}") == total


def test_orders_by_status(real: Project) -> None:
    assert dict(real.query("select order_status, count(*) from core.fact_orders group by all")) == STATUSES


def test_no_join_multiplies_an_order(real: Project) -> None:
    assert real.query("select count(*), count(distinct order_id) from core.fact_orders") == [(20_000, 20_000)]
    assert real.value("select count(*) from core.fact_order_items") == 22_618
    assert real.value("select count(*) from core.fact_reviews") == 19_986


def test_all_dbt_tests_pass_or_are_baselines(real: Project) -> None:
    ((status, warnings),) = real.query("select status, warnings from etl.pipeline_runs")
    assert (status, warnings) == ("success", 0)


def test_nothing_of_the_public_data_drifts_from_its_baseline(real: Project) -> None:
    assert real.query("select rule from quality.dq_rules where is_drift") == []
    assert real.value("select count(*) from quality.dq_reconciliation where kind = 'unexplained' and amount <> 0") == 0


def test_the_complete_months_have_few_odd_days_and_the_thin_end_is_found(real: Project) -> None:
    odd = real.query(
        "select metric, metric_date::varchar, is_event from quality.dq_daily_anomalies "
        "where metric_date between date '2017-01-01' and date '2018-08-28' order by all"
    )
    assert ("orders", "2017-11-24", True) in odd, "Black Friday is odd, and no news"
    assert len([day for day in odd if not day[2]]) <= 6, "days late before Christmas, of 604"
    thin = real.value(
        "select count(*) from quality.dq_daily_anomalies where metric = 'orders' and metric_date > '2018-08-28'"
    )
    assert thin > 10
    assert real.value("select count(*) from quality.dq_anomalies where is_new") == 0, "the first load is history"
