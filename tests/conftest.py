"""What holds for all tests."""

import pytest
from hypothesis import settings

from tests.project import ORDERS, Project, new_project

# How long an example takes depends on what else the machine does, and is nothing that a test says.
settings.register_profile("olistctl", deadline=None)
settings.load_profile("olistctl")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose warehouse is built from a sample; tests must not change it."""
    project = new_project(tmp_path_factory.mktemp("built") / "project")
    project.ok("sample", "--orders", str(ORDERS), "--seed", "7", "--out", "data/source")
    (project.folder / "run.json").write_text(project.ok("run", "--full-refresh", "--json").stdout)
    return project
