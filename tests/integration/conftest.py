"""A copy of the built project."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.project import Project


@pytest.fixture
def project(built: Project, tmp_path: Path) -> Project:
    """A copy of the built project that a test may change."""
    shutil.copytree(built.folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")
