"""What the tests of every orchestrator begin with."""

from __future__ import annotations

import pytest

from tests.project import Project, new_project


@pytest.fixture(scope="session")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with files and without a warehouse; tests must not change it."""
    project = new_project(tmp_path_factory.mktemp("laid_out") / "project")
    project.ok("sample", "--orders", "300", "--seed", "7", "--out", "data/source")
    return project
