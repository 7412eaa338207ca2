"""Quarantined records as CSV that can be mended, and such files read again."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from olistctl import ledger
from olistctl.config import Settings
from olistctl.drafts import written
from olistctl.errors import DataError, UsageError
from olistctl.ledger import Quarantined
from olistctl.mending.quarantine import known_source
from olistctl.mending.reading_ledger import published_ledger
from olistctl.sources import Contract, Source, load_contract

# What stands before the columns of the source. The number and the hash say which record a row is; file, line and
# problem are for the reader alone, and what stands in `_surplus` belongs into a column or nowhere.
_ID, _RECORD, _SOURCE, SURPLUS = "_quarantine_id", "_record", "_source", "_surplus"
_LEADING = (_ID, _RECORD, _SOURCE, "_file", "_line", "_problem", SURPLUS)
_MADE_BY = "`olistctl quarantine export` writes the files that can be replayed"
_AGAIN = "`olistctl quarantine export` again, and mend there; the first columns must stay as they are"
_HASH_DIGITS = 16
_LONGEST_NUMBER = 18  # digits that a BIGINT holds in any case


@dataclass(frozen=True)
class ExportedFile:
    """A file of records of one source that can be mended."""

    source: str
    file: Path
    records: int


@dataclass(frozen=True)
class Row:
    """A row of an exported file, mended or not; `place` says where it stands."""

    place: str
    record: str
    source: str
    fields: tuple[str, ...]
    surplus: str

    def check_identity(self, record: Quarantined) -> None:
        """Refuse a row that carries the number of one record and the rest of another, or of another warehouse.

        Raises:
            DataError: it does.
        """
        if (self.record, self.source) != (record.record_sha256[:_HASH_DIGITS], record.source):
            raise DataError(
                f"the row is not of record {record.quarantine_id} of this warehouse: {_RECORD} or {_SOURCE} differs",
                where=self.place,
                hint=_AGAIN,
            )


def export_records(
    settings: Settings, folder: Path, *, source: str | None = None, overwrite: bool = False
) -> tuple[ExportedFile, ...]:
    """Write the open records to a file for each source, `<source>.csv`; those of a source that left the contract stay.

    Raises:
        UsageError: a file is already there, unless `overwrite`, or there is no such source; nothing is written.
    """
    contract = load_contract(settings.contract_file)
    if source is not None:
        known_source(contract, source)
    with published_ledger(settings) as connection:
        records = ledger.quarantined(connection, status=ledger.OPEN, is_present=True, source=source)
    own = {s: [record for record in records if record.source == s.name] for s in contract.sources}
    files = {s: folder / f"{s.name}.csv" for s, found in own.items() if found}
    for file in files.values():
        if file.exists() and not overwrite:
            raise UsageError("the file is already there", where=str(file), hint="--overwrite replaces it")
    return tuple(ExportedFile(s.name, file, _write(file, s, own[s])) for s, file in files.items())


def _write(file: Path, source: Source, records: list[Quarantined]) -> int:
    file.parent.mkdir(parents=True, exist_ok=True)
    with written(file) as draft, draft.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*_LEADING, *source.column_names])
        for record in records:
            fields, surplus = fields_of(record, source)
            problem = "; ".join(f"{f.column}: {f.message}" if f.column else f.message for f in record.faults)
            place = [
                record.quarantine_id,
                record.record_sha256[:_HASH_DIGITS],
                source.name,
                record.file_name,
                record.line,
            ]
            writer.writerow([*place, problem, surplus, *fields])
    return len(records)


def read_rows(files: Sequence[Path], contract: Contract) -> dict[int, Row]:
    """Return the rows of exported files by the number of their record.

    Raises:
        DataError: a file is not what `export_records` writes.
        UsageError: there is no such file.
    """
    rows: dict[int, Row] = {}
    for file in files:
        try:
            for number, row in _read(file, contract):
                if number in rows:
                    hint = f"keep one of the two; the first is {rows[number].place}"
                    raise DataError(f"record {number} stands here again", where=row.place, hint=hint)
                rows[number] = row
        except FileNotFoundError:
            raise UsageError("the file is not there", where=str(file), hint=_MADE_BY) from None
        except UnicodeDecodeError:
            raise DataError("it is not UTF-8", where=str(file), hint="save it as UTF-8 CSV") from None
        except csv.Error as error:
            raise DataError(f"it is not CSV: {error}", where=str(file), hint=_MADE_BY) from None
    if not rows:
        raise DataError("there is no record in it", where=", ".join(map(str, files)), hint=_MADE_BY)
    return rows


def _read(file: Path, contract: Contract) -> Iterator[tuple[int, Row]]:
    """Give the rows of an exported file by the number of their record."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        first = stream.readline()
        stream.seek(0)
        # A spreadsheet of a country with a decimal comma writes semicolons.
        lines = csv.DictReader(stream, delimiter=";" if first.count(";") > first.count(",") else ",")
        header = list(lines.fieldnames or ())
        _check_header(file, header)
        for row in lines:
            place = f"{file}:{lines.line_num}"
            if not any(row.values()):
                continue
            if None in row or None in row.values():
                hint = "check its commas and quotes: a field that holds one of them stands in quotes"
                raise DataError("the line has more or fewer fields than the header", where=place, hint=hint)
            yield _row_of(row, header, contract, place)


def _check_header(file: Path, header: list[str]) -> None:
    missing = [name for name in (_ID, _RECORD, _SOURCE) if name not in header]
    twice = sorted({name for name in header if header.count(name) > 1})
    for problem, names in (("has no column", missing), ("has two columns", twice)):
        if names:
            raise DataError(f"it {problem} {', '.join(names)}", where=str(file), hint=_MADE_BY)


def _row_of(row: dict[str, str], header: list[str], contract: Contract, place: str) -> tuple[int, Row]:
    number = row[_ID].strip()
    if not (number.isascii() and number.isdecimal() and len(number) <= _LONGEST_NUMBER):
        raise DataError(f"'{row[_ID]}' in column {_ID} is no number of a record", where=place, hint=_AGAIN)
    source = contract.find(row[_SOURCE])
    if source is None:
        raise DataError(f"'{row[_SOURCE]}' in column {_SOURCE} is no source of the contract", where=place, hint=_AGAIN)
    missing = [name for name in source.column_names if name not in header]
    if missing:
        raise DataError(f"columns of {source.name} are missing: {', '.join(missing)}", where=place, hint=_AGAIN)
    fields = tuple(row[name] for name in source.column_names)
    return int(number), Row(place, row[_RECORD], source.name, fields, row.get(SURPLUS) or "")


def fields_of(record: Quarantined, source: Source) -> tuple[tuple[str, ...], str]:
    """Return the fields of a record as its export shows them, and what is too many.

    A byte that is no UTF-8 is a replacement character.
    """
    columns = len(source.columns)
    text = record.raw.decode("utf-8", errors="replace").rstrip("\r\n")
    try:
        fields = next(csv.reader([text]), [])
    except csv.Error:
        fields = [text]
    kept = (*fields[:columns], *[""] * (columns - len(fields)))
    return kept, ",".join(fields[columns:])
