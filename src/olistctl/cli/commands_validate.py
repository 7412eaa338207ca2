"""`olistctl validate`: look at a delivery before it is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from olistctl.cli.call import Call
from olistctl.cli.commands_pipeline import SourceDir

if TYPE_CHECKING:
    from olistctl.console import Console
    from olistctl.results import Finding
    from olistctl.validation import FileReport, ValidationReport


_MORE = "--verbose shows them"


def validate(call: Call, source_dir: SourceDir = None) -> None:
    """Check a delivery against the contract, without loading it; leaves with 1 when something is wrong.

    Every file is read whole: bytes, header, values, keys, references across the nine files, row rules.

      olistctl validate --source-dir ~/Downloads/olist --verbose
    """
    from olistctl.errors import ExitCode
    from olistctl.loading import Limits
    from olistctl.sources import load_contract
    from olistctl.validation import validate as check_delivery

    settings = call.settings(source_dir=source_dir)
    contract = load_contract(settings.contract_file)
    console = call.console
    with console.progress() as progress:
        report = check_delivery(
            contract,
            settings.source_dir,
            limits=Limits.of(settings),
            warehouse=settings.warehouse,
            threads=settings.threads,
            progress=progress,
        )
    if call.json:
        told = {"problems": report.problems, "warnings": report.warnings}
        console.json(told | {"findings": [*_problems(report), *_warnings(report)]} | vars(report))
    else:
        _render(console, report)
    if report.problems:
        raise typer.Exit(ExitCode.DATA)


def _render(console: Console, report: ValidationReport) -> None:
    from olistctl.results import counted

    console.table(
        f"Files in {report.source_dir}",
        ["file", "result", "MB", "records", "bad"],
        [_file_row(file) for file in report.files],
    )
    if console.verbose:
        _render_detail(console, report)
    console.warnings(_warnings(report))
    console.problems(_problems(report))
    verdict = "The delivery has faults" if report.problems else "The delivery is good"
    console.line(f"{verdict}: {counted(report.problems, 'problem')}, {counted(report.warnings, 'warning')}")


def _warnings(report: ValidationReport) -> list[Finding]:
    return [check.finding(_MORE) for check in report.checks if not check.is_good and not check.is_error]


def _problems(report: ValidationReport) -> list[Finding]:
    faulty = [file.load.finding(_MORE) for file in report.files if not file.load.is_whole]
    return faulty + [check.finding(_MORE) for check in report.checks if not check.is_good and check.is_error]


def _render_detail(console: Console, report: ValidationReport) -> None:
    console.table(
        "Bytes",
        ["file", "modified (UTC)", "encoding", "BOM", "delimiter", "line ends", "SHA-256"],
        [
            [
                f.file,
                f.modified_at and f"{f.modified_at:%Y-%m-%d %H:%M:%S}",
                f.encoding,
                f.has_bom,
                f.delimiter,
                f.line_ends,
                f.sha256,
            ]
            for f in (file.inspection for file in report.files)
            if f.exists
        ],
    )
    bad = [
        [file.inspection.file, example.line, example.column, example.error_type, example.message]
        for file in report.files
        for example in file.load.examples
    ]
    if bad:
        console.table("Bad records (the first 100 of a file)", ["file", "line", "column", "reason", "what"], bad)
    failing = [
        [check.source, check.name, place.file, place.line]
        for check in report.checks
        if not check.is_good
        for place in check.examples
    ]
    if failing:
        console.table("Rows that fail a check (the first 5 of each)", ["source", "check", "file", "line"], failing)
    nulls = [[source, item.column, item.nulls] for source, items in report.nulls.items() for item in items]
    if nulls:
        console.table("Empty fields", ["source", "column", "rows"], nulls)


def _file_row(file: FileReport) -> list[Any]:
    found, load = file.inspection, file.load
    result = "ok" if load.is_whole else load.result
    return [found.file, result, found.size_bytes / 1e6, found.records, load.bad]
