"""`olistctl errors`: what went wrong, and whether somebody has dealt with it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from olistctl.cli.call import Call, check_word
from olistctl.cli.commands_pipeline import Wait

HELP = "What went wrong in any run, and whether somebody has dealt with it."
_STATUSES = ("open", "resolved", "ignored", "all")

Numbers = Annotated[list[int], typer.Argument(metavar="ID…", max=2**62, help="Numbers of errors, as in the list.")]
Reason = Annotated[
    str | None, typer.Option("--reason", metavar="TEXT", help="Why; it stays with the error.", show_default=False)
]


def list_(
    call: Call,
    status: Annotated[str, typer.Option("--status", metavar="STATUS", help=f"{', '.join(_STATUSES)}.")] = "open",
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=10**9, help="Show at most so many.")] = 50,
) -> None:
    """List the errors of etl.error_log, the newest first.

      olistctl errors list --status all
    """  # fmt: skip
    from olistctl.mending.errors import list_errors

    check_word("--status", status, _STATUSES)
    report = list_errors(call.settings(), status=None if status == "all" else status.upper(), limit=limit)
    console = call.console
    if call.json:
        console.json(report)
        return
    if not report.errors:
        console.line("There are no errors." if status == "all" else f"There are no {status} errors.")
        return
    console.table(
        "Errors",
        ["id", "when (UTC)", "stage", "where", "type", "what", "status"],
        [
            [
                "-" if e.error_id is None else str(e.error_id),  # of a failed run that no warehouse holds yet
                f"{e.at:%Y-%m-%d %H:%M}",
                e.stage,
                e.details.get("where") or e.table_name,
                e.error_type,
                e.message,
                e.status.lower(),
            ]
            for e in report.errors
        ],
    )
    if report.more:
        console.line(f"{report.more:,} more: --limit shows them")


def show(
    call: Call,
    number: Annotated[int, typer.Argument(metavar="ID", max=2**62, help="Number of the error, as in the list.")],
) -> None:
    """Show one error with all that is known of it.

      olistctl errors show 1
    """  # fmt: skip
    from olistctl.mending.errors import show_error

    error = show_error(call.settings(), number)
    console = call.console
    if call.json:
        console.json(error)
        return
    rows: list[list[Any]] = [
        ["when (UTC)", f"{error.at:%Y-%m-%d %H:%M:%S}"],
        ["stage", error.stage],
        ["table", error.table_name],
        ["type", error.error_type],
        ["message", error.message],
        ["status", error.status.lower()],
        *([key, str(value)] for key, value in error.details.items() if value is not None),
    ]
    console.table(f"Error {error.error_id}", ["field", "value"], rows)


def resolve(call: Call, numbers: Numbers, reason: Reason = None, wait: Wait = None) -> None:
    """Mark errors as resolved.

      olistctl errors resolve 1 2 --reason "the file was delivered again"
    """  # fmt: skip
    _settle(call, numbers, "RESOLVED", reason, wait)


def ignore(call: Call, numbers: Numbers, reason: Reason = None, wait: Wait = None) -> None:
    """Mark errors as not worth the work.

      olistctl errors ignore 3 --reason "known of the public data"
    """  # fmt: skip
    _settle(call, numbers, "IGNORED", reason, wait)


def _settle(call: Call, numbers: list[int], status: str, reason: str | None, wait: float | None) -> None:
    from olistctl.mending.errors import settle_errors
    from olistctl.results import counted

    errors = settle_errors(call.logged_settings(**{"lock.wait_seconds": wait}), numbers, status, reason)
    if call.json:
        call.console.json(errors)
    else:
        call.console.line(f"{counted(len(errors), 'error')} {status.lower()}.")
