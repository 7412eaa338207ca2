"""`python -m tests.bench.watching`: how long after its last byte a small delivery is in the published file.

A watcher runs on generated data; deliveries of new orders are written into its folder, each when the one before is
visible. Beside it stands what the same delivery, and a full refresh, cost by `olistctl run`, in a process of its own.
Time decides nothing about the exit code: 0 when every delivery came in, 1 when one did not, or memory or open files
grew without end.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from tests.watching import WatchProcess

from .deliveries import REAL_ORDERS, Desk, environment_of_child
from .measure import ChildFailed

_GROWTH_MB = 150  # a cache may fill; what leaks by the delivery is more than that over some hundreds


@dataclass(frozen=True)
class Watched:
    """Seconds from the last byte of a delivery until readers see it; `settle` of them the watcher waits on purpose."""

    orders: int
    deliveries: int
    settle: float
    median: float
    worst: float
    run: float  # the median of what the watcher's runs took
    of_one_run: float
    of_full: float
    memory_mb: tuple[int, int]
    open_files: tuple[int, int]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    options = _parser().parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="olistctl-bench-") as folder:
        try:
            result = _measure(Path(folder), options.orders, options.deliveries, options.settle)
        except (ChildFailed, AssertionError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    if options.json:
        print(json.dumps(asdict(result), indent=2))
    else:
        _print(result)
    grown = result.memory_mb[1] - result.memory_mb[0], result.open_files[1] - result.open_files[0]
    if grown[0] > _GROWTH_MB or grown[1] > 5:
        print(f"warning: it grew by {grown[0]} MB and {grown[1]} open files", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.watching", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--orders", type=int, default=REAL_ORDERS, help="orders to generate (default: %(default)s)")
    parser.add_argument("--deliveries", type=int, default=10, help="measured deliveries (default: %(default)s)")
    parser.add_argument("--settle", type=float, default=2.0, help="--debounce of the watcher (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _measure(folder: Path, orders: int, deliveries: int, settle: float) -> Watched:
    desk = Desk(folder)
    desk.call("init", ".")
    desk.call("sample", "--orders", str(orders), "--seed", "1", "--out", str(desk.source_dir))
    desk.warm_up()
    of_full = desk.measure("run", "--full-refresh")[0].wall
    desk.deliver(0)
    of_one_run = desk.measure("run")[0].wall
    seconds, runs = [], []
    command = [*desk.command("watch", "--json", "--debounce", str(settle))]
    with WatchProcess(command, folder, environment_of_child()) as watcher:
        watcher.wait_for("ready")
        for number in range(1, deliveries + 1):
            desk.deliver(number)
            written = time.perf_counter()
            _wait_until_visible(desk, watcher, number)
            seconds.append(time.perf_counter() - written)
            runs.append(float(watcher.wait_for("delivered")["seconds"]))
            if number == 1:  # dbt has done everything once
                first = _resources(watcher.pid)
        last = _resources(watcher.pid)
    return Watched(
        orders,
        deliveries,
        settle,
        median(seconds),
        max(seconds),
        median(runs),
        of_one_run,
        of_full,
        (first[0], last[0]),
        (first[1], last[1]),
    )


def _wait_until_visible(desk: Desk, watcher: WatchProcess, number: int) -> None:
    """Wait for a new file in the warehouse's place, and find the delivery in it."""
    import duckdb

    before = desk.warehouse.stat().st_ino
    while desk.warehouse.stat().st_ino == before:
        if watcher.has_ended:
            raise AssertionError(f"the watcher has ended: {watcher.errors()}")
        time.sleep(0.01)
    with duckdb.connect(str(desk.warehouse), read_only=True) as reader:
        found = reader.execute(
            "select count(*) from core.fact_orders where order_id like ?", [f"{number:08x}000000000000%"]
        ).fetchone()
    if not found or not found[0]:
        raise AssertionError(f"delivery {number} is not in core.fact_orders")


def _resources(pid: int) -> tuple[int, int]:
    """Return the resident memory in MB and the number of open files; zeros where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000, len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return 0, 0


def _print(result: Watched) -> None:
    share = result.median / result.of_one_run
    print(f"{result.orders:,} orders, {result.deliveries} deliveries of new orders over five files")
    times = f"median {result.median:.1f} s, worst {result.worst:.1f} s"
    print(f"  last byte to visible   {times}; {result.settle:.1f} s of it to settle")
    settled = result.median - result.settle
    print(f"  settled to visible     {settled:.1f} s; {settled / result.of_full:.2f} of a full refresh")
    print(f"  the run alone          {result.run:.1f} s, some of it while the delivery settles")
    print(f"  by `olistctl run`      {result.of_one_run:.1f} s; the watcher's median is {share:.2f} of that")
    print(f"  memory                 {result.memory_mb[0]} MB after the first, {result.memory_mb[1]} MB after the last")
    print(f"  open files             {result.open_files[0]} after the first, {result.open_files[1]} after the last")


if __name__ == "__main__":
    sys.exit(main())
