"""What tests change in a project's dbt project."""

from __future__ import annotations

from pathlib import Path

_TESTS = "data_tests:\n  olist_dw:\n"


def switch_off_data_tests(folder: Path) -> None:
    """Have the dbt project in a folder build its models without testing them."""
    file = folder / "dbt_project.yml"
    text = file.read_text(encoding="utf-8")
    assert _TESTS in text
    file.write_text(text.replace(_TESTS, f"{_TESTS}    +enabled: false\n"), encoding="utf-8")
