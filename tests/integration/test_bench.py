"""The benchmarks still measure what they say: every contestant builds the same warehouse. No time is asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

# With its own environment (dlt from the package registry) `make bench` adds a fourth contestant.
CONTESTANTS = ["olistctl", "design", "floor"]


def bench(module: str, *arguments: str) -> Any:
    done = subprocess.run([sys.executable, "-m", module, *arguments, "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.xdist_group("bench")
def test_all_contestants_build_the_same_warehouse() -> None:
    result = bench("tests.bench", "--smoke")
    assert [score["name"] for score in result["scores"]] == CONTESTANTS
    assert result["problems"] == []
    assert all(score["wall"] > 0 and score["stages"] for score in result["scores"])


@pytest.mark.xdist_group("bench")
def test_small_runs_do_what_they_are_measured_for() -> None:
    result = bench("tests.bench.deliveries", "--orders", "300", "--runs", "1")
    assert result["problems"] == []
    scenarios = {one["scenario"]: one["stages"] for one in result["results"]}
    assert list(scenarios) == ["full refresh", "small delivery", "one source", "nothing", "nothing again"]
    assert [name for name, stages in scenarios.items() if not stages] == ["nothing", "nothing again"]


@pytest.mark.xdist_group("bench")
def test_start_up_is_measured_beside_its_imports() -> None:
    results = {one["command"]: one for one in bench("tests.bench.startup", "--orders", "300", "--runs", "1")}
    assert results["olistctl run, nothing to do"]["beside"] == 'python -c "import duckdb"'
    assert all(one["seconds"] > 0 for one in results.values())
