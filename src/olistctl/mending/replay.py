"""Quarantined records as CSV that can be mended, and the mended ones back into `raw`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl import ledger
from olistctl.config import Settings
from olistctl.errors import DataError, UsageError
from olistctl.ledger import Fault, LoadAudit, Mend, Quarantined
from olistctl.loading.accounting import check_accounts
from olistctl.mending.quarantine import chosen
from olistctl.mending.reading_ledger import published_ledger
from olistctl.reading import Inspection, Reading, load_mends, table_of
from olistctl.results import counted
from olistctl.sources import Contract, Source, load_contract
from olistctl.writing import Outcome, Work, write_warehouse

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# What stands before the columns of the source; file, line and problem are for the reader alone.
_ID, _SOURCE, _SURPLUS = "_quarantine_id", "_source", "_surplus"
_LEADING = (_ID, _SOURCE, "_file", "_line", "_problem", _SURPLUS)


@dataclass(frozen=True)
class ExportedFile:
    """A file of records of one source that can be mended."""

    source: str
    file: Path
    records: int


@dataclass(frozen=True)
class StillBad:
    """A record that was to be replayed and cannot be loaded."""

    quarantine_id: int
    file: str
    line: int
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class ReplayReport:
    """What a replay did: how many records were loaded, which cannot be, which nobody has touched."""

    replayed: int
    untouched: int
    still_bad: tuple[StillBad, ...]


def export_records(
    settings: Settings, folder: Path, *, source: str | None = None, overwrite: bool = False
) -> tuple[ExportedFile, ...]:
    """Write the open records to a file for each source, `<source>.csv`.

    Raises:
        UsageError: a file is already there, unless `overwrite`.
    """
    contract = load_contract(settings.contract_file)
    with published_ledger(settings) as connection:
        records = ledger.quarantined(connection, status="open", source=source)
    exported = []
    for name, own in groupby(sorted(records, key=lambda record: record.source), key=lambda record: record.source):
        file = folder / f"{name}.csv"
        if file.exists() and not overwrite:
            raise UsageError("the file is already there", where=str(file), hint="--overwrite replaces it")
        exported.append(ExportedFile(name, file, _write(file, contract.source(name), list(own))))
    return tuple(exported)


def replay(settings: Settings, files: Sequence[Path], *, as_is: bool = False) -> ReplayReport:
    """Load the mended records of exported files in the place of the quarantined ones.

    They keep their origin: file and line are those of the record. What is still bad stays in quarantine, and so do
    the rows that nobody has changed, unless `as_is`.

    Raises:
        DataError: a file is not what `export_records` writes.
    """
    contract = load_contract(settings.contract_file)
    rows = dict(row for file in files for row in _read(file, contract))
    if not rows:
        raise DataError("there is no record in it", where=", ".join(map(str, files)))
    reports: list[ReplayReport] = []

    def load(work: Work) -> Outcome:
        with work.stage.connection() as connection:
            connection.begin()
            reports.append(_replay(connection, contract, rows, work, as_is=as_is))
            connection.commit()
        work.rows_loaded = reports[0].replayed
        return Outcome(work.rows_loaded, f"{counted(work.rows_loaded, 'record')} replayed")

    write_warehouse(settings, "quarantine replay", {"replay": load})
    return reports[0]


@dataclass(frozen=True)
class _Row:
    """A row of an exported file, mended or not."""

    fields: tuple[str, ...]
    surplus: str


def _replay(
    connection: DuckDBPyConnection, contract: Contract, rows: dict[int, _Row], work: Work, *, as_is: bool
) -> ReplayReport:
    records = chosen(connection, list(rows))
    sources = {record.quarantine_id: contract.source(record.source) for record in records}
    mended = [r for r in records if as_is or rows[r.quarantine_id] != _row_of(r, sources[r.quarantine_id])]
    still_bad: list[StillBad] = []
    replayed = 0

    def origin(record: Quarantined) -> tuple[str, str]:
        return record.source, record.file_name

    for (source, file), group in groupby(sorted(mended, key=origin), key=origin):
        own = list(group)
        bad = _replay_file(connection, contract.source(source), file, own, rows, work)
        still_bad += bad
        replayed += len(own) - len(bad)
    check_accounts(connection, contract)
    return ReplayReport(replayed, len(records) - len(mended), tuple(still_bad))


def _replay_file(
    connection: DuckDBPyConnection,
    source: Source,
    file: str,
    records: list[Quarantined],
    rows: dict[int, _Row],
    work: Work,
) -> list[StillBad]:
    reading = Reading(connection, source, Inspection(source.name, file, Path(file), True), work.run_id, work.started_at)
    wrong: dict[int, tuple[Fault, ...]] = {}
    mends = []
    for record in records:
        row = rows[record.quarantine_id]
        if record.status == "gone":
            wrong[record.quarantine_id] = (Fault(None, "gone", "its file no longer holds the record"),)
        elif row.surplus:
            wrong[record.quarantine_id] = (Fault(None, "too_many_columns", f"`{_SURPLUS}` is not empty"),)
        else:
            mends.append(Mend(record.quarantine_id, record.line, row.fields))
    _take_out(reading, [record for record in records if record.status == "replayed"])
    wrong |= load_mends(reading, mends)
    loaded = [mend for mend in mends if mend.quarantine_id not in wrong]
    ledger.note_mended(connection, loaded, work.started_at)
    undone = [r.quarantine_id for r in records if r.status == "replayed" and r.quarantine_id in wrong]
    ledger.set_status(connection, undone, "open", None, work.started_at)
    _note(connection, source, file, len(records), len(loaded), work)
    return [
        StillBad(record.quarantine_id, file, record.line, wrong[record.quarantine_id])
        for record in records
        if record.quarantine_id in wrong
    ]


def _take_out(reading: Reading, records: list[Quarantined]) -> None:
    """Take out the rows of records that are mended once more."""
    reading.execute(
        f"delete from {table_of(reading.source)} where _source_file = $file "
        "and _source_line in (select unnest($lines::bigint[]))",
        {"file": reading.file, "lines": [record.line for record in records]},
    )


def _note(connection: DuckDBPyConnection, source: Source, file: str, records: int, loaded: int, work: Work) -> None:
    """Bring the account of the file up to date, and enter what the run did with it."""
    held = ledger.held(connection, source.name, file).total
    for known in ledger.loaded_files(connection):
        if (known.source, known.file_name) == (source.name, file):
            account = replace(known, rows_loaded=known.records - held, records_quarantined=held)
            ledger.record_loaded(connection, account)
    audit = LoadAudit(
        work.run_id, source.name, f"raw.{source.table}", file, "replayed", records, loaded, records - loaded,
        None, None, work.started_at, 0.0,
    )  # fmt: skip
    ledger.record_audit(connection, [audit])


# --- the exported file ---


def _write(file: Path, source: Source, records: list[Quarantined]) -> int:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*_LEADING, *source.column_names])
        for record in records:
            row = _row_of(record, source)
            problem = "; ".join(f"{f.column}: {f.message}" if f.column else f.message for f in record.faults)
            writer.writerow(
                [record.quarantine_id, source.name, record.file_name, record.line, problem, row.surplus, *row.fields]
            )
    return len(records)


def _read(file: Path, contract: Contract) -> Iterator[tuple[int, _Row]]:
    """Give the rows of an exported file by the number of their record."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError("the file is not there", where=str(file)) from None
    except UnicodeDecodeError:
        raise DataError("it is not UTF-8", where=str(file), hint="save it as UTF-8 CSV") from None
    first = text.partition("\n")[0]
    # A spreadsheet of a country with a decimal comma writes semicolons.
    lines = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ",")
    for row in lines:
        where = f"{file}:{lines.line_num}"
        source = contract.find(row.get(_SOURCE) or "")
        number = row.get(_ID) or ""
        if source is None or not number.isdecimal() or not {*source.column_names, _SURPLUS} <= row.keys():
            raise DataError(
                f"this is no line of an exported file: it needs {_ID}, {_SOURCE} and the columns of its source",
                where=where,
                hint="`olistctl quarantine export` writes such files",
            )
        if None in row:
            raise DataError("the line has more fields than the header", where=where)
        fields = tuple(row[name] or "" for name in source.column_names)
        yield int(number), _Row(fields, row[_SURPLUS] or "")


def _row_of(record: Quarantined, source: Source) -> _Row:
    """Return a record as its export shows it; a byte that is no UTF-8 is a replacement character."""
    columns = len(source.columns)
    text = record.raw.decode("utf-8", errors="replace").rstrip("\r\n")
    try:
        fields = next(csv.reader(io.StringIO(text, newline="")), [])
    except csv.Error:
        fields = [text]
    kept = [*fields[:columns], *[""] * (columns - len(fields))]
    return _Row(tuple(kept), ",".join(fields[columns:]))
