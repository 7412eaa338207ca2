"""The KPIs of the last complete month, each a column of mart_executive_monthly, which defines it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from olistctl.config import Settings
from olistctl.errors import DataError
from olistctl.publishing import reading
from olistctl.transform import read_descriptions

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MART = "mart_executive_monthly"
# What a number counts, and so how it is shown and how its change is told: shares in percentage points, scores in
# points, the others in percent.
Unit = Literal["count", "reais", "share", "score"]
Number = int | float | Decimal


@dataclass(frozen=True)
class KpiKind:
    """A column of the mart that is a KPI."""

    column: str
    label: str
    unit: Unit
    higher_is_better: bool = True


KINDS = (
    KpiKind("order_count", "Orders", "count"),
    KpiKind("gmv", "GMV", "reais"),
    KpiKind("delivered_gmv", "Delivered GMV", "reais"),
    KpiKind("avg_order_value", "Average order value", "reais"),
    KpiKind("items_sold", "Items sold", "count"),
    KpiKind("unique_customers", "Customers", "count"),
    KpiKind("repeat_customer_share", "Repeat customers", "share"),
    KpiKind("active_sellers", "Active sellers", "count"),
    KpiKind("freight_share", "Freight in GMV", "share", higher_is_better=False),
    KpiKind("on_time_share", "On time", "share"),
    KpiKind("avg_review_score", "Review score", "score"),
    KpiKind("cancellation_share", "Cancelled", "share", higher_is_better=False),
)


@dataclass(frozen=True)
class Kpi:
    """A KPI with its values in the complete months, the last one last; None where there is nothing to divide by.

    `change` is against the calendar month before, `yearly_change` against the same month of the year before: percent,
    of shares percentage points, of scores points; None unless both months are complete.
    """

    name: str
    label: str
    unit: Unit
    value: Number | None
    change: float | None
    yearly_change: float | None
    higher_is_better: bool
    definition: str
    history: tuple[Number | None, ...]


@dataclass(frozen=True)
class KpiReport:
    """The KPIs of `month`, the last complete one; `months` are those of their histories."""

    month: str
    months: tuple[str, ...]
    mart: str
    kpis: tuple[Kpi, ...]


def read_kpis(settings: Settings) -> KpiReport:
    """Read the KPIs of the published warehouse.

    Raises:
        EnvironmentFault: there is no warehouse, or it cannot be read.
        DataError: the marts are not built, or no month is complete.
    """
    with reading(settings) as connection:
        rows = _complete_months(connection)
    described = read_descriptions(settings.dbt_artifacts).get(("mart", MART))
    definitions = described.columns if described else {}
    months = [row[0] for row in rows]
    kpis = []
    for number, kind in enumerate(KINDS, start=1):
        values: dict[date, Number | None] = {row[0]: row[number] for row in rows}
        last = months[-1]
        kpis.append(
            Kpi(
                kind.column,
                kind.label,
                kind.unit,
                values[last],
                _change(kind.unit, values[last], values.get(_months_before(last, 1))),
                _change(kind.unit, values[last], values.get(_months_before(last, 12))),
                kind.higher_is_better,
                definitions.get(kind.column, ""),
                tuple(values.values()),
            )
        )
    names = tuple(f"{month:%Y-%m}" for month in months)
    return KpiReport(names[-1], names, f"mart.{MART}", tuple(kpis))


def _complete_months(connection: DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """Return the first day of each complete month with the values of the KPIs, in their order."""
    import duckdb

    columns = ", ".join(kind.column for kind in KINDS)
    try:
        rows = connection.execute(
            f"select month_start_date, {columns} from mart.{MART} where is_complete_month order by month_start_date"
        ).fetchall()
    except duckdb.CatalogException:
        raise DataError("the marts are not built yet", where=f"mart.{MART}", hint="olistctl run") from None
    if not rows:
        raise no_month_is_complete()
    return rows


def no_month_is_complete() -> DataError:
    """Return the error of data that no KPI can be told of."""
    hint = "a month is complete once orders reach both of its ends, on half the usual days"
    return DataError("no month is complete", where=f"mart.{MART}", hint=hint)


def _change(unit: Unit, value: Number | None, before: Number | None) -> float | None:
    if value is None or before is None:
        return None
    if unit == "share":
        return 100 * (float(value) - float(before))
    if unit == "score":
        return float(value) - float(before)
    return 100 * (float(value) / float(before) - 1) if before else None


def _months_before(month: date, number: int) -> date:
    index = month.year * 12 + month.month - 1 - number
    return date(index // 12, index % 12 + 1, 1)
