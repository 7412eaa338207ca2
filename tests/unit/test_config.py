"""Settings: default < file < environment < option, each checked, each with its origin."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from olistctl.config.settings import (
    ALL_KEYS,
    RESERVED_WAREHOUSE_NAMES,
    Settings,
    load_settings,
    values_of,
    variable_of,
)
from olistctl.errors import ConfigError
from olistctl.project_files import template_root


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "project" / "config" / "olistctl.yml"
    path.parent.mkdir(parents=True)
    path.write_text("version: 1\n")
    return path


def load(file: Path, text: str, environ: dict[str, str] | None = None, **overrides: Any) -> Settings:
    file.write_text(text)
    return load_settings(file, overrides, environ or {})


def fault(file: Path, text: str, environ: dict[str, str] | None = None, **overrides: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(file, text, environ, **overrides)
    return caught.value


def test_the_shipped_configuration_names_every_setting_and_no_other() -> None:
    file = template_root() / "config" / "olistctl.yml"
    targets = [load_settings(file, {"target": target}, environ={}) for target in ("dev", "spark")]
    unnamed = [{key for key, origin in settings.origins.items() if origin == "default"} for settings in targets]
    assert set.intersection(*unnamed) == set()
    assert values_of(targets[0]).keys() == ALL_KEYS.keys()


def test_the_shipped_values_are_the_built_in_defaults(file: Path) -> None:
    file.write_bytes((template_root() / "config" / "olistctl.yml").read_bytes())
    shipped = values_of(load_settings(file, environ={}))
    assert shipped == values_of(load(file, "version: 1"))


def test_without_a_value_the_default_holds_and_says_so(file: Path) -> None:
    settings = load(file, "version: 1")
    assert settings.max_bad_share == 0.05
    assert settings.origins["load.max_bad_share"] == "default"


def test_the_file_overrides_the_default(file: Path) -> None:
    settings = load(file, "version: 1\nload:\n  max_bad_share: 0.2\n")
    assert settings.max_bad_share == 0.2
    assert settings.origins["load.max_bad_share"] == f"{file}:3 (load.max_bad_share)"


def test_a_variable_overrides_the_file(file: Path) -> None:
    settings = load(file, "load: {max_bad_share: 0.2}", {"OLISTCTL_LOAD_MAX_BAD_SHARE": "0.3"})
    assert settings.max_bad_share == 0.3
    assert settings.origins["load.max_bad_share"] == "environment OLISTCTL_LOAD_MAX_BAD_SHARE"


def test_an_option_overrides_the_variable(file: Path) -> None:
    settings = load(file, "version: 1", {"OLISTCTL_SOURCE_DIR": "/variable"}, source_dir=Path("/option"))
    assert settings.source_dir == Path("/option")
    assert settings.origins["source_dir"] == "option --source-dir"


def test_an_option_that_was_not_given_overrides_nothing(file: Path) -> None:
    assert load(file, "source_dir: /file", source_dir=None).source_dir == Path("/file")


@pytest.mark.parametrize("key", sorted(ALL_KEYS))
def test_every_setting_has_a_variable(file: Path, key: str) -> None:
    samples = {
        "threads": "3",
        "memory_limit": "2GB",
        "watch.poll": "true",
        "target": "dev",
        "notify.channels": "none",
        "publish.storage_version": "v1.2.0",
        "engine": "spark",
        "spark_table_format": "iceberg",
        "spark_landing": "/lake",
        "spark_landing_on_cluster": "s3a://bucket/lake",
    }
    value = samples.get(key, "20000" if key == "log.max_bytes" else "1")
    settings = load(file, "version: 1", {variable_of(key): value})
    assert settings.origins[key] == f"environment {variable_of(key)}"


def test_paths_of_the_file_are_relative_to_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(file, "source_dir: ../in\ntargets: {dev: {warehouse: w.duckdb}}\n")
    assert settings.source_dir == file.parent.parent / "in"
    assert settings.warehouse == file.parent / "w.duckdb"


def test_default_paths_are_relative_to_the_file(file: Path) -> None:
    settings = load(file, "version: 1")
    project = file.parent.parent
    assert settings.source_dir == project / "data" / "source"
    assert settings.contract_file == file.parent / "sources.yml"
    assert settings.dbt_project == project / "olist_dw_dbt"
    assert settings.warehouse == project / "data" / "olist_dw.duckdb"
    assert settings.log_file == project / "logs" / "etl_pipeline.log"


def test_paths_of_variables_and_options_are_relative_to_the_current_folder(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(file, "version: 1", {"OLISTCTL_WAREHOUSE": "w.duckdb"}, source_dir="in")
    assert settings.warehouse == tmp_path / "w.duckdb"
    assert settings.source_dir == tmp_path / "in"


def test_a_relative_configuration_file_is_found_from_the_current_folder(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent.parent)
    settings = load_settings(environ={})
    assert settings.config_file == file
    assert settings.contract_file == file.parent / "sources.yml"


def test_the_configuration_file_can_come_from_a_variable_and_the_option_wins(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yml"
    other.write_text("source_dir: /other\n")
    file.write_text("source_dir: /file\n")
    environ = {"OLISTCTL_CONFIG": str(other)}
    assert load_settings(environ=environ).source_dir == Path("/other")
    assert load_settings(file, environ=environ).source_dir == Path("/file")


def test_a_tilde_is_the_home_folder(file: Path) -> None:
    assert load(file, "source_dir: ~/in").source_dir == Path("~/in").expanduser()


def test_a_tilde_of_nobody_is_a_configuration_error(file: Path) -> None:
    error = fault(file, "source_dir: ~no_such_user_here/in")
    assert error.where == f"{file}:1 (source_dir)"


def test_a_target_that_no_section_names_is_refused(file: Path) -> None:
    """Or `--target prod` would write to the default warehouse."""
    assert "there is no target 'prod'" in fault(file, "version: 1", target="prod").message


def test_the_state_stands_beside_the_warehouse(file: Path) -> None:
    settings = load(file, "version: 1", warehouse="/x/shop.duckdb")
    assert settings.state_dir == Path("/x/.shop")


TARGETS = (
    "targets:\n  dev: {warehouse: /dev.duckdb, threads: 1}\n  prod: {warehouse: /prod.duckdb, memory_limit: 2GB}\n"
)


def test_the_first_target_is_dev(file: Path) -> None:
    settings = load(file, TARGETS)
    assert (settings.target, settings.warehouse, settings.threads) == ("dev", Path("/dev.duckdb"), 1)


@pytest.mark.parametrize("how", ["file", "environment", "option"])
def test_the_target_can_be_chosen_at_every_level(file: Path, how: str) -> None:
    text = TARGETS + ("target: prod\n" if how == "file" else "")
    environ = {"OLISTCTL_TARGET": "prod"} if how == "environment" else {}
    overrides = {"target": "prod"} if how == "option" else {}
    settings = load(file, text, environ, **overrides)
    assert (settings.warehouse, settings.memory_limit) == (Path("/prod.duckdb"), "2GB")
    assert settings.threads == (os.cpu_count() or 1)  # dev's section is not prod's
    assert settings.origins["warehouse"] == f"{file}:3 (targets.prod.warehouse)"


def test_variables_and_options_win_over_the_targets_section(file: Path) -> None:
    settings = load(file, TARGETS, {"OLISTCTL_WAREHOUSE": "/v.duckdb"}, threads="7")
    assert (settings.warehouse, settings.threads) == (Path("/v.duckdb"), 7)


def test_an_unknown_target_gets_the_nearest_one(file: Path) -> None:
    error = fault(file, TARGETS, target="prd")
    assert error.message == "there is no target 'prd'"
    assert error.where == "option --target"
    assert error.hint == "did you mean 'prod'?"


@pytest.mark.parametrize(
    ("text", "path", "message", "hint"),
    [
        ("sorce_dir: x", "1 (sorce_dir)", "unknown key 'sorce_dir'", "did you mean 'source_dir'?"),
        ("\nlog:\n  bakups: 1", "3 (log.bakups)", "unknown key 'bakups'", "did you mean 'backups'?"),
        ("targets: {prod: {treads: 1}}", "1 (targets.prod.treads)", "unknown key 'treads'", "did you mean 'threads'?"),
        ("version: 2", "1 (version)", "version 2 is not known", "this olistctl reads version 1"),
        ("load: {}\nload: {}", "2 (load)", "the key 'load' stands twice (first in line 1)", "keep one of the two"),
        ("load: 5", "1 (load)", "expected a mapping, found '5'", None),
        ("targets: [dev]", "1 (targets)", "expected a mapping, found a list", None),
        ("- a", "1", "expected a mapping, found a list", None),
    ],
)  # fmt: skip
def test_a_wrong_key_is_one_error_with_place_and_nearest_name(
    file: Path, text: str, path: str, message: str, hint: str | None
) -> None:
    error = fault(file, text)
    assert (error.message, error.where, error.hint) == (message, f"{file}:{path}", hint)


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("source_dir: 5", "source_dir", "expected text"),
        ("source_dir:", "source_dir", "expected text"),
        ("source_dir: ' '", "source_dir", "expected text"),
        ("load: {max_bad_share: lots}", "load.max_bad_share", "expected a number"),
        ("load: {max_bad_share: true}", "load.max_bad_share", "expected a number"),
        ("load: {max_bad_share: 1.01}", "load.max_bad_share", "expected a number from 0 to 1"),
        ("load: {max_bad_share: -0.1}", "load.max_bad_share", "expected a number from 0 to 1"),
        ("load: {max_bad_share: .nan}", "load.max_bad_share", "expected a number from 0 to 1"),
        ("load: {max_bad_share: .inf}", "load.max_bad_share", "expected a number from 0 to 1"),
        ("lock: {wait_seconds: -1}", "lock.wait_seconds", "expected a number from 0 to 86400"),
        ("watch: {poll: maybe}", "watch.poll", "expected true or false"),
        ("log: {backups: 1.5}", "log.backups", "expected a whole number"),
        ("log: {backups: true}", "log.backups", "expected a whole number"),
        ("log: {backups: 101}", "log.backups", "expected a whole number from 0 to 100"),
        ("targets: {dev: {threads: 0}}", "targets.dev.threads", "expected a whole number from 1 to 256"),
        ("targets: {dev: {threads: many}}", "targets.dev.threads", "expected a whole number"),
        ("targets: {dev: {memory_limit: lots}}", "targets.dev.memory_limit", "expected a size such as 2GB or 'auto'"),
        ("targets: {dev: {memory_limit: 2}}", "targets.dev.memory_limit", "expected a size such as 2GB or 'auto'"),
    ],
)
def test_a_wrong_value_is_one_error_with_place_and_what_is_expected(
    file: Path, text: str, path: str, expected: str
) -> None:
    error = fault(file, text)
    assert expected in error.message
    assert "found" in error.message
    assert error.where == f"{file}:1 ({path})"


@pytest.mark.parametrize("text", ["source_dir: [a]", "load: {max_bad_share: {a: 1}}", "version: [1]"])
def test_a_structure_in_place_of_a_value_is_told_in_the_users_words(file: Path, text: str) -> None:
    assert "Node(" not in fault(file, text).message


def test_a_version_that_is_no_number_is_refused(file: Path) -> None:
    assert "version" in fault(file, "version: true").message


@pytest.mark.parametrize(
    ("value", "limit"), [("auto", None), ("512MB", "512MB"), ("1.5 GiB", "1.5 GiB"), ("80%", "80%")]
)
def test_a_memory_limit_is_a_size_or_auto(file: Path, value: str, limit: str | None) -> None:
    assert load(file, "version: 1", {"OLISTCTL_MEMORY_LIMIT": value}).memory_limit == limit


@pytest.mark.parametrize(
    ("word", "truth"), [("true", True), ("1", True), ("YES", True), ("false", False), ("no", False)]
)
def test_a_truth_value_can_be_written_in_a_variable(file: Path, word: str, truth: bool) -> None:
    assert load(file, "version: 1", {"OLISTCTL_WATCH_POLL": word}).watch_poll is truth


def test_an_unknown_variable_gets_the_nearest_one(file: Path) -> None:
    error = fault(file, "version: 1", {"OLISTCTL_SOURCEDIR": "/x"})
    assert error.message == "unknown variable 'OLISTCTL_SOURCEDIR'"
    assert (error.where, error.hint) == ("environment", "did you mean 'OLISTCTL_SOURCE_DIR'?")


def test_a_wrong_value_of_a_variable_names_the_variable(file: Path) -> None:
    error = fault(file, "version: 1", {"OLISTCTL_THREADS": "four"})
    assert error.where == "environment OLISTCTL_THREADS"
    assert "'four'" in error.message


def test_a_wrong_value_of_an_option_names_the_option(file: Path) -> None:
    assert fault(file, "version: 1", source_dir=" ").where == "option --source-dir"


def test_foreign_variables_are_left_alone(file: Path) -> None:
    assert load(file, "version: 1", {"DBT_TARGET": "x", "OLIST": "y"}).target == "dev"


@pytest.mark.parametrize("name", [*sorted(RESERVED_WAREHOUSE_NAMES), "RAW", "raw.2026"])
def test_a_warehouse_named_like_a_schema_is_refused(file: Path, name: str) -> None:
    error = fault(file, "version: 1", warehouse=f"/x/{name}.duckdb")
    assert error.where == "option --warehouse"
    assert "schema" in error.message


def test_a_warehouse_named_like_the_attached_one_is_refused(file: Path) -> None:
    """The published file is attached as `live`, and a database has the name of its file."""
    assert "live" in fault(file, "version: 1", warehouse="/x/live.duckdb").message


@pytest.mark.parametrize("path", ["/x/a?b.duckdb", "/x?y/dw.duckdb"])
def test_a_warehouse_path_that_duckdb_takes_apart_is_refused(file: Path, path: str) -> None:
    """At a question mark DuckDB ends the path of the write-ahead log, and then cannot commit."""
    error = fault(file, "version: 1", warehouse=path)
    assert error.where == "option --warehouse"
    assert "?" in error.message


def test_a_missing_configuration_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path / "no.yml", environ={})
    assert caught.value.where == str(tmp_path / "no.yml")
