"""An independent reader of record boundaries, by RFC 4180: a line end inside quotes ends no record.

It knows nothing of DuckDB, so that its count can prove that the loader lost nothing, and it notes the records
that DuckDB would load without a word although something is wrong with them.
"""

from __future__ import annotations

import csv
import math
import os
import re
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO

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

_STRETCH = 1 << 17
_NOT_PLAIN = (b"\n\n", b",\n", b',""\n')
_BLANK_BESIDE_QUOTE = (b'" ', b' "')
_NEITHER_QUOTE_NOR_END = bytes(byte for byte in range(256) if byte not in b'"\n')

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

    @property
    def allows_stretches(self) -> bool:
        """Tell whether lines that `_is_plain` finds nothing in hold nothing else, either."""
        return not (self.nul or self.carriage_return or self.repeated_header)


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

    def count(self, records: int, line: int) -> None:
        """Count records that follow each other line by line from this one on."""
        shift = line - self.records - 2
        if shift != (self.line_shifts[-1][1] if self.line_shifts else 0):
            self.line_shifts.append((self.records + 1, shift))
        self.records += records

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
    since_told = 0
    raw = b""
    for line, raw, _, records in _raw_records(file, scan, by_stretches=scan.suspicion.allows_stretches):
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
            scan.count(records, line)
            if records > 1:
                scan.lf_ends += records
                continue
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
    for line, raw, offset, _ in _raw_records(file, RecordScan(suspicion=Suspicion(nul=False))):
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


def _raw_records(file: Path, scan: RecordScan, *, by_stretches: bool = False) -> Iterator[tuple[int, bytes, int, int]]:
    """Give the starting line, the bytes and the offset of each record, the header included, and 1.

    `by_stretches`: lines that are plain come together, with the number of the records that they are.
    """
    with file.open("rb") as stream:
        walk = _Walk(stream, scan)
        yield from walk.records(1)  # the header
        while not walk.is_over:
            block = _whole_lines(stream) if by_stretches else b""
            if block and _is_plain(block, scan.suspicion):
                lines = block.count(b"\n")
                yield walk.line, block, walk.offset, lines
                walk.pass_over(lines, len(block))
            else:
                stream.seek(walk.offset)
                yield from walk.records(max(1, len(block)) if by_stretches else None)


@dataclass
class _Walk:
    """Where the reading of a file stands: the line, and the offset, at which the next record begins."""

    stream: BinaryIO
    scan: RecordScan
    line: int = 1
    offset: int = 0
    is_over: bool = False

    def pass_over(self, lines: int, size: int) -> None:
        """Go on behind what was read."""
        self.line += lines
        self.offset += size

    def records(self, size: int | None) -> Iterator[tuple[int, bytes, int, int]]:
        """Give record by record until so many bytes are read; None: to the end."""
        until = math.inf if size is None else self.offset + size
        while self.offset < until and not self.is_over:
            raw, lines = self._next()
            if raw:
                yield self.line, raw, self.offset, 1
                self.pass_over(lines, len(raw))

    def _next(self) -> tuple[bytes, int]:
        """Read a record and return it with the number of its lines; nothing where there is none."""
        scan, held = self.scan, 0
        lines: list[bytes] = []
        while line := self.stream.readline(MAX_RECORD_BYTES):
            if scan.suspicion.nul and b"\0" in line and scan.nul_line is None:
                scan.nul_line = self.line + len(lines)
            held += len(line)
            if held >= MAX_RECORD_BYTES:
                scan.too_long_line, self.is_over = self.line, True
                return b"", 0
            is_odd = line.count(b'"') & 1
            if not lines and not (is_odd and self._opens_a_quote(line)):
                return line, 1
            lines.append(line)
            if len(lines) == 1:
                scan.open_quote_line = self.line
            elif is_odd:
                return b"".join(lines), len(lines)
        self.is_over = True
        if not lines:
            scan.open_quote_line = None
        return b"".join(lines), len(lines)

    def _opens_a_quote(self, line: bytes) -> bool:
        return _OPENS_A_QUOTE.fullmatch(line if self.offset else line.removeprefix(UTF8_BOM)) is not None


def _whole_lines(stream: BinaryIO) -> bytes:
    """Read some lines; nothing where the next one has no end for long."""
    block = stream.read(_STRETCH)
    end = block.rfind(b"\n") + 1
    stream.seek(end - len(block), os.SEEK_CUR)
    return block[:end]


def _is_plain(block: bytes, suspicion: Suspicion) -> bool:
    """Tell whether each of these lines is a record, and none is one that `_note_silent_fault` would look into.

    A line is a record by itself where its quotes are even: what is left of a line's quotes is none once pairs are gone.
    """
    signs = (*_NOT_PLAIN, *_BLANK_BESIDE_QUOTE) if suspicion.blank_beside_quote else _NOT_PLAIN
    return (
        not block.startswith(b"\n")
        and not any(sign in block for sign in signs)
        and b'"' not in block.translate(None, _NEITHER_QUOTE_NOR_END).replace(b'""', b"")
        and (block.isascii() or _is_utf8(block))
    )
