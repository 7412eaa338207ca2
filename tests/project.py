"""A project of a user, driven through the command line alone."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from tests.comparison import Contents, contents

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "olist_real"
ORDERS = 2000  # of the project `built`


@dataclass(frozen=True)
class Layout:
    """A folder laid out by `olistctl init`."""

    folder: Path

    @property
    def source_dir(self) -> Path:
        return self.folder / "data" / "source"

    @property
    def warehouse(self) -> Path:
        return self.folder / "data" / "olist_dw.duckdb"


@dataclass(frozen=True)
class Project(Layout):
    """A project that is driven through the command line alone."""

    @property
    def artifacts(self) -> Path:
        """What dbt has left for the next run."""
        return self.folder / "data" / ".olist_dw" / "dbt"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "olistctl", *arguments]

    def call(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=clean_environment(**environment),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def ok(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        done = self.call(*arguments, **environment)
        assert done.returncode == 0, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self.ok(*arguments, "--json").stdout)

    @contextmanager
    def reader(self) -> Iterator[duckdb.DuckDBPyConnection]:
        connection = duckdb.connect(str(self.warehouse), read_only=True)
        try:
            yield connection
        finally:
            connection.close()

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.reader() as connection:
            return connection.execute(sql, parameters).fetchall()

    def value(self, sql: str) -> Any:
        ((value,),) = self.query(sql)
        return value

    def contents(self, *schemas: str) -> Contents:
        """Return rows and an order-free fingerprint of every table and view of the schemas.

        Columns that say when and by which run a row was loaded are left out.
        """
        return contents(self.warehouse, schemas)


def clean_environment(**extra: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OLISTCTL_", "DBT_"))}
    return kept | {"NO_COLOR": "1", "COLUMNS": "120"} | extra


def records_of(file: Path) -> int:
    """Count the records of a CSV with Python's reader, the header aside."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return sum(1 for _ in csv.reader(stream)) - 1


def new_project(folder: Path, like: Project | None = None) -> Project:
    """Lay a project out. What dbt has compiled of the one that it is `like` serves it, too, which saves ten seconds."""
    subprocess.run(
        [sys.executable, "-m", "olistctl", "init", str(folder)],
        env=clean_environment(),
        check=True,
        capture_output=True,
    )
    if like:
        shutil.copytree(like.artifacts, folder / like.artifacts.relative_to(like.folder))
    return Project(folder)
