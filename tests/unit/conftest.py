"""A delivery of nine tiny files, the contract they follow, and a desk that loads them into a real DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from olistctl import ledger
from olistctl.config import Settings, load_settings
from olistctl.loading import FileLoad, Limits, LoadReport, load_files
from olistctl.project_files import template_root
from olistctl.reading import Inspection, inspect_file
from olistctl.results import Progress
from olistctl.sources import Contract, find_files, load_contract
from olistctl.warehouse import Stage
from tests.delivery import NAMES, write_delivery

AT = datetime(2018, 9, 1, 12, 30)


@pytest.fixture(scope="session")
def contract() -> Contract:
    return load_contract(template_root() / "config" / "sources.yml")


@pytest.fixture
def delivery(tmp_path: Path) -> Path:
    return write_delivery(tmp_path / "source")


@pytest.fixture
def settings(tmp_path: Path, delivery: Path) -> Settings:
    """The settings of a project in `tmp_path` that reads the tiny delivery with the shipped contract."""
    file = tmp_path / "config" / "olistctl.yml"
    file.parent.mkdir()
    file.write_text("version: 1\nsource_dir: ../source\ntargets:\n  dev:\n    warehouse: ../data/dw.duckdb\n")
    contract_file = template_root() / "config" / "sources.yml"
    return load_settings(file, {"contract": contract_file, "threads": 2}, environ={})


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 2}) as connection:
        yield connection


@dataclass
class Desk:
    """Loads what stands in `folder`, one run after the other, into one warehouse.

    The warehouse is in memory, which is ten times as quick, until a full refresh needs it in a file.
    """

    folder: Path
    contract: Contract
    live: Path
    runs: int = 0
    _connection: duckdb.DuckDBPyConnection | None = None

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            file = str(self.live) if self.live.exists() else ":memory:"
            self._connection = duckdb.connect(file, config={"threads": 2})
        return self._connection

    @property
    def last_run(self) -> str:
        return f"run-{self.runs}"

    def close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None

    def inspect(self) -> list[Inspection]:
        return [inspect_file(file) for file in find_files(self.contract, self.folder)]

    def load(
        self,
        *,
        fresh: bool = False,
        max_bad_share: float = 0.05,
        max_shrink_share: float = 1.0,
        accepted: frozenset[str] = frozenset(),
        inspections: list[Inspection] | None = None,
        progress: Progress | None = None,
        run_id: str | None = None,
    ) -> LoadReport:
        """Load as a run does: in place, or (`fresh`) into a new file that takes what stays from the old one."""
        self.runs += 1
        load = partial(
            load_files,
            contract=self.contract,
            inspections=inspections or self.inspect(),
            run_id=run_id or f"run-{self.runs}",
            at=AT,
            limits=Limits(max_bad_share, max_shrink_share, accepted),
            progress=progress,
        )
        if not fresh:
            ledger.create(self.connection)
            report = load(self.connection, fresh=False)
            self.check_current()
            return report
        self._to_file()
        stage = Stage(self.live, self.live.with_name("stage.duckdb"), 2, None)
        with stage.connection() as connection, stage.attached_live(connection) as has_live:
            if has_live:
                ledger.carry_over(connection)
            ledger.create(connection)
            report = load(connection, fresh=True, has_live=has_live)
        stage.publish()
        self.check_current()
        return report

    def check_current(self) -> None:
        """Check that the rows marked as current are the last of their keys, by name of file and line."""
        for source in self.contract.sources:
            keys = ", ".join(f"trim(cast({name} as varchar))" for name in source.key) or "rowid"
            rows = self.query(
                f"select [{keys}], _source_file, _source_line, _is_current from raw.{source.table} order by all"
            )
            last = {tuple(key): (file, line) for key, file, line, _ in rows}
            for key, file, line, is_current in rows:
                assert is_current == (last[tuple(key)] == (file, line)), (source.name, key, file, line)

    def _to_file(self) -> None:
        """Put what was loaded in memory into the live file, and let go of it."""
        if self._connection and not self.live.exists():
            self._connection.execute(f"attach '{self.live}' as file")
            self._connection.execute("copy from database memory to file")
        self.close()

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, parameters).fetchall()

    def rows(self, source: str) -> list[tuple[Any, ...]]:
        """Return file, line and first columns of the rows of a source."""
        table = self.contract.source(source).table
        return self.query(f"select _source_file, _source_line, * from raw.{table} order by all")

    def lines(self, source: str, file: str | None = None) -> list[int]:
        return [line for name, line, *_ in self.rows(source) if name == (file or NAMES[source])]

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return the rows of all sources without the columns that name the run."""
        return {
            source.name: self.query(f"select * exclude (_loaded_at, _run_id) from raw.{source.table} order by all")
            for source in self.contract.sources
        }


@pytest.fixture
def desk(delivery: Path, contract: Contract, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(delivery, contract, tmp_path / "dw.duckdb")
    yield desk
    desk.close()


@pytest.fixture
def small(desk: Desk) -> Desk:
    """A desk for two of the nine sources, sellers and orders, where the others would only take time."""
    kept = tuple(replace(desk.contract.source(name), foreign_keys=()) for name in ("orders", "sellers"))
    desk.contract = replace(desk.contract, sources=kept)
    return desk


def of(report: LoadReport, name: str) -> FileLoad:
    """Return what became of the base file of a source, or of the file of that name."""
    return next(file for file in report.files if file.file == NAMES.get(name, name))
