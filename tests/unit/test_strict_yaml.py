"""YAML is read strictly, and every error names file, line, key path and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from olistctl.config.strict_yaml import Node, nearest_hint, read_yaml
from olistctl.errors import ConfigError, ExitCode


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some.yml"


def read(file: Path, text: str) -> Node:
    file.write_text(text, encoding="utf-8")
    return read_yaml(file, "another one")


def test_every_value_knows_its_line_and_its_key_path(file: Path) -> None:
    root = read(file, "# a comment\na:\n  b:\n    - x\n    - {c: 1}\n")
    node = root.mapping()["a"].mapping()["b"].items()[1].mapping()["c"]
    assert (node.value, node.line, node.path) == (1, 5, "a.b[1].c")
    assert node.where == f"{file}:5 (a.b[1].c)"


def test_scalars_keep_their_yaml_types(file: Path) -> None:
    root = read(file, "a: 1\nb: 1.5\nc: true\nd: text\ne: '1'\nf:\n").mapping()
    assert [node.value for node in root.values()] == [1, 1.5, True, "text", "1", None]


def test_a_byte_order_mark_is_no_part_of_the_first_key(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert list(read_yaml(file, "another one").mapping()) == ["a"]


def test_an_alias_stands_for_its_value(file: Path) -> None:
    assert read(file, "a: &x [1]\nb: *x\n").mapping()["b"].items()[0].value == 1


def test_a_key_that_stands_twice_is_named_with_both_lines(file: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(file, "a:\n  b: 1\n  c: 2\n  b: 3\n")
    assert caught.value.message == "the key 'b' stands twice (first in line 2)"
    assert caught.value.where == f"{file}:4 (a.b)"


@pytest.mark.parametrize("text", ["1: a\n'1': b\n", "yes: a\n'yes': b\n"])
def test_keys_that_read_the_same_are_twice_the_same(file: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="stands twice"):
        read(file, text)


def test_the_same_key_in_two_mappings_is_no_duplicate(file: Path) -> None:
    root = read(file, "a: {x: 1}\nb: {x: 2}\n").mapping()
    assert root["b"].mapping()["x"].value == 2


def test_an_unknown_key_gets_the_nearest_known_name(file: Path) -> None:
    root = read(file, "threds: 2\n")
    with pytest.raises(ConfigError) as caught:
        root.mapping(known=["threads", "warehouse"])
    assert caught.value.message == "unknown key 'threds'"
    assert caught.value.where == f"{file}:1 (threds)"
    assert caught.value.hint == "did you mean 'threads'?"
    assert caught.value.exit_code == ExitCode.USAGE


def test_a_key_like_no_other_gets_the_list_of_names() -> None:
    assert nearest_hint("zzz", ["b", "a"]) == "known names: a, b"


def test_a_required_key_that_is_missing_is_named(file: Path) -> None:
    root = read(file, "a:\n  b: 1\n").mapping()["a"]
    with pytest.raises(ConfigError) as caught:
        root.mapping(required=["b", "c"])
    assert (caught.value.message, caught.value.where) == ("the key 'c' is missing", f"{file}:1 (a)")


@pytest.mark.parametrize(
    ("text", "method", "message"),
    [
        ("a: 1", "items", "expected a list, found '1'"),
        ("a: {b: 1}", "items", "expected a list, found a mapping"),
        ("a: [1]", "mapping", "expected a mapping, found a list"),
        ("a:", "mapping", "expected a mapping, found nothing"),
        ("a: 1", "text", "expected text, found '1'"),
        ("a: ' '", "text", "expected text, found ' '"),
        ("a: [x]", "text", "expected text, found a list"),
        ("a: 1", "truth", "expected true or false, found '1'"),
        ("a: 'true'", "truth", "expected true or false, found 'true'"),
    ],
)
def test_a_wrong_type_is_told_with_what_was_found(file: Path, text: str, method: str, message: str) -> None:
    node = read(file, text).mapping()["a"]
    with pytest.raises(ConfigError) as caught:
        getattr(node, method)()
    assert (caught.value.message, caught.value.where) == (message, f"{file}:1 (a)")


def test_a_word_outside_the_choices_gets_the_nearest_one(file: Path) -> None:
    node = read(file, "a: mony").mapping()["a"]
    with pytest.raises(ConfigError) as caught:
        node.one_of(["text", "money"])
    assert caught.value.message == "'mony' is not one of text, money"
    assert caught.value.hint == "did you mean 'money'?"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: [1\nc: 2\n", 3),
        ("a:\n\tb: 1\n", 2),
        ("a: 'open\n", 2),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: *nothing\n", 1),
    ],
)
def test_broken_yaml_is_refused_with_its_line(file: Path, text: str, line: int) -> None:
    with pytest.raises(ConfigError, match="not valid YAML") as caught:
        read(file, text)
    assert caught.value.where == f"{file}:{line}"


@pytest.mark.parametrize(
    "text",
    [
        "a: 2018-02-30",  # looks like a date and is none
        "a: !foo bar",
        "a: !!python/object:os.system x",
        "a: !!bool maybe",
        "a: !!int ''",
        "a: =",
    ],
)
def test_a_value_that_yaml_cannot_make_is_a_configuration_error_with_its_place(file: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(file, text)
    assert caught.value.where is not None
    assert caught.value.where.startswith(f"{file}:1")


@pytest.mark.parametrize("text", ["a: &x {b: *x}", "a: " + "[" * 3000 + "]" * 3000])
def test_yaml_without_a_bottom_is_a_configuration_error(file: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        read(file, text)


@pytest.mark.parametrize("content", [b"", b"# only a comment\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="the file is empty"):
        read_yaml(file, "another one")


@pytest.mark.parametrize("content", [b"a: \xff\n", b"a: \x07\n"])
def test_bytes_that_are_no_text_are_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_yaml(file, "another one")
    assert str(file) in (caught.value.where or "")


def test_a_missing_file_is_told_with_the_command_that_makes_one(file: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_yaml(file, "another one")
    assert caught.value.where == str(file)
    assert "olistctl init" in (caught.value.hint or "")


def test_a_folder_is_no_configuration_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml(tmp_path, "another one")
