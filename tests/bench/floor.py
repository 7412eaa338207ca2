"""The SQL floor: what a full refresh does in DuckDB, as plain statements.

The plan is made, before anything is timed, from the contract of the sources and from what dbt compiled for
olistctl's own run: the same nine loads without guards, the same models and snapshots in the order of the graph,
the same data tests. `floor_process.py` executes it; nothing that is not SQL stands between the statements.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from olistctl.config.settings import KEYS
from olistctl.reading.guards import SQL_TYPES
from olistctl.reading.raw_table import IS_CURRENT, METADATA_COLUMNS
from olistctl.sources import Contract, Source
from olistctl.transform.compiled import Compiled, kept_compiled

_Node = Mapping[str, Any]
_LOADED_AT = "2000-01-01 00:00:00"


@dataclass(frozen=True)
class PlannedTest:
    """A test as dbt runs it: its query says how many rows fail, if they are enough to warn, enough for an error."""

    name: str
    query: str
    can_error: bool  # its severity is not `warn`


@dataclass(frozen=True)
class FloorPlan:
    """Statements by phase, and the data tests."""

    database: str
    config: dict[str, str]
    phases: dict[str, list[str]]
    tests: list[PlannedTest]

    def write(self, file: Path) -> None:
        """Write the plan for the process that executes it."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")


def plan_floor(contract: Contract, data: Path, target: Path, database: Path) -> FloorPlan:
    """Make the plan from the contract and dbt's target folder after a run into an empty warehouse.

    `database` must have the name of the warehouse that dbt compiled for: compiled SQL names it.
    """
    nodes: dict[str, _Node] = json.loads((target / "manifest.json").read_text(encoding="utf-8"))["nodes"]
    models = [node for node in _in_graph_order(nodes) if node["config"]["materialized"] != "ephemeral"]
    compiled = kept_compiled(target.parent) or Compiled(())
    schemas = sorted({"raw", *(node["schema"] for node in models)})
    return FloorPlan(
        database=str(database),
        config={"storage_compatibility_version": KEYS["publish.storage_version"].default},
        phases={
            "schemas": [f'create schema if not exists "{schema}"' for schema in schemas],
            "load": [_load(source, data) for source in contract.sources],
            "models": [_create(node, target) for node in models],
        },
        tests=[PlannedTest(test.name, test.query, test.severity != "warn") for test in compiled.tests],
    )


def sources_beside_raw(target: Path) -> tuple[tuple[str, str], ...]:
    """Return schema and name of the sources that no CSV feeds: tables of the ledger that models read."""
    sources = json.loads((target / "manifest.json").read_text(encoding="utf-8"))["sources"]
    tables = {(str(source["schema"]), str(source["identifier"])) for source in sources.values()}
    return tuple(sorted(table for table in tables if table[0] != "raw"))


def _in_graph_order(nodes: Mapping[str, _Node]) -> Iterator[_Node]:
    """Give seeds, models and snapshots, each after what it reads."""
    built = {key: node for key, node in nodes.items() if node["resource_type"] in ("seed", "model", "snapshot")}
    graph = {key: [above for above in node["depends_on"]["nodes"] if above in built] for key, node in built.items()}
    return (built[key] for key in TopologicalSorter(graph).static_order())


def _load(source: Source, data: Path) -> str:
    """Return the load of a base file: explicit types, and none of the checks that lose nothing."""
    columns = ", ".join(f"'{column.name}': '{SQL_TYPES[column.type]}'" for column in source.columns)
    metadata = {
        "_source_file": _text(source.file),
        "_source_line": "row_number() over () + 1",
        "_loaded_at": f"timestamp '{_LOADED_AT}'",
        "_run_id": "'floor'",
    }
    assert metadata.keys() == METADATA_COLUMNS.keys()
    metadata |= {IS_CURRENT: "true"}
    added = ", ".join(f"{value} as {name}" for name, value in metadata.items())
    path = "".join(f"[{char}]" if char in "*?[" else char for char in str(data / source.file))
    return f"""
        create table raw."{source.table}" as
        select *, {added}
        from read_csv({_text(path)}, columns = {{{columns}}}, header = true, auto_detect = false,
                      delim = ',', quote = '"', escape = '"', strict_mode = true)
    """


def _create(node: _Node, target: Path) -> str:
    """Return the statement that builds a model or snapshot where dbt would."""
    materialized = node["config"]["materialized"]
    if node["resource_type"] == "snapshot":
        # dbt compiles a snapshot into no file of its own; into an empty warehouse it runs a plain create table.
        sql = _sql(target, "run", node)
        if not sql.startswith("create"):
            raise ValueError(f"{node['name']} did not start from an empty warehouse")
        return sql
    if materialized not in ("table", "view", "incremental"):
        raise ValueError(f"the floor does not know how to build {node['name']}: it is a {materialized}")
    kind = "view" if materialized == "view" else "table"
    return f"create {kind} {node['relation_name']} as {_sql(target, 'compiled', node)}"


def _sql(target: Path, kind: str, node: _Node) -> str:
    """Read what dbt wrote for a model or snapshot."""
    file = target / kind / str(node["package_name"]) / str(node["original_file_path"])
    text = file.read_text(encoding="utf-8")
    return text.strip().removesuffix(";")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
