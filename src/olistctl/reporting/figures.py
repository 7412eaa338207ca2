"""The rows behind the page: each list is of one mart, with amounts in centavos, which a browser adds up exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Figure:
    """Rows of the page: the mart that they are of, and the query that reads them."""

    mart: str
    query: str


FIGURES: Mapping[str, Figure] = {
    "months": Figure(
        "mart.mart_executive_monthly",
        """
        select year_month as month, is_complete_month as is_complete
        from mart.mart_executive_monthly order by 1
        """,
    ),
    "state_months": Figure(
        "mart.mart_executive_state_monthly",
        """
        select
            year_month as month, customer_state as state, order_count, orders_with_items, canceled_orders,
            cast(gmv * 100 as bigint) as gmv_cents, cast(freight * 100 as bigint) as freight_cents,
            new_customers, reviewed_orders, review_score_sum, arrived_orders, late_orders
        from mart.mart_executive_state_monthly order by 1, 2
        """,
    ),
    "delivery": Figure(
        "mart.mart_delivery_metrics",
        """
        select
            strftime(order_month, '%Y-%m') as month, customer_state as state,
            median_days_to_approve as approve, median_days_to_handle as handle, median_days_to_transit as transit,
            median_days_to_deliver as deliver, p90_days_to_deliver as deliver_p90
        from mart.mart_delivery_metrics where grain in ('month', 'month_customer_state') order by 1, 2
        """,
    ),
    "cohorts": Figure(
        "mart.mart_cohort_analysis",
        """
        select
            strftime(cohort_month, '%Y-%m') as cohort, months_since_first_order as age, cohort_size,
            active_customers, retention_share
        from mart.mart_cohort_analysis
        where is_complete_cohort and is_complete_activity_month and months_since_first_order between 1 and 12
        order by 1, 2
        """,
    ),
    "segments": Figure(
        "mart.mart_customer_analytics",
        """
        select
            customer_state as state, rfm_segment as segment, count(*) as customers,
            cast(sum(lifetime_value) * 100 as bigint) as value_cents
        from mart.mart_customer_analytics group by all order by 1, 2
        """,
    ),
    "categories": Figure(
        "mart.mart_product_performance",
        """
        select
            product_category_name_english as category, count(*) as products, sum(items_sold) as items_sold,
            cast(sum(revenue) * 100 as bigint) as revenue_cents,
            count(case when category_abc_class = 'A' then 1 end) as class_a_products
        from mart.mart_product_performance where has_sales group by all order by 4 desc, 1
        """,
    ),
    "tiers": Figure(
        "mart.mart_seller_scorecard",
        """
        select
            seller_state as state, seller_tier as tier, count(*) as sellers, cast(sum(gmv) * 100 as bigint) as gmv_cents
        from mart.mart_seller_scorecard where has_sales group by all order by 1, 2
        """,
    ),
    "sellers": Figure(
        "mart.mart_seller_scorecard",
        """
        select
            seller_id as seller, seller_city as city, seller_state as state, seller_tier as tier,
            seller_score as score, order_count, cast(gmv * 100 as bigint) as gmv_cents, on_time_share, avg_review_score,
            cancellation_share
        from mart.mart_seller_scorecard where has_sales
        qualify row_number() over (partition by seller_state order by gmv desc, seller_id) <= 15
        order by gmv_cents desc, seller
        """,
    ),
    "states": Figure(
        "mart.mart_geographic_analysis",
        """
        select area as state, region, active_sellers, local_supply_share
        from mart.mart_geographic_analysis where area_level = 'state' order by 1
        """,
    ),
    "rules": Figure(
        "quality.dq_rules",
        """
        select rule, description, severity, owner, row_count, violation_count, is_drift
        from quality.dq_rules order by is_drift desc, violation_count desc, rule
        """,
    ),
    "anomalies": Figure(
        "quality.dq_anomalies",
        "select kind, subject, is_new, message from quality.dq_anomalies order by is_new desc, kind, subject",
    ),
    "sources": Figure(
        "etl.source_files",
        """
        select
            source, count(*) as files, sum(rows_loaded) as rows,
            strftime(max(loaded_at), '%Y-%m-%d %H:%M:%S') as loaded_at
        from etl.source_files group by source order by source
        """,
    ),
}


def read_figures(connection: DuckDBPyConnection) -> dict[str, Rows]:
    """Return the rows of every figure.

    Raises:
        duckdb.CatalogException: a mart is not built.
    """
    return {name: _rows(connection, figure.query) for name, figure in FIGURES.items()}


def _rows(connection: DuckDBPyConnection, query: str) -> Rows:
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
