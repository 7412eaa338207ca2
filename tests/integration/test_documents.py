"""The documentation: what the code knows is as the code says, and what a page names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from olistctl.errors import ExitCode
from tests.documents import ROOT, pages
from tests.project import Project

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")


def test_generated_parts_are_what_the_code_says(built: Project) -> None:
    for page, text in pages(built.folder).items():
        assert (ROOT / page).read_text(encoding="utf-8") == text, f"{page} is out of date: make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_links_lead_somewhere(page: Path) -> None:
    for file, anchor in _LINK.findall(page.read_text(encoding="utf-8")):
        target = (page.parent / file) if file else page
        assert target.exists(), f"{page.name} leads to {file}"
        if anchor:
            assert anchor in _anchors(target), f"{page.name} leads to {file}#{anchor}"


def test_the_tests_and_files_that_cover_the_design_are_there() -> None:
    rows = [line.split("|") for line in (ROOT / "docs" / "design-coverage.md").read_text("utf-8").splitlines()]
    named = set(
        re.findall(r"`([^` ]+)`", "\n".join("".join(row[2:]) for row in rows))
    )  # the first cell is the design's
    sources = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    tests = {name for name in named if re.fullmatch(r"test_\w+", name)}
    assert len(tests) > 100
    assert [name for name in tests if f"def {name}(" not in sources] == []
    roots = ("src/", "tests/", "docs/", "dags/", "config/", "olist_dw_dbt/", "models/", "macros/", "snapshots/")
    paths = [name for name in named if name.startswith(roots) and "*" not in name]
    assert len(paths) > 50
    assert [name for name in paths if not any((at / name).exists() for at in (ROOT, ROOT / "olist_dw_dbt"))] == []


def test_every_module_has_its_line_in_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text[text.index("| module | job |") :]
    source = ROOT / "src" / "olistctl"
    modules = {f"{item.name}/" for item in source.iterdir() if (item / "__init__.py").is_file()}
    modules |= {item.name for item in source.glob("*.py") if not item.name.startswith("__")}
    named = set(
        re.findall(
            r"`([a-z_]+(?:/|\.py))`", "\n".join(line.split("|")[1] for line in table.splitlines() if line[:1] == "|")
        )
    )
    assert named == modules
    drawn = set(re.findall(r"[\[\"]([a-z_]+(?:/|\.py))[<:]", text))
    assert drawn <= modules
    assert len(drawn) > 10


def test_every_exit_code_is_explained() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text[text.index("## Exit codes") : text.index("`validate`, `test` and")]
    explained = {
        int(code) for line in table.splitlines() if line[2:3].isdigit() for code in line.split("|")[1].split(",")
    }
    assert explained == {int(code) for code in ExitCode}


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as Markdown's readers make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
