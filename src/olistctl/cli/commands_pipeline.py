"""The commands that write: `run` and its stages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from olistctl.cli.call import Call

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from olistctl.console import Console
    from olistctl.pipeline import RunReport
    from olistctl.planning import Plan

_MOST_COLUMNS = 8

SourceDir = Annotated[
    Path | None,
    typer.Option("--source-dir", metavar="DIR", help="Folder with the nine CSVs.", show_default=False),
]
FullRefresh = Annotated[
    bool, typer.Option("--full-refresh", help="Rebuild everything but the history, from all files.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Take warnings as failures and publish nothing.")]
Accept = Annotated[
    list[str] | None,
    typer.Option(
        "--accept", metavar="FILE", help="Load a file that was held back for its lost records.", show_default=False
    ),
]
Wait = Annotated[
    float | None,
    typer.Option("--wait", metavar="SECONDS", help="Wait for another olistctl that is writing.", show_default=False),
]


def run(
    call: Call,
    source_dir: SourceDir = None,
    full_refresh: FullRefresh = False,
    strict: Strict = False,
    accept: Accept = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be loaded and built, and do nothing.")
    ] = False,
    wait: Wait = None,
) -> None:
    """Validate, load, transform, test and publish: the whole pipeline, as far as something has changed.

    Readers see yesterday's warehouse until today's is whole; whatever goes wrong leaves it as it was.

      olistctl run --full-refresh --source-dir ~/Downloads/olist
    """
    if dry_run:
        _show_plan(call, source_dir, accept, full_refresh=full_refresh)
    else:
        _execute(call, "run", source_dir=source_dir, full_refresh=full_refresh, strict=strict, accept=accept, wait=wait)


def load(
    call: Call,
    source_dir: SourceDir = None,
    full_refresh: FullRefresh = False,
    strict: Strict = False,
    accept: Accept = None,
    wait: Wait = None,
) -> None:
    """Load the files into the tables of schema raw, typed by the contract, with their audit.

      olistctl load --source-dir ~/Downloads/olist
    """  # fmt: skip
    _execute(call, "load", source_dir=source_dir, full_refresh=full_refresh, strict=strict, accept=accept, wait=wait)


def transform(
    call: Call,
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Build all models anew.")] = False,
    strict: Strict = False,
    wait: Wait = None,
) -> None:
    """Build the models and snapshots of the dbt project that what was loaded touches."""
    _execute(call, "transform", full_refresh=full_refresh, strict=strict, wait=wait)


def snapshot(call: Call, strict: Strict = False, wait: Wait = None) -> None:
    """Take the snapshots of customers, products and sellers: the history (SCD type 2)."""
    _execute(call, "snapshot", strict=strict, wait=wait)


def test(
    call: Call,
    strict: Strict = False,
    junit: Annotated[
        Path | None,
        typer.Option("--junit", metavar="FILE", help="Write the results as JUnit XML, too.", show_default=False),
    ] = None,
    wait: Wait = None,
) -> None:
    """Run the dbt tests on the warehouse; leaves with 1 when one of them fails.

    Shows what failed with some of its rows, which are kept in schema dbt_test__audit, and the account of rows and reais
    from file to mart.

      olistctl test --junit results.xml
    """
    _execute(call, "test", strict=strict, wait=wait, junit=junit)


def _execute(
    call: Call,
    name: str,
    *,
    source_dir: Path | None = None,
    full_refresh: bool = False,
    strict: bool = False,
    accept: list[str] | None = None,
    wait: float | None = None,
    junit: Path | None = None,
) -> None:
    from olistctl.errors import ExitCode
    from olistctl.pipeline import run_pipeline

    settings = call.logged_settings(source_dir=source_dir, **{"lock.wait_seconds": wait})
    console = call.console
    with console.progress() as progress:
        report = run_pipeline(
            settings,
            name,
            full_refresh=full_refresh,
            strict=strict,
            accepted=_accepted(accept),
            progress=progress,
        )
    if junit and report.tests:
        _write_junit(junit, report)
    if call.json:
        console.json(report)
    else:
        _render(console, report)
    if name == "test" and report.failed_tests:
        raise typer.Exit(ExitCode.DATA)


def _accepted(accept: list[str] | None) -> frozenset[str]:
    """Return the names of the files; a path, as a shell completes it, names its last part."""
    return frozenset(Path(name).name for name in accept or ())


def _show_plan(call: Call, source_dir: Path | None, accept: list[str] | None, *, full_refresh: bool) -> None:
    from olistctl.loading import Limits
    from olistctl.planning import files_present, make_plan
    from olistctl.sources import load_contract

    settings = call.settings(source_dir=source_dir)
    contract = load_contract(settings.contract_file)
    limits = Limits.of(settings, _accepted(accept))
    files = files_present(contract, settings.source_dir, limits.accepted)
    with call.console.progress() as progress:
        plan = make_plan(settings, contract, files, limits, full_refresh=full_refresh, progress=progress)
    if call.json:
        call.console.json(plan)
    else:
        render_plan(call.console, plan)


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
        console.line(f"Models and snapshots that a run would build{why}: {', '.join(plan.models)}.")


def _render(console: Console, report: RunReport) -> None:
    if report.status == "unchanged":
        console.warnings(report.findings)
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
    console.table(
        "Files",
        ["file", "result", "records", "loaded", "quarantined", "seconds"],
        [[f.file, f.status, f.records, f.loaded, f.quarantined, f.seconds] for f in report.load.files],
    )


def _render_reconciliation(console: Console, report: RunReport) -> None:
    if not report.reconciliation:
        return
    from olistctl.quality import LAYERS

    rows = []
    for flow in report.reconciliation:
        name = flow.flow if flow.unit == "rows" else f"{flow.flow} ({flow.unit})"
        amounts = [_amount(flow.amounts.get(layer), flow.unit) for layer in LAYERS]
        reasons = "; ".join(f"{_amount(reason.amount, flow.unit):,} {reason.reason}" for reason in flow.reasons)
        rows.append([name, *amounts, reasons, _amount(flow.unexplained, flow.unit)])
    console.table("From file to mart", ["what", *LAYERS, "differences", "unexplained"], rows)


def _amount(amount: Decimal | None, unit: str) -> int | float | None:
    if amount is None:
        return None
    return int(amount) if unit == "rows" else float(amount)


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


def _write_junit(file: Path, report: RunReport) -> None:
    from olistctl.errors import UsageError
    from olistctl.quality import write_junit

    assert report.tests
    try:
        write_junit(file, report.tests.nodes, report.failing)
    except OSError as error:
        raise UsageError(f"the results cannot be written: {error.strerror}", where=str(file)) from None


def _render_nodes(console: Console, report: RunReport) -> None:
    for title, part in (("Models", report.transform), ("Tests", report.tests)):
        if part:
            rows = [[node.name, node.kind, node.status, node.seconds] for node in part.nodes]
            console.table(title, ["name", "kind", "result", "seconds"], rows)
