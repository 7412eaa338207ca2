"""What a file holds by the contract, read without any of olistctl's reading code.

Python's csv module parts the records, regular expressions and Python's own types judge the values. The result is
what the loader must come to: which rows it loads, on which lines, and which bytes it must not load.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import accumulate

from olistctl.sources import Column, Source
from tests.unit.oracle import Row, rows_of

BOM = b"\xef\xbb\xbf"
# The genuine translation file ends without a line end; in any other file that is the mark of a cut.
ENDS_AS_IT_LIKES = ("category_translation",)
LONGEST = 16_000_000  # bytes of a record
_ANY_LENGTH = 2**31 - 1  # the csv module takes no field of more than 131,072 characters by default
_SHAPES = {
    "zip": r"\d{5}",
    "integer": r"-?\d{1,9}",
    "money": r"-?\d{1,10}(\.\d\d?)?",
    "coordinate": r"-?\d{1,3}(\.\d+)?",
    "timestamp": r"[1-9]\d{3}-\d\d-\d\d \d\d:\d\d:\d\d",
}
_VALUES: dict[str, Callable[[str], object]] = {
    "text": str,
    "zip": str,
    "integer": int,
    "money": lambda text: Decimal(text).quantize(Decimal("0.01")),
    "coordinate": float,
    "timestamp": lambda text: datetime.strptime(text, "%Y-%m-%d %H:%M:%S"),
}


@dataclass(frozen=True)
class Place:
    """A record in its file: its physical line, its offset, and its bytes with their line end."""

    line: int
    offset: int
    raw: bytes


@dataclass(frozen=True)
class GoodRecord(Place):
    """A record that must load, with its values as text (None: an empty field)."""

    values: tuple[str | None, ...]


@dataclass(frozen=True)
class BadBytes(Place):
    """A record that must not load, and why."""

    reason: str


@dataclass(frozen=True)
class Verdict:
    """Every record of a file, each on one side."""

    good: tuple[GoodRecord, ...]
    bad: tuple[BadBytes, ...]

    @property
    def places(self) -> tuple[Place, ...]:
        """Every record, the good ones first."""
        return (*self.good, *self.bad)


def judge(data: bytes, source: Source) -> Verdict:
    """Part the records of a file into good and bad ones.

    Raises:
        csv.Error: the csv module gives up, so the file has no certain records.
    """
    limit = csv.field_size_limit(_ANY_LENGTH)
    try:
        return _part(data, rows_of(data), source)
    finally:
        csv.field_size_limit(limit)


def _part(data: bytes, rows: list[Row], source: Source) -> Verdict:
    starts = [0, *accumulate(len(line) for line in data.split(b"\n")[:-1] for line in (line + b"\n",))]
    good: list[GoodRecord] = []
    bad: list[BadBytes] = []
    for row in rows:
        raw = row.text.encode("utf-8", "surrogateescape")
        try:
            values = values_of(row, source)
        except ValueError as error:
            bad.append(BadBytes(row.line, starts[row.line - 1], raw, str(error)))
            continue
        texts = tuple(None if value is None else str(value) for value in values)
        good.append(GoodRecord(row.line, starts[row.line - 1], raw, texts))
    return Verdict(tuple(good), tuple(bad))


def values_of(row: Row, source: Source) -> list[object]:
    """Return the values of a record; ValueError says why it is a bad one."""
    if not row.text.endswith("\n") and source.name not in ENDS_AS_IT_LIKES:
        raise ValueError("no line end")
    if len(row.text.encode("utf-8", "surrogateescape")) > LONGEST:
        raise ValueError("too long")
    if not row.is_utf8:
        raise ValueError("not UTF-8")
    if not row.is_well_quoted:
        raise ValueError("stray quote")
    if row.fields == source.column_names:
        raise ValueError("the header again")
    if len(row.fields) != len(source.columns):
        raise ValueError(f"{len(row.fields)} fields")
    return [value_of(column, field) for column, field in zip(source.columns, row.fields, strict=True)]


def value_of(column: Column, field: str) -> object:
    """Return the value that a field stands for; ValueError where its type cannot hold it exactly."""
    if field == "":
        if column.required:
            raise ValueError(f"{column.name} is missing")
        return None
    shape = _SHAPES.get(column.type)
    if shape and not re.fullmatch(shape, field, re.ASCII):
        raise ValueError(f"{column.name} is no {column.type}")
    return _VALUES[column.type](field)
