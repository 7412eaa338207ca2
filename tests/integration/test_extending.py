"""docs/extending.md, followed to the letter: a source, a model, a rule and a command."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.project import ORDERS, Project, clean_environment

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "extending.md"
_STEP = re.compile(r"(?P<how>[^\n]*\n?[^\n]*):\n\n```\w*\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)
_NEW = re.compile(r"`([^`]+)`, new$")
_AT_END = re.compile(r"At the end of `([^`]+)`$")
_AFTER = re.compile(r"After `([^`]+)` in\s`([^`]+)`$")


@pytest.fixture(scope="module")
def extended(built: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Any]:
    """A project, the source of olistctl beside it, to which every step of the page is done, and what a run says."""
    folder = tmp_path_factory.mktemp("extended") / "project"
    shutil.copytree(built.folder, folder, symlinks=True)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    steps = [_follow(folder, found["how"], found["text"]) for found in _STEP.finditer(PAGE.read_text(encoding="utf-8"))]
    assert len(steps) == 10
    project = Project(folder)
    seller, month = project.query(
        "select seller_id, date_trunc('month', order_purchase_timestamp)::timestamp from core.fact_order_items "
        "join core.fact_orders using (order_id) group by all order by sum(price) desc limit 1"
    )[0]
    file = project.source_dir / "seller_targets.csv"
    lines = file.read_text(encoding="utf-8").splitlines()
    lines[1] = f"{seller},{month},0.01"  # the page's sellers are none of the sample's
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return project, project.json("run")


def test_a_source_a_model_and_a_rule_are_added_as_the_page_says(extended: tuple[Project, Any]) -> None:
    project, report = extended
    checked = project.json("validate")
    loads = {file["inspection"]["file"]: file["load"]["records"] for file in checked["files"]}
    assert loads["seller_targets.csv"] == 3
    assert report["status"] in ("success", "warnings")
    assert project.query("select is_reached, count(*) from mart.mart_seller_targets group by all order by all") == [
        (False, 2),
        (True, 1),
    ]
    assert project.query(
        "select row_count > 0, violation_count from quality.dq_rules where rule = 'installments_within_two_years'"
    ) == [(True, 0)]
    assert {"unique_mart_seller_targets_seller_target_key"} <= {node["name"] for node in report["tests"]["nodes"]}
    assert project.value("select count(*) from core.fact_orders") == ORDERS
    assert "equal" in project.ok("verify").stdout


def test_a_command_is_added_as_the_page_says(extended: tuple[Project, Any]) -> None:
    project, _ = extended

    def call(*arguments: str) -> str:
        done = subprocess.run(
            project.command(*arguments),
            cwd=project.folder,
            env=clean_environment(PYTHONPATH=str(project.folder / "src")),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    assert "targets" in call("--help")
    months = json.loads(call("targets", "--json"))
    assert sum(month["targets"] for month in months) == 3
    assert sum(month["reached"] for month in months) == 1
    assert months[0]["month"] in call("targets")


def _follow(folder: Path, how: str, text: str) -> str:
    """Do one step; the words before it say to which file, and where."""
    if found := _NEW.search(how):
        file = folder / found[1]
        assert not file.exists(), file
        file.write_text(text, encoding="utf-8")
    elif found := _AT_END.search(how):
        file = folder / found[1]
        file.write_text(file.read_text(encoding="utf-8").rstrip("\n") + "\n\n" + text, encoding="utf-8")
    else:
        found = _AFTER.search(how)
        assert found, f"what is to be done with it? {how}"
        file = folder / found[2]
        content = file.read_text(encoding="utf-8")
        assert content.count(f"{found[1]}\n") == 1, f"{file} has {found[1]} not once"
        file.write_text(content.replace(f"{found[1]}\n", f"{found[1]}\n{text}"), encoding="utf-8")
    return how
