"""What Dagster knows of the pipeline: assets of files, raw tables, models and snapshots; a check for each dbt test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any

from dagster import AssetCheckSpec, AssetKey, AssetSpec
from dagster_dbt import DagsterDbtTranslator, build_dbt_asset_specs

from olistctl.sources import Contract, Source

# What dagster-dbt notes on an asset: the dbt node that it is.
_NODE = "dagster_dbt/unique_id"
FILES = "files"  # the first part of the keys of sources of files

_Json = Mapping[str, Any]


@dataclass(frozen=True)
class Graph:
    """The assets, each after those that it depends on, and their checks; dbt's nodes by their names in dbt."""

    assets: tuple[AssetSpec, ...]
    checks: tuple[AssetCheckSpec, ...]

    @cached_property
    def relations(self) -> dict[AssetKey, tuple[str, str]]:
        """The schema and the name that the assets of tables and views have in the warehouse."""
        return {spec.key: spec.metadata["relation"] for spec in self.assets if "relation" in spec.metadata}


class _Translator(DagsterDbtTranslator):
    """Groups the nodes by their schema, which is the layer that they belong to."""

    def get_group_name(self, dbt_resource_props: _Json) -> str:
        return str(dbt_resource_props["schema"])


def build_graph(contract: Contract, manifest: _Json) -> Graph:
    """Return the graph of a contract and of the manifest of its dbt project.

    What dbt calls a source is made by the load, of files: a table of `raw` of those that feed it, one of the ledger of
    all.
    """
    translator = _Translator()
    nodes = {
        str(spec.metadata[_NODE]): spec
        for spec in build_dbt_asset_specs(manifest=manifest, dagster_dbt_translator=translator)
    }
    sources = {source.table: source for source in contract.sources}
    for unique_id, node in manifest["sources"].items():
        source = sources.get(node["name"]) if node["schema"] == "raw" else None
        made_of = [files_key(one.name) for one in ([source] if source else contract.sources)]
        spec = translator.get_asset_spec(manifest, unique_id, None)
        nodes[unique_id] = spec.merge_attributes(deps=made_of, kinds={"duckdb"})
    by_id = {unique_id: _placed(spec, _node(manifest, unique_id)) for unique_id, spec in nodes.items()}
    assets = _in_order([*map(_delivered, contract.sources), *by_id.values()])
    tests = (node for node in manifest["nodes"].values() if node["resource_type"] == "test")
    checks = tuple(check for test in tests if (check := _check(test, by_id)))
    return Graph(assets, checks)


def files_key(source: str) -> AssetKey:
    """Return the key of the files that feed a source."""
    return AssetKey([FILES, source])


def _delivered(source: Source) -> AssetSpec:
    """Stage 1, EXTRACT: the files of a source, as they were found and looked at."""
    return AssetSpec(
        files_key(source.name),
        description=f"The files {source.pattern}: {source.description}",
        group_name=FILES,
        kinds={"csv"},
    )


def _placed(spec: AssetSpec, node: _Json) -> AssetSpec:
    relation = (node["schema"], node.get("alias") or node["identifier"])
    return spec.merge_attributes(metadata={"relation": relation})


def _node(manifest: _Json, unique_id: str) -> _Json:
    node: _Json = manifest["sources"].get(unique_id) or manifest["nodes"][unique_id]
    return node


def _in_order(specs: Sequence[AssetSpec]) -> tuple[AssetSpec, ...]:
    by_key = {spec.key: spec for spec in specs}
    order = TopologicalSorter({spec.key: [dep.asset_key for dep in spec.deps] for spec in specs}).static_order()
    return tuple(by_key[key] for key in order)


def _check(test: _Json, nodes: Mapping[str, AssetSpec]) -> AssetCheckSpec | None:
    """Return the check of a test; it blocks nothing, for all that it looks at is published at once."""
    looks_at = [nodes[unique_id].key for unique_id in test["depends_on"]["nodes"] if unique_id in nodes]
    if not looks_at:
        return None
    attached = nodes.get(test.get("attached_node") or "")
    asset = attached.key if attached else looks_at[0]
    return AssetCheckSpec(
        name=test["name"],
        asset=asset,
        description=test.get("description") or None,
        additional_deps=[key for key in dict.fromkeys(looks_at) if key != asset],
        metadata={"severity": str(test["config"].get("severity", "error")).lower()},
    )
