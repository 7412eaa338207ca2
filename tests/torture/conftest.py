"""A small built project with a delivery that waits, what must hold of it after any accident, and a small disk."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from olistctl.warehouse import list_versions
from tests.project import Project, new_project

ORDERS = 300
CONTENT = ("raw", "core", "mart")


@dataclass(frozen=True)
class Yard(Project):
    """A project to which accidents happen."""

    @property
    def state(self) -> Path:
        return self.warehouse.parent / f".{self.warehouse.stem}"

    @property
    def journalled(self) -> dict[str, str]:
        """The runs of the journal and their statuses."""
        runs = [json.loads(file.read_text()) for file in (self.state / "journal").glob("*.json")]
        return {run["run_id"]: run["status"] for run in runs}

    def copy_to(self, folder: Path) -> Yard:
        shutil.copytree(self.folder, folder, symlinks=True)
        return Yard(folder)

    def digest(self) -> str:
        """The bytes of the live file."""
        return hashlib.sha256(self.warehouse.read_bytes()).hexdigest()

    def generation(self) -> dict[str, tuple[int, str]]:
        """The content of the live file, after a look whether its parts are of one generation."""
        counts = self.query("select source, sum(rows_loaded) from etl.source_files group by all")
        assert self.query("select * from etl.source_files where records <> rows_loaded + records_quarantined") == []
        for source, rows in counts:
            assert self.value(f"select count(*) from raw.stg_{source}") == rows, source
        return self.contents(*CONTENT)

    def assert_whole(self, *generations: dict[str, tuple[int, str]]) -> None:
        """What must hold the moment after an accident, before anybody has tidied up."""
        assert self.generation() in generations
        versions = list_versions(self.state / "versions")
        assert len(versions) <= 2
        for version in versions:
            with duckdb.connect(str(version.file), read_only=True) as connection:
                assert connection.execute("select count(*) from etl.pipeline_runs").fetchone() != (0,)

    def assert_tidy(self) -> None:
        """What must hold after the next successful command: nothing of the accident is left."""
        left = {str(path.relative_to(self.state)) for path in self.state.rglob("*")}
        assert not [path for path in left if path.startswith("stage") or path.endswith((".tmp", ".draft", ".wal"))]
        assert "holder.json" not in left
        assert not list((self.state / "journal").glob("*"))
        assert len(list_versions(self.state / "versions")) <= 1
        # `olist_dw.duckdb.tmp`, say, where DuckDB would spill
        beside = {path.name for path in self.warehouse.parent.iterdir()}
        releases = f"{self.warehouse.stem}_parquet"
        assert beside <= {"source", "quarantine", self.warehouse.name, self.state.name, releases}


@pytest.fixture(scope="session")
def waiting(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Yard:
    """A built project with a delivery that no run has seen yet; tests must not change it."""
    folder = tmp_path_factory.mktemp("torture") / "project"
    new_project(folder, like=built)
    yard = Yard(folder)
    yard.ok("sample", "--orders", str(ORDERS), "--seed", "7", "--out", "data/source")
    yard.ok("run", "--full-refresh")
    yard.ok("snapshot")  # so that there is a version
    header, first, *others = (yard.source_dir / "olist_orders_dataset.csv").read_bytes().splitlines(keepends=True)
    fields = first.split(b",")
    assert fields[2] != b"canceled"
    fields[2] = b"canceled"
    bad = b"short,of,fields\n"
    delivery = [header, b",".join(fields), *others[:40], bad]
    (yard.source_dir / "olist_orders_dataset_2018-11-01.csv").write_bytes(b"".join(delivery))
    return yard


@pytest.fixture
def yard(waiting: Yard, tmp_path: Path) -> Yard:
    """A copy of the project that a test may break."""
    return waiting.copy_to(tmp_path / "project")


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount a disk of so many bytes; skip the test where that is not allowed."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"this user cannot mount a small disk: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
