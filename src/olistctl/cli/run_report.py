"""What a run did, and what one would do, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from olistctl.console import Console
    from olistctl.planning import Plan
    from olistctl.quality import Flow
    from olistctl.runs import RunReport

_MOST_COLUMNS = 8


def render_plan(console: Console, plan: Plan) -> None:
    """Show what a run would do."""
    if plan.is_empty:
        console.line("Nothing has changed: a run would do nothing.")
    if plan.changes:
        console.table(
            "Rows that a run would write, by key",
            ["table", "insert", "change", "delete"],
            [
                [change.table, change.inserted, change.changed, change.deleted]
                if change.inserted is not None
                else [change.table, "all", "", ""]
                for change in plan.changes
            ],
        )
    console.warnings(plan.findings)
    if plan.models is None:
        console.line(f"All models would be built: {plan.reason or 'dbt has not said yet which there are'}.")
    elif plan.models:
        why = f" ({plan.reason})" if plan.reason else ""
        lead = f"Models and snapshots that a run would build{why}, unless what they read comes out as it was"
        console.line(f"{lead}: {', '.join(plan.models)}.")


def render_run(console: Console, report: RunReport) -> None:
    """Show what a run did."""
    if report.status == "unchanged":
        console.warnings(report.findings)
        for stage in report.stages:
            console.line(f"{stage.stage}: {stage.note}")
        console.line(f"Nothing has changed: the warehouse is up to date ({report.seconds:.2f} s). {report.warehouse}")
        return
    if report.load and (console.verbose or report.load.faulty):
        _render_files(console, report)
    if console.verbose:
        _render_nodes(console, report)
    if report.command == "test" or console.verbose:
        _render_reconciliation(console, report)
        _render_failing(console, report)
    console.table(
        f"{report.command} {'(full refresh) ' if report.full_refresh else ''}{report.run_id}",
        ["stage", "result", "rows", "seconds", "what"],
        [[stage.stage, stage.result, stage.rows, stage.seconds, stage.note] for stage in report.stages],
    )
    console.warnings(report.findings)
    from olistctl.results import counted

    warned = f" with {counted(len(report.findings), 'warning')}" if report.findings else ""
    console.line(f"Done{warned} in {report.seconds:.1f} s. The warehouse: {report.warehouse}")


def _render_files(console: Console, report: RunReport) -> None:
    assert report.load
    shown = report.load.files if console.verbose else report.load.faulty
    console.table(
        "Files" if console.verbose else "Files that did not load whole",
        ["file", "result", "records", "loaded", "quarantined"],
        [[f.file, f.result, f.records, f.loaded, f.quarantined] for f in shown],
    )


def _render_reconciliation(console: Console, report: RunReport) -> None:
    if not report.reconciliation:
        return
    from olistctl.quality import LAYERS

    flows = report.reconciliation
    console.table(
        "From file to mart",
        ["what", *LAYERS, "unnamed"],
        [
            [flow.flow, *(_amount(flow.amounts.get(layer), flow) for layer in LAYERS), _amount(flow.unexplained, flow)]
            for flow in flows
        ],
    )
    named = [[flow.flow, _amount(reason.amount, flow), reason.reason] for flow in flows for reason in flow.reasons]
    if named:
        console.table("Differences that have a name", ["what", "amount", "why"], named)


def _amount(amount: Decimal | None, flow: Flow) -> Decimal | int | None:
    return int(amount) if amount is not None and flow.unit == "rows" else amount


def _render_failing(console: Console, report: RunReport) -> None:
    for test in report.failing:
        for finding, failure in zip(test.findings, test.failures, strict=True):
            if failure.sample is None:
                console.line(f"{test.status}: {test.where}: {finding.message}")
                continue
            shown = _columns_to_show(failure.sample.columns, test.column)
            cut = f" ({len(shown)} of {len(failure.sample.columns)} columns)"
            console.table(
                f"{test.status}: {test.where}: {finding.message}",
                [failure.sample.columns[index] for index in shown],
                [[row[index] for index in shown] for row in failure.sample.rows],
            )
            console.line(f"All{cut if len(shown) < len(failure.sample.columns) else ''}: {failure.sample.query}")


def _columns_to_show(columns: Sequence[str], tested: str | None) -> list[int]:
    """Choose as many columns as a terminal has room for: the tested one, those that say which row, the first."""

    def rank(index: int) -> tuple[bool, bool, int]:
        return columns[index] != tested, not columns[index].endswith("_id"), index

    return sorted(sorted(range(len(columns)), key=rank)[:_MOST_COLUMNS])


def _render_nodes(console: Console, report: RunReport) -> None:
    for title, part in (("Models", report.transform), ("Tests", report.tests)):
        if part:
            rows = [[node.name, node.kind, node.status, node.seconds] for node in part.nodes]
            console.table(title, ["name", "kind", "result", "seconds"], rows)
