"""`olistctl publish`: marts and dimensions as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from olistctl.cli.call import Call
from olistctl.cli.commands_pipeline import Wait

if TYPE_CHECKING:
    from olistctl.console import Console
    from olistctl.publishing import Release


def publish(
    call: Call,
    mart: Annotated[
        list[str] | None,
        typer.Option("--mart", metavar="NAME", help="Only this mart, or table of core.", show_default=False),
    ] = None,
    format_: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="csv, xlsx or parquet, for --mart.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Where to; for --mart the current folder if not given.", show_default=False
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="With --mart, replace a file that is there.")] = False,
    wait: Wait = None,
) -> None:
    """Write marts and core as Parquet files, or chosen ones as CSV or Excel.

    Without --mart all tables become a release, a folder of its own that `latest` leads to, as stage export of
    `olistctl run` does. With --mart each one becomes a file: in Excel with a sheet that says what its columns mean.

      olistctl publish

      olistctl publish --mart mart_seller_scorecard --format xlsx
    """
    from olistctl.errors import UsageError
    from olistctl.publishing import publish_release, write_files

    console = call.console
    if not mart:
        if format_ not in (None, "parquet") or overwrite:
            option = "--overwrite" if overwrite else f"--format {format_}"
            raise UsageError(f"{option} needs --mart", hint="--mart NAME, as often as you like")
        settings = call.logged_settings(**{"lock.wait_seconds": wait})
        with console.progress() as progress:
            release = publish_release(settings, folder=out, progress=progress)
        if call.json:
            console.json(release)
        else:
            _render(console, release)
        return
    with console.progress() as progress:
        files = write_files(
            call.settings(), mart, format_ or "csv", out or Path(), overwrite=overwrite, progress=progress
        )
    if call.json:
        console.json(files)
    else:
        console.table("Files", ["table", "rows", "file"], [[file.table, file.rows, file.file] for file in files])


def _render(console: Console, release: Release) -> None:
    rows = [[table.table, table.rows, table.bytes / 1e6] for table in release.tables]
    console.table("Release", ["table", "rows", "MB"], rows)
    console.warnings(release.findings)
    if release.problem:
        return
    if release.is_new:
        console.line(f"{release.latest} leads to {release.name}.")
    else:
        console.line(f"{release.latest} leads to {release.name} already: nothing has changed since.")
