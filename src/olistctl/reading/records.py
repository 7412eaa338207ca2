"""An independent reader of record boundaries, by RFC 4180: a line end inside quotes ends no record.

It knows nothing of DuckDB, so that its count can prove that the loader lost nothing.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

UTF8_BOM = b"\xef\xbb\xbf"
_BLANK = (b"\n", b"\r\n")
_EMPTY_LAST_FIELD = (b",\n", b",\r\n", b",", b',""\n', b',""\r\n', b',""')
# A quote inside an unquoted field, or text after a closing quote, is a fault but ends no record elsewhere.
_FIELD = rb'(?:"(?:[^"]++|"")*+"[^,\r\n]*+|[^",\r\n][^,\r\n]*+|)'
_CLEAR_END = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+\r?\n?")


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

    header: bytes = b""
    records: int = 0
    blank_lines: int = 0
    # (number of the first record that stands `shift` lines further down than record number + header)
    line_shifts: list[tuple[int, int]] = field(default_factory=list)
    # numbers of records with an empty field too many, which DuckDB passes without a word
    surplus_fields: list[int] = field(default_factory=list)
    crlf_ends: int = 0
    lf_ends: int = 0
    open_quote_line: int | None = None
    nul_line: int | None = None
    bad_utf8_line: int | None = None

    def has_mixed_line_ends(self) -> bool:
        """Tell whether records end in different ways."""
        return bool(self.crlf_ends and self.lf_ends)


def scan_records(file: Path, on_bytes: Callable[[int], None] | None = None) -> RecordScan:
    """Count the records of a file and note where they stand; read once, in bounded memory."""
    scan = RecordScan()
    shift = 0
    since_told = 0
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
            if raw.endswith(_EMPTY_LAST_FIELD) and _fields(raw) > _fields(scan.header):
                scan.surplus_fields.append(scan.records)
        _note_bytes(scan, raw, line)
    if on_bytes and since_told:
        on_bytes(since_told)
    return scan


def _note_bytes(scan: RecordScan, raw: bytes, line: int) -> None:
    if scan.bad_utf8_line is None and not raw.isascii() and not _is_utf8(raw):
        scan.bad_utf8_line = line
    if raw.endswith(b"\r\n"):
        scan.crlf_ends += 1
    elif raw.endswith(b"\n"):
        scan.lf_ends += 1


def places_of(file: Path, numbers: Collection[int]) -> list[RecordPlace]:
    """Return the places of the records with these numbers, in file order."""
    return [place for place in _places(file) if place.number in numbers]


def match_offsets(file: Path, offsets: Collection[int]) -> dict[int, RecordPlace]:
    """Return the records that DuckDB means by these byte offsets; an offset inside a record matches none.

    After a CRLF or blank lines DuckDB's offset of a record is that of a line end before it.
    """
    found: dict[int, RecordPlace] = {}
    waiting = sorted(offsets, reverse=True)
    end_before = 0
    for place in _places(file):
        while waiting and waiting[-1] <= place.offset:
            offset = waiting.pop()
            if offset >= end_before - 1:
                found[offset] = place
        if not waiting:
            break
        end_before = place.offset + len(place.raw)
    return found


def first_stray_quote(file: Path, lines: Collection[int] | None = None) -> int | None:
    """Return the first of these lines (None: of all) with a record whose end depends on who reads its quotes.

    A quote inside an unquoted field is text to DuckDB, while here it may tie two records together. A line on
    which no record starts counts as one, too. None when there is none.
    """
    waiting = set(lines or ())
    for place in _places(file):
        if lines is None or place.line in waiting:
            waiting.discard(place.line)
            if not _CLEAR_END.fullmatch(place.raw.removeprefix(UTF8_BOM)):
                return place.line
    return min(waiting, default=None)


def _places(file: Path) -> Iterator[RecordPlace]:
    """Give the place of every record; the header has the number 0."""
    number = -1
    for line, raw, offset in _raw_records(file, RecordScan()):
        if number >= 0 and raw in _BLANK:
            continue
        number += 1
        yield RecordPlace(number, line, offset, raw)


def _fields(raw: bytes) -> int:
    try:
        return len(next(csv.reader([raw.decode("utf-8", errors="replace")]), []))
    except csv.Error:
        return 0


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _raw_records(file: Path, scan: RecordScan) -> Iterator[tuple[int, bytes, int]]:
    """Give the starting line, the bytes and the offset of each record, the header included."""
    pending: list[bytes] = []
    offset = start = 0
    start_line = 1
    is_open = False
    with file.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if scan.nul_line is None and b"\0" in line:
                scan.nul_line = number
            if line.count(b'"') & 1:
                is_open = not is_open
                scan.open_quote_line = number if is_open else None
            offset += len(line)
            if is_open:
                pending.append(line)
                continue
            if pending:
                pending.append(line)
                line = b"".join(pending)
                pending.clear()
            yield start_line, line, start
            start, start_line = offset, number + 1
    if pending:
        yield start_line, b"".join(pending), start
