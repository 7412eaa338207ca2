"""The dbt project as files: its hash, and what lies downstream of a table, read without dbt."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from olistctl.transform import affected_models, project_sha256, selectors
from olistctl.transform.project import environment_of, is_parsed, mark_parsed


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text("name: x")
    (folder / "models" / "a.sql").write_text("select 1")
    return folder


def node(name: str, kind: str, *above: str, materialized: str = "table") -> dict[str, Any]:
    return {
        "name": name, "resource_type": kind, "depends_on": {"nodes": list(above)},
        "config": {"materialized": materialized},
    }  # fmt: skip


@pytest.fixture
def artifacts(tmp_path: Path, project: Path) -> Path:
    folder = tmp_path / "dbt"
    (folder / "target").mkdir(parents=True)
    manifest = {
        "sources": {
            "s.orders": {"source_name": "raw", "identifier": "stg_orders"},
            "s.sellers": {"source_name": "raw", "identifier": "stg_sellers"},
            "s.keys": {"source_name": "etl", "identifier": "stg_orders"},
        },
        "nodes": {
            "m.mart": node("mart", "model", "m.fact"),
            "m.fact": node("fact", "model", "m.between", "sn.seller", "s.keys"),
            "m.between": node("between", "model", "m.orders", materialized="ephemeral"),
            "m.orders": node("orders", "model", "s.orders", materialized="view"),
            "sn.seller": node("seller", "snapshot", "s.sellers"),
            "t.test": node("test", "test", "m.orders"),
            "m.other": node("other", "model"),
            "m.affected": node("int_affected_orders", "model", "m.orders"),
        },
    }
    (folder / "target" / "manifest.json").write_text(json.dumps(manifest))
    mark_parsed(folder, {"project": project_sha256(project)})
    return folder


def test_models_downstream_of_a_table_come_in_the_order_of_the_graph(project: Path, artifacts: Path) -> None:
    found = affected_models(project, artifacts, ["stg_orders"]) or ()
    assert [name for name in found if name != "int_affected_orders"] == ["orders", "fact", "mart"]
    found = affected_models(project, artifacts, ["stg_sellers"]) or ()
    assert [name for name in found if name != "int_affected_orders"] == ["seller", "fact", "mart"]
    assert "int_affected_orders" in found, "its list of an earlier run must not stay"
    assert affected_models(project, artifacts, []) == ()
    assert set(affected_models(project, artifacts, None) or ()) == {
        "orders",
        "seller",
        "fact",
        "mart",
        "other",
        "int_affected_orders",
    }


@pytest.mark.parametrize("what", ["of another project", "cut short", "gone", "of another dbt", "no mark"])
def test_a_manifest_that_does_not_tell_is_none(project: Path, artifacts: Path, what: str) -> None:
    file = artifacts / "target" / "manifest.json"
    if what == "of another project":
        (project / "models" / "a.sql").write_text("select 2")
    elif what == "cut short":
        file.write_text(file.read_text()[:100])
    elif what == "gone":
        file.unlink()
    elif what == "of another dbt":
        file.write_text("{}")
    else:
        mark_parsed(artifacts, None)
    assert affected_models(project, artifacts, ["stg_orders"]) is None


def test_the_hash_follows_names_and_contents_and_nothing_else(project: Path) -> None:
    first = project_sha256(project)
    os.utime(project / "dbt_project.yml", (1, 1))
    (project / "target").mkdir()
    (project / "target" / "manifest.json").write_text("{}")
    assert project_sha256(project) == first
    (project / "models" / "a.sql").rename(project / "models" / "b.sql")
    renamed = project_sha256(project)
    (project / "models" / "b.sql").write_text("select 2")
    assert len({first, renamed, project_sha256(project)}) == 3


@pytest.mark.parametrize("folder", ["target", "logs"])
def test_a_folder_of_models_may_have_any_name(project: Path, folder: str) -> None:
    first = project_sha256(project)
    (project / "models" / folder).mkdir()
    (project / "models" / folder / "c.sql").write_text("select 3")
    assert project_sha256(project) != first


def test_the_environment_of_a_project_is_what_its_files_name(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEMA", "core")
    monkeypatch.delenv("UNSET", raising=False)
    (project / "models" / "a.sql").write_text("select '{{ env_var( 'SCHEMA') }}', '{{ env_var(\"UNSET\", 1) }}'")
    assert environment_of(project) == {"SCHEMA": "core", "UNSET": None}
    (project / "models" / "b.sql").write_text("select '{{ env_var(name) }}'")
    assert environment_of(project) is None, "nobody knows which one"


def test_artifacts_are_of_the_state_that_was_noted(tmp_path: Path) -> None:
    assert not is_parsed(tmp_path, {"project": "a"})
    mark_parsed(tmp_path, {"project": "a"})
    assert is_parsed(tmp_path, {"project": "a"})
    assert not is_parsed(tmp_path, {"project": "b"})
    mark_parsed(tmp_path, None)
    assert not is_parsed(tmp_path, {"project": "a"})


def test_links_in_a_circle_have_an_end(project: Path) -> None:
    (project / "models" / "up").symlink_to(project)
    (project / "models" / "here").symlink_to(project / "models")
    assert project_sha256(project) == project_sha256(project)


def test_selectors_name_what_lies_downstream() -> None:
    assert selectors(["stg_orders", "stg_sellers"]) == (
        "source:raw.stg_orders+", "source:raw.stg_sellers+", "int_affected_orders",
    )  # fmt: skip
    assert selectors([]) == ()
