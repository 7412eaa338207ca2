"""From the bytes of one CSV to typed rows, by DuckDB, without guessing.

Every field is read as text. A value loads only if its text is exactly what the contract's type can hold, so
nothing is rounded, wrapped or reinterpreted; the record of any other value is a bad record. The rows that
loaded and the bad records together must be as many as `records` counted without DuckDB.

The usual file has no bad record and is parsed in one pass. Only a file whose count does not come out is read
again by `faults`, to say which records are bad and why.
"""

from __future__ import annotations

from olistctl.reading.csv_reader import READ_CSV, csv_parameters, drop_rejects, has_rejects
from olistctl.reading.faults import clear_bad_records, parse_with_reasons
from olistctl.reading.inspection import CHANGED_WHILE_READ, UNREADABLE
from olistctl.reading.outcome import ParsedFile, UnreadableFile, refused
from olistctl.reading.raw_table import Reading
from olistctl.reading.records import stray_quotes
from olistctl.warehouse import machine_fault, quote

_CHANGED = CHANGED_WHILE_READ, "it changed while it was read: deliver it whole"


def parse_into(reading: Reading, max_bad_share: float, *, may_be_good: bool = True) -> ParsedFile:
    """Add the good records of a file to the table of its source, which must hold no row of that file.

    The bad ones, if there are any, are in the temporary table `bad_records` afterwards. When the result has a `refusal`
    (too many bad records, a file that changed meanwhile, two readers that do not agree), nothing of the file is in
    either.
    `may_be_good`: `parse_good` has not found yet that it is not, as a whole.

    Raises:
        UnreadableFile: DuckDB gave up; the transaction is lost.
    """
    import duckdb

    if not reading.inspection.is_still_the_same():  # a FIFO by now, say, which would block for ever
        return refused(reading, *_CHANGED)
    try:
        with reading.line_shifts():
            parsed = (may_be_good and _parse_once(reading)) or parse_with_reasons(reading, max_bad_share)
    except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.IOException) as error:
        fault = machine_fault(error)
        if fault and fault.where != str(reading.inspection.path):  # a full disk, say, is no fault of the file
            raise
        message = f"the CSV reader gives up: {str(error).splitlines()[0]}"
        kind = UNREADABLE if isinstance(error, duckdb.IOException) else "unreadable_csv"
        raise UnreadableFile(reading.file, kind, message) from None
    if parsed.refusal:
        _take_back(reading)
    return confirmed(reading, parsed)


def confirmed(reading: Reading, parsed: ParsedFile) -> ParsedFile:
    """Return what came of a file; or, if it has changed since it was inspected, that it is refused, its rows gone."""
    if reading.inspection.is_still_the_same():
        return parsed
    _take_back(reading)
    return refused(reading, *_CHANGED)


def _take_back(reading: Reading) -> None:
    reading.delete_loaded()
    clear_bad_records(reading)


def parse_good(reading: Reading) -> ParsedFile | None:
    """Add the records of a file to the table of its source, if all of them are good.

    None, with nothing added, where they may not be: `parse_into` finds out.

    Raises:
        duckdb.Error: DuckDB gave up; the transaction is lost.
    """
    if not reading.inspection.is_still_the_same():
        return None
    with reading.line_shifts():
        return _parse_once(reading)


def _parse_once(reading: Reading) -> ParsedFile | None:
    """Insert all records at once; None, with nothing inserted, when some of them may not be good."""
    loaded = reading.insert_good(
        f"(select row_number() over () as _record, * from {READ_CSV})",
        csv_parameters(reading.source, reading.inspection),
    )
    rejected = has_rejects(reading)
    drop_rejects(reading)
    scan = reading.inspection.scan
    if loaded == scan.records and not rejected and not scan.silent_faults and not _has_stray_quotes(reading):
        return ParsedFile(reading.source.name, reading.file, loaded, loaded)
    reading.delete_loaded()
    return None


def _has_stray_quotes(reading: Reading) -> bool:
    """Tell whether a record has stray quotes, all of them being loaded: only one with a quote in a value can."""
    texts = [quote(column.name) for column in reading.source.columns if column.type == "text"]
    if not texts:
        return False
    quoted = " or ".join(f"contains({name}, '\"')" for name in texts)
    lines = reading.execute(
        f"select _source_line from {reading.table} where _source_file = $file and ({quoted})",
        {"file": reading.file},
    )
    if not lines:
        return False
    found = stray_quotes(reading.inspection.path, {line for (line,) in lines})
    return bool(found.numbers) or found.unclear_line is not None
