"""The business rules that a record can be judged by alone, from the file that the dbt project keeps all rules in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from olistctl.config.strict_yaml import Node, read_yaml

_KEYS = (
    "name", "description", "owner", "severity", "model", "condition", "columns", "source", "known_count", "known_of",
)  # fmt: skip
# As dbt calls the severities, and as `olistctl validate` does.
_SEVERITIES = {"error": "error", "warn": "warning"}


@dataclass(frozen=True)
class Rule:
    """An SQL condition that every row should meet; NULL counts as met."""

    name: str
    condition: str
    severity: str = "error"
    where: str = ""  # file, line and key path, as errors show them
    known_count: int = 0  # rows of the public data that break it ...
    known_of: int = 1  # ... of so many

    def limit(self, rows: int) -> int:
        """Return how many of so many rows may break the rule before it is worth a word.

        Of a part of the public data the same share, of more the known ones and the same share of what came besides,
        each within three standard deviations: the upper limit of a c-chart (Montgomery, Introduction to Statistical
        Quality Control, 7.3) with the finite population correction. So says the dbt project's macro `control_limit`.
        """
        if rows <= self.known_of:
            expected = rows * self.known_count / self.known_of
            return math.ceil(expected + 3 * math.sqrt(expected * (1 - rows / self.known_of)))
        besides = (rows - self.known_of) * self.known_count / self.known_of
        return math.ceil(self.known_count + besides + 3 * math.sqrt(besides))


def load_rules(file: Path) -> tuple[tuple[Node, Rule], ...]:
    """Return the rules that name a source, each with the node of that name.

    Raises:
        ConfigError: the file cannot be read, or a rule lacks something.
    """
    found: list[tuple[Node, Rule]] = []
    for node in _rules(read_yaml(file, "`rules` in the contract names another file")):
        part = node.mapping(known=_KEYS, required=["name", "model", "condition", "severity", "owner", "columns"])
        severity = _SEVERITIES[part["severity"].one_of(_SEVERITIES)]
        known = _count(part.get("known_count"), 0), _count(part.get("known_of"), 1)
        if "source" in part:
            rule = Rule(part["name"].text(), part["condition"].text(), severity, node.where, *known)
            found.append((part["source"], rule))
    return tuple(found)


def _count(node: Node | None, default: int) -> int:
    return default if node is None else int(node.number(0, 1e12))


def _rules(root: Node) -> list[Node]:
    """Find the list: `models`, the one that has it in its `config.meta`."""
    node = root.mapping(required=["models"])["models"].items()[0]
    for key in ("config", "meta", "rules"):
        node = node.mapping(required=[key])[key]
    return node.items()
