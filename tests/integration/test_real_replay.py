"""The real subset, delivered month by month, ends as the same files loaded at once. Skipped where it is absent.

Five deliveries in the ordinary suite, one a month with TORTURE=1.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from olistctl.config import Settings, load_settings
from olistctl.pipeline import run_pipeline
from olistctl.project_files import lay_out
from olistctl.transform import DbtProcess
from tests.comparison import PLACE, RUN_METADATA, differences
from tests.dbt_project import switch_off_data_tests
from tests.delivery import NAMES
from tests.project import REAL_DATA
from tests.torture.scale import LONG

pytestmark = [
    pytest.mark.skipif(not REAL_DATA.is_dir(), reason=f"the real subset is not at {REAL_DATA}"),
    pytest.mark.xdist_group("real_replay"),
]

GROUPS = 5
BY_ORDER = ("orders", "order_items", "order_payments", "order_reviews")
BUILT = ("staging", "core", "mart")
OVERRIDES = {"threads": 2, "load.max_shrink_share": 1}  # a delivery may be taken back in part

Rows = list[list[str]]
Tables = dict[str, Rows]


@dataclass(frozen=True)
class Replay:
    """A project and the deliveries that may come to it, by the first month of each."""

    settings: Settings
    dbt: DbtProcess
    header: dict[str, list[str]]
    whole: Tables
    months: dict[str, Tables]

    def deliver(self, month: str, name: str | None = None) -> None:
        """Write the files of a delivery: orders with what belongs to them."""
        for source, rows in self.months[month].items():
            self._write(source, f"_{name or month}", rows)

    def take_back(self, name: str) -> None:
        for file in self.settings.source_dir.glob(f"*_{name}.csv"):
            file.unlink()

    def write_base(self, source: str, share: float = 1) -> None:
        """Write the first part of a base file."""
        rows = self.whole[source]
        self._write(source, "", rows[: round(len(rows) * share)])

    def announce(self, month: str) -> None:
        """Write the orders of a delivery into the base file, as they were when they were created."""
        rows = [[*row[:2], "created", row[3], "", "", "", row[7]] for row in self.months[month]["orders"]]
        self._write("orders", "", rows)
        for source in ("customers", *BY_ORDER[1:]):
            self._write(source, "", [])

    def run(self, *, full_refresh: bool = False) -> None:
        run_pipeline(self.settings, "run", full_refresh=full_refresh, dbt=self.dbt)

    def _write(self, source: str, slot: str, rows: Iterable[list[str]]) -> None:
        file = self.settings.source_dir / NAMES[source].replace(".csv", f"{slot}.csv")
        with file.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows([self.header[source], *rows])


def _project(folder: Path, source_dir: Path | None = None) -> Settings:
    lay_out(folder)
    switch_off_data_tests(folder / "olist_dw_dbt")  # test_real_data runs them
    return load_settings(folder / "config" / "olistctl.yml", OVERRIDES | {"source_dir": source_dir}, environ={})


def _read(source: str) -> Rows:
    with (REAL_DATA / NAMES[source]).open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.reader(stream))


def _by_month(whole: Tables) -> dict[str, Tables]:
    """Part the orders, and what belongs to them, by the month of the purchase; several months make one delivery."""
    month_of = {row[0]: row[3][:7] for row in whole["orders"]}
    months = sorted(set(month_of.values()))
    step = 1 if LONG else -(-len(months) // GROUPS)
    first = {month: months[n - n % step] for n, month in enumerate(months)}
    delivery_of = {order: first[month] for order, month in month_of.items()}
    customer_of = {row[1]: delivery_of[row[0]] for row in whole["orders"]}
    parts: dict[str, Tables] = {month: {s: [] for s in ("customers", *BY_ORDER)} for month in first.values()}
    for source in BY_ORDER:
        column = 1 if source == "order_reviews" else 0
        for row in whole[source]:
            parts[delivery_of[row[column]]][source].append(row)
    for row in whole["customers"]:
        parts[customer_of[row[0]]]["customers"].append(row)
    return parts


@pytest.fixture(scope="module")
def dbt() -> Iterator[DbtProcess]:
    with DbtProcess() as dbt:
        yield dbt


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory, dbt: DbtProcess) -> Path:
    """The warehouse of all files in one run."""
    settings = _project(tmp_path_factory.mktemp("real_at_once") / "project", REAL_DATA)
    run_pipeline(settings, "run", dbt=dbt)
    return settings.warehouse


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory, dbt: DbtProcess) -> Replay:
    read = {source: _read(source) for source in NAMES}
    whole = {source: rows[1:] for source, rows in read.items()}
    header = {source: rows[0] for source, rows in read.items()}
    project = _project(tmp_path_factory.mktemp("real_replay") / "project")
    return Replay(project, dbt, header, whole, _by_month(whole))


@pytest.fixture(scope="module")
def replayed(replay: Replay) -> Replay:
    """All deliveries, every second one after the one that follows it, one twice, and products that come in parts."""
    months = list(replay.months)
    order = [month for n in range(0, len(months), 2) for month in reversed(months[n : n + 2])]
    for source in ("sellers", "geolocation", "category_translation"):
        replay.write_base(source)
    replay.announce(months[1])
    for number, month in enumerate(order, 1):
        replay.write_base("products", number / len(order))
        replay.deliver(month)
        if number == 2:
            replay.deliver(order[0], "again")  # sorts last, and so covers the one that came first
        replay.run()
    replay.take_back("again")
    replay.run()
    return replay


def test_the_months_in_any_order_end_as_all_at_once(replayed: Replay, at_once: Path) -> None:
    # The same records stand in other files, so where they stood is left aside.
    told = differences(replayed.settings.warehouse, at_once, BUILT, without=RUN_METADATA | PLACE)
    assert not told, told


def test_a_month_taken_back_leaves_what_a_full_refresh_leaves(replayed: Replay, tmp_path: Path) -> None:
    replayed.take_back(list(replayed.months)[-1])
    replayed.run()
    stepwise = Path(shutil.copy(replayed.settings.warehouse, tmp_path / replayed.settings.warehouse.name))
    replayed.run(full_refresh=True)
    told = differences(stepwise, replayed.settings.warehouse, ("raw", *BUILT, "snapshots"))
    assert not told, told
