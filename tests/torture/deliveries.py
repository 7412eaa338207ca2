"""A desk where tiny deliveries of the nine sources arrive, change and vanish, one small step after the other.

Every step can be done in every state (numbers of files and rows are taken modulo what is there; a step that finds
nothing does nothing), so that any list of steps is a story, and a shorter one of its steps is, too.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import strategies as st

from tests.delivery import FILES, NAMES, header_of

SOURCES = tuple(FILES)
# What stands between the base name and `.csv`. `-0` sorts before the base file, so it never covers it.
SLOTS = ("", "_2018-05", "_2018-06", "-0")

Fields = tuple[str, ...]


def name_of(source: str, slot: str) -> str:
    return NAMES[source].removesuffix(".csv") + slot + ".csv"


@dataclass
class Desk:
    """The files of a source folder, as their records; `write` brings the folder to what they are."""

    folder: Path
    files: dict[str, dict[str, list[bytes]]] = field(default_factory=dict)  # records by source and file
    away: dict[str, dict[str, list[bytes]]] = field(default_factory=dict)  # taken away, to be brought back
    broken: set[str] = field(default_factory=set)  # files with a header that is refused
    touched: set[str] = field(default_factory=set)

    def own(self, source: str) -> dict[str, list[bytes]]:
        return self.files.setdefault(source, {})

    def pick(self, source: str, number: int) -> str | None:
        names = sorted(self.own(source))
        return names[number % len(names)] if names else None

    def write(self) -> None:
        """Write what has changed, and only that: other files keep their times."""
        wanted = {name: self._bytes(source, name) for source in self.files for name in self.files[source]}
        for file in self.folder.iterdir():
            if file.name not in wanted:
                file.unlink()
        for name, content in wanted.items():
            file = self.folder / name
            if not file.exists() or file.read_bytes() != content:
                file.write_bytes(content)
            elif name in self.touched:
                os.utime(file)
        self.touched.clear()

    def _bytes(self, source: str, name: str) -> bytes:
        header = header_of(source)
        end = b"\r\n" if header.endswith(b"\r\n") else b"\n"
        if name in self.broken:
            header = header.replace(b"_", b"-", 1)
        return header + b"".join(record + end for record in self.files[source][name])


def record_of(source: str, fields: Sequence[str]) -> bytes:
    """Return the bytes of a record; `now` and `tomorrow` become times, so that facts meet later versions."""
    moment = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    times = {"now": str(moment), "tomorrow": str(moment + timedelta(days=1))}
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="").writerow([times.get(value, value) for value in fields])
    return text.getvalue().encode()


def fields_of(record: bytes) -> list[str]:
    return next(csv.reader(io.StringIO(record.decode(), newline="")))


# --- the steps ---


@dataclass(frozen=True)
class Add:
    """A record more in a file, which is made if it is not there: a new key, or another version of one."""

    source: str
    slot: str
    fields: Fields

    def do(self, desk: Desk) -> None:
        name = name_of(self.source, self.slot)
        desk.own(self.source).setdefault(name, []).append(record_of(self.source, self.fields))


@dataclass(frozen=True)
class Replace:
    """Another record in the place of one."""

    source: str
    file: int
    row: int
    fields: Fields

    def do(self, desk: Desk) -> None:
        name = desk.pick(self.source, self.file)
        if name and (rows := desk.own(self.source)[name]):
            rows[self.row % len(rows)] = record_of(self.source, self.fields)


@dataclass(frozen=True)
class Remove:
    source: str
    file: int
    row: int

    def do(self, desk: Desk) -> None:
        name = desk.pick(self.source, self.file)
        if name and (rows := desk.own(self.source)[name]):
            del rows[self.row % len(rows)]


@dataclass(frozen=True)
class Repeat:
    """The same record once more, at the end of its file."""

    source: str
    file: int
    row: int

    def do(self, desk: Desk) -> None:
        name = desk.pick(self.source, self.file)
        if name and (rows := desk.own(self.source)[name]):
            rows.append(rows[self.row % len(rows)])


@dataclass(frozen=True)
class Reverse:
    """The rows of a file in the other order: another one of two versions is the last."""

    source: str
    file: int

    def do(self, desk: Desk) -> None:
        if name := desk.pick(self.source, self.file):
            desk.own(self.source)[name].reverse()


@dataclass(frozen=True)
class Move:
    """A record from one file to another."""

    source: str
    file: int
    row: int
    slot: str

    def do(self, desk: Desk) -> None:
        name = desk.pick(self.source, self.file)
        if name and (rows := desk.own(self.source)[name]):
            record = rows.pop(self.row % len(rows))
            desk.own(self.source).setdefault(name_of(self.source, self.slot), []).append(record)


@dataclass(frozen=True)
class Rename:
    """Another name for a file; with one that is taken, the two files change names."""

    source: str
    file: int
    slot: str

    def do(self, desk: Desk) -> None:
        own, new = desk.own(self.source), name_of(self.source, self.slot)
        if old := desk.pick(self.source, self.file):
            content, covered = own.pop(old), own.pop(new, None)
            own[new] = content
            if covered is not None and old != new:
                own[old] = covered


@dataclass(frozen=True)
class TakeAway:
    source: str
    file: int

    def do(self, desk: Desk) -> None:
        if name := desk.pick(self.source, self.file):
            desk.away.setdefault(self.source, {})[name] = desk.own(self.source).pop(name)


@dataclass(frozen=True)
class BringBack:
    """The files of a source that were taken away, in place of what stands there now."""

    source: str

    def do(self, desk: Desk) -> None:
        desk.own(self.source).update(desk.away.pop(self.source, {}))


@dataclass(frozen=True)
class Break:
    """A header that is refused; the second time the file is mended."""

    source: str
    file: int

    def do(self, desk: Desk) -> None:
        if name := desk.pick(self.source, self.file):
            desk.broken ^= {name}


@dataclass(frozen=True)
class Spoil:
    """A record becomes a bad one: a field too many, one too few, or without its key."""

    source: str
    file: int
    row: int
    how: int

    def do(self, desk: Desk) -> None:
        name = desk.pick(self.source, self.file)
        if name and (rows := desk.own(self.source)[name]):
            row = self.row % len(rows)
            fields = fields_of(rows[row])
            spoilt = ([*fields, "x"], fields[:-1], ["", *fields[1:]])[self.how]
            rows[row] = record_of(self.source, spoilt)


@dataclass(frozen=True)
class Pad:
    """Outer blanks around a key, which are no part of it."""

    source: str
    file: int
    row: int

    def do(self, desk: Desk) -> None:
        name = desk.pick(self.source, self.file)
        if name and (rows := desk.own(self.source)[name]):
            row = self.row % len(rows)
            first, *others = fields_of(rows[row])
            rows[row] = record_of(self.source, [f" {first.strip()} ", *others])


@dataclass(frozen=True)
class Touch:
    """A file with new times and the same content."""

    source: str
    file: int

    def do(self, desk: Desk) -> None:
        if name := desk.pick(self.source, self.file):
            desk.touched.add(name)


Change = Add | Replace | Remove | Repeat | Reverse | Move | Rename | TakeAway | BringBack | Break | Spoil | Pad | Touch

# --- what the records are made of: few of everything, so that they meet ---

ORDERS = [f"o{number:02}" for number in range(14)]
CUSTOMERS = [f"c{number}" for number in range(10)]
PEOPLE = [f"person {number}" for number in range(4)]
PRODUCTS = [f"product {number}" for number in range(5)]
SELLERS = [f"seller {number}" for number in range(3)]
REVIEWS = [f"r{number}" for number in range(5)]
CATEGORIES = ["perfumaria", "pet_shop", "Artes", ""]
ZIPS = ["01310", "14409", "69900", "88000"]
PLACES = [("sao paulo", "SP"), ("Sao  Paulo ", "sp"), ("franca", "SP"), ("rio branco", "AC"), ("", "")]
PURCHASED = [
    "2018-03-01 10:00:00",
    "2018-03-01 10:00:00",
    "2018-01-31 23:59:59",
    "2017-11-24 08:00:00",
    "now",
    "tomorrow",
]
LATER = ["", "2018-03-02 09:00:00", "2018-03-20 12:00:00", "2018-04-02 12:00:00"]
STATUSES = ["delivered", "delivered", "shipped", "canceled", "unavailable", "created"]
POINTS = [("-23.5", "-46.6"), ("-20.5", "-47.4"), ("-9.96", "-67.8"), ("45.1", "9.2")]
AMOUNTS = ["10.00", "0.85", "250.5", "99.99"]
MESSAGES = ["", "bom", "chegou,\r\n\r\nmas tarde"]


def _records() -> dict[str, st.SearchStrategy[Fields]]:
    of = st.sampled_from
    small = of(["1", "2", "3"])

    def flat(*parts: st.SearchStrategy[str] | st.SearchStrategy[tuple[str, str]]) -> st.SearchStrategy[Fields]:
        joined = st.tuples(*parts)
        return joined.map(
            lambda values: tuple(v for part in values for v in ([part] if isinstance(part, str) else part))
        )

    return {
        "customers": flat(of(CUSTOMERS), of(PEOPLE), of(ZIPS), of(PLACES)),
        "orders": flat(
            of(ORDERS), of(CUSTOMERS), of(STATUSES), of(PURCHASED), of(LATER), of(LATER), of(LATER), of(LATER)
        ),
        "order_items": flat(of(ORDERS), small, of(PRODUCTS), of(SELLERS), of(LATER), of(AMOUNTS), of(AMOUNTS)),
        "order_payments": flat(of(ORDERS), small, of(["credit_card", "boleto", "voucher"]), small, of(AMOUNTS)),
        "order_reviews": flat(
            of(REVIEWS), of(ORDERS), of(["1", "3", "5"]), of(["", "ok"]), of(MESSAGES), of(LATER), of(LATER)
        ),
        "products": flat(of(PRODUCTS), of(CATEGORIES), of(["", "40"]), *[small] * 6),
        "sellers": flat(of(SELLERS), of(ZIPS), of(PLACES)),
        "geolocation": flat(of(ZIPS), of(POINTS), of(PLACES)),
        "category_translation": flat(of(["perfumaria", "pet_shop", "artes"]), of(["Perfumery", "Pets", "arts"])),
    }


RECORDS = _records()
# Facts come and go more often than dictionaries.
_OFTEN = st.sampled_from([*SOURCES, *["orders"] * 3, *["order_items"] * 3, "customers", "order_payments", "products"])
_NUMBER = st.integers(0, 7)
_SLOT = st.sampled_from([*SLOTS[:3], *SLOTS])


def _with_record(kind: type[Add] | type[Replace], *others: st.SearchStrategy[object]) -> st.SearchStrategy[Change]:
    return _OFTEN.flatmap(lambda source: st.builds(kind, st.just(source), *others, RECORDS[source]))


_ADD = _with_record(Add, _SLOT)
_REPLACE = _with_record(Replace, _NUMBER, _NUMBER)
_CHANGES: list[st.SearchStrategy[Change]] = [
    *[_ADD] * 5,
    *[_REPLACE] * 2,
    *[st.builds(TakeAway, _OFTEN, _NUMBER)] * 2,
    st.builds(BringBack, _OFTEN),
    st.builds(Remove, _OFTEN, _NUMBER, _NUMBER),
    st.builds(Repeat, _OFTEN, _NUMBER, _NUMBER),
    st.builds(Reverse, _OFTEN, _NUMBER),
    st.builds(Move, _OFTEN, _NUMBER, _NUMBER, _SLOT),
    st.builds(Rename, _OFTEN, _NUMBER, _SLOT),
    st.builds(Break, _OFTEN, _NUMBER),
    st.builds(Spoil, _OFTEN, _NUMBER, _NUMBER, st.integers(0, 2)),
    st.builds(Pad, _OFTEN, _NUMBER, _NUMBER),
    st.builds(Touch, _OFTEN, _NUMBER),
]
# Not `one_of`, which takes equal strategies for one.
CHANGES: st.SearchStrategy[Change] = st.sampled_from(range(len(_CHANGES))).flatmap(lambda number: _CHANGES[number])


def _as_tuple(part: str | Fields) -> Fields:
    return (part,) if isinstance(part, str) else part


def first_delivery(folder: Path) -> Desk:
    """Ten orders of four people, in the nine base files."""
    desk = Desk(folder)
    rows: dict[str, list[Fields]] = {source: [] for source in SOURCES}
    for n, order in enumerate(ORDERS[:10]):
        customer = CUSTOMERS[n]
        rows["customers"].append((customer, PEOPLE[n % 4], ZIPS[n % 3], *PLACES[n % 5]))
        later = [LATER[1 + n % 3]] * 3 if n % 4 else [""] * 3
        rows["orders"].append((order, customer, STATUSES[n % 6], PURCHASED[n % 4], *later, LATER[3]))
        for item in range(n % 3):
            at = LATER[n % 4], AMOUNTS[n % 4], AMOUNTS[item]
            rows["order_items"].append((order, str(item + 1), PRODUCTS[(n + item) % 4], SELLERS[n % 3], *at))
        rows["order_payments"].append((order, "1", "credit_card", "2", AMOUNTS[n % 4]))
    for n, review in enumerate(REVIEWS):
        rows["order_reviews"].append((review, ORDERS[n * 2 % 10], "5", "", MESSAGES[n % 3], LATER[2], LATER[3]))
    for n, product in enumerate(PRODUCTS[:4]):
        rows["products"].append((product, CATEGORIES[n], "40", "1", "1", "2", "3", "1", "2"))
    for n, seller in enumerate(SELLERS):
        rows["sellers"].append((seller, ZIPS[n + 1], *PLACES[n]))
    for n in range(6):
        rows["geolocation"].append((ZIPS[n % 3], *POINTS[n % 4], *PLACES[n % 4]))
    rows["category_translation"] = [("perfumaria", "Perfumery"), ("artes", "arts")]
    for source, records in rows.items():
        desk.own(source)[NAMES[source]] = [record_of(source, record) for record in records]
    return desk
