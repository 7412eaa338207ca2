"""The catalog: dbt's documentation as one page, with what the published warehouse holds.

dbt could collect that itself, but would open the warehouse for writing, and knows neither rows nor freshness.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from olistctl import ledger
from olistctl.config import Settings
from olistctl.errors import EnvironmentFault
from olistctl.publishing.pages import in_script, write_html
from olistctl.publishing.relations import Relation, relations_of
from olistctl.publishing.tables import reading
from olistctl.transform import DbtPlace, DbtProcess

# Where dbt's page takes its data from (dbt/task/docs/generate.py does the same for `dbt docs generate --static`).
_MANIFEST, _CATALOG = '"MANIFEST.JSON INLINE DATA"', '"CATALOG.JSON INLINE DATA"'
_SCHEMA = "https://schemas.getdbt.com/dbt/catalog/v1.json"
_LOCAL_PATHS = ("build_path", "compiled_path", "root_path")

_Json = dict[str, Any]


@dataclass(frozen=True)
class Catalog:
    """The page that was written, and how much it documents."""

    file: Path
    models: int
    sources: int
    tests: int
    bytes: int


def write_catalog(settings: Settings, file: Path) -> Catalog:
    """Write the page: lineage, descriptions, tests, rows and freshness of every model and source.

    Raises:
        EnvironmentFault: there is no warehouse, or the file cannot be written.
        UsageError: the file is there, and no page.
        ConfigError, TransformError: there is no dbt project, or it does not parse.
    """
    with reading(settings) as connection:
        relations = relations_of(connection)
        build = ledger.last_build(connection) if ledger.is_present(connection) else None
    with DbtProcess() as dbt:
        manifest = dbt.manifest(DbtPlace.of(settings, settings.warehouse))
    failing = _failing(manifest, build)
    catalog = {
        "metadata": {
            "dbt_schema_version": _SCHEMA,
            "dbt_version": manifest["metadata"]["dbt_version"],
            "generated_at": datetime.now(UTC).isoformat(),
            "env": {},
        },
        "nodes": dict(_described(manifest["nodes"].values(), relations, build, failing)),
        "sources": dict(_described(manifest["sources"].values(), relations, None, failing)),
        "errors": None,
    }
    for node in manifest["nodes"].values():
        for name in _LOCAL_PATHS:
            if name in node:
                node[name] = None
    page = _page().replace(_MANIFEST, in_script(manifest), 1).replace(_CATALOG, in_script(catalog), 1)
    file = write_html(file, page)
    kinds = [node["resource_type"] for node in manifest["nodes"].values()]
    return Catalog(file, kinds.count("model"), len(manifest["sources"]), kinds.count("test"), file.stat().st_size)


def _failing(manifest: _Json, build: ledger.Build | None) -> dict[str, list[str]]:
    """Return the tests that failed or warned when they ran last, by what they are about."""
    failed = {test.test for test in build.failed_tests} if build else set()
    found: dict[str, list[str]] = {}
    for node in manifest["nodes"].values():
        if node["resource_type"] == "test" and node["name"] in failed:
            for about in {node.get("attached_node"), *node["depends_on"]["nodes"]} - {None}:
                found.setdefault(about, []).append(node["name"])
    return found


def _described(
    nodes: Iterable[_Json],
    relations: Mapping[tuple[str, str], Relation],
    build: ledger.Build | None,
    failing: Mapping[str, list[str]],
) -> Iterable[tuple[str, _Json]]:
    for node in nodes:
        relation = relations.get((node["schema"], node.get("alias") or node.get("identifier") or ""))
        if relation is None:
            continue
        key = node["unique_id"]
        yield (
            key,
            {
                "unique_id": key,
                "metadata": {
                    "type": relation.kind,
                    "schema": node["schema"],
                    "name": node["name"],
                    "database": node["database"],
                    "comment": None,
                    "owner": node.get("meta", {}).get("owner"),
                },
                "columns": {
                    name: {"name": name, "type": type_, "index": number, "comment": None}
                    for number, (name, type_) in enumerate(relation.columns, start=1)
                },
                "stats": _stats(relation, build, failing.get(key, [])),
            },
        )


def _stats(relation: Relation, build: ledger.Build | None, failing: list[str]) -> _Json:
    """Return what dbt's page shows beside the owner of a table."""
    shown: list[tuple[str, str, Any]] = [("rows", "Rows", f"{relation.rows:,}")]
    if relation.loaded_at:
        shown.append(("loaded_at", "Last loaded (UTC)", f"{relation.loaded_at:%Y-%m-%d %H:%M:%S}"))
    if build:
        shown.append(("built_at", "Last built (UTC)", f"{build.built_at:%Y-%m-%d %H:%M:%S}"))
    if failing:
        shown.append(("failing", "Tests that failed", ", ".join(failing)))
    stats = {
        name: {"id": name, "label": label, "value": value, "description": label, "include": True}
        for name, label, value in shown
    }
    has_stats = {"id": "has_stats", "label": "Has Stats?", "value": True, "description": "", "include": False}
    return stats | {"has_stats": has_stats}


def _page() -> str:
    from dbt.task.docs import DOCS_INDEX_FILE_PATH

    page = Path(DOCS_INDEX_FILE_PATH).read_text(encoding="utf-8")
    if _MANIFEST not in page or _CATALOG not in page:
        message = "this version of dbt brings a page that olistctl cannot fill"
        hint = "install the dbt that olistctl asks for: pip install --upgrade olistctl"
        raise EnvironmentFault(message, where=str(DOCS_INDEX_FILE_PATH), hint=hint)
    return page
