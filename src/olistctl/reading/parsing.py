"""From the bytes of one CSV to typed rows, by DuckDB, without guessing.

Every field is read as text. A value loads only if its text is exactly what the contract's type can hold, so
nothing is rounded, wrapped or reinterpreted; the record of any other value is a bad record. The rows that
loaded and the bad records together must be as many as `records` counted without DuckDB.

The usual file has no bad record and is parsed in one pass. Only a file whose count does not come out is read
again, into a table of text, to say which records are bad and why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from olistctl.reading.inspection import Inspection
from olistctl.reading.records import first_stray_quote, match_offsets, places_of
from olistctl.sources import Column, Source
from olistctl.warehouse import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SQL_TYPES = {
    "text": "VARCHAR",
    "zip": "VARCHAR",
    "integer": "INTEGER",
    "money": "DECIMAL(12,2)",
    "coordinate": "DOUBLE",
    "timestamp": "TIMESTAMP",
}
# The texts that a type holds exactly; the calendar of a timestamp is checked by the cast.
_SHAPES = {
    "zip": "[0-9]{5}",
    "integer": "-?[0-9]{1,9}",
    "money": "-?[0-9]{1,10}([.][0-9]{1,2})?",
    "coordinate": "-?[0-9]{1,3}([.][0-9]+)?",
    "timestamp": "[1-9][0-9]{3}-[0-9]{2}-[0-9]{2} ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]",
}
_EXPECTED = {
    "zip": "five digits, leading zeros kept",
    "integer": "a whole number",
    "money": "an amount with at most two decimals",
    "coordinate": "degrees as a decimal number",
    "timestamp": "YYYY-MM-DD HH:MM:SS",
}
METADATA_COLUMNS = {
    "_source_file": "VARCHAR",
    "_source_line": "BIGINT",
    "_loaded_at": "TIMESTAMP",
    "_run_id": "VARCHAR",
}
# No sniffing, no tolerance: each of those would hide broken records. A record longer than this ends the read.
_READ_CSV = """
    read_csv($path, columns = $columns, header = true, auto_detect = false, delim = ',', quote = '"', escape = '"',
             strict_mode = true, hive_partitioning = false, max_line_size = 16000000, store_rejects = true,
             rejects_table = 'csv_rejects', rejects_scan = 'csv_rejects_scan')
"""
_EXAMPLES = 100  # bad records told in detail; all are counted


@dataclass(frozen=True)
class BadRecord:
    """A record that was not loaded: where it stands and what is wrong with it."""

    line: int
    offset: int
    column: str | None
    error_type: str
    message: str


@dataclass(frozen=True)
class BadCount:
    """How many records are bad for one reason."""

    error_type: str
    column: str | None
    records: int


@dataclass(frozen=True)
class ParsedFile:
    """What became of the records of one file; `refusal` is set when none of them may be kept."""

    source: str
    file: str
    records: int
    loaded: int
    bad: int = 0
    bad_counts: tuple[BadCount, ...] = ()
    examples: tuple[BadRecord, ...] = ()
    refusal: str | None = None
    refusal_type: str | None = None


class UnreadableFile(Exception):
    """DuckDB gave up on a file, which ends the transaction: load again without it."""

    def __init__(self, file: str, message: str) -> None:
        super().__init__(message)
        self.file = file
        self.message = message


@dataclass(frozen=True)
class _Reading:
    """One read of one file: the connection, what is read, and the values of its metadata columns."""

    connection: DuckDBPyConnection
    source: Source
    inspection: Inspection
    run_id: str
    loaded_at: datetime

    def execute(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, parameters).fetchall()

    @property
    def csv_parameters(self) -> dict[str, Any]:
        # The reader takes a path as a pattern.
        path = "".join(f"[{char}]" if char in "*?[" else char for char in str(self.inspection.path))
        return {"path": path, "columns": {column.name: "VARCHAR" for column in self.source.columns}}

    @property
    def metadata_parameters(self) -> dict[str, Any]:
        return {"file": self.inspection.file, "loaded_at": self.loaded_at, "run_id": self.run_id}


def create_raw_table(connection: DuckDBPyConnection, source: Source) -> None:
    """Create the empty table of a source, in place of one that is there."""
    columns = {column.name: SQL_TYPES[column.type] for column in source.columns} | METADATA_COLUMNS
    body = ", ".join(f"{quote(name)} {sql_type}" for name, sql_type in columns.items())
    connection.execute("create schema if not exists raw")
    connection.execute(f"create or replace table {table_of(source)} ({body})")


def table_of(source: Source) -> str:
    """Return the quoted name of a source's table in `raw`."""
    return f"raw.{quote(source.table)}"


def delete_file(connection: DuckDBPyConnection, source: Source, file_name: str) -> None:
    """Take the rows of one file out of its table."""
    connection.execute(f"delete from {table_of(source)} where _source_file = $file", {"file": file_name})


def parse_into(
    connection: DuckDBPyConnection,
    source: Source,
    inspection: Inspection,
    *,
    run_id: str,
    loaded_at: datetime,
    max_bad_share: float,
) -> ParsedFile:
    """Add the good records of a file to the table of its source, which must hold no row of that file.

    When the result has a `refusal` (too many bad records, a file that changed meanwhile, two readers that do
    not agree), nothing of the file is in the table.

    Raises:
        UnreadableFile: DuckDB gave up; the transaction is lost.
    """
    import duckdb

    reading = _Reading(connection, source, inspection, run_id, loaded_at)
    try:
        with _line_shifts(reading):
            parsed = _parse_once(reading)
            stray = _stray_quote(reading, only_loaded=parsed is not None)
            if stray is None:
                parsed = parsed or _parse_with_reasons(reading, max_bad_share)
    except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.IOException) as error:
        message = f"the CSV reader gives up: {str(error).splitlines()[0]}"
        raise UnreadableFile(inspection.file, message) from None
    if parsed is None or stray is not None:
        delete_file(connection, source, inspection.file)
        return _refused(reading, "stray_quote", f"a quote stands inside an unquoted field near line {stray}")
    if not inspection.is_still_the_same():
        delete_file(connection, source, inspection.file)
        return _refused(reading, "changed_while_read", "it changed while it was read: deliver it whole")
    return parsed


def _parse_once(reading: _Reading) -> ParsedFile | None:
    """Insert all records at once; None, with nothing inserted, when some of them are not good."""
    text = f"select row_number() over () as _record, * from {_READ_CSV}"
    reading.execute(_insert(reading, text), reading.csv_parameters | reading.metadata_parameters)
    loaded = _count_loaded(reading)
    rejects = _take_rejects(reading)
    if loaded == reading.inspection.records and not rejects and not reading.inspection.scan.surplus_fields:
        return ParsedFile(reading.source.name, reading.inspection.file, loaded, loaded)
    delete_file(reading.connection, reading.source, reading.inspection.file)
    return None


def _parse_with_reasons(reading: _Reading, max_bad_share: float) -> ParsedFile:
    """Read the file as text and part its records into good and bad ones, with the reasons."""
    records = reading.inspection.records
    text = f"select row_number() over () as _row, * from {_READ_CSV}"
    reading.execute(f"create or replace temp table csv_text as {text}", reading.csv_parameters)
    try:
        rejects = _take_rejects(reading)
        places = match_offsets(reading.inspection.path, rejects)
        (rows,) = reading.execute("select count(*) from csv_text")[0]
        if len(places) != len(rejects) or rows + len(rejects) != records:
            message = f"it has {records:,} records, but the CSV reader sees {rows + len(rejects):,}: check its quotes"
            return _refused(reading, "count_mismatch", message)
        _number_records(reading, sorted(place.number for place in places.values()))
        faults = [_Fault(places[offset].number, *reject) for offset, reject in rejects.items()]
        return _part(reading, faults + _surplus_fields(reading) + _bad_values(reading), max_bad_share)
    finally:
        reading.execute("drop table if exists csv_text")


@dataclass(frozen=True)
class _Fault:
    """What is wrong with one value or with the shape of one record."""

    record: int
    column: str | None
    error_type: str
    message: str


def _part(reading: _Reading, faults: list[_Fault], max_bad_share: float) -> ParsedFile:
    """Insert the good records of `csv_records`, unless too many are bad."""
    records = reading.inspection.records
    bad = len({fault.record for fault in faults})
    counts = Counter((fault.error_type, fault.column) for fault in faults)
    known = ParsedFile(
        reading.source.name,
        reading.inspection.file,
        records,
        loaded=0,
        bad=bad,
        bad_counts=tuple(BadCount(kind, column, n) for (kind, column), n in counts.most_common()),
        examples=_examples(reading, faults),
    )
    if records and bad / records > max_bad_share:
        share = f"{bad:,} of {records:,} records are bad ({bad / records:.1%})"
        message = f"{share}, and at most {max_bad_share:.1%} may be (`load.max_bad_share`)"
        return replace(known, refusal=message, refusal_type="too_many_bad_records")
    reading.execute(_insert(reading, "select * from csv_records"), reading.metadata_parameters)
    loaded = _count_loaded(reading)
    if loaded + bad != records:
        delete_file(reading.connection, reading.source, reading.inspection.file)
        message = f"{loaded:,} records loaded and {bad:,} bad ones do not make its {records:,}"
        return replace(known, refusal=message, refusal_type="count_mismatch")
    return replace(known, loaded=loaded)


def _count_loaded(reading: _Reading) -> int:
    table = table_of(reading.source)
    rows = reading.execute(
        f"select count(*) from {table} where _source_file = $file", {"file": reading.inspection.file}
    )
    return int(rows[0][0])


def _stray_quote(reading: _Reading, *, only_loaded: bool) -> int | None:
    """Return the line of a record whose quotes the two readers understand differently, if there is one.

    `only_loaded`: every record was loaded, so that only those with a quote in a value can be meant.
    """
    if not only_loaded:
        return first_stray_quote(reading.inspection.path)
    texts = [quote(column.name) for column in reading.source.columns if column.type == "text"]
    if not texts:
        return None
    quoted = " or ".join(f"contains({name}, '\"')" for name in texts)
    lines = reading.execute(
        f"select _source_line from {table_of(reading.source)} where _source_file = $file and ({quoted})",
        {"file": reading.inspection.file},
    )
    return first_stray_quote(reading.inspection.path, {line for (line,) in lines}) if lines else None


def _insert(reading: _Reading, records: str) -> str:
    """Return the SQL that inserts the good rows of a query of text columns and `_record`."""
    columns = reading.source.columns
    typed = ", ".join(f"{_typed(column)} as {quote(column.name)}" for column in columns)
    good = " and ".join(_is_good(column) for column in columns)
    line, join = "_record + 1", ""
    if reading.inspection.scan.line_shifts:
        line = "_record + 1 + coalesce(_shift, 0)"
        join = "asof left join line_shifts on _record >= _first"
    return f"""
        insert into {table_of(reading.source)}
        select {typed}, $file, {line}, $loaded_at, $run_id
        from (select * from ({records}) where {good}) {join}
    """


@contextmanager
def _line_shifts(reading: _Reading) -> Iterator[None]:
    """Give SQL the shifts between record number and physical line, where there are any."""
    shifts = reading.inspection.scan.line_shifts
    if not shifts:
        yield
        return
    _create_shifts(reading, "line_shifts", shifts)
    try:
        yield
    finally:
        with suppress(Exception):  # the transaction may be lost already
            reading.execute("drop table line_shifts")


def _number_records(reading: _Reading, rejected: list[int]) -> None:
    """Make the view `csv_records`: the rows of `csv_text` with their record number in the file."""
    # The i-th rejected record (from 0) shifts the rows from number - i on; of neighbours only the last one counts.
    shifts = list({number - i: i + 1 for i, number in enumerate(rejected)}.items())
    _create_shifts(reading, "row_shifts", shifts)
    reading.execute(
        """
        create or replace temp view csv_records as
        select * exclude (_first, _shift), _row + coalesce(_shift, 0) as _record
        from csv_text asof left join row_shifts on _row >= _first
        """
    )


def _create_shifts(reading: _Reading, name: str, shifts: list[tuple[int, int]]) -> None:
    reading.execute(
        f"create or replace temp table {name} as "
        "select unnest($first::bigint[]) as _first, unnest($shift::bigint[]) as _shift",
        {"first": [first for first, _ in shifts], "shift": [shift for _, shift in shifts]},
    )


def _take_rejects(reading: _Reading) -> dict[int, tuple[str | None, str, str]]:
    """Return, by byte offset, what the CSV reader says of the records that it rejected."""
    rows = reading.execute(
        "select line_byte_position - 1, column_name, error_type, error_message from csv_rejects order by all"
    )
    reading.execute("drop table csv_rejects")
    reading.execute("drop table csv_rejects_scan")
    rejects: dict[int, tuple[str | None, str, str]] = {}
    for offset, column, kind, message in rows:
        rejects.setdefault(offset, (column, str(kind).lower().replace(" ", "_"), str(message).splitlines()[0]))
    return rejects


def _surplus_fields(reading: _Reading) -> list[_Fault]:
    """Take the records with an empty field too many out of `csv_records`; DuckDB lets them pass."""
    numbers = reading.inspection.scan.surplus_fields
    if not numbers:
        return []
    reading.execute(
        "delete from csv_text where _row in "
        "(select _row from csv_records where _record in (select unnest($numbers::bigint[])))",
        {"numbers": numbers},
    )
    return [_Fault(number, None, "too_many_columns", "an empty field too many") for number in numbers]


def _bad_values(reading: _Reading) -> list[_Fault]:
    """Return every value of `csv_records` that its column's type cannot hold."""
    faults: list[_Fault] = []
    for column in reading.source.columns:
        name = quote(column.name)
        rows = reading.execute(
            f"select _record, {name} is null from csv_records where not ({_is_good(column)}) order by _record"
        )
        faults.extend(_fault_of(record, is_null, column) for record, is_null in rows)
    return faults


def _fault_of(record: int, is_null: bool, column: Column) -> _Fault:
    if is_null:
        return _Fault(record, column.name, "missing_value", "a required value is missing")
    return _Fault(record, column.name, f"bad_{column.type}", f"expected {_EXPECTED[column.type]}")


def _examples(reading: _Reading, faults: list[_Fault]) -> tuple[BadRecord, ...]:
    chosen = sorted(faults, key=lambda fault: (fault.record, fault.column or ""))[:_EXAMPLES]
    places = {p.number: p for p in places_of(reading.inspection.path, {fault.record for fault in chosen})}
    return tuple(
        BadRecord(places[f.record].line, places[f.record].offset, f.column, f.error_type, f.message) for f in chosen
    )


def _typed(column: Column) -> str:
    name = quote(column.name)
    return name if column.type in ("text", "zip") else f"try_cast({name} as {SQL_TYPES[column.type]})"


def _is_good(column: Column) -> str:
    """Return an SQL condition, true or false but never NULL, that a text holds exactly a value of its type."""
    name = quote(column.name)
    checks = []
    if column.type in _SHAPES:
        checks.append(f"regexp_full_match({name}, '{_SHAPES[column.type]}')")
    if column.type == "timestamp":
        checks.append(f"try_cast({name} as TIMESTAMP) is not null")
    if column.required:
        return " and ".join([f"{name} is not null", *checks])
    return f"({name} is null or ({' and '.join(checks)}))" if checks else "true"


def _refused(reading: _Reading, refusal_type: str, message: str) -> ParsedFile:
    inspection = reading.inspection
    return ParsedFile(
        reading.source.name,
        inspection.file,
        inspection.records,
        0,
        refusal=message,
        refusal_type=refusal_type,
    )
