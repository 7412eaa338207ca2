"""What the dbt project says of its tables and their columns, as dbt's manifest holds it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Described:
    """The description of a table, and those of its columns."""

    table: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)


def read_descriptions(artifacts: Path) -> dict[tuple[str, str], Described]:
    """Return the descriptions by schema and table, from the manifest that dbt has left; none where it left none."""
    try:
        manifest = json.loads((artifacts / "target" / "manifest.json").read_text(encoding="utf-8"))
        return {
            (node["schema"], node["alias"]): Described(
                _on_one_line(node["description"]),
                {name: _on_one_line(column["description"]) for name, column in node["columns"].items()},
            )
            for node in manifest["nodes"].values()
            if node["resource_type"] in ("model", "snapshot", "seed")
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # cut short by a kill, or of another dbt
        return {}


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
