"""`init` lays out a project that works, and overwrites nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from olistctl import project_files
from olistctl.config import load_settings
from olistctl.errors import EnvironmentFault, ExitCode, UsageError
from olistctl.project_files import Comparison, compare_project, lay_out, template_root
from olistctl.sources import load_contract


def test_the_laid_out_files_are_those_of_the_package(tmp_path: Path) -> None:
    laid = lay_out(tmp_path / "new")
    assert Path("config/olistctl.yml") in laid.files
    assert Path("config/sources.yml") in laid.files
    assert Path("olist_dw_dbt/dbt_project.yml") in laid.files
    assert Path("dags/olist_etl_pipeline.py") in laid.files
    assert list(laid.files) == sorted(laid.files)
    for file in laid.files:
        assert (tmp_path / "new" / file).read_bytes() == (template_root() / file).read_bytes()


def test_a_laid_out_project_can_be_used_at_once(tmp_path: Path) -> None:
    lay_out(tmp_path)
    settings = load_settings(tmp_path / "config" / "olistctl.yml", environ={})
    assert len(load_contract(settings.contract_file).sources) == 9
    assert settings.source_dir.is_dir()
    assert (settings.dbt_project / "dbt_project.yml").is_file()


def test_what_dbt_and_editors_leave_behind_is_not_laid_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = lay_out(tmp_path / "used")
    for leftover in ("target/manifest.json", "logs/dbt.log", "dbt_packages/p/x.sql", ".user.yml", "dev.duckdb.wal"):
        file = tmp_path / "used" / "olist_dw_dbt" / leftover
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("left behind")
    monkeypatch.setattr(project_files, "template_root", lambda: tmp_path / "used")
    assert lay_out(tmp_path / "new").files == used.files


@pytest.mark.parametrize("part", ["config", "olist_dw_dbt", "dags"])
def test_nothing_is_written_where_a_project_already_is(tmp_path: Path, part: str) -> None:
    (tmp_path / part).mkdir()
    (tmp_path / part / "mine").write_text("precious")
    with pytest.raises(UsageError) as caught:
        lay_out(tmp_path)
    assert caught.value.where == str(tmp_path / part)
    assert caught.value.exit_code == ExitCode.USAGE
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / part / "mine"]


def test_other_files_of_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "data" / "source").mkdir(parents=True)
    (tmp_path / "data" / "source" / "x.csv").write_text("x")
    lay_out(tmp_path)
    assert (tmp_path / "data" / "source" / "x.csv").read_text() == "x"


def test_a_folder_that_cannot_be_made_is_a_fault_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault) as caught:
        lay_out(tmp_path / "file" / "project")
    assert caught.value.where == str(tmp_path / "file" / "project")


def test_a_dbt_project_is_compared_with_the_one_of_the_package(tmp_path: Path) -> None:
    lay_out(tmp_path)
    project = tmp_path / "olist_dw_dbt"
    (project / "target").mkdir()
    (project / "target" / "manifest.json").write_text("{}")
    assert compare_project(project) == Comparison((), (), ())
    assert compare_project(project).is_same
    (project / "profiles.yml").write_text("mine")
    (project / "models" / "mine.sql").write_text("select 1")
    (project / "dbt_project.yml").unlink()
    assert compare_project(project) == Comparison(("profiles.yml",), ("models/mine.sql",), ("dbt_project.yml",))
    assert not compare_project(project).is_same
