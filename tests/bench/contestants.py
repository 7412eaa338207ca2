"""The contestants: each a command in its own folder that builds a warehouse from the same nine CSVs.

Every run starts from an empty warehouse. What dbt has parsed stays between the runs, as it does on a user's
machine; the warm-up run pays for it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from olistctl.reading.guards import SQL_TYPES
from olistctl.sources import load_contract

from .floor import plan_floor, sources_beside_raw
from .measure import cores
from .warehouses import carry_over

HERE = Path(__file__).parent
_CONSTRAINTS = HERE.parents[1] / "constraints.txt"
_DESIGN_SCRIPTS = ("extract_csv.py", "load_to_staging.py", "run_pipeline.py")
_LOG_LINE = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) - \w+ - (Starting: (.+)|.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What a contestant says of its run: seconds by stage, and failing rows by data test."""

    stages: dict[str, float]
    tests: dict[str, int]


@dataclass(frozen=True)
class Contestant:
    """A command, the warehouse that it builds, and what is done around it, untimed."""

    name: str
    what: str
    folder: Path
    warehouse: Path
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    before: Callable[[], None]
    outcome: Callable[[Path], Outcome]  # takes the file with its standard output


def olistctl(folder: Path, data: Path) -> Contestant:
    """Lay out a folder with `olistctl init`; the contestant is `run --full-refresh` in it, to the published file.

    It writes no Parquet release, which none of the others does.
    """
    argv = (sys.executable, "-m", "olistctl")
    environment = _environment(OLISTCTL_SOURCE_DIR=str(data), OLISTCTL_PARQUET_DIR="none")
    folder.mkdir(parents=True)
    subprocess.run([*argv, "--quiet", "init", "."], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    warehouse = folder / "data" / "olist_dw.duckdb"

    def outcome(output: Path) -> Outcome:
        report = json.loads(output.read_text(encoding="utf-8"))
        return Outcome(
            {stage["stage"]: stage["seconds"] for stage in report["stages"]},
            {node["name"]: node["failures"] or 0 for node in report["tests"]["nodes"]},
        )

    return Contestant(
        name="olistctl",
        what="olistctl run",
        folder=folder,
        warehouse=warehouse,
        argv=(*argv, "--quiet", "--json", "run", "--full-refresh"),
        environment=environment,
        before=lambda: _remove(warehouse),
        outcome=outcome,
    )


def design(folder: Path, data: Path, first: Contestant) -> Contestant:
    """Lay out the design's scripts beside a copy of the dbt project; the contestant is `run_pipeline.py`."""
    folder.mkdir(parents=True)
    for script in _DESIGN_SCRIPTS:
        shutil.copy(HERE / "design" / script, folder)
    shutil.copytree(first.folder / "olist_dw_dbt", folder / "olist_dw_dbt")
    warehouse = folder / first.warehouse.name
    log = folder / "etl_pipeline.log"

    def before() -> None:
        _empty(warehouse, first)
        log.unlink(missing_ok=True)

    def outcome(output: Path) -> Outcome:
        results = json.loads((folder / "olist_dw_dbt" / "target" / "run_results.json").read_text(encoding="utf-8"))
        return Outcome(
            _stages_of_log(log.read_text(encoding="utf-8")),
            {result["unique_id"].split(".")[2]: result["failures"] or 0 for result in results["results"]},
        )

    return Contestant(
        name="design",
        what="design's scripts",
        folder=folder,
        warehouse=warehouse,
        argv=("python", "run_pipeline.py"),
        environment=_environment(
            OLIST_SOURCE_DIR=str(data),
            OLISTCTL_WAREHOUSE=str(warehouse),  # the variable of the project's profiles.yml
            DBT_PROJECT_DIR="olist_dw_dbt",
            DBT_PROFILES_DIR="olist_dw_dbt",
        ),
        before=before,
        outcome=outcome,
    )


def floor(folder: Path, data: Path, first: Contestant) -> Contestant:
    """The contestant is one process that executes the plan of `floor.py`, made once `first` has run."""
    folder.mkdir(parents=True)
    warehouse = folder / first.warehouse.name
    plan = folder / "plan.json"

    def before() -> None:
        _empty(warehouse, first)
        if not plan.exists():
            contract = load_contract(first.folder / "config" / "sources.yml")
            plan_floor(contract, data, _target(first), warehouse).write(plan)

    return Contestant(
        name="floor",
        what="SQL floor",
        folder=folder,
        warehouse=warehouse,
        argv=(sys.executable, str(HERE / "floor_process.py"), str(plan)),
        environment=_environment(),
        before=before,
        outcome=_printed,
    )


def peer(folder: Path, data: Path, first: Contestant) -> Contestant:
    """Make an environment with dlt; the contestant is `peer/run_peer.py`: dlt to `raw`, then one `dbt build`.

    Raises:
        CalledProcessError: the packages cannot be installed.
    """
    folder.mkdir(parents=True)
    python = folder / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([sys.executable, "-m", "venv", str(folder / ".venv")], check=True)
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", str(_CONSTRAINTS)]
    subprocess.run([str(python), *install, "--requirement", str(HERE / "peer" / "requirements.txt")], check=True)
    project = folder / "olist_dw_dbt"
    shutil.copytree(first.folder / "olist_dw_dbt", project)
    warehouse = folder / first.warehouse.name
    contract = load_contract(first.folder / "config" / "sources.yml")
    plan = {
        "database": str(warehouse),
        "state": str(folder / "state"),
        "project": str(project),
        "threads": cores(),
        "sources": [
            {
                "table": source.table,
                "file": str(data / source.file),
                "columns": {column.name: SQL_TYPES[column.type] for column in source.columns},
            }
            for source in contract.sources
        ],
    }
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")

    def before() -> None:
        _empty(warehouse, first)
        shutil.rmtree(folder / "state", ignore_errors=True)

    return Contestant(
        name="peer",
        what="dlt + dbt",
        folder=folder,
        warehouse=warehouse,
        argv=(str(python), str(HERE / "peer" / "run_peer.py"), "plan.json"),
        environment=_environment(RUNTIME__DLTHUB_TELEMETRY="false"),
        before=before,
        outcome=_printed,
    )


def _target(first: Contestant) -> Path:
    return first.warehouse.parent / f".{first.warehouse.stem}" / "dbt" / "target"


def _environment(**added: str) -> dict[str, str]:
    """Return this process's environment without settings for olistctl and dbt; `python` and `dbt` are our own."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(("OLISTCTL_", "DBT_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), own.get("PATH", os.defpath)])
    return own | {"PATH": path, "DO_NOT_TRACK": "1", "NO_COLOR": "1"} | added


def _remove(warehouse: Path) -> None:
    for suffix in ("", ".wal"):
        warehouse.with_name(warehouse.name + suffix).unlink(missing_ok=True)


def _printed(output: Path) -> Outcome:
    """Read what a process of ours has printed in its last line."""
    report = json.loads(output.read_text(encoding="utf-8").splitlines()[-1])
    return Outcome(report["seconds"], report["tests"])


def _empty(warehouse: Path, first: Contestant) -> None:
    """Leave in a warehouse only what the models read beside `raw`, as the first contestant has left it."""
    _remove(warehouse)
    carry_over(first.warehouse, warehouse, sources_beside_raw(_target(first)))


def _stages_of_log(log: str) -> dict[str, float]:
    """Return the seconds from the line that starts each step to the next line of the runner's log."""
    times = [(datetime.fromisoformat(match[1].replace(",", ".")), match[3]) for match in _LOG_LINE.finditer(log)]
    return {step: (after - at).total_seconds() for (at, step), (after, _) in pairwise(times) if step}
