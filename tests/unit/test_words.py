"""What the code says to its user, read as text: no dead ends, and nothing named that is not there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from olistctl import errors
from olistctl.cli.app import app
from olistctl.config.settings import ALL_KEYS

SOURCE = Path(errors.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
TREES = {file: ast.parse(file.read_text(encoding="utf-8")) for file in FILES}

# Who asked to stop needs no next step, one is of a cluster and says its own, and of one only the watcher hears.
WITHOUT_HINT = {"Interrupted", "StatementFailed", "Superseded"}
# A wrong value of a setting: the message says what is expected in its place.
SAYS_IT_ITSELF = {"config/settings.py": {"_checked"}}
# Options of other programs.
FOREIGN_OPTIONS = {"--conf", "--editable", "--resource-type", "--store-failures", "--upgrade"}


def error_classes() -> set[str]:
    """Return the names of all errors that a user can meet, wherever they are defined."""
    found = {"OlistctlError"}
    classes = [node for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    while more := {c.name for c in classes if {ast.unparse(base) for base in c.bases} & found} - found:
        found |= more
    return found


def texts(node: ast.AST) -> Iterator[str]:
    """Give every text below a node that is more than a word; a value that is filled in is an X."""
    if isinstance(node, ast.JoinedStr):
        text = "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
    else:
        for part in ast.iter_child_nodes(node):
            yield from texts(part)
        return
    if " " in text:
        yield text


def commands(group: Any, path: str = "") -> dict[str, set[str]]:
    """Return the options of every command by its path."""
    found = {path: {option for parameter in group.params for option in (*parameter.opts, *parameter.secondary_opts)}}
    for name, command in getattr(group, "commands", {}).items():
        found |= commands(command, f"{path} {name}".strip())
    return found


COMMANDS = commands(typer.main.get_command(app))
OPTIONS = set().union(*COMMANDS.values()) | {"--help"}


def test_each_error_says_what_to_do_next() -> None:
    known = error_classes() - WITHOUT_HINT
    silent = []
    for place, function in functions():
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call) and node.args):
            has_hint = any(keyword.arg == "hint" for keyword in call.keywords)
            if ast.unparse(call.func) in known and not has_hint and function.name not in SAYS_IT_ITSELF.get(place, ()):
                silent.append(f"{place}:{call.lineno}")
    assert silent == []


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Give every function with its file."""
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                yield file.relative_to(SOURCE).as_posix(), node


def named_commands(text: str) -> Iterator[str]:
    """Give what a text tells to type: a command in back quotes, behind a colon, or on a line of its own."""
    yield from re.findall(r"`olistctl ([a-z][^`]*)`", text)
    yield from re.findall(r"(?:^|: |^ +)olistctl ([a-z][^`\n:]*)$", text, re.MULTILINE)


def is_there(call: str) -> bool:
    """Tell whether a call names a command, and only options that it has."""
    call = call.replace("X", " ")  # what is filled in may be options
    words = [word for word in call.split() if not word.startswith("-")]
    is_group = f"{words[0]} list" in COMMANDS
    path = " ".join(words[:2]) if is_group else words[0]
    return path in COMMANDS and set(re.findall(r"(?<!\S)--[a-z-]+", call)) <= COMMANDS[path] | {"--help"}


def test_each_command_that_a_text_names_is_there_with_its_options() -> None:
    calls = {call: text for tree in TREES.values() for text in texts(tree) for call in named_commands(text)}
    assert [text for call, text in calls.items() if not is_there(call)] == []
    assert {"run", "quarantine list", "rollback --list"} <= calls.keys(), "the texts are no longer found"
    assert not any(map(is_there, ("rum", "quarantine lst", "run --lst", "errors show --status all")))


def test_each_option_and_setting_that_a_text_names_is_there() -> None:
    wrong = []
    for tree in TREES.values():
        for text in texts(tree):
            settings = re.findall(r"`([a-z_.]+)` in config/olistctl\.yml|setting `([a-z_.]+)`", text)
            options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - FOREIGN_OPTIONS
            if not options <= OPTIONS or not {a or b for a, b in settings} <= ALL_KEYS.keys():
                wrong.append(text)
    assert wrong == []
