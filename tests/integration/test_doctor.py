"""`olistctl doctor` as a newcomer, a script and a desk meet it: a table, what to do next, an exit code, no trace."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest

from olistctl.warehouse import writer_lock
from tests.project import Project, clean_environment, new_project


@pytest.fixture
def empty(tmp_path: Path) -> Project:
    return new_project(tmp_path / "project")


def checks(output: str) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in json.loads(output)["checks"]}


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    found = {str(path.relative_to(folder)): path.lstat() for path in folder.rglob("*")}
    return {name: (status.st_ino, status.st_size) for name, status in found.items()}


def test_a_built_project_has_nothing_to_mend_and_stays_as_it_is(project: Project) -> None:
    project.ok("transform")  # a copy has other times, and counts as changed
    before = tree(project.folder)
    found = checks(project.ok("doctor", "--json").stdout)
    assert {name: check for name, check in found.items() if check["status"] != "ok"} == {}
    assert {tuple(check) for check in found.values()} == {("name", "status", "found", "where", "next")}
    assert found["warehouse"]["found"].split(", published ")[1].endswith(" UTC")
    assert found["models"]["found"] == "up to date with the dbt project"
    assert tree(project.folder) == before
    with (project.folder / "olist_dw_dbt" / "dbt_project.yml").open("a") as file:
        file.write("# mine\n")
    models = checks(project.ok("doctor", "--json").stdout)["models"]
    assert (models["status"], models["next"]) == ("warning", "olistctl run")
    assert "the dbt project has changed" in models["found"]


def test_a_newcomer_is_told_what_is_missing(tmp_path: Path, empty: Project) -> None:
    done = Project(tmp_path).call("doctor")
    assert done.returncode == 2
    assert "next: `olistctl init`" in done.stderr
    assert "Not checked without a configuration: contract, source files, " in done.stdout
    done = empty.call("doctor")
    assert done.returncode == 2
    assert f"error: source files: {empty.source_dir}: none of the nine CSVs is there\n  next: " in done.stderr
    assert done.stdout.splitlines()[-1] == "Not everything is right: 1 problem, 0 warnings"
    empty.ok("sample", "--orders", "20", "--out", "data/source")
    done = empty.ok("doctor", "--quiet")
    assert (done.stderr, done.stdout.splitlines()[-1]) == (
        "", "Nothing keeps olistctl from working: 0 problems, 0 warnings",
    )  # fmt: skip
    assert sorted(path.name for path in (empty.folder / "data").iterdir()) == ["source"]
    assert not (empty.folder / "logs").exists()


def test_a_typo_in_the_configuration_leaves_with_2_and_a_list(empty: Project) -> None:
    done = empty.call("doctor", "--json", OLISTCTL_WAREHOSE="x")
    assert done.returncode == 2
    found = checks(done.stdout)
    assert list(found) == ["python", "olistctl", "packages", "extras", "text", "configuration"]
    assert (found["configuration"]["status"], found["configuration"]["next"]) == (
        "problem", "did you mean 'OLISTCTL_WAREHOUSE'?",
    )  # fmt: skip
    assert "Traceback" not in done.stderr


def test_a_command_at_work_is_a_warning_and_a_target_is_chosen(empty: Project) -> None:
    empty.ok("sample", "--orders", "20", "--out", "data/source")
    with writer_lock(empty.warehouse.parent / ".olist_dw", "run"):
        done = empty.ok("doctor")
        assert f"warning: lock: {empty.warehouse.parent / '.olist_dw'}: held by process {os.getpid()}" in done.stderr
        assert checks(empty.ok("doctor", "--json", "--target", "prod").stdout)["lock"]["found"] == "free"


def test_dbt_is_not_imported_and_a_package_that_breaks_is_told(empty: Project, tmp_path: Path) -> None:
    empty.ok("sample", "--orders", "20", "--out", "data/source")
    for name in ("dbt", "duckdb"):
        package = tmp_path / "broken" / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(f"raise ImportError('{name} is broken')\n")
        done = empty.call("doctor", "--json", PYTHONPATH=str(package.parent))
        wrong = {
            check["name"]: check["found"] for check in json.loads(done.stdout)["checks"] if check["status"] != "ok"
        }
        assert wrong == ({} if name == "dbt" else {"memory": "a package cannot be imported: duckdb is broken"})
        assert done.returncode == (2 if wrong else 0)


def test_an_output_that_lacks_letters_is_a_warning(tmp_path: Path) -> None:
    project = new_project(tmp_path / "данные")
    project.ok("sample", "--orders", "20", "--out", "data/source")
    done = project.ok("doctor", PYTHONIOENCODING="ascii")
    assert "warning: text: output: ascii, " in done.stderr
    assert "next: unset PYTHONIOENCODING" in done.stderr


def test_in_a_terminal_it_finds_the_same(empty: Project) -> None:
    empty.ok("sample", "--orders", "20", "--out", "data/source")
    ours, theirs = pty.openpty()
    environment = clean_environment(COLUMNS="80", TERM="xterm")
    with subprocess.Popen(
        empty.command("doctor"), cwd=empty.folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        output = b""
        while chunk := _read(ours):
            output += chunk
        assert process.wait() == 0, output.decode()
    os.close(ours)
    assert "Nothing keeps olistctl from working: 0 problems, 0 warnings" in output.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so that nobody is at the other end
        return b""
