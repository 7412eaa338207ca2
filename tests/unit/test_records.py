"""The independent reader of record boundaries: how many records, on which line, at which byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from olistctl.reading import records
from olistctl.reading.records import SURPLUS_FIELD, RecordScan, Suspicion, match_offsets, places_of, scan_records
from tests.delivery import FILES, RECORDS
from tests.unit.oracle import csv_bytes, line_of, rows_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some.csv"


def scan(file: Path, data: bytes) -> RecordScan:
    file.write_bytes(data)
    return scan_records(file)


@pytest.mark.parametrize(
    ("data", "records"),
    [
        (b"", 0),
        (b"a,b", 0),
        (b"a,b\n", 0),
        (b"a,b\n1,2", 1),
        (b"a,b\n1,2\n", 1),
        (b"a,b\r\n1,2\r\n3,4\r\n", 2),
        (b"a,b\n\n1,2\n\n\n3,4\n\n", 2),
        (b"a,b\r\n\r\n1,2\r\n", 1),
        (b'a,b\n1,"x\ny"\n3,4\n', 2),
        (b'a,b\n1,"x\n\n\ny"\n', 1),
        (b'a,b\n1,"say ""hi"""\n', 1),
        (b'a,b\n1,""\n', 1),
        (b'"a\nb",c\n1,2\n', 1),
        (b"a,b\n \n", 1),
        (b"\xef\xbb\xbfa,b\n1,2\n", 1),
    ],
)
def test_records_are_counted_line_ends_in_quotes_and_blank_lines_aside(file: Path, data: bytes, records: int) -> None:
    assert scan(file, data).records == records


PIECES = st.sampled_from(
    [
        b"a",
        b",",
        b'"',
        b'""',
        b"\n",
        b"1,2\n",
        b"1,2,\n",
        b'1,2,""\n',
        b'"x","y"\n',
        b'1,"x\n',
        b" ",
        "é".encode(),
        b"\xff",
        b"\r",
    ]
)


@given(pieces=st.lists(PIECES, max_size=60), stretch=st.integers(1, 40))
@settings(
    max_examples=400, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_lines_read_by_stretches_are_what_they_are_one_by_one(
    tmp_path: Path, pieces: list[bytes], stretch: int
) -> None:
    data = b"a,b\n" + b"".join(pieces)
    file = tmp_path / "pieces.csv"
    file.write_bytes(data)
    known = Suspicion(
        nul=False,
        carriage_return=b"\r" in data,
        blank_beside_quote=b'" ' in data or b' "' in data,
        repeated_header=b"a,b\n" in data[4:],
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "_STRETCH", stretch)
        found = scan_records(file, suspicion=known)
    assert replace(found, suspicion=Suspicion()) == scan_records(file)


@pytest.mark.parametrize("source", FILES)
def test_the_records_of_the_delivery_are_counted(file: Path, source: str) -> None:
    assert scan(file, FILES[source]).records == RECORDS[source]


def test_the_line_of_a_record_is_where_it_starts_whatever_stood_before(file: Path) -> None:
    found = scan(file, b'a,b\n1,2\n\n3,"x\ny"\n5,6\n\n\n7,"\n"\n9,0')
    assert [line_of(found, number) for number in range(1, 6)] == [2, 4, 6, 9, 11]
    assert found.blank_lines == 3


def test_a_file_without_detours_needs_no_shifts(file: Path) -> None:
    assert scan(file, b"a,b\n" + b"1,2\n" * 1000).line_shifts == []


def test_a_header_of_two_lines_shifts_every_record(file: Path) -> None:
    found = scan(file, b'"a\nb",c\n1,2\n3,4\n')
    assert [line_of(found, 1), line_of(found, 2)] == [3, 4]


def test_the_header_is_kept_with_its_bytes(file: Path) -> None:
    assert scan(file, b'\xef\xbb\xbf"a",b\r\n1,2\r\n').header == b'\xef\xbb\xbf"a",b\r\n'


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b'a,b\n1,"x\n3,4\n', 2),
        (b'a,b\n1,2\n3,"x\ny\n', 3),
        (b'a,b\n1,"x"\n3,4\n', None),
        (b'a,"b\n', 1),
    ],
)
def test_an_open_quote_is_found_with_its_line(file: Path, data: bytes, line: int | None) -> None:
    assert scan(file, data).open_quote_line == line


def test_a_nul_byte_is_found_with_its_line_also_inside_quotes(file: Path) -> None:
    assert scan(file, b'a,b\n1,2\n3,"x\n\0"\n').nul_line == 4
    assert scan(file, b"a,b\n1,2\n").nul_line is None


@pytest.mark.parametrize("bad", [b"\xe3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc3"])
def test_bytes_that_are_not_utf8_are_found_with_their_line(file: Path, bad: bytes) -> None:
    assert scan(file, b"a,b\n1,\xc3\xa3\n3," + bad + b"\n").bad_utf8_line == 3


@pytest.mark.parametrize(
    ("data", "mixed"),
    [
        (b"a,b\n1,2\n", False),
        (b"a,b\r\n1,2\r\n", False),
        (b"a,b\r\n1,2\n", True),
        (b"a,b\n1,2\r\n", True),
        (b'a,b\r\n1,"x\ny"\r\n', False),
        (b'a,b\n1,"x\r\ny"\n', False),
        (b"a,b\r\n1,2", False),
    ],
)
def test_line_ends_are_mixed_where_records_end_differently(file: Path, data: bytes, mixed: bool) -> None:
    assert scan(file, data).has_mixed_line_ends() is mixed


def test_places_by_number_are_exact(file: Path) -> None:
    data = b'\xef\xbb\xbfa,b\r\n\r\n1,"x\r\ny"\r\n\r\n3,4'
    file.write_bytes(data)
    first, second = places_of(file, {1, 2})
    assert (first.number, first.line, first.raw) == (1, 3, b'1,"x\r\ny"\r\n')
    assert (second.number, second.line, second.raw) == (2, 6, b"3,4")
    assert [data[place.offset :][: len(place.raw)] for place in (first, second)] == [first.raw, second.raw]


@pytest.mark.parametrize(
    ("data", "offset", "number"),
    [
        (b"a,b\n1,2\n3,4\n", 4, 1),
        (b"a,b\n1,2\n3,4\n", 8, 2),
        (b"a,b\r\n1,2\r\n3,4\r\n", 10, 2),
        (b"a,b\r\n1,2\r\n3,4\r\n", 9, 2),  # the LF before it
        (b"a,b\n1,2\n\n\n3,4\n", 8, 2),  # the blank lines before it
        (b"a,b\n1,2\n\n\n3,4\n", 9, 2),
        (b"a,b\r\n1,2\r\n\r\n3,4\r\n", 9, 2),
        (b'a,b\n1,"x\ny"\n3,4', 12, 2),
        (b"a,b\n1,2\n3,4\n", 5, None),  # inside a record
        (b"a,b\n1,2\n3,4\n", 99, None),
    ],
)
def test_an_offset_means_the_record_at_it_or_at_the_end_of_the_line_ends_after_it(
    file: Path, data: bytes, offset: int, number: int | None
) -> None:
    file.write_bytes(data)
    assert match_offsets(file, {offset}) == ({offset: number} if number else {})


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_records_with_an_empty_field_too_many_are_noted(file: Path, end: str) -> None:
    found = scan(file, end.join(['a,"b"', "1,", "1,2,", '1,"2,"', "1,2,3", '"1\n,",2,', "1,2,", ""]).encode())
    assert found.silent_faults == dict.fromkeys([2, 5, 6], SURPLUS_FIELD)


@pytest.mark.parametrize("data", [b"a,b\n1\r2,3,\n", b"a,b\r1,2,\r", b"a,b\n" + b"x" * 200_000 + b",\n"])
def test_no_bytes_stop_the_scan(file: Path, data: bytes) -> None:
    assert scan(file, data).header


def test_the_bytes_that_were_read_are_told_and_add_up(file: Path) -> None:
    file.write_bytes(b"a,b\n" + b"1,2\n" * 700_000)
    told: list[int] = []
    scan_records(file, told.append)
    assert sum(told) == file.stat().st_size
    assert len(told) > 1


FIELD = st.text(st.sampled_from('ab1 ,;"\n\t\xe3\u20ac\u2028\x85\x0c'), max_size=8)
ROWS = st.lists(st.lists(FIELD, min_size=2, max_size=4), min_size=1, max_size=12)


@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS, crlf=st.booleans(), quote_all=st.booleans(), blanks=st.lists(st.integers(1, 12), max_size=4))
def test_whatever_the_csv_module_writes_is_counted_and_placed_as_it_reads_it(
    file: Path, rows: list[list[str]], crlf: bool, quote_all: bool, blanks: list[int]
) -> None:
    end = "\r\n" if crlf else "\n"
    parts = [csv_bytes([row], end, quote_all=quote_all) for row in [["h1", "h2"], *rows]]
    for place in blanks:
        parts.insert(min(place, len(parts)), end.encode())
    data = b"".join(parts)
    found = scan(file, data)
    expected = rows_of(data)
    assert found.records == len(expected)
    assert [line_of(found, number) for number in range(1, found.records + 1)] == [row.line for row in expected]
    places = places_of(file, set(range(1, found.records + 1)))
    assert [(place.line, place.raw.decode()) for place in places] == [(row.line, row.text) for row in expected]
