"""Files of any text, whole and damaged anyhow: never a surprise, and every record on one side or the other."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import duckdb
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from olistctl.loading import FileLoad
from olistctl.sources import Source
from tests.delivery import NAMES, header_of
from tests.torture.checks import quarantine_holds, quarantine_is_true, reads_as_the_oracle, shipped_contract, table_rows
from tests.torture.oracle import BOM, GoodRecord, judge
from tests.torture.scale import examples
from tests.unit.conftest import Desk

SOURCE = "order_reviews"
Fields = tuple[str, ...]


@dataclass(repr=False)
class Bench:
    """Loads one file after the other into an emptied table."""

    desk: Desk

    @property
    def source(self) -> Source:
        return self.desk.contract.source(SOURCE)

    def load(self, data: bytes) -> FileLoad:
        """Return what becomes of these bytes as the file of reviews."""
        self._forget()
        (self.desk.folder / NAMES[SOURCE]).write_bytes(data)
        (result,) = self.desk.load(max_bad_share=1.0).files
        return result

    def rows(self) -> list[tuple[object, ...]]:
        return table_rows(self.desk, self.source, NAMES[SOURCE])

    def _forget(self) -> None:
        if self.desk.runs:
            tables = self.desk.query("select schema_name, table_name from duckdb_tables() where not internal")
            for schema, table in tables:
                self.desk.query(f'delete from "{schema}"."{table}"')


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    contract = shipped_contract()
    alone = replace(contract, sources=(replace(contract.source(SOURCE), foreign_keys=()),))
    folder = tmp_path_factory.mktemp("properties")
    with duckdb.connect(config={"threads": 2}) as connection:
        yield Bench(Desk(folder, alone, folder / "dw.duckdb", _connection=connection))


# --- records, and how they may be written ---

ODD = st.text(st.sampled_from("\"',;\t\n\r |#\\x\x01\x1b\x7f\x85\u2028\ufeff\u00e3\U0001f381"), max_size=8)
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
TEXT = ODD | ANY
KEY = TEXT.filter(bool)
SCORE = st.integers(-999_999_999, 999_999_999).map(str)
TIME = st.just("") | st.datetimes(datetime(1000, 1, 1)).map(lambda at: f"{at:%Y-%m-%d %H:%M:%S}")
GOOD = st.tuples(KEY, KEY, SCORE, TEXT, TEXT, TIME, TIME)
WRONG_SCORE = st.sampled_from(["", "1.5", "1e1", "x", " 1", "+1", "9999999999", "\u0661", "NULL"])
WRONG_TIME = st.sampled_from(["infinity", "2018-02-30 00:00:00", "2018-01-01", "2018-01-01 24:00:00", "x"])
BAD = st.tuples(KEY, st.just(""), SCORE, TEXT, TEXT, TIME, TIME) | st.tuples(
    KEY, KEY, WRONG_SCORE, TEXT, TEXT, TIME, WRONG_TIME
)


@dataclass(frozen=True)
class Writing:
    """How a file is written: all of it is allowed by RFC 4180, or harmless."""

    end: bytes
    has_mark: bool
    quotes: int  # bit by bit: whether a field is quoted that need not be
    blanks: int  # blank lines at the end

    def file(self, records: list[Fields]) -> bytes:
        header = header_of(SOURCE).strip()
        lines = [header, *(self._record(fields, number) for number, fields in enumerate(records))]
        return (BOM if self.has_mark else b"") + self.end.join(lines) + self.end * (1 + self.blanks)

    def _record(self, fields: Fields, number: int) -> bytes:
        return b",".join(self._field(text, number + place) for place, text in enumerate(fields))

    def _field(self, text: str, place: int) -> bytes:
        if self.quotes >> place % 16 & 1 or any(char in text for char in ',"\r\n'):
            text = '"' + text.replace('"', '""') + '"'
        return text.encode()


WRITING = st.builds(
    Writing, st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.integers(0, 2**16 - 1), st.integers(0, 2)
)


@examples(80, 4000)
@given(records=st.lists(GOOD, max_size=8), writing=WRITING)
def test_whatever_is_written_by_the_rules_loads_as_it_was_written(
    bench: Bench, records: list[Fields], writing: Writing
) -> None:
    data = writing.file(records)
    result = bench.load(data)
    assert (result.status, result.bad, result.loaded) == ("loaded", 0, len(records)), result.reason
    written = [tuple(text or None for text in fields) for fields in records]
    loaded = [(*row[1:3], row[3], *row[4:]) for row in bench.rows()]
    assert loaded == written
    assert [one.values for one in judge(data, bench.source).good] == written  # the oracle is held to it as well


@examples(60, 3000)
@given(records=st.lists(GOOD | BAD, max_size=8), writing=WRITING)
def test_of_good_and_bad_records_each_falls_on_its_side(bench: Bench, records: list[Fields], writing: Writing) -> None:
    data = writing.file(records)
    result = bench.load(data)
    assert result.status == "loaded", result.reason
    verdict = reads_as_the_oracle(bench.desk, bench.source, result, data)
    quarantine_holds(bench.desk, bench.source, result, data)
    assert len(verdict.places) == len(records)


# --- damage ---

Hurt = Callable[[bytes, int, int], bytes]


def _cut(data: bytes, at: int, _: int) -> bytes:
    return data[:at]


def _flip(data: bytes, at: int, salt: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << salt % 8]) + data[at + 1 :] if data else data


def _insert(data: bytes, at: int, salt: int) -> bytes:
    return data[:at] + bytes([salt % 256]) + data[at:]


def _delete(data: bytes, at: int, _: int) -> bytes:
    return data[:at] + data[at + 1 :]


def _lose_a_piece(data: bytes, at: int, salt: int) -> bytes:
    return data[:at] + data[at + salt % 50 :]


def _double_a_piece(data: bytes, at: int, salt: int) -> bytes:
    return data[:at] + data[at : at + salt % 50] + data[at:]


def _at_mark(mark: bytes, instead: bytes) -> Hurt:
    """Return what puts something in the place of the next mark of this kind."""

    def hurt(data: bytes, at: int, _: int) -> bytes:
        place = data.find(mark, at)
        return data if place < 0 else data[:place] + instead + data[place + len(mark) :]

    return hurt


def _put(wild: bytes) -> Hurt:
    return lambda data, at, _: data[:at] + wild + data[at:]


HURTS: dict[str, Hurt] = {
    "cut": _cut,
    "flip a bit": _flip,
    "insert a byte": _insert,
    "delete a byte": _delete,
    "lose a piece": _lose_a_piece,
    "double a piece": _double_a_piece,
    "drop a comma": _at_mark(b",", b""),
    "double a comma": _at_mark(b",", b",,"),
    "blank before a comma": _at_mark(b",", b" ,"),
    "blank after a comma": _at_mark(b",", b", "),
    "another delimiter": _at_mark(b",", b";"),
    "drop a quote": _at_mark(b'"', b""),
    "double a quote": _at_mark(b'"', b'""'),
    "blank before a quote": _at_mark(b'"', b' "'),
    "blank after a quote": _at_mark(b'"', b'" '),
    "backslash before a quote": _at_mark(b'"', b'\\"'),
    "drop a line end": _at_mark(b"\n", b""),
    "double a line end": _at_mark(b"\n", b"\n\n"),
    "CR before a line end": _at_mark(b"\n", b"\r\n"),
    "CR for a line end": _at_mark(b"\n", b"\r"),
    "LF for CRLF": _at_mark(b"\r\n", b"\n"),
    "comma before a line end": _at_mark(b"\n", b",\n"),
    "a quote": _put(b'"'),
    "a line end": _put(b"\n"),
    "no UTF-8": _put(b"\xff"),
    "half a sequence": _put(b"\xc3"),
    "a surrogate": _put(b"\xed\xa0\x80"),
    "a mark": _put(BOM),
}
WOUND = st.tuples(st.sampled_from(list(HURTS)), st.integers(0, 2**16), st.integers(0, 255))


def damaged(data: bytes, wounds: list[tuple[str, int, int]], *, spare: int) -> bytes:
    """Return the data with its wounds; the first bytes are spared, as a hurt header refuses the file anyway."""
    for hurt, place, salt in wounds:
        at = spare + place % max(1, len(data) - spare)
        data = HURTS[hurt](data, min(at, len(data) - 1), salt) if len(data) > spare else data
    return data


@examples(200, 8000)
@given(
    records=st.lists(GOOD | BAD, min_size=1, max_size=6),
    writing=WRITING,
    wounds=st.lists(WOUND, min_size=1, max_size=3),
    spares_header=st.sampled_from([True, True, True, False]),
)
def test_a_damaged_file_is_refused_or_every_record_of_it_is_accounted_for(
    bench: Bench,
    records: list[Fields],
    writing: Writing,
    wounds: list[tuple[str, int, int]],
    spares_header: bool,
) -> None:
    spare = len(Writing(writing.end, writing.has_mark, 0, 0).file([])) if spares_header else 0
    data = damaged(writing.file(records), wounds, spare=spare)
    result = bench.load(data)
    event(result.reason_type or ("bad" if result.bad else "whole"))
    if result.status == "refused":
        assert result.reason
        assert not bench.rows()
        return
    assert result.status == "loaded"
    assert result.records == result.loaded + result.bad
    is_accounted_for(bench, result, data)


def is_accounted_for(bench: Bench, result: FileLoad, data: bytes) -> None:
    """Assert that what loaded is what the oracle reads, and that every other record is, or lies in, a bad one."""
    rows = bench.rows()
    try:
        verdict = judge(data, bench.source)
    except csv.Error:
        pytest.fail(f"loaded, though nobody can say where its records end: {data!r}")
    good = {one.line: (one.line, *one.values) for one in verdict.good}
    for row in rows:
        assert row == good.get(int(str(row[0]))), data
    loaded = {int(str(row[0])) for row in rows}
    told = {example.line for example in result.examples}
    assert len(told) == result.bad, data
    assert not told & loaded, data
    assert told <= {place.line for place in verdict.places}, data
    quarantine_is_true(bench.desk, bench.source, result, data)
    _swallowed_are_in_bad_ones(verdict.good, loaded, told, data)


def _swallowed_are_in_bad_ones(good: tuple[GoodRecord, ...], loaded: set[int], told: set[int], data: bytes) -> None:
    """A record that is neither loaded nor told must follow a bad one whose quotes nobody can close for certain."""
    for one in good:
        if one.line in loaded or one.line in told:
            continue
        before = max((line for line in told | loaded if line < one.line), default=0)
        assert before in told, f"the record of line {one.line} is neither loaded nor bad: {data!r}"
