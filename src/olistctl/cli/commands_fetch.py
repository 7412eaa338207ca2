"""`olistctl fetch`: the genuine files, from Kaggle."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from olistctl.cli.call import Call
from olistctl.errors import ExitCode

if TYPE_CHECKING:
    from olistctl.console import Console
    from olistctl.fetching import Description, FolderReport
    from olistctl.results import Finding


def fetch(
    call: Call,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where to; the source folder if not given.", show_default=False),
    ] = None,
    check_only: Annotated[
        bool, typer.Option("--check", help="Only look whether the files that are there are genuine; no network.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files of the same names that differ.")] = False,
) -> None:
    """Fetch the nine genuine files from Kaggle (extra `kaggle`), each verified by its known SHA-256.

    They appear when all of them are there; a call that was stopped goes on where it was. Kaggle asks for no sign-in;
    its credentials are used where there are some. The data is licensed CC BY-NC-SA 4.0: not for commercial use.

      olistctl fetch

      olistctl fetch --check --out ~/Downloads/archive
    """
    from olistctl.errors import UsageError
    from olistctl.fetching import OLIST, check
    from olistctl.fetching import fetch as fetch_files

    if check_only and force:
        raise UsageError("--force replaces files, and --check only looks at them", hint="give one of them")
    console, folder = call.console, out or call.settings().source_dir
    if not check_only and not call.json:
        _show_licence(OLIST.description)
    with console.progress() as progress:
        report = check(folder, OLIST) if check_only else fetch_files(folder, OLIST, force=force, progress=progress)
    if call.json:
        console.json(report)
    else:
        _render(console, report)
    if faults := _faults(report, out):
        console.problems(faults)
        raise typer.Exit(ExitCode.DATA)
    if not call.json:
        there = "" if out is None else f" --source-dir {quote(str(out))}"
        console.line(f"All {len(report.files)} files are the genuine ones. Next: `olistctl run{there}`")


def _show_licence(dataset: Description) -> None:
    """Say on what terms the data comes; not a remark that --quiet leaves out, for whoever fetches it accepts them."""
    typer.echo(
        f"{dataset.title}, version {dataset.version}: {dataset.page}\n"
        f"Licence {dataset.licence}: name {dataset.creator} as its source, no commercial use, share alike."
        f" {dataset.licence_page}",
        err=True,
    )


def _render(console: Console, report: FolderReport) -> None:
    from olistctl.fetching import DIFFERENT, MISSING

    dataset = report.dataset
    rows = [
        [file.name, file.result, None if file.result in (MISSING, DIFFERENT) else file.bytes / 1e6]
        for file in report.files
    ]
    console.table(f"{dataset.title}, version {dataset.version}, in {report.folder}", ["file", "result", "MB"], rows)


def _faults(report: FolderReport, out: Path | None) -> list[Finding]:
    from olistctl.fetching import DIFFERENT, MISSING
    from olistctl.results import Finding

    there = "" if out is None else f" --out {quote(str(out))}"
    faults = (
        (MISSING, "missing", f"olistctl fetch{there}"),
        (DIFFERENT, "not the genuine files", f"olistctl fetch --force{there}"),
    )
    return [
        Finding(f"{message}: {', '.join(file.name for file in files)}", str(report.folder), hint)
        for result, message, hint in faults
        if (files := report.having(result))
    ]
