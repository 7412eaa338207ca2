"""The contract of the sources is checked when it is read, before any file is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from olistctl.errors import ConfigError
from olistctl.sources import Contract, load_contract

GOOD = """\
version: 1
sources:
  parents:
    table: stg_parents
    file: parents.csv
    pattern: parents*.csv
    key: [id]
    columns:
      - {name: id, type: text, required: true}
      - {name: amount, type: money}
  children:
    table: stg_children
    file: children.csv
    columns:
      - {name: parent, type: text}
    foreign_keys:
      - {columns: [parent], references: parents, to: [id]}
"""


def read(tmp_path: Path, text: str) -> Contract:
    file = tmp_path / "sources.yml"
    file.write_text(text)
    return load_contract(file)


def fault(tmp_path: Path, old: str, new: str) -> ConfigError:
    """Return the error about the good contract with one thing changed."""
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert (caught.value.where or "").startswith(str(tmp_path / "sources.yml"))
    return caught.value


def test_the_shipped_contract_has_the_nine_sources_of_the_dataset(contract: Contract) -> None:
    assert [source.name for source in contract.sources] == [
        "customers", "orders", "order_items", "order_payments", "order_reviews",
        "products", "sellers", "geolocation", "category_translation",
    ]  # fmt: skip
    assert sum(len(source.columns) for source in contract.sources) == 52
    assert contract.source("products").column_names[2:4] == ("product_name_lenght", "product_description_lenght")


def test_only_geolocation_has_no_key(contract: Contract) -> None:
    assert [source.name for source in contract.sources if not source.key] == ["geolocation"]
    assert contract.source("order_reviews").key == ("review_id", "order_id")


def test_a_contract_is_read_whole(tmp_path: Path) -> None:
    contract = read(tmp_path, GOOD)
    parents, children = contract.sources
    assert [(c.name, c.type, c.required) for c in parents.columns] == [("id", "text", True), ("amount", "money", False)]
    assert children.foreign_keys[0].severity == "error"
    assert (children.pattern, children.key, parents.rules) == ("children.csv", (), ())


RULES = """\
models:
  - name: dq_rules
    config:
      meta:
        rules:
          - name: positive
            owner: finance
            severity: warn
            model: fact_parents
            condition: amount > 0
            columns: [amount]
            source: parents
          - {name: of_the_model, owner: finance, severity: error, model: fact_parents, condition: ok, columns: [ok]}
"""


def test_a_source_has_the_rules_that_name_it(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(RULES)
    contract = read(tmp_path, GOOD.replace("version: 1", "version: 1\nrules: rules.yml"))
    (rule,) = contract.source("parents").rules
    assert (rule.name, rule.condition, rule.severity) == ("positive", "amount > 0", "warning")
    assert rule.where == f"{tmp_path / 'rules.yml'}:6 (models[0].config.meta.rules[0])"
    assert contract.source("children").rules == ()


def test_rules_of_an_older_release_are_told_where_to_go(tmp_path: Path) -> None:
    error = fault(tmp_path, "    key: [id]", '    key: [id]\n    rules: [{name: positive, condition: "amount > 0"}]')
    assert error.message == "rules no longer stand with their source"
    assert "_rules.yml" in (error.hint or "")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("source: parents", "source: parent", "'parent'"),
        ("severity: warn\n", "severity: warning\n", "'warning'"),
        ("            condition: amount > 0\n", "", "'condition' is missing"),
        ("columns: [amount]", "column: amount", "unknown key 'column'"),
        ("        rules:", "        rule:", "'rules' is missing"),
    ],
)
def test_a_rule_that_is_wrong_is_named_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in RULES
    (tmp_path / "rules.yml").write_text(RULES.replace(old, new))
    with pytest.raises(ConfigError, match=message) as caught:
        read(tmp_path, GOOD.replace("version: 1", "version: 1\nrules: rules.yml"))
    assert (caught.value.where or "").startswith(str(tmp_path / "rules.yml"))


@pytest.mark.parametrize(
    ("name", "owned"),
    [
        ("parents.csv", True),
        ("parents_2018-09-01.csv", True),
        ("parents\n'2.csv", True),
        ("Parents.csv", False),
        ("parents.csv.gz", False),
        (".parents.csv", False),
        ("xparents.csv", False),
    ],
)
def test_a_source_owns_the_files_of_its_pattern(tmp_path: Path, name: str, owned: bool) -> None:
    assert read(tmp_path, GOOD).sources[0].owns(name) is owned


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ("key: [id]", "kee: [id]", "unknown key 'kee'", "did you mean 'key'?"),
        ("key: [id]", "key: [ido]", "'ido' is not one of id, amount", "did you mean 'id'?"),
        ("key: [id]", "key: id", "expected a list, found 'id'", None),
        ("type: money", "type: mony", "'mony' is not one of", "did you mean 'money'?"),
        ("type: money", "type: decimal", "not one of text, zip, integer, money, coordinate, timestamp", None),
        ("required: true", "required: 1", "expected true or false, found '1'", None),
        ("required: true", "requird: true", "unknown key 'requird'", "did you mean 'required'?"),
        ("to: [id]", "to: [id], severity: warn", "'warn' is not one of error, warning", "did you mean 'warning'?"),
        ("{name: amount, type: money}", "{name: amount}", "the key 'type' is missing", None),
        ("name: amount", "name: Amount", "'Amount' is not a plain lower-case name", None),
        ("name: amount", "name: _source_file", "'_source_file' is not a plain lower-case name", None),
        ("name: amount", "name: id", "the column 'id' stands twice", None),
        ("    table: stg_parents\n", "", "the key 'table' is missing", None),
        ("table: stg_children", "table: stg_parents", "already fed by 'parents'", None),
        ("table: stg_children", 'table: "x; drop"', "not a plain lower-case name", None),
        ("references: parents", "references: parent", "unknown source 'parent'", "did you mean 'parents'?"),
        ("to: [id]", "to: [ids]", "names 'parents.ids', which does not exist", "did you mean 'id'?"),
        ("to: [id]", "to: [id, amount]", "as many columns on both sides", None),
        ("columns: [parent]", "columns: [father]", "'father' is not one of parent", None),
        ("file: parents.csv", "file: other.csv", "the pattern does not match the base file 'other.csv'", None),
        ("file: children.csv", "file: a/children.csv", "must not hold a folder", "set `source_dir` instead"),
        ("pattern: parents*.csv", "pattern: '*/parents*.csv'", "must not hold a folder", "set `source_dir` instead"),
        ("table: stg_parents", "table: 1", "expected text, found '1'", None),
        ("sources:", "source:", "unknown key 'source'", "did you mean 'sources'?"),
        ("  children:", "  parents:", "the key 'parents' stands twice", "keep one of the two"),
    ],
)  # fmt: skip
def test_a_wrong_contract_is_one_error_with_place_and_nearest_name(
    tmp_path: Path, old: str, new: str, message: str, hint: str | None
) -> None:
    error = fault(tmp_path, old, new)
    assert message in error.message
    if hint:
        assert error.hint == hint


def test_an_error_names_the_path_of_the_key(tmp_path: Path) -> None:
    assert (fault(tmp_path, "type: money", "type: x").where or "").endswith(":10 (sources.parents.columns[1].type)")


def test_a_base_file_that_its_own_name_as_a_pattern_does_not_match_is_told(tmp_path: Path) -> None:
    """Without a `pattern` the file name is one, and brackets in it are not themselves."""
    assert "does not match" in fault(tmp_path, "file: children.csv", "file: 'children[1].csv'").message


def test_a_contract_of_another_version_is_refused(tmp_path: Path) -> None:
    assert "version" in fault(tmp_path, "version: 1", "version: 2").message


def test_a_source_without_columns_is_refused(tmp_path: Path) -> None:
    text = GOOD.split("  children:")[0] + "  empty: {table: stg_empty, file: empty.csv, columns: []}\n"
    with pytest.raises(ConfigError, match="column"):
        read(tmp_path, text)


def test_a_foreign_key_without_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="columns"):
        read(tmp_path, GOOD.replace("columns: [parent]", "columns: []").replace("to: [id]", "to: []"))


def test_a_file_that_two_sources_would_own_is_refused(tmp_path: Path) -> None:
    """`children.csv` must feed one source only, or each of its rows would count twice."""
    assert "pattern" in fault(tmp_path, "pattern: parents*.csv", "pattern: '*.csv'").message


def test_a_contract_without_sources_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        read(tmp_path, "version: 1\nsources: {}\n")
