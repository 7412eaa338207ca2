"""What raw, the current records and the history must be, told from the bytes of the files by Python alone.

Nothing of olistctl is used here: this is the second opinion.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from tests.delivery import NAMES, header_of

# A letter a column, a capital for one that must not be empty:
# text, zip, integer, money, coordinate, date with time.
KINDS = {
    "customers": "TTZtt",
    "orders": "TTTDdddd",
    "order_items": "TITTdMM",
    "order_payments": "TITiM",
    "order_reviews": "TTIttdd",
    "products": "Ttiiiiiii",
    "sellers": "TZtt",
    "geolocation": "ZCCtt",
    "category_translation": "TT",
}
KEYS = {
    "customers": ("customer_id",),
    "orders": ("order_id",),
    "order_items": ("order_id", "order_item_id"),
    "order_payments": ("order_id", "payment_sequential"),
    "order_reviews": ("review_id", "order_id"),
    "products": ("product_id",),
    "sellers": ("seller_id",),
    "category_translation": ("product_category_name",),
}
VALUES: dict[str, Callable[[str], Any]] = {
    "t": str,
    "z": lambda text: text if re.fullmatch("[0-9]{5}", text) else None,
    "i": int,
    "m": Decimal,
    "c": float,
    "d": datetime.fromisoformat,
}
BAD_SHARE = 0.5  # a file with a larger share of bad records is refused

Row = dict[str, Any]


def columns_of(source: str) -> list[str]:
    return header_of(source).decode("utf-8-sig").strip().replace('"', "").split(",")


class Place(NamedTuple):
    file: str
    line: int


@dataclass(frozen=True)
class Version:
    """A version of a member of a dimension; of a member's versions only the last can be open."""

    attributes: tuple[Any, ...]
    is_open: bool = True


def read(source: str, content: bytes) -> dict[int, Row] | None:
    """Return the good records of a file by their first line; None if the file is refused."""
    if not content.startswith(header_of(source)):
        return None
    reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    next(reader)
    rows: dict[int, Row] = {}
    records, line = 0, reader.line_num + 1
    for fields in reader:
        records += 1
        row = _row(source, fields)
        if row is not None:
            rows[line] = row
        line = reader.line_num + 1
    return None if records and (records - len(rows)) / records > BAD_SHARE else rows


def _row(source: str, fields: list[str]) -> Row | None:
    kinds = KINDS[source]
    if len(fields) != len(kinds):
        return None
    row: Row = {}
    for name, kind, text in zip(columns_of(source), kinds, fields, strict=True):
        row[name] = VALUES[kind.lower()](text) if text else None
        if row[name] is None and (text or kind.isupper()):
            return None
    return row


@dataclass
class Expected:
    """What a warehouse must hold after the commands so far."""

    raw: dict[str, dict[str, dict[int, Row]]] = field(default_factory=dict)  # by source, file and line
    undecided: dict[str, dict[str, set[str]]] = field(default_factory=dict)  # first fields of bad records
    history: dict[str, dict[str, list[Version]]] = field(
        default_factory=lambda: {member: {} for member in ("customer", "product", "seller")}
    )

    def load(self, folder: Path) -> None:
        """Files are loaded; a missing base file and a refused file keep their rows, other missing ones lose them."""
        for source, base in NAMES.items():
            own = self.raw.setdefault(source, {})
            there = {file.name: file for file in folder.glob(base.removesuffix(".csv") + "*.csv")}
            undecided = self.undecided.setdefault(source, {})
            for name in own.keys() - there.keys() - {base}:
                del own[name], undecided[name]
            for name, file in there.items():
                rows = read(source, file.read_bytes())
                if rows is not None:
                    own[name] = rows
                    undecided[name] = first_fields(file.read_bytes()) - {row_key(source, row) for row in rows.values()}

    def snapshot(self) -> None:
        """A run looks at the members: changed and new ones open a version, gone ones are closed.

        A member is not gone while a record of it is bad.
        """
        for member, versions in self.history.items():
            now = {row[f"{member}_id"].strip(): _described(member, row) for row in self.current(f"{member}s").values()}
            undecided = set().union(*self.undecided.get(f"{member}s", {}).values())
            for key, known in versions.items():
                if key in undecided and key not in now:
                    continue
                if known[-1].is_open and now.get(key) != known[-1].attributes:
                    known[-1] = Version(known[-1].attributes, is_open=False)
            for key, attributes in now.items():
                known = versions.setdefault(key, [])
                if not known or not known[-1].is_open:
                    known.append(Version(attributes))

    def rows(self, source: str) -> dict[Place, Row]:
        return {Place(file, line): row for file, rows in self.raw.get(source, {}).items() for line, row in rows.items()}

    def current(self, source: str) -> dict[Place, Row]:
        """The record of a key that counts: of the file that sorts last by name, the last one."""
        last: dict[tuple[Any, ...], Place] = {}
        rows = self.rows(source)
        for place in sorted(rows):
            last[key_of(source, rows[place])] = place
        return {place: rows[place] for place in last.values()}


def first_fields(content: bytes) -> set[str]:
    reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    return {fields[0].strip() for fields in reader if fields}


def row_key(source: str, row: Mapping[str, Any]) -> str:
    return str(row[columns_of(source)[0]]).strip()


def key_of(source: str, row: Mapping[str, Any]) -> tuple[Any, ...]:
    values = [row[name] for name in KEYS[source]]
    return tuple(value.strip() if isinstance(value, str) else value for value in values)


def _described(member: str, row: Row) -> tuple[Any, ...]:
    """What of a member is followed through time, as staging cleans it."""
    if member == "product":
        category = row["product_category_name"]
        return category and category.strip().lower(), *list(row.values())[2:]
    where = [row[f"{member}_zip_code_prefix"], _city(row[f"{member}_city"]), _state(row[f"{member}_state"])]
    return (row["customer_unique_id"].strip(), *where) if member == "customer" else tuple(where)


def _city(text: str | None) -> str | None:
    return " ".join(text.lower().split()) if text else None


def _state(text: str | None) -> str | None:
    return text.strip().upper() if text else None


# --- what a warehouse holds, beside what it must ---

Query = Callable[[str], Iterable[tuple[Any, ...]]]


def check_raw(expected: Expected, query: Query) -> None:
    for source in NAMES:
        names = ", ".join(columns_of(source))
        found = {
            Place(file, line): dict(zip(columns_of(source), values, strict=True))
            for file, line, *values in query(f"select _source_file, _source_line, {names} from raw.stg_{source}")
        }
        _same(f"raw.stg_{source}", found, expected.rows(source))


def check_staging(expected: Expected, query: Query) -> None:
    for source, key in KEYS.items():
        found = query(f"select _source_file, _source_line, {', '.join(key)} from staging.stg_{source}")
        wanted = {place: key_of(source, row) for place, row in expected.current(source).items()}
        _same(f"staging.stg_{source}", {Place(file, line): tuple(key) for file, line, *key in found}, wanted)


def check_snapshots(expected: Expected, query: Query) -> None:
    for member, versions in expected.history.items():
        columns = [name for name in columns_of(f"{member}s") if name != f"{member}_id"]
        names = ", ".join(columns).replace("lenght", "length")
        found: dict[str, list[Version]] = {}
        starts: dict[str, list[datetime]] = {}
        for key, start, end, *attributes in query(
            f"select {member}_id, dbt_valid_from, dbt_valid_to, {names} from snapshots.snapshot_dim_{member} "
            "order by dbt_valid_from"
        ):
            found.setdefault(key, []).append(Version(tuple(attributes), end is None))
            assert end is None or start < end, f"{member} {key}: a version from {start} to {end}"
            earlier = starts.setdefault(key, [])
            assert start not in earlier, f"{member} {key}: two versions from {start}"
            earlier.append(start)
        _same(f"snapshots.snapshot_dim_{member}", found, versions)


Window = tuple[datetime, datetime | None, str]  # from, to (exclusive), surrogate key
FIRST = datetime(1900, 1, 1)


def check_dimensions(expected: Expected, query: Query) -> dict[str, dict[str, list[Window]]]:
    """Look at the windows of all members and return them."""
    result: dict[str, dict[str, list[Window]]] = {}
    for member, versions in expected.history.items():
        windows: dict[str, list[Window]] = {}
        current: dict[str, list[bool]] = {}
        for key, start, end, surrogate, is_current in query(
            f"select {member}_id, effective_from, effective_to, {member}_key, is_current from core.dim_{member} "
            f"where {member}_key <> '-1' order by effective_from"
        ):
            windows.setdefault(key, []).append((start, end, surrogate))
            current.setdefault(key, []).append(is_current)
        shape = {key: [version.is_open for version in own] for key, own in versions.items()}
        _same(f"core.dim_{member}, which versions are current", current, shape)
        for key, own in windows.items():
            assert own[0][0] == FIRST, f"dim_{member} {key} begins at {own[0][0]}"
            assert [end for _, end, _ in own[:-1]] == [start for start, _, _ in own[1:]], f"dim_{member} {key}: a gap"
            assert (own[-1][1] is None) == current[key][-1], f"dim_{member} {key}: current, or ended?"
        result[member] = windows
    return result


def check_facts(expected: Expected, windows: dict[str, dict[str, list[Window]]], query: Query) -> None:
    """Every fact points at the version of its members that was in force at the time of its event."""
    orders = {key_of("orders", row)[0]: row for row in expected.current("orders").values()}

    def version(member: str, key: str, moment: datetime) -> str:
        own = windows[member].get(key.strip(), [])
        return next((name for start, end, name in own if start <= moment and (end is None or moment < end)), "-1")

    def customer(order_id: str) -> str:
        order = orders.get(order_id)
        return version("customer", order["customer_id"], order["order_purchase_timestamp"]) if order else "-1"

    wanted_items = {}
    for item in expected.current("order_items").values():
        order_id, number = key_of("order_items", item)
        order = orders.get(order_id)
        sold_at = order["order_purchase_timestamp"] if order else item["shipping_limit_date"] or FIRST
        wanted_items[order_id, number] = (
            customer(order_id),
            version("product", item["product_id"], sold_at),
            version("seller", item["seller_id"], sold_at),
            item["price"],
        )
    found_items = {
        (order_id, number): tuple(others)
        for order_id, number, *others in query(
            "select order_id, order_item_id, customer_key, product_key, seller_key, price from core.fact_order_items"
        )
    }
    _same("core.fact_order_items", found_items, wanted_items)
    found_orders = {key: tuple(others) for key, *others in query(_FACT_ORDERS)}
    wanted_orders = {
        key: (customer(key), order["order_status"], *_sums(expected, key)) for key, order in orders.items()
    }
    _same("core.fact_orders", found_orders, wanted_orders)
    for source, fact in (("order_payments", "fact_payments"), ("order_reviews", "fact_reviews")):
        names = ", ".join(KEYS[source])
        found = {
            tuple(key): customer_key for *key, customer_key in query(f"select {names}, customer_key from core.{fact}")
        }
        rows = expected.current(source).values()
        _same(f"core.{fact}", found, {key_of(source, row): customer(row["order_id"].strip()) for row in rows})


_FACT_ORDERS = (
    "select order_id, customer_key, order_status, total_price, total_payment, review_count from core.fact_orders"
)


def _sums(expected: Expected, order_id: str) -> tuple[Decimal, Decimal, int]:
    def of(source: str) -> list[Row]:
        return [row for row in expected.current(source).values() if row["order_id"].strip() == order_id]

    price = sum((row["price"] for row in of("order_items")), Decimal(0))
    paid = sum((row["payment_value"] for row in of("order_payments")), Decimal(0))
    return price, paid, len(of("order_reviews"))


def _same(what: str, found: Mapping[Any, Any], wanted: Mapping[Any, Any]) -> None:
    wrong = [key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key)]
    told = [f"  {key}: found {found.get(key)}, expected {wanted.get(key)}" for key in sorted(wrong, key=repr)[:3]]
    assert not wrong, "\n".join([f"{what}: {len(wrong)} differ", *told])
