"""The SQL floor: what a full refresh does in DuckDB, as plain statements.

The plan is made, before anything is timed, from the contract of the sources and from what dbt compiled for
olistctl's own run: the same nine loads without guards, the same models and snapshots in the order of the graph,
the same data tests. `floor_process.py` executes it; nothing that is not SQL stands between the statements.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from olistctl.config.settings import KEYS
from olistctl.reading.guards import SQL_TYPES
from olistctl.reading.raw_table import IS_CURRENT, METADATA_COLUMNS
from olistctl.sources import Contract, Source
from olistctl.transform.compiled import Compiled, CompiledModel, kept_compiled, kept_compiled_anew

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
    anew = kept_compiled_anew(target.parent)
    compiled = kept_compiled(target.parent) or Compiled(())
    if anew is None or anew.needs_dbt:
        raise ValueError("dbt has not compiled all models for a full refresh")
    models = _in_graph_order(anew.models)
    if {model.relation for model in models} & {relation[:2] for relation in anew.standing}:
        raise ValueError("they were not compiled for an empty warehouse")
    schemas = sorted({"raw", *(model.relation[0] for model in models)})
    return FloorPlan(
        database=str(database),
        config={"storage_compatibility_version": KEYS["publish.storage_version"].default},
        phases={
            "schemas": [f'create schema if not exists "{schema}"' for schema in schemas],
            "load": [_load(source, data) for source in contract.sources],
            "models": [_create(model) for model in models],
        },
        tests=[PlannedTest(test.name, test.query, test.severity != "warn") for test in compiled.tests],
    )


def sources_beside_raw(target: Path) -> tuple[tuple[str, str], ...]:
    """Return schema and name of the sources that no CSV feeds: tables of the ledger that models read."""
    sources = json.loads((target / "manifest.json").read_text(encoding="utf-8"))["sources"]
    tables = {(str(source["schema"]), str(source["identifier"])) for source in sources.values()}
    return tuple(sorted(table for table in tables if table[0] != "raw"))


def _in_graph_order(models: Sequence[CompiledModel]) -> list[CompiledModel]:
    """Return the models and snapshots, each after what it reads."""
    by_name = {model.name: model for model in models}
    graph = {model.name: [name for name in model.after if name in by_name] for model in models}
    return [by_name[name] for name in TopologicalSorter(graph).static_order()]


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


def _create(model: CompiledModel) -> str:
    """Return the statement that builds a model or snapshot into an empty warehouse."""
    kind = "view" if model.materialized == "view" else "table"
    query = f"({model.sql})"
    if model.materialized == "snapshot":
        now = "cast(now() as timestamp)"
        identity = f"md5(coalesce(cast({model.unique_key} as varchar), '') || '|' || cast({now} as varchar))"
        query = (
            f"select *, {identity} as dbt_scd_id, {now} as dbt_updated_at, {now} as dbt_valid_from, "
            f"cast(null as timestamp) as dbt_valid_to from {query}"
        )
    schema, name = model.relation
    return f'create {kind} "{schema}"."{name}" as {query}'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
