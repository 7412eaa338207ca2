"""`olistctl verify`: the warehouse against a full refresh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from olistctl.cli.call import Call
from olistctl.cli.commands_pipeline import SourceDir

if TYPE_CHECKING:
    from olistctl.console import Console
    from olistctl.verifying import Example, TableComparison, VerifyReport

_WIDEST = 40  # characters of a cell
_BESIDE_KEY = 3  # columns


def verify(
    call: Call,
    source_dir: SourceDir = None,
    rows: Annotated[
        int, typer.Option("--rows", metavar="N", min=0, max=1000, help="Example rows of each side, per table.")
    ] = 5,
) -> None:
    """Prove that the warehouse holds what a full refresh would: the same rows in every table; leaves with 1 if not.

    The refresh is built beside the warehouse, which is only read, and thrown away. When a row was loaded and by which
    run does not count.

      olistctl verify --rows 20
    """
    from olistctl.errors import ExitCode
    from olistctl.verifying import verify as compare_with_refresh

    settings = call.logged_settings(source_dir=source_dir)
    console = call.console
    with console.progress() as progress:
        report = compare_with_refresh(settings, rows=rows, progress=progress)
    if call.json:
        console.json(_plain(report))
    else:
        _render(console, report)
    if report.different:
        raise typer.Exit(ExitCode.DATA)


def _plain(report: VerifyReport) -> dict[str, Any]:
    tables = [{"is_equal": table.is_equal, **vars(table)} for table in report.tables]
    return {"is_equal": not report.different, "rows": report.rows, **vars(report), "tables": tables}


def _render(console: Console, report: VerifyReport) -> None:
    shown = report.tables if console.verbose else report.different
    if shown:
        console.table(
            f"{report.warehouse} and a full refresh",
            ["table", "result", "rows here", "rows fresh", "only here", "only fresh"],
            [_table_row(table) for table in shown],
        )
    for table in report.different:
        if table.examples:
            _render_examples(console, table)
    for file in report.kept_files:
        console.note(f"{file} is missing or refused: a full refresh keeps its rows, so they were not read again")
    console.problems(report.findings)
    console.line(report.summary)


def _table_row(table: TableComparison) -> list[Any]:
    result = "ok" if table.is_equal else "different"
    return [table.name, result, table.rows_live, table.rows_fresh, table.only_live, table.only_fresh]


def _render_examples(console: Console, table: TableComparison) -> None:
    first = next(iter(table.examples))
    others = table.differing or tuple(column for column in first.values if column not in table.key)[:_BESIDE_KEY]
    columns = (*table.key, *others)
    console.table(
        f"Rows of {table.name} that only one side has",
        ["in", *columns, "times"],
        [[example.side, *(_cell(example, column) for column in columns), example.times] for example in table.examples],
    )


def _cell(example: Example, column: str) -> str:
    """Show a value as text; NULL and the empty text, which a table would both leave blank, are told apart."""
    value = example.values[column]
    if value is None:
        return "NULL"
    return f"{value[:_WIDEST]}…" if len(value) > _WIDEST else value or "''"
