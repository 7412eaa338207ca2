"""`python -m tests.bench`: a full refresh against the design's scripts, a dlt + dbt pipeline, and the SQL floor.

All contestants run in turn (A B C, A B C, …) after one warm-up each. Time decides nothing about the exit code:
0 when all contestants built the same warehouse, 1 when one failed or built another one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import contestants
from .contestants import Contestant, Outcome
from .measure import ChildFailed, run_child
from .report import Result, Run, machine_facts, print_result, scores_of
from .warehouses import contents, table_differences, test_differences

_REAL_ORDERS = 99_441
_SMOKE_ORDERS = 500


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.data and not options.data.is_dir():
        parser.error(f"there is no folder {options.data}")
    with tempfile.TemporaryDirectory(prefix="olistctl-bench-") as folder:
        work = Path(folder)
        try:
            result = _measure(work, options)
        except (ChildFailed, subprocess.CalledProcessError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    print_result(result, as_json=options.json)
    return 1 if result.problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--orders", type=_positive, default=_REAL_ORDERS, help="orders to generate (default: %(default)s)"
    )
    parser.add_argument(
        "--runs", type=_positive, default=3, help="measured runs of each contestant (default: %(default)s)"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="use the nine CSVs in DIR; no later deliveries")
    parser.add_argument(
        "--peer", action="store_true", help="against a dlt + dbt pipeline, too, in an environment made for it"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument(
        "--smoke",
        action="store_true",
        help=f"only see that all contestants still agree: {_SMOKE_ORDERS} orders, one run, no warm-up",
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _measure(work: Path, options: argparse.Namespace) -> Result:
    machine = machine_facts()
    orders, runs, warm_ups = (_SMOKE_ORDERS, 1, 0) if options.smoke else (options.orders, options.runs, 1)
    data = options.data.absolute() if options.data else _generate(orders, work / "source")
    first = contestants.olistctl(work / "olistctl", data)
    # olistctl comes first: the others are made from what its run leaves behind.
    others = [contestants.design, contestants.floor]
    if options.peer:
        others.insert(1, contestants.peer)
    field = (first, *(make(work / make.__name__, data, first) for make in others))
    measured: dict[str, list[Run]] = {contestant.name: [] for contestant in field}
    problems: list[str] = []
    for number in range(1 - warm_ups, runs + 1):
        outcomes = {}
        for contestant in field:
            run, outcomes[contestant.name] = _run(contestant, work, number)
            if number > 0:
                measured[contestant.name].append(run)
        problems += _disagreements(field, outcomes)
    return Result(
        machine=machine,
        data=str(options.data) if options.data else f"{orders:,} generated orders",
        data_mb=sum(file.stat().st_size for file in data.glob("*.csv")) / 1e6,
        scores=scores_of({contestant.name: contestant.what for contestant in field}, measured),
        problems=tuple(dict.fromkeys(problems)),
    )


def _generate(orders: int, folder: Path) -> Path:
    _say(f"generating {orders:,} orders")
    arguments = ["sample", "--orders", str(orders), "--seed", "1", "--out", str(folder)]
    subprocess.run([sys.executable, "-m", "olistctl", "--quiet", *arguments], check=True, stdout=subprocess.DEVNULL)
    return folder


def _run(contestant: Contestant, work: Path, number: int) -> tuple[Run, Outcome]:
    """Let one contestant run once, from an empty warehouse and with nothing left to write to the disk."""
    contestant.before()
    os.sync()
    output = work / f"{contestant.name}.out"
    usage = run_child(contestant.argv, folder=contestant.folder, environment=contestant.environment, output=output)
    outcome = contestant.outcome(output)
    others = f", others used {usage.others:.1f} cores" if usage.others else ""
    _say(f"{contestant.name} {f'run {number}' if number > 0 else 'warm-up'}: {usage.wall:.1f} s{others}")
    return Run(usage, outcome.stages), outcome


def _disagreements(field: Sequence[Contestant], outcomes: Mapping[str, Outcome]) -> list[str]:
    """Say where the others did not build the tables, or did not find what the tests found, of the first."""
    first, *others = field
    tables = contents(first.warehouse)
    problems = [] if tables else [f"{first.name}: it built no table of core or mart"]
    for contestant in others:
        problems += table_differences(contestant.name, tables, contents(contestant.warehouse))
        problems += test_differences(contestant.name, outcomes[first.name].tests, outcomes[contestant.name].tests)
    return problems


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
