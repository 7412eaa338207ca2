"""`python -m tests.bench.spark`: a full refresh on DuckDB and on Spark by size, and where the two would meet.

A cluster is started on this machine, and both get the same cores. A line is laid through each one's times: what a run
costs whatever there is to do, and what a million rows cost. Where the lines meet is an extrapolation, and it says so.
Needs the environment of `make test-spark`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import linear_regression

from tests.spark.cluster import Cluster

from .deliveries import REAL_ORDERS, Desk
from .measure import ChildFailed, cores

_CORES = (8, 16, 32, 64, 128)


@dataclass(frozen=True)
class Point:
    """A full refresh at one size, in seconds."""

    orders: int
    rows: int
    duckdb: float
    spark: float


@dataclass(frozen=True)
class Line:
    """Seconds of a run, and more of them for each million rows."""

    fixed: float
    per_million: float


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    options = _parser().parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="olistctl-bench-") as folder:
        cluster = Cluster(Path(folder) / "spark", for_many_rows=True)
        try:
            cluster.start()
            points = _measure(Path(folder), cluster, options.orders)
        except (ChildFailed, AssertionError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        finally:
            cluster.stop()
    if options.json:
        print(json.dumps([asdict(point) for point in points], indent=2))
    else:
        _print(points)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.spark", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--orders", type=int, nargs="+", default=[2_000, 30_000, REAL_ORDERS], help="sizes to generate")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _measure(folder: Path, cluster: Cluster, sizes: Sequence[int]) -> list[Point]:
    """Refresh one project at growing sizes; before, once at the first, to warm the cluster and let dbt compile."""
    on_duckdb = Desk(folder / "project")
    on_duckdb.folder.mkdir()
    on_duckdb.call("init", ".")
    desks = (on_duckdb, Desk(on_duckdb.folder, cluster.target | {"target": "spark"}))
    points = []
    for number, orders in enumerate((sizes[0], *sizes)):
        shutil.rmtree(on_duckdb.source_dir, ignore_errors=True)
        on_duckdb.call("sample", "--orders", str(orders), "--seed", "1", "--out", str(on_duckdb.source_dir))
        measured = [desk.measure("run", "--full-refresh") for desk in desks]
        if number:
            rows = next(stage["rows"] for stage in measured[0][1]["stages"] if stage["stage"] == "load")
            points.append(Point(orders, rows, *(usage.wall for usage, _ in measured)))
    return points


def _line(rows: Sequence[int], seconds: Sequence[float]) -> Line:
    slope, intercept = linear_regression([count / 1e6 for count in rows], seconds)
    return Line(intercept, slope)


def _crossover(duckdb: Line, spark: Line, share: float) -> float | None:
    """Return the millions of rows from which Spark is quicker if each row took it only a share of its time."""
    gain = duckdb.per_million - spark.per_million * share
    return (spark.fixed - duckdb.fixed) / gain if gain > 0 else None


def _print(points: Sequence[Point]) -> None:
    print(f"A full refresh, warm, both on {cores()} cores")
    print(f"{'orders':>9} {'rows':>11} {'DuckDB s':>9} {'Spark s':>9} {'Spark x':>8}")
    for point in points:
        times = f"{point.duckdb:9.1f} {point.spark:9.1f} {point.spark / point.duckdb:8.1f}"
        print(f"{point.orders:9,} {point.rows:11,} {times}")
    if len(points) < 2:
        return
    rows = [point.rows for point in points]
    duckdb = _line(rows, [point.duckdb for point in points])
    spark = _line(rows, [point.spark for point in points])
    for name, line in (("DuckDB", duckdb), ("Spark", spark)):
        print(f"{name}: {line.fixed:.1f} s a run, and {line.per_million:.1f} s more for each million rows")
    here = _crossover(duckdb, spark, 1)
    print(f"On the same cores they meet at {here:,.0f} million rows." if here else "On the same cores they never meet.")
    print("If Spark's time for a row fell as its cores grow, which is the best that can be, and DuckDB kept these:")
    for count in _CORES:
        met = _crossover(duckdb, spark, cores() / count)
        print(f"  {count:4} cores: " + (f"from {met:,.0f} million rows on" if met else "never"))


if __name__ == "__main__":
    sys.exit(main())
