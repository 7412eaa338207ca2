"""Which records of a damaged file are bad and why: read as text, parted in SQL, told with their bytes.

What is known of the records is in temporary tables; Python holds their numbers, and the bytes of a batch at a time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from olistctl.reading.csv_reader import READ_CSV, csv_parameters, drop_rejects
from olistctl.reading.guards import MISSING_VALUE, fault_of, is_good
from olistctl.reading.outcome import BadCount, BadRecord, ParsedFile, refused
from olistctl.reading.raw_table import Reading
from olistctl.reading.records import (
    MESSAGES,
    STRAY_QUOTE,
    RecordPlace,
    fields_of,
    match_offsets,
    places_of,
    stray_quotes,
)
from olistctl.sources import Source
from olistctl.warehouse import quote

_EXAMPLES = 100  # faults told in detail; all are counted
_BATCH = 1000  # records whose bytes are held in Python at a time
_FAULT_COLUMNS = "record BIGINT, rank INTEGER, column_name VARCHAR, error_type VARCHAR, message VARCHAR"
_PLACES = "record BIGINT, line BIGINT, byte_offset BIGINT, raw BLOB, record_sha256 VARCHAR, key VARCHAR"
_BAD_RECORDS = """
    line BIGINT, byte_offset BIGINT, raw BLOB, record_sha256 VARCHAR, key VARCHAR, column_name VARCHAR,
    error_type VARCHAR, error_message VARCHAR, faults JSON
"""
# What tells more comes first: damage of the bytes, then of the shape, then of values in the order of the columns.
_BYTES, _SHAPE, _VALUES = 0, 1, 2


def clear_bad_records(reading: Reading) -> None:
    """Make the temporary table `bad_records` empty."""
    reading.execute(f"create or replace temp table bad_records ({_BAD_RECORDS})")


def parse_with_reasons(reading: Reading, max_bad_share: float) -> ParsedFile:
    """Part the records of a file into rows of its table and `bad_records`, unless too many are bad."""
    clear_bad_records(reading)
    strays = stray_quotes(reading.inspection.path)
    if strays.unclear_line is not None:
        message = f"a quote astray near line {strays.unclear_line:,} leaves open where its record ends"
        return refused(reading, STRAY_QUOTE, message)
    reading.execute(
        f"create or replace temp table csv_text as select row_number() over () as _row, * from {READ_CSV}",
        csv_parameters(reading.source, reading.inspection),
    )
    create_faults(reading)
    try:
        mismatch = _take_rejects(reading)
        if mismatch:
            return mismatch
        _take_silent_faults(reading, strays.numbers)
        take_bad_values(reading, "csv_records")
        return _part(reading, max_bad_share)
    finally:
        with suppress(Exception):  # the transaction may be lost already
            for table in ("csv_text", "faults", "places"):
                reading.execute(f"drop table if exists {table}")


def create_faults(reading: Reading) -> None:
    """Make the temporary table `faults` empty: a row for each thing that is wrong with a record."""
    reading.execute(f"create or replace temp table faults ({_FAULT_COLUMNS})")


def take_bad_values(reading: Reading, records: str) -> None:
    """Add every value of a table of text that its column's type cannot hold to `faults`."""
    for position, column in enumerate(reading.source.columns, _VALUES):
        name = quote(column.name)
        kind, message = fault_of(column)
        reading.execute(
            f"""
            insert into faults
            select _record, $position, $column, if({name} is null, $missing, $kind),
                if({name} is null, $missing_message, $message)
            from {records} where not ({is_good(column)})
            """,
            {
                "position": position,
                "column": column.name,
                "kind": kind,
                "message": message,
                "missing": MISSING_VALUE[0],
                "missing_message": MISSING_VALUE[1],
            },
        )


def _take_rejects(reading: Reading) -> ParsedFile | None:
    """Add what the CSV reader rejected to `faults` and make `csv_records`; the refusal if the readers differ."""
    rows = reading.execute("select distinct line_byte_position - 1 from csv_rejects")
    numbers = match_offsets(reading.inspection.path, [offset for (offset,) in rows])
    rejected = sorted(set(numbers.values()))
    ((kept,),) = reading.execute("select count(*) from csv_text")
    records = reading.inspection.records
    if len(numbers) != len(rows) or kept + len(rejected) != records:
        drop_rejects(reading)
        message = f"it has {records:,} records, but the CSV reader sees {kept + len(rows):,}: check its quotes"
        return refused(reading, "count_mismatch", message)
    reading.execute(
        """
        insert into faults
        with matched as (select unnest($offsets::bigint[]) as byte_offset, unnest($numbers::bigint[]) as record),
        told as (
            select record, column_name, replace(lower(error_type::varchar), ' ', '_') as kind,
                split_part(error_message, chr(10), 1) as words,
                regexp_extract(error_message, 'Found: ([0-9]+)', 1) as found
            from csv_rejects join matched on line_byte_position - 1 = byte_offset
        ),
        told_once as (
            select record, min(struct_pack(column_name, kind, words, found)) as one from told group by record
        )
        select record, $rank, one.column_name, one.kind,
            case one.kind
                when 'too_many_columns' then one.found || ' fields instead of ' || $columns
                when 'missing_columns' then one.found || ' fields instead of ' || $columns
                when 'unquoted_value' then 'a quote is not closed, or text follows it'
                when 'invalid_encoding' then 'it is not UTF-8'
                when 'line_size_over_maximum' then 'the record is longer than 16 MB'
                else one.words
            end
        from told_once
        """,
        {
            "offsets": list(numbers),
            "numbers": list(numbers.values()),
            "rank": _SHAPE,
            "columns": str(len(reading.source.columns)),
        },
    )
    drop_rejects(reading)
    _number_records(reading, rejected)
    return None


def _number_records(reading: Reading, rejected: list[int]) -> None:
    """Make the view `csv_records`: the rows of `csv_text` with their record number in the file."""
    # The i-th rejected record (from 0) shifts the rows from number - i on; of neighbours only the last one counts.
    reading.create_shifts("row_shifts", list({number - i: i + 1 for i, number in enumerate(rejected)}.items()))
    reading.execute(
        """
        create or replace temp view csv_records as
        select * exclude (_first, _shift), _row + coalesce(_shift, 0) as _record
        from csv_text asof left join row_shifts on _row >= _first
        """
    )


def _take_silent_faults(reading: Reading, strays: Iterable[int]) -> None:
    """Move the records that DuckDB passes without a word from `csv_records` to `faults`."""
    silent = dict.fromkeys(strays, STRAY_QUOTE) | reading.inspection.scan.silent_faults
    reading.execute(
        "insert into faults select unnest($numbers::bigint[]), $rank, null, unnest($types::varchar[]), "
        "unnest($messages::varchar[])",
        {
            "numbers": list(silent),
            "rank": _BYTES,
            "types": list(silent.values()),
            "messages": [MESSAGES[kind] for kind in silent.values()],
        },
    )
    # What damaged the bytes explains the shape, too.
    reading.execute(
        "delete from faults where rank = $shape and record in (select record from faults where rank = $rank)",
        {"shape": _SHAPE, "rank": _BYTES},
    )
    reading.execute(
        "delete from csv_text where _row in (select _row from csv_records "
        "where _record in (select record from faults where rank = $rank))",
        {"rank": _BYTES},
    )


def _part(reading: Reading, max_bad_share: float) -> ParsedFile:
    """Insert the good records of `csv_records` and note the bad ones, unless there are too many of them."""
    records = reading.inspection.records
    ((bad,),) = reading.execute("select count(distinct record) from faults")
    counts = reading.execute(
        "select error_type, column_name, count(distinct record) as n from faults "
        "group by all order by n desc, error_type, column_name"
    )
    known = ParsedFile(
        reading.source.name,
        reading.file,
        records,
        loaded=0,
        bad=bad,
        bad_counts=tuple(BadCount(*count) for count in counts),
    )
    limit, setting = max_bad_share, "`load.max_bad_share`"
    if reading.source.max_bad_share is not None:
        limit, setting = reading.source.max_bad_share, f"`max_bad_share` of {reading.source.name} in the contract"
    if records and bad / records > limit:
        _note_places(reading, _numbers(reading, "select distinct record from faults order by record limit 100"))
        share = f"{bad:,} of {records:,} records are bad ({bad / records:.1%})"
        message = f"{share}, and at most {limit:.1%} may be ({setting})"
        return replace(known, examples=_examples(reading), refusal=message, refusal_type="too_many_bad_records")
    loaded = reading.insert_good("csv_records")
    if loaded + bad != records:
        message = f"{loaded:,} records loaded and {bad:,} bad ones do not make its {records:,}"
        return replace(known, refusal=message, refusal_type="count_mismatch")
    _note_places(reading, _numbers(reading, "select distinct record from faults"))
    _note_bad_records(reading)
    return replace(known, loaded=loaded, examples=_examples(reading))


def _numbers(reading: Reading, sql: str) -> set[int]:
    return {number for (number,) in reading.execute(sql)}


def _note_places(reading: Reading, numbers: Collection[int]) -> None:
    """Put lines, offsets and bytes of some records into the temporary table `places`."""
    reading.execute(f"create or replace temp table places ({_PLACES})")
    places = iter(places_of(reading.inspection.path, numbers))
    for batch in _batches(places):
        reading.execute(
            "insert into places select unnest($numbers::bigint[]), unnest($lines::bigint[]), "
            "unnest($offsets::bigint[]), unnest($raws::blob[]), unnest($hashes::varchar[]), unnest($keys::varchar[])",
            {
                "numbers": [place.number for place in batch],
                "lines": [place.line for place in batch],
                "offsets": [place.offset for place in batch],
                "raws": [place.raw for place in batch],
                "hashes": [hashlib.sha256(place.raw.rstrip(b"\r\n")).hexdigest() for place in batch],
                "keys": [_key_of(reading.source, place.raw) for place in batch],
            },
        )


def _key_of(source: Source, raw: bytes) -> str | None:
    """Return the key of a bad record as `etl.changed_keys` has it; None where the record does not tell it."""
    fields = dict(zip(source.column_names, fields_of(raw), strict=False))
    key = {name: fields.get(name, "").strip() for name in source.key}
    return json.dumps(key, ensure_ascii=False, separators=(",", ":")) if key and all(key.values()) else None


def _batches(places: Iterator[RecordPlace]) -> Iterator[list[RecordPlace]]:
    while batch := list(islice(places, _BATCH)):
        yield batch


def _note_bad_records(reading: Reading) -> None:
    reading.execute(
        """
        insert into bad_records
        with told as (
            select record, arg_min(struct_pack(column_name, error_type, message), rank) as worst,
                to_json(list(struct_pack("column" := column_name, error_type, message) order by rank)) as faults
            from faults group by record
        )
        select
            line, byte_offset, raw, record_sha256, key, worst.column_name, worst.error_type, worst.message, told.faults
        from places join told using (record)
        """
    )


def _examples(reading: Reading) -> tuple[BadRecord, ...]:
    rows = reading.execute(
        "select line, byte_offset, column_name, error_type, message from faults join places using (record) "
        "order by record, rank limit $limit",
        {"limit": _EXAMPLES},
    )
    return tuple(BadRecord(*row) for row in rows)
