"""An earlier published warehouse in the place of today's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.project import Project, new_project

CONTENT = ("raw",)


@pytest.fixture
def twice(tmp_path: Path) -> Project:
    """A project whose warehouse was loaded, and loaded again with a delivery."""
    project = new_project(tmp_path / "project")
    project.ok("sample", "--orders", "50", "--seed", "3", "--out", "data/source")
    project.ok("load")
    header, first, *_ = (project.source_dir / "olist_orders_dataset.csv").read_bytes().splitlines(keepends=True)
    (project.source_dir / "olist_orders_dataset_2018-11-01.csv").write_bytes(header + first)
    project.ok("load")
    return project


def test_a_rollback_puts_the_last_version_back_and_can_be_undone(twice: Project) -> None:
    second = twice.contents(*CONTENT)
    assert "is live again" in twice.ok("rollback").stdout
    first = twice.contents(*CONTENT)
    assert second["raw.stg_orders"][0] == first["raw.stg_orders"][0] + 1
    twice.ok("rollback")
    assert twice.contents(*CONTENT) == second


def test_what_ran_stays_in_the_ledger_and_the_rollback_joins_it(twice: Project) -> None:
    twice.ok("rollback")
    assert twice.query("select command, status from etl.pipeline_runs order by started_at") == [
        ("load", "success"),
        ("load", "success"),
        ("rollback", "success"),
    ]
    assert twice.value("select count(distinct run_id) from etl.load_audit") == 2
    assert twice.value("select count(*) from etl.source_files") == 9, "what is loaded is what the version holds"


def test_the_next_load_brings_in_what_the_folder_holds(twice: Project) -> None:
    second = twice.contents(*CONTENT)
    twice.ok("rollback")
    assert "new" in twice.ok("status").stdout
    twice.ok("load")
    assert twice.contents(*CONTENT) == second


def test_as_many_versions_are_kept_as_the_setting_says_and_each_can_be_chosen(twice: Project) -> None:
    keep = {"OLISTCTL_PUBLISH_KEEP_VERSIONS": "3"}
    for _ in range(4):
        twice.ok("load", "--full-refresh", **keep)
    versions = twice.json("rollback", "--list")
    assert len(versions) == 3
    assert [v["kept_at"] for v in versions] == sorted((v["kept_at"] for v in versions), reverse=True)
    oldest = versions[-1]["name"]
    assert f"Version {oldest} is live again" in twice.ok("rollback", "--to", oldest, **keep).stdout
    twice.ok("load", "--full-refresh")
    assert len(twice.json("rollback", "--list")) == 1


def test_a_run_that_fails_and_a_decision_push_no_version_out(twice: Project) -> None:
    before = twice.json("rollback", "--list")
    sellers = twice.source_dir / "olist_sellers_dataset.csv"
    sellers.write_bytes(sellers.read_bytes().replace(b"seller_city", b"city"))
    assert twice.call("load", "--strict").returncode == 1
    twice.ok("errors", "resolve", "1")
    assert twice.json("rollback", "--list") == before


def test_testing_pushes_no_version_out(twice: Project) -> None:
    twice.ok("transform")
    before = twice.json("rollback", "--list")
    twice.call("test")
    assert twice.json("rollback", "--list") == before


def test_without_versions_there_is_nothing_to_put_back(tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    project.ok("sample", "--orders", "50", "--out", "data/source")
    project.ok("load")
    assert "No earlier version" in project.ok("rollback", "--list").stdout
    done = project.call("rollback")
    assert (done.returncode, "keep_versions" in done.stderr) == (2, True)


def test_a_version_that_is_not_there_is_named(twice: Project) -> None:
    done = twice.call("rollback", "--to", "20200101T000000.000000Z")
    assert (done.returncode, "--list" in done.stderr) == (2, True)


@pytest.mark.parametrize("damage", [b"", b"no warehouse", b"\0" * 9000])
def test_a_warehouse_that_cannot_be_read_is_set_aside_for_the_last_version(twice: Project, damage: bytes) -> None:
    live = twice.contents(*CONTENT)
    twice.ok("load", "--full-refresh")  # so that the version is what was live
    twice.warehouse.write_bytes(damage)
    failed = twice.call("load")
    assert (failed.returncode, "olistctl rollback" in failed.stderr) == (2, True), failed.stderr
    twice.ok("rollback")
    assert twice.contents(*CONTENT) == live
    (aside,) = (twice.warehouse.parent / ".olist_dw" / "damaged").glob("*.duckdb")
    assert aside.read_bytes() == damage
