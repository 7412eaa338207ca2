"""`python -m tests.bench.anomalies`: which faults of a delivery are found on arrival, and how often an alarm is false.

A generated history is loaded up to some weeks before its end, and these weeks arrive one by one. Each arrives whole
(an alarm is false then), and, in a copy of the warehouse, with one fault at a time (an alarm that the whole one does
not raise has found it). What is found decides nothing about the exit code: 0 when every run did what it had to.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import duckdb

from olistctl.config import Settings, load_settings
from olistctl.errors import OlistctlError
from olistctl.pipeline import run_pipeline
from olistctl.project_files import lay_out
from olistctl.sample import generate
from tests.dbt_project import switch_off_data_tests
from tests.delivery import NAMES

_BY_ORDER = {"orders": 0, "order_items": 0, "order_payments": 0, "order_reviews": 1}  # where order_id stands
Rows = list[list[str]]
Delivery = dict[str, Rows]  # the records of each source; a source of the base files stands for its base file


@dataclass(frozen=True)
class Outcome:
    """What became of one fault: in how many deliveries it was, in how many it was found, and by what."""

    fault: str
    delivered: int = 0
    found: int = 0
    by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """The faults, and the whole deliveries that raised an alarm (date and what was said)."""

    deliveries: int
    outcomes: tuple[Outcome, ...]
    false_alarms: tuple[str, ...]

    @property
    def recall(self) -> float:
        """The share of faults that were found."""
        return sum(one.found for one in self.outcomes) / max(1, sum(one.delivered for one in self.outcomes))

    @property
    def precision(self) -> float:
        """The share of deliveries with an alarm that have a fault."""
        found = sum(one.found for one in self.outcomes)
        return found / max(1, found + len(self.false_alarms))


# --- the faults ---


def _changed(source: str, change: Callable[[int, list[str]], list[str] | None]) -> Callable[[Delivery], Delivery]:
    """Return a fault that changes each record of a source; None takes it out."""

    def apply(delivery: Delivery) -> Delivery:
        rows = [change(number, list(row)) for number, row in enumerate(delivery[source])]
        return delivery | {source: [row for row in rows if row is not None]}

    return apply


def _with(column: int, value: Callable[[str], str]) -> Callable[[int, list[str]], list[str]]:
    return lambda _, row: [*row[:column], value(row[column]), *row[column + 1 :]]


def _last_third_lost(delivery: Delivery) -> Delivery:
    orders = sorted(delivery["orders"], key=lambda row: row[3])
    kept = {row[0] for row in orders[: len(orders) * 2 // 3]}
    by_order = {name: [row for row in delivery[name] if row[at] in kept] for name, at in _BY_ORDER.items()}
    return delivery | by_order


def _of_a_year_ago(delivery: Delivery) -> Delivery:
    def earlier(text: str) -> str:
        return f"{date.fromisoformat(text[:10]) - timedelta(days=364)}{text[10:]}" if text else text

    orders = [[*row[:3], *map(earlier, row[3:])] for row in delivery["orders"]]
    return delivery | {"orders": orders}


FAULTS: Mapping[str, Callable[[Delivery], Delivery]] = {
    "a third of the items lost": _changed("order_items", lambda number, row: None if number % 3 == 0 else row),
    "a third of the payments lost": _changed("order_payments", lambda number, row: None if number % 3 == 0 else row),
    "the last third of everything lost": _last_third_lost,
    "no customers": lambda delivery: delivery | {"customers": []},
    "shipping limit empty": _changed("order_items", _with(4, lambda _: "")),
    "weights of all products empty": _changed("products", _with(5, lambda _: "")),
    "prices in centavos": _changed("order_items", _with(5, lambda text: str(round(float(text) * 100)))),
    "payments in centavos": _changed("order_payments", _with(4, lambda text: str(round(float(text) * 100)))),
    "freight ten times": _changed("order_items", _with(6, lambda text: f"{float(text) * 10:.2f}")),
    "all reviews with one star": _changed("order_reviews", _with(2, lambda _: "1")),
    "all orders of one status": _changed("orders", _with(2, lambda _: "canceled")),
    "orders of a year ago": _of_a_year_ago,
}


# --- the history and its deliveries ---


@dataclass
class Desk:
    """A project, and the records that come to it."""

    settings: Settings
    header: dict[str, list[str]]
    base: Delivery
    weeks: dict[str, Delivery] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        return self.settings.warehouse.parent

    def write(self, delivery: Delivery, suffix: str = "") -> None:
        for source, rows in delivery.items():
            name = NAMES[source].replace(".csv", f"{suffix if source in (*_BY_ORDER, 'customers') else ''}.csv")
            with (self.settings.source_dir / name).open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream, lineterminator="\n").writerows([self.header[source], *rows])

    def arrive(self, week: str, delivery: Delivery) -> dict[str, str]:
        """Load a delivery and return what is said of it: a message by what says it."""
        self.write(delivery, f"_{week}")
        run_pipeline(self.settings, "run")
        return alarms(self.settings.warehouse)

    def tried(self, week: str, delivery: Delivery) -> dict[str, str]:
        """Load a delivery, return what is said of it, and forget that it ever came."""
        aside = self.data.with_name("aside")
        shutil.copytree(self.data, aside)
        try:
            return self.arrive(week, delivery)
        finally:
            shutil.rmtree(self.data)
            aside.rename(self.data)


def alarms(warehouse: Path) -> dict[str, str]:
    """Return what the latest load made the warehouse warn of."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = connection.execute(
            "select kind || ' ' || subject, message from quality.dq_anomalies where is_new "
            "union all select 'rule ' || rule, message from quality.dq_rules where is_drift"
        ).fetchall()
    return dict(rows)


def desk_of(folder: Path, records: Mapping[str, Rows], weeks: int) -> Desk:
    """Lay a project out, and part the records: the last `weeks` arrive one by one, the rest is the base."""
    lay_out(folder)
    switch_off_data_tests(folder / "olist_dw_dbt")  # what they say is read from the tables that they test
    overrides = {"threads": 2, "load.max_shrink_share": 1}
    settings = load_settings(folder / "config" / "olistctl.yml", overrides, environ={})
    settings.source_dir.mkdir(parents=True, exist_ok=True)
    desk = Desk(settings, {source: rows[0] for source, rows in records.items()}, {})
    days = {row[0]: date.fromisoformat(row[3][:10]) for row in records["orders"][1:]}
    counts = Counter(days.values())
    usual = median(counts.values())
    last = max(day for day, count in counts.items() if count >= usual / 2)  # after that the history thins out
    first = last - timedelta(days=7 * weeks - 1)
    slots = {order: (day - first).days // 7 for order, day in days.items()}
    customers = {row[1]: slots[row[0]] for row in records["orders"][1:]}

    def part(wanted: Callable[[int], bool]) -> Delivery:
        chosen = {s: [row for row in records[s][1:] if wanted(slots[row[at]])] for s, at in _BY_ORDER.items()}
        return chosen | {"customers": [row for row in records["customers"][1:] if wanted(customers[row[0]])]}

    desk.base = {source: rows[1:] for source, rows in records.items()} | part(lambda slot: slot < 0)
    for number in range(weeks):
        whole = part(lambda slot, number=number: slot == number)  # type: ignore[misc]
        desk.weeks[str(first + timedelta(days=7 * number))] = whole | {"products": desk.base["products"]}
    return desk


def measure(folder: Path, orders: int, weeks: int, faults: Sequence[str], told: Callable[[str], None]) -> Result:
    """Let the weeks arrive, and count."""
    sample = folder / "sample"
    generate(orders, 7, sample)
    records: dict[str, Rows] = {}
    for source, name in NAMES.items():
        with (sample / name).open(encoding="utf-8-sig", newline="") as stream:
            records[source] = list(csv.reader(stream))
    desk = desk_of(folder / "project", records, weeks)
    desk.write(desk.base)
    run_pipeline(desk.settings, "run")
    outcomes = {fault: Outcome(fault) for fault in faults}
    false_alarms: list[str] = []
    before = alarms(desk.settings.warehouse)
    for week, whole in desk.weeks.items():
        clean = desk.tried(week, whole)
        false_alarms += [f"{week} {what}: {said}" for what, said in clean.items() if what not in before]
        for fault in faults:
            found = sorted(set(desk.tried(week, FAULTS[fault](whole))) - set(clean))
            told(f"{week}, {fault}: {', '.join(found) or 'not found'}")
            so_far = outcomes[fault]
            by = tuple(sorted({*so_far.by, *found}))
            outcomes[fault] = Outcome(fault, so_far.delivered + 1, so_far.found + bool(found), by)
        before = desk.arrive(week, whole)
    return Result(weeks, tuple(outcomes.values()), tuple(false_alarms))


# --- the command ---


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.anomalies", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--orders", type=int, default=40_000, help="orders of the history (default: %(default)s)")
    parser.add_argument("--deliveries", type=int, default=3, help="weeks that arrive one by one (default: %(default)s)")
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS), help="only these (default: all)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args(argv)
    logging.disable()
    with tempfile.TemporaryDirectory(prefix="olistctl-bench-") as folder:
        try:
            result = measure(
                Path(folder),
                options.orders,
                options.deliveries,
                options.faults,
                lambda line: print(line, file=sys.stderr),
            )
        except OlistctlError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    if options.json:
        print(json.dumps(asdict(result) | {"precision": result.precision, "recall": result.recall}, indent=2))
    else:
        _print(result, options.orders)
    return 0


def _tell(line: str) -> None:
    print(line, file=sys.stderr)


def _print(result: Result, orders: int) -> None:
    print(f"{orders:,} orders, {result.deliveries} weekly deliveries, each whole and with one fault at a time")
    for one in result.outcomes:
        print(f"  {one.fault:<36} {one.found} of {one.delivered}   {', '.join(one.by)}")
    print(f"  recall {result.recall:.2f}, precision {result.precision:.2f}")
    print(f"  false alarms in whole deliveries: {len(result.false_alarms)}")
    for line in result.false_alarms:
        print(f"    {line}")


if __name__ == "__main__":
    sys.exit(main())
