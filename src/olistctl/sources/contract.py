"""The contract of the sources: `config/sources.yml`, read and checked."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from olistctl.config.strict_yaml import Node, nearest_hint, read_yaml
from olistctl.errors import ConfigError
from olistctl.sources.rules import Rule, load_rules

TYPES = ("text", "zip", "integer", "money", "coordinate", "timestamp")
SEVERITIES = ("error", "warning")
LINE_ENDS = ("required", "optional")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Column:
    """A column of a source, in file order."""

    name: str
    type: str
    required: bool = False


@dataclass(frozen=True)
class ForeignKey:
    """Columns whose values must be found in another source."""

    columns: tuple[str, ...]
    references: str
    to: tuple[str, ...]
    severity: str = "error"


@dataclass(frozen=True)
class Source:
    """One of the nine sources: the files that feed it and the table that they become."""

    name: str
    description: str
    table: str
    file: str
    pattern: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...]
    rules: tuple[Rule, ...]
    may_end_open: bool = False  # the last record needs no line end
    max_bad_share: float | None = None  # in place of the setting `load.max_bad_share`
    max_shrink_share: float | None = None  # in place of the setting `load.max_shrink_share`
    changes_by: tuple[str, ...] = ()  # without a key: what names the rows that a change touches

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns in file order."""
        return tuple(column.name for column in self.columns)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what decides which rows a file gives, of which table, and by which key they are followed."""
        decisive = (self.table, self.columns, self.key, self.changes_by, self.may_end_open)
        return hashlib.sha256(repr(decisive).encode()).hexdigest()

    @property
    def identifying(self) -> tuple[str, ...]:
        """The columns by which a change is noted: the key, or what stands for it, or the whole row."""
        return self.key or self.changes_by or self.column_names

    def owns(self, file_name: str) -> bool:
        """Tell whether a file of this name feeds the source."""
        return fnmatchcase(file_name, self.pattern)


@dataclass(frozen=True)
class Contract:
    """The sources by name, in the order of the file."""

    file: Path
    sources: tuple[Source, ...]
    rules_file: Path | None = None  # another file that it was read from

    def source(self, name: str) -> Source:
        """Return a source by name.

        Raises:
            ConfigError: the contract has none of this name.
        """
        found = self.find(name)
        if found is None:
            hint = nearest_hint(name, [source.name for source in self.sources])
            raise ConfigError(f"the contract has no source '{name}'", where=str(self.file), hint=hint)
        return found

    def find(self, name: str) -> Source | None:
        """Return a source by name, or None."""
        return next((source for source in self.sources if source.name == name), None)


def load_contract(file: Path) -> Contract:
    """Read the contract.

    Raises:
        ConfigError: a key, name or reference is wrong; the error names its place.
    """
    root = read_yaml(file, "the setting `contract` names another file")
    top = root.mapping(known=["version", "rules", "sources"], required=["sources"])
    if "version" in top:
        top["version"].check_version()
    nodes = top["sources"].mapping()
    if not nodes:
        raise top["sources"].error("there are no sources")
    rules_file = Path(os.path.normpath(file.parent / top["rules"].text())) if "rules" in top else None
    rules = _rules_by_source(rules_file, nodes) if rules_file else {}
    sources = [_source(name, node, rules.get(name, ())) for name, node in nodes.items()]
    by_name = {source.name: source for source in sources}
    tables: dict[str, str] = {}
    for source in sources:
        node = nodes[source.name]
        if source.table in tables:
            raise node.error(f"the table '{source.table}' is already fed by '{tables[source.table]}'")
        tables[source.table] = source.name
        _check_references(source, node, by_name)
        _check_ownership(source, node, sources)
    return Contract(file, tuple(sources), rules_file)


def _rules_by_source(file: Path, sources: Iterable[str]) -> dict[str, tuple[Rule, ...]]:
    by_source: dict[str, tuple[Rule, ...]] = {}
    for source, rule in load_rules(file):
        name = source.one_of(sources)
        by_source[name] = (*by_source.get(name, ()), rule)
    return by_source


def _source(name: str, node: Node, rules: tuple[Rule, ...]) -> Source:
    known = [
        "description", "table", "file", "pattern", "last_line_end", "max_bad_share", "max_shrink_share",
        "columns", "key", "changes_by", "foreign_keys",
    ]  # fmt: skip
    _identifier(name, node)
    if moved := node.mapping().get("rules"):
        hint = "move them to the file that the contract's own `rules:` names (olist_dw_dbt/models/quality/_rules.yml)"
        raise moved.error("rules no longer stand with their source", hint=hint)
    part = node.mapping(known=known, required=["table", "file", "columns"])
    columns = tuple(_column(item) for item in part["columns"].items())
    if not columns:
        raise part["columns"].error("a source needs columns")
    names = [column.name for column in columns]
    for index, column in enumerate(names):
        if column in names[:index]:
            raise part["columns"].items()[index].error(f"the column '{column}' stands twice")
    file = part["file"].text()
    source = Source(
        name=name,
        description=part["description"].text() if "description" in part else "",
        table=_identifier(part["table"].text(), part["table"]),
        file=file,
        pattern=part["pattern"].text() if "pattern" in part else file,
        columns=columns,
        key=_names(part.get("key"), names),
        foreign_keys=tuple(_foreign_key(item, names) for item in _items(part.get("foreign_keys"))),
        rules=rules,
        may_end_open="last_line_end" in part and part["last_line_end"].one_of(LINE_ENDS) == "optional",
        max_bad_share=part["max_bad_share"].number(0, 1) if "max_bad_share" in part else None,
        max_shrink_share=part["max_shrink_share"].number(0, 1) if "max_shrink_share" in part else None,
        changes_by=_names(part.get("changes_by"), names),
    )
    if source.key and source.changes_by:
        raise part["changes_by"].error("a source with a key needs no `changes_by`")
    _check_files(source, part)
    return source


def _check_files(source: Source, part: dict[str, Node]) -> None:
    if "/" in source.pattern or "/" in source.file:
        raise part["file"].error("a file name must not hold a folder", hint="set `source_dir` instead")
    if not source.owns(source.file):
        raise part.get("pattern", part["file"]).error(f"the pattern does not match the base file '{source.file}'")


def _column(node: Node) -> Column:
    part = node.mapping(known=["name", "type", "required"], required=["name", "type"])
    return Column(
        name=_identifier(part["name"].text(), part["name"]),
        type=part["type"].one_of(TYPES),
        required=part["required"].truth() if "required" in part else False,
    )


def _foreign_key(node: Node, names: list[str]) -> ForeignKey:
    known = ["columns", "references", "to", "severity"]
    part = node.mapping(known=known, required=["columns", "references", "to"])
    return ForeignKey(
        columns=_names(part["columns"], names),
        references=part["references"].text(),
        to=tuple(item.text() for item in part["to"].items()),
        severity=_severity(part),
    )


def _severity(part: dict[str, Node]) -> str:
    return part["severity"].one_of(SEVERITIES) if "severity" in part else "error"


def _names(node: Node | None, known: list[str]) -> tuple[str, ...]:
    return tuple(item.one_of(known) for item in _items(node))


def _items(node: Node | None) -> list[Node]:
    return [] if node is None else node.items()


def _identifier(name: str, node: Node) -> str:
    if not _IDENTIFIER.fullmatch(name):
        raise node.error(f"'{name}' is not a plain lower-case name (letters, digits, underscore)")
    return name


def _check_references(source: Source, node: Node, by_name: dict[str, Source]) -> None:
    for key in source.foreign_keys:
        if key.references not in by_name:
            hint = nearest_hint(key.references, by_name)
            raise node.error(f"a foreign key names the unknown source '{key.references}'", hint=hint)
        target = by_name[key.references].column_names
        for column in key.to:
            if column not in target:
                hint = nearest_hint(column, target)
                raise node.error(f"a foreign key names '{key.references}.{column}', which does not exist", hint=hint)
        if not key.columns or len(key.to) != len(key.columns):
            raise node.error("a foreign key needs columns, and as many columns on both sides")


def _check_ownership(source: Source, node: Node, sources: list[Source]) -> None:
    for other in sources:
        if other is not source and source.owns(other.file):
            raise node.error(f"the pattern '{source.pattern}' also matches '{other.file}' of '{other.name}'")
