"""The result of a benchmark: medians, ratios, the machine; as a table or as JSON."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from .measure import Usage, cores

_PACKAGES = ("olistctl", "duckdb", "dbt-core", "dbt-duckdb")
_REST = "start-up and the rest"


@dataclass(frozen=True)
class Run:
    """One measured run of a contestant."""

    usage: Usage
    stages: dict[str, float]


@dataclass(frozen=True)
class Machine:
    """Where and when was measured."""

    date: str
    system: str
    processor: str
    cores: int
    memory_gb: float
    python: str
    packages: dict[str, str]


@dataclass(frozen=True)
class Score:
    """The medians of a contestant; the ratios are of the medians of wall time."""

    name: str
    what: str
    runs: int
    wall: float
    wall_min: float
    wall_max: float
    cpu: float
    peak_mb: float
    others: float | None
    ratio_to_floor: float
    ratio_to_design: float
    stages: dict[str, float]


@dataclass(frozen=True)
class Result:
    """Everything that a benchmark found; `problems` says where the contestants did not do the same work."""

    machine: Machine
    data: str
    data_mb: float
    scores: tuple[Score, ...]
    problems: tuple[str, ...]


def machine_facts() -> Machine:
    """Describe this machine."""
    return Machine(
        date=datetime.now().astimezone().isoformat(timespec="seconds"),
        system=platform.platform(),
        processor=_processor(),
        cores=cores(),
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        python=platform.python_version(),
        packages={package: version(package) for package in _PACKAGES},
    )


def scores_of(whats: Mapping[str, str], runs: Mapping[str, Sequence[Run]]) -> tuple[Score, ...]:
    """Return the medians of each contestant and how they stand to each other."""
    walls = {name: median(run.usage.wall for run in done) for name, done in runs.items()}
    return tuple(
        Score(
            name=name,
            what=whats[name],
            runs=len(done),
            wall=walls[name],
            wall_min=min(run.usage.wall for run in done),
            wall_max=max(run.usage.wall for run in done),
            cpu=median(run.usage.cpu for run in done),
            peak_mb=median(run.usage.peak_mb for run in done),
            others=_median_of_known([run.usage.others for run in done]),
            ratio_to_floor=walls[name] / walls["floor"],
            ratio_to_design=walls[name] / walls["design"],
            stages=_stages(done),
        )
        for name, done in runs.items()
    )


def print_result(result: Result, *, as_json: bool) -> None:
    """Print a result on stdout and its problems on stderr."""
    if as_json:
        print(json.dumps(asdict(result), indent=2))
    else:
        _print_tables(result)
    for problem in result.problems:
        print(f"warning: {problem}", file=sys.stderr)


def _median_of_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _stages(runs: Sequence[Run]) -> dict[str, float]:
    stages = {stage: median(run.stages.get(stage, 0.0) for run in runs) for stage in runs[0].stages}
    return stages | {_REST: median(run.usage.wall - sum(run.stages.values()) for run in runs)}


def _print_tables(result: Result) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    title = f"Full refresh of {result.data} ({result.data_mb:.0f} MB), medians of {result.scores[0].runs}"
    main = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    columns = ("contestant", "seconds (min-max)", "CPU s", "x floor", "x design", "peak MB")
    for index, column in enumerate(columns):
        main.add_column(column, justify="right" if index else "left", no_wrap=True)
    for score in result.scores:
        main.add_row(
            score.what,
            f"{score.wall:.1f} ({score.wall_min:.1f}-{score.wall_max:.1f})",
            f"{score.cpu:.1f}",
            f"{score.ratio_to_floor:.2f}",
            f"{score.ratio_to_design:.2f}",
            f"{score.peak_mb:,.0f}",
        )
    stages = Table(title="Where the time goes", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("contestant", "stage", "seconds"):
        stages.add_column(column, justify="right" if column == "seconds" else "left")
    for score in result.scores:
        for index, (stage, seconds) in enumerate(score.stages.items()):
            stages.add_row("" if index else score.name, stage, f"{seconds:.2f}", end_section=stage == _REST)
    console = Console(markup=False, highlight=False, emoji=False)
    console.width = max(console.width, 90)  # rather a broken line than a number cut off
    console.print(main, stages)
    console.print(_footnotes(result.machine, result.scores), soft_wrap=True)


def _footnotes(machine: Machine, scores: Sequence[Score]) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in machine.packages.items())
    others = ", ".join(f"{score.name} {score.others:.1f}" for score in scores if score.others is not None)
    return (
        f"{machine.date}, {machine.cores} cores ({machine.processor}), {machine.memory_gb} GB, {machine.system}\n"
        f"Python {machine.python}, {packages}\n"
        "Seconds are of whole processes, start-up included; CPU of all their processes together; x: seconds as a "
        "multiple of the floor's and of the design's. Peak memory is that of all processes of a contestant together.\n"
        f"Cores that other programs kept busy meanwhile: {others or 'not known'}; "
        "above some tenths, trust CPU rather than seconds."
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
