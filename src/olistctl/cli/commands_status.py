"""`olistctl status`: what is loaded, how fresh, what ran."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from olistctl.cli.call import Call
from olistctl.cli.commands_pipeline import SourceDir
from olistctl.cli.run_report import render_plan

if TYPE_CHECKING:
    from olistctl.config import Settings
    from olistctl.console import Console
    from olistctl.heartbeat import WatcherState
    from olistctl.ledger import PipelineRun
    from olistctl.status import StatusReport


def status(
    call: Call,
    source_dir: SourceDir = None,
    config_sources: Annotated[
        bool, typer.Option("--config-sources", help="Show every setting and where its value came from.")
    ] = False,
    notify_test: Annotated[
        bool, typer.Option("--notify-test", help="Send a trial message to every channel of notify.channels.")
    ] = False,
) -> None:
    """Show what is loaded, from which files, how fresh, the last runs, and which files changed since.

      olistctl status --config-sources
    """  # fmt: skip
    settings = call.settings(source_dir=source_dir)
    if config_sources:
        _render_settings(call, settings)
        return
    if notify_test:
        _try_channels(call, settings)
        return
    from olistctl.status import read_status

    with call.console.progress() as progress:
        report = read_status(settings, progress)
    if call.json:
        call.console.json(report)
    else:
        _render(call.console, report)


def _render_settings(call: Call, settings: Settings) -> None:
    from olistctl.config.settings import text_of, values_of, variable_of

    rows = [[key, value, settings.origins[key], variable_of(key)] for key, value in values_of(settings).items()]
    if call.json:
        call.console.json([dict(zip(("key", "value", "origin", "variable"), row, strict=True)) for row in rows])
        return
    call.console.table(
        f"Settings of {settings.config_file}",
        ["setting", "value", "comes from", "variable that overrides it"],
        [[key, text_of(key, value), origin, variable] for key, value, origin, variable in rows],
    )


def _try_channels(call: Call, settings: Settings) -> None:
    from olistctl.errors import ExitCode
    from olistctl.notify import try_channels

    trials = try_channels(settings)
    if call.json:
        call.console.json(trials)
    else:
        rows = [[trial.channel, ", ".join(trial.tags), trial.problem or "ok"] for trial in trials]
        call.console.table("A trial message", ["channel", "takes", "result"], rows)
    if any(trial.problem for trial in trials):
        raise typer.Exit(ExitCode.USAGE)


def _render(console: Console, report: StatusReport) -> None:
    if not report.exists:
        console.line(f"There is no warehouse yet at {report.warehouse}. Next: olistctl run --full-refresh")
    else:
        console.line(
            f"{report.warehouse}: {report.size_bytes / 1e6:.1f} MB, published {_time(report.published_at)} UTC, "
            f"newest order {_time(report.newest_order_at)}"
        )
    if report.source_dir_problem:
        console.line(f"{report.source_dir}: {report.source_dir_problem}")
    if report.files:
        from olistctl.loading import said

        console.table(
            f"Files in {report.source_dir}",
            ["file", "state", "rows", "loaded (UTC)"],
            [[f.file, said(f.state), f.rows_loaded, _minute(f.loaded_at)] for f in report.files],
        )
    if report.watcher:
        _render_watcher(console, report.watcher)
    if report.plan and report.exists:
        render_plan(console, report.plan)
    if report.records_in_quarantine:
        from olistctl.results import counted

        waiting = counted(report.records_in_quarantine, "record")
        console.line(f"{waiting} in quarantine. Next: olistctl quarantine list")
    if report.tables and console.verbose:
        console.table(
            "Tables",
            ["schema", "table", "rows"],
            [[table.schema, table.table, table.rows] for table in report.tables],
        )
    if report.runs:
        console.table(
            "Last runs",
            ["run", "command", "result", "rows", "warnings", "what"],
            [_run_row(run) for run in report.runs],
        )


def _render_watcher(console: Console, watcher: WatcherState) -> None:
    said = watcher.summary
    console.line(f"{said[0].upper()}{said[1:]}.{' Next: olistctl watch' if watcher.is_gone else ''}")
    if watcher.last_run_id:
        rows = f"{watcher.last_rows:,} rows" if watcher.last_rows is not None else ""
        console.line(
            f"Its last delivery: {watcher.last_run_id}, {watcher.last_status}, {rows}, {_utc(watcher.last_at)} UTC."
        )
    if watcher.failure:
        again = f"; next try at {_utc(watcher.next_try_at)} UTC" if watcher.next_try_at else ""
        console.line(f"Its last run failed at {_utc(watcher.failed_at)} UTC: {watcher.failure}{again}")


def _utc(moment: str | None) -> str:
    from olistctl.heartbeat import utc

    return utc(moment) if moment else "-"


def _run_row(run: PipelineRun) -> list[Any]:
    return [run.run_id, run.command, run.status, run.rows_loaded, run.warnings, run.message]


def _time(value: datetime | None) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}" if value else "-"


def _minute(value: datetime | None) -> str:
    return f"{value:%Y-%m-%d %H:%M}" if value else "-"
