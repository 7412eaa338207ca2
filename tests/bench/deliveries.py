"""`python -m tests.bench.deliveries`: what a run costs after a small delivery, a change of one source, or nothing.

Each is measured against the full refresh of the same project, at one or several sizes. Time decides nothing about the
exit code: 0 when every run did what it had to, 1 when a command failed or the warehouse does not hold the delivery.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.project import Layout

from .measure import ChildFailed, Usage, run_child

REAL_ORDERS = 99_441
_DELIVERED = 100  # orders of a delivery
_SETTLED = 30.0  # seconds after which a run with nothing to do must have been believed
_BY_ORDER = ("orders", "order_items", "order_payments", "order_reviews")
_SCENARIOS = {
    "full refresh": "everything, into an empty warehouse",
    "small delivery": f"{_DELIVERED} new orders over five files",
    "one source": "a seller has moved",
    "nothing": "no file has changed",
    "nothing again": "still none, and olistctl knows",
}


@dataclass(frozen=True)
class Measured:
    """The medians of one scenario at one size; `share` is of the seconds of the full refresh."""

    scenario: str
    orders: int
    seconds: float
    cpu: float
    peak_mb: float
    share: float
    stages: dict[str, float]


@dataclass(frozen=True)
class Desk(Layout):
    """A project that is driven through the command line; `settings` override those of its configuration, by key."""

    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def _output(self) -> Path:
        return self.folder / "out.json"

    @property
    def _environment(self) -> dict[str, str]:
        return environment_of_child() | {f"OLISTCTL_{key.upper()}": value for key, value in self.settings.items()}

    def command(self, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "olistctl", "--quiet", *arguments)

    def call(self, *arguments: str) -> None:
        run_child(self.command(*arguments), folder=self.folder, environment=self._environment, output=self._output)

    def warm_up(self) -> None:
        """Let dbt parse and compile all that a full refresh and the runs after it need, which stays."""
        self.call("run")
        self.call("run", "--full-refresh")

    def settle(self) -> None:
        """Run until olistctl believes that nothing has changed: of what was written just now, it does not."""
        deadline = time.monotonic() + _SETTLED
        while not (self.warehouse.parent / ".olist_dw" / "idle.json").exists():
            if time.monotonic() > deadline:
                raise ChildFailed("no run has found that nothing was to do")
            self.call("run")

    def measure(self, *arguments: str) -> tuple[Usage, dict[str, Any]]:
        """Run a command with nothing left to write to the disk, and return what it cost and what it says."""
        os.sync()
        argv = self.command("--json", *arguments)
        usage = run_child(argv, folder=self.folder, environment=self._environment, output=self._output)
        return usage, json.loads(self._output.read_text(encoding="utf-8"))

    def deliver(self, number: int) -> None:
        """Write a delivery of new orders, made of the first ones, for customers of their own."""
        chosen: dict[str, str] = {}
        for index, order in zip(range(_DELIVERED), self._records("orders"), strict=False):
            chosen[order["order_id"]] = f"{number:08x}{index:024x}"
        for source in _BY_ORDER:
            rows = [row for row in self._records(source) if row["order_id"] in chosen]
            for index, row in enumerate(rows):
                row["order_id"] = chosen[row["order_id"]]
                if source == "orders":
                    row["customer_id"] = row["order_id"]
                if source == "order_reviews":
                    row["review_id"] = f"{number:08x}{index:024x}"
            self._write(source, number, rows)
        people = list(zip(chosen.values(), self._records("customers"), strict=False))
        self._write("customers", number, [person | {"customer_id": order} for order, person in people])

    def move_a_seller(self, number: int) -> None:
        rows = list(self._records("sellers"))
        rows[0]["seller_city"] = f"town {number}"
        self._write("sellers", None, rows)

    def _file(self, source: str, number: int | None = None) -> Path:
        return self.source_dir / f"olist_{source}_dataset{'' if number is None else f'_later_{number:04}'}.csv"

    def _records(self, source: str) -> Iterator[dict[str, str]]:
        with self._file(source).open(encoding="utf-8", newline="") as stream:
            yield from csv.DictReader(stream)

    def _write(self, source: str, number: int | None, rows: Sequence[dict[str, str]]) -> None:
        with self._file(source, number).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    options = _parser().parse_args(argv)
    results: list[Measured] = []
    problems: list[str] = []
    for times in options.times:
        with tempfile.TemporaryDirectory(prefix="olistctl-bench-") as folder:
            try:
                found, wrong = _measure(Desk(Path(folder), dict(options.set)), options.orders * times, options.runs)
            except ChildFailed as error:
                print(f"error: {error}", file=sys.stderr)
                return 1
        results += found
        problems += wrong
    if options.json:
        print(json.dumps({"results": [asdict(result) for result in results], "problems": problems}, indent=2))
    else:
        _print(results)
    for problem in problems:
        print(f"warning: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.deliveries", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--orders", type=int, default=REAL_ORDERS, help="orders to generate (default: %(default)s)")
    parser.add_argument("--times", type=int, nargs="+", default=[1], help="sizes, as multiples of --orders")
    parser.add_argument("--runs", type=int, default=3, help="measured runs of each scenario (default: %(default)s)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=_setting,
        metavar="KEY=VALUE",
        help="a setting of olistctl, as parquet_dir=none or memory_limit=1GB",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _setting(text: str) -> tuple[str, str]:
    key, is_one, value = text.partition("=")
    if not is_one:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


def _measure(desk: Desk, orders: int, runs: int) -> tuple[list[Measured], list[str]]:
    desk.call("init", ".")
    desk.call("sample", "--orders", str(orders), "--seed", "1", "--out", str(desk.source_dir))
    desk.warm_up()
    done: dict[str, list[tuple[Usage, dict[str, Any]]]] = {scenario: [] for scenario in _SCENARIOS}
    problems = []
    for number in range(1, runs + 1):
        done["full refresh"].append(desk.measure("run", "--full-refresh"))
        desk.deliver(number)
        done["small delivery"].append(desk.measure("run"))
        problems += _of_delivery(done["small delivery"][-1][1])
        desk.move_a_seller(number)
        done["one source"].append(desk.measure("run"))
        problems += _of_change(done["one source"][-1][1], {"sellers": (0, 1)})
        done["nothing"].append(desk.measure("run"))
        if done["nothing"][-1][1]["status"] != "unchanged":
            problems.append("a run with nothing to do did something")
        desk.settle()
        done["nothing again"].append(desk.measure("run"))
    problems += _verified(desk)
    whole = median(usage.wall for usage, _ in done["full refresh"])
    return [_median(scenario, orders, runs_of, whole) for scenario, runs_of in done.items()], problems


def _of_delivery(report: dict[str, Any]) -> list[str]:
    return _of_change(report, {"orders": (_DELIVERED, 0), "customers": (_DELIVERED, 0)})


def _of_change(report: dict[str, Any], expected: dict[str, tuple[int, int]]) -> list[str]:
    """Say where a run did not change the keys that it had to change."""
    found = {change["source"]: (change["inserted"], change["changed"]) for change in report["load"]["changes"]}
    return [
        f"{source}: {found.get(source)} keys were inserted and changed, expected {counts}"
        for source, counts in expected.items()
        if found.get(source) != counts
    ]


def _verified(desk: Desk) -> list[str]:
    """Say whether the warehouse is what a full refresh would give; not measured."""
    try:
        _, report = desk.measure("verify")
    except ChildFailed as error:
        return [f"the warehouse is not what a full refresh gives: {error}"]
    return [] if report["is_equal"] else ["the warehouse is not what a full refresh gives"]


def _median(scenario: str, orders: int, runs: Sequence[tuple[Usage, dict[str, Any]]], whole: float) -> Measured:
    stages = [{stage["stage"]: stage["seconds"] for stage in report["stages"]} for _, report in runs]
    seconds = median(usage.wall for usage, _ in runs)
    return Measured(
        scenario=scenario,
        orders=orders,
        seconds=seconds,
        cpu=median(usage.cpu for usage, _ in runs),
        peak_mb=median(usage.peak_mb for usage, _ in runs),
        share=seconds / whole,
        stages={name: median(run[name] for run in stages) for name in stages[0]},
    )


def _print(results: Sequence[Measured]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Runs after a full refresh, medians", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    first = {result.scenario: result for result in reversed(results)}
    for index, column in enumerate(("orders", "what has changed", "seconds", "x full", "x size", "CPU s", "peak MB")):
        table.add_column(column, justify="left" if index == 1 else "right", no_wrap=True)
    for result in results:
        table.add_row(
            f"{result.orders:,}",
            _SCENARIOS[result.scenario],
            f"{result.seconds:.1f}",
            f"{result.share:.2f}",
            f"{result.seconds / first[result.scenario].seconds:.1f}",
            f"{result.cpu:.1f}",
            f"{result.peak_mb:,.0f}",
        )
    console = Console(markup=False, highlight=False, emoji=False)
    console.width = max(console.width, 100)
    console.print(table)
    for result in results:
        stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in result.stages.items()) or "none"
        console.print(f"{result.orders:,} orders, {result.scenario}: {stages}", soft_wrap=True)
    console.print("x size: seconds as a multiple of those at the first size.")


def environment_of_child() -> dict[str, str]:
    """Return this process's environment without settings for olistctl and dbt."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OLISTCTL_", "DBT_"))}
    return kept | {"DO_NOT_TRACK": "1", "NO_COLOR": "1"}


if __name__ == "__main__":
    sys.exit(main())
