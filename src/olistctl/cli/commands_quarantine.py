"""`olistctl quarantine`: the records that were not loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from olistctl.cli.call import Call, check_word
from olistctl.cli.commands_pipeline import SourceDir, Wait

if TYPE_CHECKING:
    from olistctl.console import Console
    from olistctl.ledger import QuarantineCount, Quarantined
    from olistctl.mending.quarantine import QuarantineList, RecordView, ShownLine

HELP = "Records that were not loaded: see them, mend them, bring them in."
_MAX_NUMBER = 2**62
_WIDTH = 200  # of a shown line; a review can have thousands of characters
_STATUSES = ("open", "replayed", "discarded", "gone", "all")

Source = Annotated[
    str | None, typer.Option("--source", metavar="NAME", help="Only those of one source.", show_default=False)
]


def list_(
    call: Call,
    status: Annotated[str, typer.Option("--status", metavar="STATUS", help=f"{', '.join(_STATUSES)}.")] = "open",
    source: Source = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=0, max=10**9, help="Show at most so many records.")
    ] = 50,
) -> None:
    """List the records in quarantine: how many by file and reason, and each with its place.

      olistctl quarantine list --source orders
    """  # fmt: skip
    from olistctl.mending.quarantine import list_records

    report = list_records(call.settings(), status=_status(status), source=source, limit=limit)
    if call.json:
        call.console.json(report)
    else:
        _render_list(call.console, report, status)


def show(
    call: Call,
    number: Annotated[int, typer.Argument(metavar="ID", max=_MAX_NUMBER, help="Number of the record, as in the list.")],
    source_dir: SourceDir = None,
) -> None:
    """Show a record with its neighbours, and point at what is wrong with it.

      olistctl quarantine show 1
    """  # fmt: skip
    from olistctl.mending.quarantine import show_record

    view = show_record(call.settings(source_dir=source_dir), number)
    if call.json:
        call.console.json(view)
    else:
        _render_view(call.console, view)


def export(
    call: Call,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write a file for each source.")],
    source: Source = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of the same names.")] = False,
) -> None:
    """Write the open records as CSV that can be mended in an editor or a spreadsheet.

      olistctl quarantine export --out mend
    """  # fmt: skip
    from olistctl.mending.exported import export_records

    files = export_records(call.settings(), out, source=source, overwrite=overwrite)
    if call.json:
        call.console.json(files)
        return
    if not files:
        call.console.line("There are no open records.")
        return
    call.console.table(
        f"Exported to {out}", ["source", "file", "records"], [[f.source, f.file, f.records] for f in files]
    )
    call.console.line("Mend the columns of the sources, then: olistctl quarantine replay FILE …")


def replay(
    call: Call,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Exported files, mended.")],
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Load also rows that nobody has changed, where they hold good values.")
    ] = False,
    wait: Wait = None,
) -> None:
    """Load mended records in the place of the bad ones; leaves with 1 when some of them are still bad.

    They keep file and line of the record, and a full refresh loads them again.

      olistctl quarantine replay mend/orders.csv
    """
    from olistctl.errors import ExitCode
    from olistctl.mending.replay import replay as replay_files
    from olistctl.results import Finding, counted

    report = replay_files(call.logged_settings(**{"lock.wait_seconds": wait}), files, as_is=as_is)
    console = call.console
    if call.json:
        console.json(report)
    else:
        console.problems(
            [
                Finding(
                    f"record {bad.quarantine_id} is still bad: "
                    + "; ".join(f"{f.column}: {f.message}" if f.column else f.message for f in bad.faults),
                    f"{bad.file}:{bad.line}",
                )
                for bad in report.still_bad
            ]
        )
        untouched = f", {report.untouched:,} not touched" if report.untouched else ""
        still = f", {len(report.still_bad):,} still bad" if report.still_bad else ""
        after = " Next: olistctl run" if report.replayed else ""
        console.line(f"{counted(report.replayed, 'record')} loaded{still}{untouched}.{after}")
    if report.still_bad:
        raise typer.Exit(ExitCode.DATA)


def discard(
    call: Call,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stays with the record.")],
    numbers: Annotated[
        list[int] | None, typer.Argument(metavar="[ID]…", max=_MAX_NUMBER, help="Numbers of records.")
    ] = None,
    file: Annotated[
        str | None, typer.Option("--file", metavar="NAME", help="All open records of a file.", show_default=False)
    ] = None,
    wait: Wait = None,
) -> None:
    """Give records up, with a reason: they are kept, but no run warns of them any more.

      olistctl quarantine discard 4 5 --reason "test orders of the shop"
    """  # fmt: skip
    from olistctl.errors import UsageError
    from olistctl.mending.quarantine import discard as discard_records
    from olistctl.results import counted

    if not reason.strip():
        raise UsageError("a reason is needed", hint="--reason TEXT")
    settings = call.logged_settings(**{"lock.wait_seconds": wait})
    discarded = discard_records(settings, numbers or [], reason, file_name=file)
    if call.json:
        call.console.json({"discarded": discarded})
    else:
        call.console.line(f"{counted(discarded, 'record')} discarded.")


def reopen(
    call: Call,
    numbers: Annotated[list[int], typer.Argument(metavar="ID…", max=_MAX_NUMBER, help="Numbers of records.")],
    wait: Wait = None,
) -> None:
    """Take back what was decided: a discarded record is open again, and so is a replayed one, without its row.

      olistctl quarantine reopen 4
    """  # fmt: skip
    from olistctl.mending.replay import reopen as reopen_records
    from olistctl.results import counted

    records = reopen_records(call.logged_settings(**{"lock.wait_seconds": wait}), numbers)
    if call.json:
        call.console.json(records)
    else:
        call.console.line(f"{counted(len(records), 'record')} open again.")


def _status(status: str) -> str | None:
    check_word("--status", status, _STATUSES)
    return None if status == "all" else status


def _render_list(console: Console, report: QuarantineList, status: str) -> None:
    if not report.counts:
        console.line(f"There are no {'' if status == 'all' else f'{status} '}records in quarantine.")
        return
    states = [*map(_state, report.counts), *map(_state, report.records)]
    end = -1 if set(states) == {status} else None  # of the columns: a status that all have was asked for
    console.table(
        "Quarantine",
        ["file", "reason", "column", "records", "status"][:end],
        [[c.file_name, c.error_type, c.column_name, c.records, _state(c)][:end] for c in report.counts],
    )
    if report.records:
        console.table(
            "Records",
            ["id", "file", "line", "column", "what", "status"][:end],
            [
                [str(r.quarantine_id), r.file_name, r.line, r.column_name, r.error_message, _state(r)][:end]
                for r in report.records
            ],
        )
    if report.more:
        console.line(f"{report.more:,} more: --limit shows them")


def _render_view(console: Console, view: RecordView) -> None:
    from rich.cells import cell_len  # a character of a text can be two cells wide, or none

    record = view.record
    console.line(
        f"Record {record.quarantine_id}: {record.file_name}, line {record.line:,}, byte {record.byte_offset:,}"
    )
    for line in view.lines:
        first, text = _clipped(line)
        console.line(f"{line.number:>9,} | {text}")
        for start, end, reason in line.marks:
            at = max(0, start - first)
            marked = text[at : at + end - start] or " "
            console.line(f"{'':>9} | {' ' * cell_len(text[:at])}{'^' * max(1, cell_len(marked))} {reason}")
    if view.note:
        console.line(view.note)
    console.line(f"Status: {_state(record)}{f': {record.reason}' if record.reason else ''}")
    if record.mended is not None:
        console.line(f"Loaded in its place: {', '.join(record.mended)}")


def _clipped(line: ShownLine) -> tuple[int, str]:
    """Return the part of a long line in which its first mark stands, and where that part begins."""
    if len(line.text) <= _WIDTH:
        return 0, line.text
    first = max(0, min((start for start, _, _ in line.marks), default=0) - _WIDTH // 2)
    part = line.text[first : first + _WIDTH]
    if first:
        part = "…" + part[1:]
    return first, part[:-1] + "…" if first + _WIDTH < len(line.text) else part


def _state(record: Quarantined | QuarantineCount) -> str:
    return record.status if record.is_present else f"{record.status}, gone"
