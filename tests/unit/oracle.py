"""What Python's csv module says of a file: the second opinion for the reader of records and for DuckDB."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from olistctl.reading.records import RecordScan


@dataclass(frozen=True)
class Row:
    """A record as the csv module reads it; text that is not UTF-8 holds lone surrogates."""

    line: int
    fields: tuple[str, ...]
    text: str

    @property
    def is_utf8(self) -> bool:
        """Tell whether the bytes of the record are UTF-8."""
        return not any("\udc80" <= char <= "\udcff" for char in self.text)

    @property
    def is_well_quoted(self) -> bool:
        """Tell whether the quotes of the record are as RFC 4180 has them: around a whole field, or doubled in one."""
        state = "start"
        for char in self.text:
            state = _NEXT[state](char)
            if state == "wrong":
                return False
        return state != "inside"

    @property
    def is_ended(self) -> bool:
        """Tell whether the record has its line end."""
        return self.text.endswith("\n")


# How the state of a reader by RFC 4180 follows from the one before and the next character.
_NEXT: dict[str, Callable[[str], str]] = {
    "start": lambda char: "inside" if char == '"' else "start" if char in ",\r\n" else "plain",
    "plain": lambda char: "wrong" if char == '"' else "start" if char in ",\r\n" else "plain",
    "inside": lambda char: "quote" if char == '"' else "inside",
    "quote": lambda char: "inside" if char == '"' else "start" if char in ",\r\n" else "wrong",
}


def rows_of(data: bytes) -> list[Row]:
    """Return the records of a file after its header, blank lines left out.

    Raises:
        csv.Error: the csv module gives up.
    """
    text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    lines = list(io.StringIO(text, newline="\n"))
    reader = csv.reader(lines)
    rows: list[Row] = []
    end = 0
    for fields in reader:
        start, end = end, reader.line_num
        if fields:
            rows.append(Row(start + 1, tuple(fields), "".join(lines[start:end])))
    return rows[1:]


def csv_bytes(rows: Sequence[Sequence[str]], end: str = "\n", *, quote_all: bool = False) -> bytes:
    """Return rows as the csv module writes them."""
    out = io.StringIO(newline="")
    dialect = "unix" if quote_all else "excel"  # unix quotes every field
    csv.writer(out, dialect, lineterminator=end).writerows(rows)
    return out.getvalue().encode("utf-8")


def line_of(scan: RecordScan, number: int) -> int:
    """Return the physical line on which a record starts, by the scan's shifts."""
    shifts = [shift for first, shift in scan.line_shifts if first <= number]
    return number + 1 + (shifts[-1] if shifts else 0)
