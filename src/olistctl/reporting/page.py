"""The page: one file with charts that works offline, from a double click.

The page holds the rows of the marts, and adds them up for the chosen months and state in the browser. Its sections
are in `assets/report.html`, its charts (Vega-Lite) in `assets/report.js`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from olistctl import __version__, ledger
from olistctl.config import Settings
from olistctl.errors import DataError, EnvironmentFault
from olistctl.publishing import in_script, reading, write_html
from olistctl.quality import read_reconciliation
from olistctl.reporting.figures import read_figures
from olistctl.reporting.kpis import no_month_is_complete
from olistctl.results import to_plain
from olistctl.transform import read_descriptions

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Page:
    """The page that was written; `month` is the last complete one."""

    file: Path
    month: str
    bytes: int


def write_page(settings: Settings, file: Path) -> Page:
    """Write the report of the published warehouse.

    Raises:
        EnvironmentFault: there is no warehouse, the file cannot be written, or the charting library is not installed.
        UsageError: the file is there, and no page.
        DataError: the marts are not built, or no month is complete.
    """
    library = _library()
    with reading(settings) as connection:
        data = _data(settings, connection)
    parts = {
        "STYLE": _asset("report.css"),
        "LIBRARY": library.replace("</script", "<\\/script"),
        "DATA": in_script(data),
        "SCRIPT": _asset("report.js"),
    }
    # In one pass: a value of the data may look like a place for the next part.
    page = re.sub(r"/\*(STYLE|LIBRARY|DATA|SCRIPT)\*/", lambda place: parts[place[1]], _asset("report.html"))
    file = write_html(file, page)
    return Page(file, data["month"], file.stat().st_size)


def _data(settings: Settings, connection: DuckDBPyConnection) -> dict[str, Any]:
    import duckdb

    try:
        figures = read_figures(connection)
    except duckdb.CatalogException as error:
        raise DataError("the marts are not built yet", where=_missing(error), hint="olistctl run") from None
    complete = [month["month"] for month in figures["months"] if month["is_complete"]]
    if not complete:
        raise no_month_is_complete()
    build = ledger.last_build(connection) if ledger.is_present(connection) else None
    described = read_descriptions(settings.dbt_artifacts)
    newest = connection.execute("select max(order_purchase_timestamp) from core.fact_orders").fetchall()[0][0]
    return {
        "month": complete[-1],
        "made_at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "built_at": f"{build.built_at:%Y-%m-%d %H:%M} UTC" if build else None,
        "newest_order": f"{newest:%Y-%m-%d %H:%M}" if newest else None,
        "olistctl": __version__,
        "figures": to_plain(figures),
        "reconciliation": to_plain(read_reconciliation(connection)),
        "marts": {
            f"{schema}.{table}": about.table
            for (schema, table), about in described.items()
            if schema in ("mart", "quality")
        },
        "definitions": dict(described["mart", "mart_executive_monthly"].columns)
        if ("mart", "mart_executive_monthly") in described
        else {},
    }


def _missing(error: Exception) -> str:
    """Return the table that DuckDB does not find."""
    found = re.search(r"with name (\w+)", str(error))
    return f"mart.{found[1]}" if found else "mart"


def _asset(name: str) -> str:
    return (resources.files("olistctl.reporting") / "assets" / name).read_text(encoding="utf-8")


def _library() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script."""
    try:
        import vl_convert
    except ImportError:
        raise EnvironmentFault("the page needs the charting library", hint="pip install 'olistctl[report]'") from None
    script: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub lacks the default
    return script
