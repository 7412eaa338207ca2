"""What is said of a Spark target without a cluster, and how text goes into Spark's SQL."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from olistctl.config import Settings, load_settings
from olistctl.errors import ConfigError, EnvironmentFault, UsageError
from olistctl.mending.rollback import rollback
from olistctl.spark import (
    Attempt,
    Landing,
    branch_of,
    built_elsewhere,
    check_cluster,
    name_of,
    note_attempt,
    reason_of,
)
from olistctl.spark.connection import literal
from olistctl.verifying import verify

READY = {"spark_table_format": "iceberg", "spark_host": "127.0.0.1", "spark_port": "1", "spark_landing": "/lake"}


def settings_with(folder: Path, **given: str) -> Settings:
    file = folder / "olistctl.yml"
    lines = "".join(f"    {key}: {value}\n" for key, value in given.items())
    file.write_text(f"targets:\n  spark:\n    engine: spark\n    warehouse: w.duckdb\n{lines}")
    return load_settings(file, {"target": "spark"}, environ={})


@pytest.mark.parametrize("missing", ["spark_table_format", "spark_host", "spark_landing"])
def test_a_setting_that_is_missing_is_named_with_its_target(tmp_path: Path, missing: str) -> None:
    settings = settings_with(tmp_path, **{key: value for key, value in READY.items() if key != missing})
    with pytest.raises(ConfigError, match=f"{missing} is not set") as caught:
        check_cluster(settings)
    assert caught.value.where == f"{tmp_path / 'olistctl.yml'}, target spark"
    assert caught.value.hint and f"{missing}: " in caught.value.hint


def test_a_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    pytest.importorskip("pyhive", reason="needs the extra spark")
    with pytest.raises(EnvironmentFault, match="does not answer") as caught:
        check_cluster(settings_with(tmp_path, **READY))
    assert caught.value.where == "127.0.0.1:1"


def test_without_the_extra_its_name_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dbt.adapters.spark", None)
    with pytest.raises(EnvironmentFault, match="extra 'spark'") as caught:
        check_cluster(settings_with(tmp_path, **READY))
    assert caught.value.hint == "pip install 'olistctl[spark]'"


def test_a_landing_is_an_absolute_path_or_a_url(tmp_path: Path) -> None:
    for landing in ("/lake", "s3://bucket/lake"):
        assert settings_with(tmp_path, spark_landing=landing).spark_landing == landing
    with pytest.raises(ConfigError, match="expected an absolute path, or a URL"):
        settings_with(tmp_path, spark_landing="lake")


def test_what_no_cluster_can_do_is_refused_before_anything(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, **READY)
    for command in (rollback, verify):
        with pytest.raises(UsageError, match="Spark"):
            command(settings)


def test_text_stays_text_in_sparks_sql() -> None:
    assert literal("it's \\ here") == "'it\\'s \\\\ here'"
    assert name_of("raw", "a`b") == "`raw`.`a``b`"
    assert branch_of("20261128T210000-ab12cd") == "olistctl_20261128T210000_ab12cd"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "Error running query: [TABLE_OR_VIEW_NOT_FOUND] org.apache.spark.sql.AnalysisException: "
            "[TABLE_OR_VIEW_NOT_FOUND] There is no `a`.`b`. SQLSTATE: 42P01; line 1 pos 14;\n'Project [*]",
            "[TABLE_OR_VIEW_NOT_FOUND] There is no `a`.`b`.",
        ),
        ("Error running query: java.lang.IllegalStateException: no\n\tat x", "no"),
        ("plain", "plain"),
        ("", "no reason given"),
    ],
)
def test_spark_is_quoted_without_javas_words(text: str, reason: str) -> None:
    assert reason_of(text) == reason


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file")
    landing = Landing(str(tmp_path / "lake"), "/lake", "run1")
    with duckdb.connect() as connection, pytest.raises(EnvironmentFault, match="cannot be written") as caught:
        landing.put(connection, "raw/t", "select 1 as n")
    assert caught.value.where == str(tmp_path / "lake")


def test_rows_go_to_a_folder_and_what_was_put_there_is_cleared(tmp_path: Path) -> None:
    landing = Landing(str(tmp_path), "/there", "run1")
    with duckdb.connect() as connection:
        assert landing.put(connection, "raw/t", "select 42 as n") == "parquet.`/there/run1/raw/t`"
        landing.fetch(connection, "raw/t", "back")
        assert connection.execute("from back").fetchall() == [(42,)]
    landing.clear()
    assert list(tmp_path.iterdir()) == []


def test_a_run_looks_again_where_what_stands_on_the_cluster_is_not_known(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, **READY)
    assert built_elsewhere(settings, "run1") == "the models were not built on this cluster"
    note_attempt(settings, Attempt("127.0.0.1:1", "run1", is_whole=True))
    assert built_elsewhere(settings, "run1") is None
    assert built_elsewhere(settings, "run2") == "the last run on the cluster did not end"
    assert built_elsewhere(replace(settings, spark_port=2), "run1") == "the models were not built on this cluster"
    assert built_elsewhere(replace(settings, engine="duckdb"), "run1") == "the models were built on a Spark cluster"
    assert built_elsewhere(replace(settings, engine="duckdb"), "run2") is None
    note_attempt(settings, Attempt("127.0.0.1:1", "run1", is_whole=False))
    assert built_elsewhere(settings, "run1") == "the last run on the cluster did not end"
    (settings.state_dir / "spark.json").write_text("[]")
    assert built_elsewhere(settings, "run1") == "the models were not built on this cluster"
