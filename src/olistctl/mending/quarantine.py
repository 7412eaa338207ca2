"""`olistctl quarantine`: what was not loaded, why, and how it is brought in or given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl import ledger
from olistctl.config import Settings
from olistctl.config.strict_yaml import nearest_hint
from olistctl.errors import UsageError
from olistctl.ledger import Fault, QuarantineCount, Quarantined
from olistctl.mending.reading_ledger import published_ledger
from olistctl.reading.records import around, field_spans
from olistctl.results import counted, printable
from olistctl.sources import Contract, Source, load_contract, sha256_of
from olistctl.writing import Outcome, Work, write_warehouse

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NEIGHBOURS = 2
GONE = "gone"  # what a list calls the records that their files no longer hold


@dataclass(frozen=True)
class QuarantineList:
    """How many records are in quarantine, by file, reason and status, and the first of those asked for."""

    counts: tuple[QuarantineCount, ...]
    records: tuple[Quarantined, ...]
    more: int


@dataclass(frozen=True)
class ShownLine:
    """A physical line of a file; `marks` point at parts of it, from one column up to another, with a reason."""

    number: int
    text: str
    marks: tuple[tuple[int, int, str], ...] = ()


@dataclass(frozen=True)
class RecordView:
    """A quarantined record between its neighbours."""

    record: Quarantined
    lines: tuple[ShownLine, ...]
    note: str | None  # why the neighbours are not there


def list_records(
    settings: Settings, *, status: str | None = ledger.OPEN, source: str | None = None, limit: int = 50
) -> QuarantineList:
    """Return what is in quarantine; `gone` are records that their files no longer hold (`status` None: all).

    Raises:
        UsageError: there is no such source.
    """
    if source is not None:
        known_source(load_contract(settings.contract_file), source)
    is_present = None if status is None else status != GONE
    decision = None if status in (None, GONE) else status
    with published_ledger(settings) as connection:
        counts = tuple(
            count
            for count in ledger.quarantine_counts(connection)
            if decision in (None, count.status)
            and is_present in (None, count.is_present)
            and source in (None, count.source)
        )
        records = ledger.quarantined(connection, status=decision, is_present=is_present, source=source, limit=limit)
    return QuarantineList(counts, records, sum(count.records for count in counts) - len(records))


def known_source(contract: Contract, name: str) -> Source:
    """Return a source of the contract.

    Raises:
        UsageError: there is none of this name.
    """
    found = contract.find(name)
    if found is None:
        hint = nearest_hint(name, [source.name for source in contract.sources])
        raise UsageError(f"there is no source '{name}'", hint=hint)
    return found


def show_record(settings: Settings, quarantine_id: int) -> RecordView:
    """Return a record with the reason pointed at, between its neighbours where the file is as it was.

    Raises:
        UsageError: there is none of this number.
    """
    contract = load_contract(settings.contract_file)
    with published_ledger(settings) as connection:
        (record,) = chosen(connection, [quarantine_id])
    source = contract.find(record.source)
    file = settings.source_dir / record.file_name
    if not _is_the_same(file, record.file_sha256):
        note = f"{file} is not the file that was read, so the lines around it are not shown"
        return RecordView(record, _own_lines(record, source), note)
    lines: list[ShownLine] = []
    for place in around(file, record.byte_offset, _NEIGHBOURS):
        is_own = place.offset == record.byte_offset
        lines += _own_lines(record, source) if is_own else _lines(place.line, _text(place.raw))
    return RecordView(record, tuple(lines), None)


def discard(settings: Settings, quarantine_ids: Sequence[int], reason: str, *, file_name: str | None = None) -> int:
    """Give records up, with the reason, and return how many; `file_name` chooses all open ones of a file.

    Raises:
        UsageError: there is no such record, or it is not open; none is discarded.
    """
    discarded: list[int] = []

    def give_up(work: Work) -> Outcome:
        with work.stage.connection() as connection:
            discarded.extend(quarantine_ids)
            for record in chosen(connection, quarantine_ids):
                if record.status != ledger.OPEN:
                    hint = "`olistctl quarantine reopen` takes that back"
                    raise UsageError(f"record {record.quarantine_id} is {record.status} already", hint=hint)
            if file_name is not None:
                discarded.extend(ledger.open_records_of(connection, file_name))
            if not discarded:
                raise UsageError("there is no open record to discard", where=file_name, hint="olistctl quarantine list")
            ledger.set_status(connection, discarded, ledger.DISCARDED, reason, work.started_at)
            ledger.note_given_up(connection, work.run_id, discarded)
        return Outcome(None, f"{counted(len(discarded), 'record')} discarded")

    write_warehouse(settings, "quarantine discard", {"discard": give_up}, brings_data=False)
    return len(set(discarded))


def chosen(connection: DuckDBPyConnection, quarantine_ids: Sequence[int]) -> tuple[Quarantined, ...]:
    """Return the records of these numbers.

    Raises:
        UsageError: there is none of one of them.
    """
    found = ledger.quarantined(connection, quarantine_ids=quarantine_ids)
    missing = set(quarantine_ids) - {record.quarantine_id for record in found}
    if missing:
        hint = "`olistctl quarantine list --status all` shows them"
        raise UsageError(f"there is no record {min(missing)} in quarantine", hint=hint)
    return found


def _is_the_same(file: Path, sha256: str) -> bool:
    try:
        return file.is_file() and sha256_of(file) == sha256
    except OSError:
        return False


def _own_lines(record: Quarantined, source: Source | None) -> tuple[ShownLine, ...]:
    """Return the lines of the record, with a mark under each field that is at fault."""
    text = _text(record.raw)
    names = list(source.column_names) if source else []
    return _lines(record.line, text, [_mark(fault, names, text) for fault in record.faults])


def _mark(fault: Fault, names: list[str], text: str) -> tuple[int, int, str]:
    """Point at the field of a fault; where there is none, at what the fault is about."""
    spans = field_spans(text)
    if fault.column in names[: len(spans)] and len(spans) == len(names):
        start, end = spans[names.index(fault.column)]
        return start, max(end, start + 1), f"{fault.column}: {fault.message}"
    if fault.error_type == "too_many_columns" and len(spans) > len(names) > 0:
        return spans[len(names)][0], max(len(text), spans[len(names)][0] + 1), fault.message
    if fault.error_type in ("missing_columns", "unended_record"):
        return len(text), len(text) + 1, fault.message
    return 0, 1, f"{fault.column}: {fault.message}" if fault.column else fault.message


def _lines(first: int, text: str, marks: Sequence[tuple[int, int, str]] = ()) -> tuple[ShownLine, ...]:
    """Part a record into its physical lines; a mark stands under the line in which it begins."""
    result = []
    begin = 0
    for number, line in enumerate(text.split("\n"), first):
        own = [
            (start - begin, min(end - begin, max(len(line), start - begin + 1)), reason)
            for start, end, reason in marks
            if begin <= start <= begin + len(line)
        ]
        result.append(ShownLine(number, line, tuple(own)))
        begin += len(line) + 1
    return tuple(result)


def _text(raw: bytes) -> str:
    """Return a record as it can be shown: one character is one place, whatever it holds."""
    return printable(raw.decode("utf-8", errors="backslashreplace").rstrip("\r\n").replace("\r\n", "\n"))
