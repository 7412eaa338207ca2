"""The commands that write: `run` and its stages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from olistctl.cli.call import Call
from olistctl.cli.run_report import render_plan, render_run

if TYPE_CHECKING:
    from olistctl.runs import RunReport

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
    typer.Option(
        "--wait", metavar="SECONDS", help="Wait so long for another olistctl that writes.", show_default=False
    ),
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
    from olistctl.idleness import known_idle

    settings = call.logged_settings(source_dir=source_dir, **{"lock.wait_seconds": wait})
    console = call.console
    report = None if full_refresh or accept else known_idle(settings, name, strict=strict)
    if report is None:
        from olistctl.pipeline import run_pipeline  # which takes longer than to see that nothing has changed

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
        render_run(console, report)
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


def _write_junit(file: Path, report: RunReport) -> None:
    from olistctl.errors import UsageError
    from olistctl.quality import write_junit

    assert report.tests
    try:
        write_junit(file, report.tests.nodes, report.failing)
    except OSError as error:
        hint = "the tests have run, and only this file is missing: name another one with --junit"
        raise UsageError(f"the results cannot be written: {error.strerror}", where=str(file), hint=hint) from None
