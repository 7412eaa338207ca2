"""What a good engineer would build of dlt and dbt: the nine CSVs through dlt to `raw`, then one `dbt build`.

Run by the Python of an environment of its own: `python run_peer.py plan.json`, where the plan names the files, their
columns and the dbt project. It takes dlt's quickest way: Arrow tables, loaded as Parquet; dbt runs in this process.
Prints seconds by stage, and the failing rows of each data test, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_ARROW_TYPES = {
    "VARCHAR": "string",
    "INTEGER": "int32",
    "DOUBLE": "float64",
}


def main(plan_file: Path) -> None:
    """Execute a plan."""
    plan: dict[str, Any] = json.loads(plan_file.read_text(encoding="utf-8"))
    seconds: dict[str, float] = {}
    started = time.perf_counter()
    load(plan)
    seconds["dlt"], started = time.perf_counter() - started, time.perf_counter()
    tests = build(plan)
    seconds["dbt build"] = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "tests": tests}))


def load(plan: dict[str, Any]) -> None:
    """Load the files with dlt."""
    import dlt

    pipeline = dlt.pipeline(
        "olist",
        pipelines_dir=plan["state"],
        destination=dlt.destinations.duckdb(plan["database"]),
        dataset_name="raw",
    )
    resources = [
        dlt.resource(_tables(source), name=source["table"], write_disposition="replace", columns=_zoneless(source))
        for source in plan["sources"]
    ]
    pipeline.run(resources, loader_file_format="parquet").raise_on_failed_jobs()


def _zoneless(source: dict[str, Any]) -> dict[str, Any]:
    """Return the hints without which dlt gives every timestamp a zone."""
    times = [name for name, kind in source["columns"].items() if kind == "TIMESTAMP"]
    return {name: {"data_type": "timestamp", "timezone": False} for name in [*times, "_loaded_at"]}


def _tables(source: dict[str, Any]) -> Iterator[Any]:
    import pyarrow
    from pyarrow import csv

    table = csv.read_csv(
        source["file"],
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types={name: _arrow_type(kind) for name, kind in source["columns"].items()},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    rows = table.num_rows
    added = {
        "_source_file": pyarrow.repeat(Path(source["file"]).name, rows),
        "_source_line": pyarrow.array(range(2, rows + 2), pyarrow.int64()),
        "_loaded_at": pyarrow.repeat(pyarrow.scalar(_now(), pyarrow.timestamp("us")), rows),
        "_run_id": pyarrow.repeat("peer", rows),
        "_is_current": pyarrow.repeat(pyarrow.scalar(True), rows),
    }
    for name, values in added.items():
        table = table.append_column(name, values)
    yield table


def _arrow_type(sql_type: str) -> Any:
    import pyarrow

    if sql_type == "TIMESTAMP":
        return pyarrow.timestamp("us")
    if sql_type.startswith("DECIMAL"):
        width, scale = sql_type.removeprefix("DECIMAL(").removesuffix(")").split(",")
        return pyarrow.decimal128(int(width), int(scale))
    return pyarrow.type_for_alias(_ARROW_TYPES[sql_type])


def build(plan: dict[str, Any]) -> dict[str, int]:
    """Build and test the dbt project in this process; return the failing rows by data test."""
    from dbt.cli.main import dbtRunner

    os.environ["OLISTCTL_WAREHOUSE"] = plan["database"]
    project = plan["project"]
    done = dbtRunner().invoke(
        [
            "--quiet", "build", "--project-dir", project, "--profiles-dir", project, "--target", "dev",
            "--threads", str(plan["threads"]), "--exclude-resource-type", "unit_test",
        ]
    )  # fmt: skip
    if done.exception or not hasattr(done.result, "results"):
        sys.exit(f"dbt: {done.exception}")
    results = done.result.results
    failed = [result.node.name for result in results if result.status in ("error", "fail", "skipped")]
    if failed:
        sys.exit(f"dbt: not built: {', '.join(failed)}")
    return {result.node.name: result.failures or 0 for result in results if str(result.node.resource_type) == "test"}


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
