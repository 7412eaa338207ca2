"""YAML read strictly: duplicate keys, unknown keys and wrong types are errors that name their place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from olistctl.errors import ConfigError

_TO_COMPARE = "`olistctl init FOLDER` lays out a whole one to compare with"
# The version of the configuration's and the contract's format.
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Node:
    """A value of a YAML file with its place."""

    file: Path
    path: str
    line: int
    value: Any  # a scalar, list[Node] or dict[str, Node]

    @property
    def where(self) -> str:
        """File, line and key path, as errors show them."""
        return f"{self.file}:{self.line}" + (f" ({self.path})" if self.path else "")

    def error(self, message: str, hint: str | None = None) -> ConfigError:
        """Return an error about this value."""
        return ConfigError(message, where=self.where, hint=hint)

    def mapping(self, known: Iterable[str] | None = None, required: Iterable[str] = ()) -> dict[str, Node]:
        """Return the value as a mapping whose keys are all in `known` and hold all of `required`."""
        if not isinstance(self.value, dict):
            raise self.error(f"expected a mapping, found {described(self.value)}")
        if known is not None:
            names = list(known)
            for key, node in self.value.items():
                if key not in names:
                    raise node.error(f"unknown key '{key}'", hint=nearest_hint(key, names))
        for key in required:
            if key not in self.value:
                raise self.error(f"the key '{key}' is missing")
        return self.value

    def items(self) -> list[Node]:
        """Return the value as a list."""
        if not isinstance(self.value, list):
            raise self.error(f"expected a list, found {described(self.value)}")
        return self.value

    def text(self) -> str:
        """Return the value as text that is not empty."""
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.error(f"expected text, found {described(self.value)}")
        return self.value

    def one_of(self, choices: Iterable[str]) -> str:
        """Return the value as one of the given words."""
        names = list(choices)
        value = self.text()
        if value not in names:
            raise self.error(f"'{value}' is not one of {', '.join(names)}", hint=nearest_hint(value, names))
        return value

    def scalar(self) -> Any:
        """Return the value, which must be a single one."""
        if isinstance(self.value, (dict, list)):
            raise self.error(f"expected a single value, found {described(self.value)}")
        return self.value

    def check_version(self) -> None:
        """Check that the value is the version of the format that this olistctl reads."""
        if isinstance(self.value, bool) or self.scalar() != FORMAT_VERSION:
            raise self.error(f"version {self.value} is not known", hint=f"this olistctl reads version {FORMAT_VERSION}")

    def number(self, low: float, high: float) -> float:
        """Return the value as a number from `low` to `high`."""
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)) or not low <= self.value <= high:
            raise self.error(f"expected a number from {low:g} to {high:g}, found {described(self.value)}")
        return float(self.value)

    def truth(self) -> bool:
        """Return the value as true or false."""
        if not isinstance(self.value, bool):
            raise self.error(f"expected true or false, found {described(self.value)}")
        return self.value


def read_yaml(file: Path, named_by: str) -> Node:
    """Read a YAML file; `named_by` says what to do where this is not the one that is meant.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or repeats a key.
    """
    import yaml

    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        hint = f"`olistctl init` lays out a new project; {named_by}"
        raise ConfigError("the file is not there", where=str(file), hint=hint) from None
    except OSError as error:
        raise ConfigError(f"the file cannot be read: {error.strerror}", where=str(file), hint=named_by) from None
    except UnicodeDecodeError:
        raise ConfigError("the file is not UTF-8", where=str(file), hint="save it as UTF-8") from None
    try:
        root = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # libyaml, where it is there
        if root is None:
            raise ConfigError("the file is empty", where=str(file), hint=_TO_COMPARE)
        return _build(file, "", root, yaml.SafeLoader(""))
    except RecursionError:
        raise ConfigError("the file is nested too deep", where=str(file), hint=_TO_COMPARE) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"not valid YAML: {error.problem}", where=f"{file}:{line}", hint=_TO_COMPARE) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"not valid YAML: {error}", where=str(file), hint=_TO_COMPARE) from None


def described(value: Any) -> str:
    """Return a value as an error shows what it found."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "nothing" if value is None else f"'{value}'"


def nearest_hint(name: str, known: Iterable[str], likeness: float = 0.5) -> str:
    """Return "did you mean …?" for the nearest known name that is like enough (0 to 1), or the list of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=likeness)
    return f"did you mean '{near[0]}'?" if near else f"known names: {', '.join(names)}"


def _build(file: Path, path: str, node: Any, loader: Any) -> Node:
    import yaml

    line = node.start_mark.line + 1
    if node.id == "mapping":
        return Node(file, path, line, _build_mapping(file, path, node, loader))
    if node.id == "sequence":
        items = [_build(file, f"{path}[{i}]", item, loader) for i, item in enumerate(node.value)]
        return Node(file, path, line, items)
    try:
        value = loader.construct_object(node)
    except (ValueError, LookupError, yaml.YAMLError) as error:
        message = f"not a valid value: {str(error).splitlines()[0]}"
        raise ConfigError(message, where=f"{file}:{line} ({path})", hint=_TO_COMPARE) from None
    return Node(file, path, line, value)


def _build_mapping(file: Path, path: str, node: Any, loader: Any) -> dict[str, Node]:
    result: dict[str, Node] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        key_path = f"{path}.{key}" if path else key
        if key in result:
            raise ConfigError(
                f"the key '{key}' stands twice (first in line {result[key].line})",
                where=f"{file}:{key_node.start_mark.line + 1} ({key_path})",
                hint="keep one of the two",
            )
        child = _build(file, key_path, value_node, loader)
        result[key] = Node(file, key_path, key_node.start_mark.line + 1, child.value)
    return result
