"""`olistctl report`: the KPIs in the terminal, and the page."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from olistctl.cli.call import Call

if TYPE_CHECKING:
    from olistctl.console import Console
    from olistctl.reporting import Kpi, KpiReport

_BARS = "▁▂▃▄▅▆▇█"
_SHOWN_MONTHS = 12


def report(
    call: Call,
    explain: Annotated[bool, typer.Option("--explain", help="Say what each KPI means.")] = False,
    html: Annotated[bool, typer.Option("--html", help="Write the page with charts.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="With --html, where to; beside the warehouse if not given.",
            show_default=False,
        ),
    ] = None,
    open_: Annotated[
        bool, typer.Option("--open/--no-open", help="Show the page in the browser; only where there is a terminal.")
    ] = True,
) -> None:
    """Print the KPIs of the last complete month, or write a page with charts that works offline.

      olistctl report --explain

      olistctl report --html
    """  # fmt: skip
    from olistctl.errors import UsageError
    from olistctl.reporting import read_kpis

    if html:
        _write_page(call, out, open_=open_)
        return
    if out:
        raise UsageError("--out needs --html", hint="`olistctl report --json` prints the KPIs for programs")
    kpis = read_kpis(call.settings())
    if call.json:
        call.console.json(kpis)
    else:
        _render(call.console, kpis, explain=explain)


def _write_page(call: Call, out: Path | None, *, open_: bool) -> None:
    from olistctl.reporting import write_page

    settings = call.settings()
    page = write_page(settings, out or settings.warehouse.with_name(f"{settings.warehouse.stem}_report.html"))
    if call.json:
        call.console.json(page)
        return
    call.console.line(f"The report to {page.month} ({page.bytes / 1e6:.1f} MB): {page.file}")
    if open_ and sys.stdout.isatty():
        import webbrowser

        webbrowser.open(page.file.absolute().as_uri())


def _render(console: Console, report: KpiReport, *, explain: bool) -> None:
    shown = report.months[-_SHOWN_MONTHS:]
    columns = ["kpi", report.month, "on month", "on year", f"{shown[0]} to {shown[-1]}"]
    values = _aligned([_value(kpi) for kpi in report.kpis])
    monthly = _aligned([_change(kpi, kpi.change) for kpi in report.kpis])
    yearly = _aligned([_change(kpi, kpi.yearly_change) for kpi in report.kpis])
    lines = [sparkline([None if v is None else float(v) for v in kpi.history[-_SHOWN_MONTHS:]]) for kpi in report.kpis]
    rows = [[kpi.label, *cells] for kpi, *cells in zip(report.kpis, values, monthly, yearly, lines, strict=True)]
    console.table(f"KPIs of {report.month}, the last complete month", columns, rows)
    if explain:
        console.table(f"What they mean ({report.mart})", ["kpi", "column", "definition"], _definitions(report))


def _definitions(report: KpiReport) -> list[list[str]]:
    return [
        [kpi.label, kpi.name, kpi.definition or "run `olistctl transform` for its definition"] for kpi in report.kpis
    ]


def _value(kpi: Kpi) -> str:
    if kpi.value is None:
        return ""
    return {
        "count": f"{kpi.value:,.0f}",
        "reais": f"R$ {kpi.value:,.2f}",
        "share": f"{100 * float(kpi.value):.1f} %",
        "score": f"{kpi.value:.2f}",
    }[kpi.unit]


def _change(kpi: Kpi, change: float | None) -> str:
    if change is None:
        return ""
    return {"share": f"{change:+.1f} pp", "score": f"{change:+.2f}"}.get(kpi.unit, f"{change:+.1f} %")


def _aligned(cells: Sequence[str]) -> list[str]:
    width = max(map(len, cells))
    return [cell.rjust(width) for cell in cells]


def sparkline(values: Sequence[float | None]) -> str:
    """Return numbers as a line of bars, from the lowest to the highest; a gap is a blank."""
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    steps = len(_BARS) - 1
    return "".join(
        " " if value is None else _BARS[round(steps * (value - low) / (high - low)) if high > low else steps // 2]
        for value in values
    )
