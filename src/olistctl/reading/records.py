"""An independent reader of record boundaries, by RFC 4180: a line end inside quotes ends no record.

It knows nothing of DuckDB, so that its count can prove that the loader lost nothing, and it notes the records
that DuckDB would load without a word although something is wrong with them.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

UTF8_BOM = b"\xef\xbb\xbf"
MAX_RECORD_BYTES = 64_000_000  # a record must fit into memory; DuckDB itself rejects those over 16 MB
csv.field_size_limit(MAX_RECORD_BYTES)  # the csv module takes no field of more than 131,072 characters by default
_BLANK = (b"\n", b"\r\n")
_EMPTY_LAST_FIELD = (b",\n", b",\r\n", b",", b',""\n', b',""\r\n', b',""')
_FIELD = rb'(?:"(?:[^"]++|"")*+"|[^",\r\n]*+)'
_WELL_FORMED = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+\r?\n?")
# A quote inside an unquoted field, or text after a closing quote, is a fault but ends no record elsewhere.
_FAULTY_FIELD = rb'(?:"(?:[^"]++|"")*+"[^,\r\n]*+|[^",\r\n][^,\r\n]*+|)'
_CLEAR_END = re.compile(_FAULTY_FIELD + rb"(?:," + _FAULTY_FIELD + rb")*+\r?\n?")
_QUOTED = re.compile(rb'"[^"]*+"')
_FIELDS = re.compile(r'(?:^|,)("(?:[^"]|"")*+"[^,]*+|[^,]*+)')
_OPENS_A_QUOTE = re.compile(rb"(?:" + _FAULTY_FIELD + rb',)*+"(?:[^"]++|"")*+')

STRAY_QUOTE, SURPLUS_FIELD, REPEATED_HEADER, UNENDED = (
    "stray_quote",
    "too_many_columns",
    "repeated_header",
    "unended_record",
)
MESSAGES = {
    STRAY_QUOTE: "a quote stands inside an unquoted field, or text between a quote and its comma",
    SURPLUS_FIELD: "an empty field too many",
    REPEATED_HEADER: "the header stands here again",
    UNENDED: "the last record has no line end, so it may be cut off",
}


@dataclass(frozen=True)
class Suspicion:
    """What the bytes of a file give reason to look for, record by record; looking for all of it takes its time."""

    nul: bool = True
    carriage_return: bool = True
    blank_beside_quote: bool = True
    repeated_header: bool = True


@dataclass(frozen=True)
class RecordPlace:
    """Where a record stands: its number (1 = first after the header), line and byte offset, and its bytes."""

    number: int
    line: int
    offset: int
    raw: bytes


@dataclass
class RecordScan:
    """What the scan found; lines count from 1, records from 1 after the header."""

    suspicion: Suspicion = field(default_factory=Suspicion)
    header: bytes = b""
    records: int = 0
    blank_lines: int = 0
    # (number of the first record that stands `shift` lines further down than record number + header)
    line_shifts: list[tuple[int, int]] = field(default_factory=list)
    # what is wrong, by number, with the records that DuckDB would pass without a word
    silent_faults: dict[int, str] = field(default_factory=dict)
    crlf_ends: int = 0
    lf_ends: int = 0
    open_quote_line: int | None = None
    too_long_line: int | None = None
    bare_cr_line: int | None = None
    nul_line: int | None = None
    bad_utf8_line: int | None = None

    def has_mixed_line_ends(self) -> bool:
        """Tell whether records end in different ways."""
        return bool(self.crlf_ends and self.lf_ends)


def scan_records(
    file: Path,
    on_bytes: Callable[[int], None] | None = None,
    *,
    may_end_open: bool = False,
    suspicion: Suspicion | None = None,
) -> RecordScan:
    """Count the records of a file and note where they stand; read once, in bounded memory.

    `may_end_open`: the last record needs no line end. Otherwise one without it is taken as cut off. `suspicion`:
    what the file may hold at all (None: anything).
    """
    scan = RecordScan(suspicion=suspicion or Suspicion())
    shift = 0
    since_told = 0
    raw = b""
    for line, raw, _ in _raw_records(file, scan):
        since_told += len(raw)
        if on_bytes and since_told > 1 << 20:
            on_bytes(since_told)
            since_told = 0
        if not scan.header:
            scan.header = raw
        elif raw in _BLANK:
            scan.blank_lines += 1
            continue
        else:
            scan.records += 1
            if line - scan.records - 1 != shift:
                shift = line - scan.records - 1
                scan.line_shifts.append((scan.records, shift))
            _note_silent_fault(scan, raw, line)
        _note_bytes(scan, raw, line)
    if scan.records and not raw.endswith(b"\n") and not may_end_open:
        scan.silent_faults[scan.records] = UNENDED
    if on_bytes and since_told:
        on_bytes(since_told)
    return scan


def _note_silent_fault(scan: RecordScan, raw: bytes, line: int) -> None:
    suspicion = scan.suspicion
    if suspicion.carriage_return and scan.bare_cr_line is None and _has_bare_cr(raw):
        scan.bare_cr_line = line
    # DuckDB drops the blanks around a quoted field, and joins `"a" "b"` to one text.
    if suspicion.blank_beside_quote and (b'" ' in raw or b' "' in raw) and not _WELL_FORMED.fullmatch(raw):
        scan.silent_faults[scan.records] = STRAY_QUOTE
    elif raw.endswith(_EMPTY_LAST_FIELD) and len(fields_of(raw)) > len(fields_of(scan.header)):
        scan.silent_faults[scan.records] = SURPLUS_FIELD
    elif suspicion.repeated_header and raw.removeprefix(UTF8_BOM) == scan.header.removeprefix(UTF8_BOM):
        scan.silent_faults[scan.records] = REPEATED_HEADER


def _has_bare_cr(raw: bytes) -> bool:
    """Tell whether a CR that ends no line stands outside quotes, which DuckDB may take as a line end or not."""
    at = raw.find(b"\r")
    if at < 0 or (at == len(raw) - 2 and raw.endswith(b"\n")):
        return False
    return b"\r" in _QUOTED.sub(b"", raw).removesuffix(b"\n").removesuffix(b"\r")


def _note_bytes(scan: RecordScan, raw: bytes, line: int) -> None:
    if scan.bad_utf8_line is None and not raw.isascii() and not _is_utf8(raw):
        scan.bad_utf8_line = line
    if raw.endswith(b"\r\n"):
        scan.crlf_ends += 1
    elif raw.endswith(b"\n"):
        scan.lf_ends += 1


def places_of(file: Path, numbers: Collection[int]) -> Iterator[RecordPlace]:
    """Give the places of the records with these numbers, in file order."""
    return (place for place in _places(file) if place.number in numbers)


def around(file: Path, offset: int, neighbours: int) -> list[RecordPlace]:
    """Return the record at a byte offset between up to `neighbours` records before and after it."""
    before: deque[RecordPlace] = deque(maxlen=neighbours)
    places = _places(file)
    for place in places:
        if place.offset >= offset:
            return [*before, place, *islice(places, neighbours)]
        before.append(place)
    return []


def field_spans(text: str) -> list[tuple[int, int]]:
    """Return where the fields of a record begin and end, as far as its quotes let it be told."""
    return [match.span(1) for match in _FIELDS.finditer(text.rstrip("\r\n"))]


def match_offsets(file: Path, offsets: Collection[int]) -> dict[int, int]:
    """Return the numbers of the records that DuckDB means by these byte offsets; one inside a record matches none.

    After a CRLF or blank lines DuckDB's offset of a record is that of a line end before it.
    """
    found: dict[int, int] = {}
    waiting = sorted(offsets, reverse=True)
    end_before = 0
    for place in _places(file):
        while waiting and waiting[-1] <= place.offset:
            offset = waiting.pop()
            if offset >= end_before - 1:
                found[offset] = place.number
        if not waiting:
            break
        end_before = place.offset + len(place.raw)
    return found


@dataclass(frozen=True)
class StrayQuotes:
    """Records whose quotes are not as RFC 4180 has them.

    `unclear_line` is the first on which the end of a record depends on who reads the quotes; where it is None,
    every record ends where `scan_records` says.
    """

    numbers: tuple[int, ...]
    unclear_line: int | None


def stray_quotes(file: Path, lines: Collection[int] | None = None) -> StrayQuotes:
    """Look for records with stray quotes on these lines (None: on all).

    A line on which no record starts is unclear, too.
    """
    waiting = set(lines or ())
    numbers: list[int] = []
    for place in _places(file):
        if place.number and (lines is None or place.line in waiting):
            waiting.discard(place.line)
            if not _WELL_FORMED.fullmatch(place.raw):
                numbers.append(place.number)
                if not _CLEAR_END.fullmatch(place.raw):
                    return StrayQuotes(tuple(numbers), place.line)
    return StrayQuotes(tuple(numbers), min(waiting, default=None))


def _places(file: Path) -> Iterator[RecordPlace]:
    """Give the place of every record; the header has the number 0."""
    number = -1
    for line, raw, offset in _raw_records(file, RecordScan(suspicion=Suspicion(nul=False))):
        if number >= 0 and raw in _BLANK:
            continue
        number += 1
        yield RecordPlace(number, line, offset, raw)


def fields_of(raw: bytes) -> list[str]:
    """Return the fields of a record as far as they can be told; none of one that is no CSV at all."""
    try:
        return next(csv.reader([raw.decode("utf-8", errors="replace")]), [])
    except csv.Error:
        return []


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _raw_records(file: Path, scan: RecordScan) -> Iterator[tuple[int, bytes, int]]:
    """Give the starting line, the bytes and the offset of each record, the header included."""
    pending: list[bytes] = []
    offset = start = held = 0
    start_line = 1
    look_for_nul = scan.suspicion.nul
    with file.open("rb") as stream:
        for number, line in enumerate(iter(partial(stream.readline, MAX_RECORD_BYTES), b""), start=1):
            if look_for_nul and b"\0" in line and scan.nul_line is None:
                scan.nul_line = number
            held += len(line)
            if held >= MAX_RECORD_BYTES:
                scan.too_long_line = start_line
                return
            offset += len(line)
            is_odd = line.count(b'"') & 1
            if pending:
                pending.append(line)
                if not is_odd:
                    continue
                line = b"".join(pending)
                pending.clear()
            elif is_odd and _OPENS_A_QUOTE.fullmatch(line.removeprefix(UTF8_BOM) if number == 1 else line):
                scan.open_quote_line = number
                pending.append(line)
                continue
            yield start_line, line, start
            start, start_line, held = offset, number + 1, 0
    if pending:
        yield start_line, b"".join(pending), start
    else:
        scan.open_quote_line = None
