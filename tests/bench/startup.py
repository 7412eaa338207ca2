"""`python -m tests.bench.startup`: what a call costs that has little or nothing to do.

Each command stands beside the import that it cannot do without, or need not do any more. Time decides nothing about
the exit code: 0 when every command did what it had to, 1 when one failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from .deliveries import Desk, environment_of_child
from .measure import ChildFailed, Usage, run_child

_PYTHON = ("pass", "import typer", "import duckdb")
_CALLS = {
    "olistctl --version": (("--version",), "import typer"),
    "olistctl --help": (("--help",), "import typer"),
    "olistctl run --help": (("run", "--help"), "import typer"),
    "olistctl run, nothing to do": (("run",), "import duckdb"),
    "olistctl status": (("status",), "import duckdb"),
}


@dataclass(frozen=True)
class Started:
    """The medians of one command; `ratio` is of its wall time to that of the import in `beside`."""

    command: str
    seconds: float
    cpu: float
    beside: str | None
    ratio: float | None


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and return the exit code."""
    options = _parser().parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="olistctl-bench-") as folder:
        try:
            results = _measure(Desk(Path(folder)), options.orders, options.runs)
        except ChildFailed as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    else:
        _print(results, options.runs)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.startup", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--orders", type=int, default=2_000, help="orders in the warehouse (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=11, help="measured runs of each command (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _measure(desk: Desk, orders: int, runs: int) -> list[Started]:
    desk.call("init", ".")
    desk.call("sample", "--orders", str(orders), "--seed", "1", "--out", str(desk.source_dir))
    desk.call("run")
    desk.settle()
    commands: dict[str, tuple[str, ...]] = {f'python -c "{code}"': (sys.executable, "-c", code) for code in _PYTHON}
    commands |= {name: desk.command(*arguments) for name, (arguments, _) in _CALLS.items()}
    done: dict[str, list[Usage]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            output = desk.folder / "out.txt"
            usage = run_child(command, folder=desk.folder, environment=environment_of_child(), output=output)
            done[name].append(usage)
    walls = {name: median(usage.wall for usage in of_one) for name, of_one in done.items()}
    results = []
    for name, of_one in done.items():
        beside = f'python -c "{_CALLS[name][1]}"' if name in _CALLS else None
        ratio = walls[name] / walls[beside] if beside else None
        results.append(Started(name, walls[name], median(usage.cpu for usage in of_one), beside, ratio))
    return results


def _print(results: Sequence[Started], runs: int) -> None:
    print(f"Start-up, medians of {runs}")
    print(f"{'command':<34}{'seconds':>8}{'CPU s':>8}   ratio")
    for result in results:
        ratio = f"{result.ratio:5.2f} x {result.beside}" if result.ratio else ""
        print(f"{result.command:<34}{result.seconds:8.3f}{result.cpu:8.3f}   {ratio}")


if __name__ == "__main__":
    sys.exit(main())
