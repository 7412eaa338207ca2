"""The process of the SQL floor: executes the plan of `floor.py` and prints seconds and failures as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import duckdb


def main(plan_file: Path) -> None:
    """Execute a plan; the database is new, or holds only what the models read beside `raw`."""
    plan: dict[str, Any] = json.loads(plan_file.read_text(encoding="utf-8"))
    seconds: dict[str, float] = {}
    started = time.perf_counter()

    def done(phase: str) -> None:
        nonlocal started
        seconds[phase], started = time.perf_counter() - started, time.perf_counter()

    connection = duckdb.connect(plan["database"], config=plan["config"])
    for phase, statements in plan["phases"].items():
        for statement in statements:
            connection.execute(statement)
        done(phase)
    failures = {test["name"]: _failures(connection, test) for test in plan["tests"]}
    done("tests")
    connection.execute("checkpoint")
    connection.close()
    done("checkpoint")
    print(json.dumps({"seconds": seconds, "tests": failures}))


def _failures(connection: duckdb.DuckDBPyConnection, test: dict[str, Any]) -> int:
    """Return the failing rows of a test, 0 where its severity and thresholds let them pass, as dbt does."""
    failures, should_warn, should_error = connection.execute(test["query"]).fetchall()[0]
    return int(failures) if should_warn or (should_error and test["can_error"]) else 0


if __name__ == "__main__":
    main(Path(sys.argv[1]))
