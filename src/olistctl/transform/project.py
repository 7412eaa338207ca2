"""The dbt project as files: whether it has changed, and what in it lies downstream of a table."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from olistctl.drafts import written
from olistctl.errors import ConfigError
from olistctl.project_files import dbt_files

# The state of the project that dbt parsed last.
PARSED = "parsed.json"
_ENV_VAR = re.compile(rb"\benv_var\s*\(\s*(?:'(\w+)'|\"(\w+)\")?")
# Incremental models replace what this one lists; it is built with whatever is built, or it would list an earlier run's.
ALWAYS_BUILT = "int_affected_orders"
# A view shows what is new in a table without being built again.
VIEWS = ("config.materialized:view",)


def check_project(project: Path) -> None:
    """Check that a folder holds a dbt project.

    Raises:
        ConfigError: it does not.
    """
    if not (project / "dbt_project.yml").is_file():
        hint = "set `dbt_project` in config/olistctl.yml"
        raise ConfigError("there is no dbt project", where=str(project), hint=hint)


def project_sha256(project: Path) -> str:
    """Return the SHA-256 of all files of a dbt project, their names included; the same files give the same hash.

    Raises:
        OSError: one cannot be read.
    """
    digest = hashlib.sha256()
    for file in sorted(dbt_files(project)):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(project).as_posix()}\0{content}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def environment_of(project: Path) -> dict[str, str | None] | None:
    """Return the environment variables that the files of a dbt project name; None where one computes a name."""
    found: dict[str, str | None] = {}
    for file in dbt_files(project):
        for single, double in _ENV_VAR.findall(file.read_bytes()):
            if not (single or double):
                return None
            name = (single or double).decode()
            found[name] = os.environ.get(name)
    return found


def selectors(tables: Iterable[str]) -> tuple[str, ...]:
    """Return what chooses, on dbt's command line, all that lies downstream of tables of `raw`; nothing for none."""
    chosen = tuple(f"source:raw.{table}+" for table in tables)
    return (*chosen, ALWAYS_BUILT) if chosen else ()


def affected_models(
    project: Path, artifacts: Path, tables: Collection[str] | None, *, without_views: bool = False
) -> tuple[str, ...] | None:
    """Return the models and snapshots that `selectors` choose for tables of `raw` (None: all), in graph order.

    `without_views`: those that are there show a change of the rows as they are.
    They are read from the manifest that dbt has left in `artifacts`; None where it is not of the project as it is.
    """
    try:
        if not _is_of_today(project, artifacts):
            return None
        if tables is not None and not tables:
            return ()
        manifest = written_manifest(artifacts)
        passed_over = ("ephemeral", "view") if without_views else ("ephemeral",)
        return tuple(_downstream(manifest["nodes"], _roots(manifest["sources"], tables), passed_over))
    except (OSError, ValueError, KeyError, TypeError):  # cut short by a kill, or of another dbt
        return None


def current_manifest(project: Path, artifacts: Path) -> dict[str, Any] | None:
    """Return the manifest that dbt has left in `artifacts`; None where it is not of the project as it is."""
    try:
        return written_manifest(artifacts) if _is_of_today(project, artifacts) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def written_manifest(artifacts: Path) -> dict[str, Any]:
    """Return the manifest that dbt has written last.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged.
    """
    manifest = json.loads((artifacts / "target" / "manifest.json").read_text(encoding="utf-8"))
    if not isinstance(manifest, dict):
        raise ValueError("it holds no object")
    return manifest


def _is_of_today(project: Path, artifacts: Path) -> bool:
    parsed = json.loads((artifacts / PARSED).read_text(encoding="utf-8"))
    return bool(parsed["project"] == project_sha256(project))


def mark_parsed(artifacts: Path, state: Mapping[str, Any] | None) -> None:
    """Note of which state of the project, under its key "project", dbt's artifacts are; None: they may change now."""
    if state is None:
        (artifacts / PARSED).unlink(missing_ok=True)
        return
    with written(artifacts / PARSED) as draft:
        draft.write_text(json.dumps(state), encoding="utf-8")


def is_parsed(artifacts: Path, state: Mapping[str, Any]) -> bool:
    """Tell whether dbt's artifacts are those of a state of the project."""
    try:
        return bool(json.loads((artifacts / PARSED).read_text(encoding="utf-8")) == state)
    except (OSError, ValueError):
        return False


def _roots(sources: Mapping[str, Any], tables: Collection[str] | None) -> set[str] | None:
    if tables is None:
        return None
    return {key for key, source in sources.items() if source["source_name"] == "raw" and source["identifier"] in tables}


def _downstream(nodes: Mapping[str, Any], roots: set[str] | None, passed_over: Collection[str]) -> Sequence[str]:
    """Return the names of the nodes that depend on one of `roots`, directly or not.

    `passed_over` are the materializations of nodes that are none of them.
    """
    built = {key: node for key, node in nodes.items() if node["resource_type"] in ("model", "snapshot", "seed")}
    graph = {key: node["depends_on"].get("nodes", []) for key, node in built.items()}
    touched = set(roots or ())
    names: list[str] = []
    for key in TopologicalSorter(graph).static_order():
        if key not in built:
            continue
        name, config = built[key]["name"], built[key]["config"]
        is_downstream = roots is None or bool(touched & set(graph[key]))
        if is_downstream:
            touched.add(key)
        if (is_downstream or name == ALWAYS_BUILT) and config["materialized"] not in passed_over:
            names.append(name)
    return names
