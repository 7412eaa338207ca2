"""`olistctl report`: the KPIs in the terminal, and the page in a real browser."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from olistctl.cli.commands_report import sparkline
from tests.project import Project

playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no browser: apt-get install chromium")


def test_the_kpis_are_those_of_the_last_complete_month(built: Project) -> None:
    report = built.json("report")
    last, before = (month for (month,) in built.query(
        "select year_month from mart.mart_executive_monthly where is_complete_month order by 1 desc limit 2"
    ))  # fmt: skip
    assert (report["month"], report["months"][-1]) == (last, last)
    kpis = {kpi["name"]: kpi for kpi in report["kpis"]}
    for name, kpi in kpis.items():
        months = "select year_month, {} from mart.mart_executive_monthly where is_complete_month order by 1"
        values = dict(built.query(months.format(name)))
        assert kpi["history"] == [float(value) for value in values.values()], name
        assert kpi["value"] == float(values[last]) and kpi["definition"], name
    ((orders, gmv),) = built.query(
        "select order_growth_pct, gmv_growth_pct from mart.mart_executive_monthly where year_month = ?", last
    )
    assert (kpis["order_count"]["change"], kpis["gmv"]["change"]) == pytest.approx((orders, gmv))
    ((late, earlier),) = built.query(
        "select max(on_time_share) filter (year_month = $1), max(on_time_share) filter (year_month = $2) "
        "from mart.mart_executive_monthly", last, before,
    )  # fmt: skip
    assert kpis["on_time_share"]["change"] == pytest.approx(100 * (late - earlier)), "percentage points"


def test_the_terminal_shows_them_with_their_meaning(built: Project) -> None:
    month = built.json("report")["month"]
    gmv = built.value(f"select gmv from mart.mart_executive_monthly where year_month = '{month}'")
    text = built.ok("report", "--explain").stdout
    assert f"R$ {gmv:,.2f}" in text and f"KPIs of {month}" in text
    (definition,) = [kpi["definition"] for kpi in built.json("report")["kpis"] if kpi["name"] == "gmv"]
    assert definition.split(".")[0] in " ".join(text.split())


def test_a_sparkline_goes_from_the_lowest_to_the_highest() -> None:
    assert sparkline([1, 2, None, 8]) == "▁▂ █"
    assert sparkline([3, 3]) == "▄▄"
    assert sparkline([]) == ""


def test_what_is_not_there_is_said(project: Project) -> None:
    assert "--out needs --html" in project.call("report", "--out", "x.html").stderr
    with duckdb.connect(str(project.warehouse)) as connection:
        connection.execute("update mart.mart_executive_monthly set is_complete_month = false")
    for arguments in (["report"], ["report", "--html"]):
        done = project.call(*arguments)
        assert (done.returncode, "no month is complete" in done.stderr) == (1, True)
    with duckdb.connect(str(project.warehouse)) as connection:
        connection.execute("drop schema mart cascade")
    for arguments in (["report"], ["report", "--html"]):
        done = project.call(*arguments)
        assert (done.returncode, "the marts are not built yet" in done.stderr) == (1, True)


@pytest.fixture(scope="module")
def page_file(built: Project) -> Path:
    return Path(built.json("report", "--html")["file"])


def test_the_page_needs_nothing_but_itself(page_file: Path) -> None:
    text = page_file.read_text(encoding="utf-8")
    assert len(text.encode()) < 10_000_000
    markup = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert set(re.findall(r"(?:src|href)=\"([^\"]*)\"", markup)) == {"data:,", "#main"}
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    assert data["figures"]["state_months"] and data["definitions"]["gmv"]


def test_a_value_that_looks_like_a_part_of_the_page_stays_a_value(project: Project) -> None:
    city = "/*SCRIPT*/</script><b>"
    with duckdb.connect(str(project.warehouse)) as connection:
        connection.execute("update mart.mart_seller_scorecard set seller_city = ?", [city])
    text = Path(project.json("report", "--html")["file"]).read_text(encoding="utf-8")
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    assert {seller["city"] for seller in data["figures"]["sellers"]} == {city}
    assert text.count("function drawKpis") == 1
    refused = project.call("report", "--html", "--out", str(project.warehouse))
    assert (refused.returncode, "no page" in refused.stderr) == (2, True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


class Reader:
    """Somebody who reads the page; what the browser complains of is an error."""

    def __init__(self, browser: Any, file: Path, scheme: str = "light", width: int = 1300) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(file.as_uri())
        self.wait()

    def wait(self) -> None:
        """Wait until every chart is drawn."""
        self.page.wait_for_function(
            "[...document.querySelectorAll('.chart')].every((chart) => chart.querySelector('svg'))"
        )

    def choose(self, **filters: str) -> None:
        for name, value in filters.items():
            self.page.select_option(f"#{name}", value)
        self.wait()

    def kpis(self) -> dict[str, float | None]:
        found = self.page.eval_on_selector_all(
            "[data-kpi]", "cards => cards.map((card) => [card.dataset.kpi, card.dataset.value])"
        )
        return {name: float(value) if value else None for name, value in found}

    def table(self, figure: str) -> list[list[str]]:
        rows: list[list[str]] = self.page.eval_on_selector_all(
            f"#figure-{figure} tbody tr",
            "lines => lines.map((line) => [...line.cells].map((cell) => cell.textContent))",
        )
        return rows


def expected(project: Project, where: str) -> dict[str, float | None]:
    """Return the KPIs from the facts, not from the mart that the page adds up."""
    ((orders, gmv, with_items, new, on_time, score, cancelled, freight),) = project.query(
        f"""
        select
            count(*), sum(total_amount), count(case when has_items then 1 end),
            count(case when is_first_order then 1 end),
            avg(case when is_late_delivery is not null then case when is_late_delivery then 0 else 1 end end),
            avg(review_score), avg(case when order_status in ('canceled', 'unavailable') then 1 else 0 end),
            sum(total_freight)
        from core.fact_orders where {where}
        """
    )
    return {
        "order_count": orders, "gmv": float(gmv), "avg_order_value": float(gmv) / with_items, "new_customers": new,
        "on_time_share": on_time, "avg_review_score": score, "cancellation_share": cancelled,
        "freight_share": float(freight) / float(gmv),
    }  # fmt: skip


@needs_browser
def test_the_numbers_of_the_page_are_those_of_the_warehouse(built: Project, page_file: Path, browser: Any) -> None:
    reader = Reader(browser, page_file)
    assert reader.kpis() == pytest.approx(expected(built, "true"))
    months = built.query(
        "select year_month, gmv, order_count from mart.mart_executive_monthly where order_count > 0 order by 1"
    )
    assert [row[:3] for row in reader.table("gmv")] == [[m, f"R$ {gmv:,.2f}", f"{n:,}"] for m, gmv, n in months]
    states = built.query("select customer_state, sum(total_amount) from core.fact_orders group by 1 order by 2 desc, 1")
    assert [(row[0], row[2]) for row in reader.table("map-gmv")] == [(s, f"R$ {gmv:,.2f}") for s, gmv in states]
    segments = built.query("select rfm_segment, count(*) from mart.mart_customer_analytics group by 1")
    assert {row[0]: row[1] for row in reader.table("segments")} == {name: f"{n:,}" for name, n in segments}
    tiers = built.query("select seller_tier, count(*) from mart.mart_seller_scorecard where has_sales group by 1")
    assert {row[0]: row[1] for row in reader.table("tiers")} == {name: f"{n:,}" for name, n in tiers}
    top = built.value("select seller_id from mart.mart_seller_scorecard order by gmv desc, seller_id limit 1")
    assert reader.table("top")[0][0] == top[:8]
    assert len(reader.table("rules")) == built.value("select count(*) from quality.dq_rules")
    assert (reader.said, reader.asked) == ([], [page_file.as_uri()]), "no complaint, and nothing from elsewhere"


@needs_browser
def test_filters_work_without_a_server(built: Project, page_file: Path, browser: Any) -> None:
    reader = Reader(browser, page_file)
    reader.choose(**{"from": "2017-05", "to": "2018-02", "state": "SP"})
    chosen = (
        "order_purchase_timestamp >= '2017-05-01' and order_purchase_timestamp < '2018-03-01' and customer_state = 'SP'"
    )
    assert reader.kpis() == pytest.approx(expected(built, chosen))
    assert [reader.table("gmv")[index][0] for index in (0, -1)] == ["2017-05", "2018-02"]
    assert reader.page.inner_text("#shown") == "Showing 2017-05 to 2018-02, customers of SP."
    days = built.query(
        "select strftime(order_month, '%Y-%m'), median_days_to_deliver from mart.mart_delivery_metrics "
        "where grain = 'month_customer_state' and customer_state = 'SP' "
        "and order_month between '2017-05-01' and '2018-02-01' order by 1"
    )
    assert [(row[0], row[4]) for row in reader.table("stages")] == [
        (m, "\N{EN DASH}" if d is None else f"{d:.1f}") for m, d in days
    ]
    assert {row[2] for row in reader.table("top")} == {"SP"}
    reader.choose(to="2017-01")
    assert reader.page.input_value("#to") == "2017-05", "a period does not end before it begins"
    reader.page.click("button[type=reset]")
    reader.wait()
    assert reader.kpis() == pytest.approx(expected(built, "true"))
    assert reader.said == []


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_themes_can_be_read(page_file: Path, browser: Any, scheme: str) -> None:
    reader = Reader(browser, page_file, scheme)
    assert reader.page.evaluate("document.documentElement.dataset.theme") == scheme
    for selector in ("h1", ".kpi .value", ".kpi .label", ".source", "th", "td", "#shown"):
        assert reader.page.evaluate(CONTRAST, selector) >= 4.5, (scheme, selector)
    reader.page.click("#theme")
    assert reader.page.evaluate("document.documentElement.dataset.theme") != scheme
    reader.wait()
    assert reader.said == []


# WCAG 2.2, 1.4.3: the contrast of text with what is behind it.
CONTRAST = """(selector) => {
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => numbers(color).slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, index) => sum + v * [0.2126, 0.7152, 0.0722][index], 0);
  const found = document.querySelector(selector);
  let behind = found;
  while (numbers(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
  const [a, b] = [light(getComputedStyle(found).color), light(getComputedStyle(behind).backgroundColor)]
    .sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}"""


@needs_browser
def test_the_page_is_there_for_keyboards_screen_readers_and_phones(page_file: Path, browser: Any) -> None:
    reader = Reader(browser, page_file, width=390)
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= 390
    reader.page.keyboard.press("Tab")
    assert reader.page.evaluate("document.activeElement.className") == "skip"
    for focused in ("theme", "from", "to", "state"):
        reader.page.keyboard.press("Tab")
        assert reader.page.evaluate("document.activeElement.id") == focused
    reader.page.keyboard.type("SP")
    reader.page.wait_for_function("document.getElementById('shown').textContent.includes('SP')")
    unnamed = "[...document.querySelectorAll('.chart')].filter((chart) => !chart.querySelector('[aria-label]')).length"
    assert reader.page.evaluate(unnamed) == 0, "every chart says what it is"
    untold = "[...document.querySelectorAll('figure')].filter((figure) => !figure.querySelector('table')).length"
    empty = "document.querySelectorAll('figure .empty').length"
    assert reader.page.evaluate(untold) == reader.page.evaluate(empty), "every chart has its numbers as a table"
