"""The state of a warehouse against what stands in the source folder."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from olistctl import journal, ledger
from olistctl.config import Settings
from olistctl.errors import ConfigError, EnvironmentFault
from olistctl.loading import Limits, load_files
from olistctl.reading import inspect_file
from olistctl.sources import find_files, load_contract
from olistctl.status import StatusReport, read_status
from tests.delivery import NAMES, RECORDS, plus, write_delivery
from tests.unit.conftest import AT
from tests.unit.test_ledger import RUN


@pytest.fixture
def built(settings: Settings) -> Settings:
    """A warehouse with the tiny delivery loaded."""
    settings.warehouse.parent.mkdir(parents=True)
    contract = load_contract(settings.contract_file)
    with duckdb.connect(str(settings.warehouse)) as connection:
        ledger.create(connection)
        found = [inspect_file(file) for file in find_files(contract, settings.source_dir)]
        load_files(connection, contract, found, run_id="r1", at=AT, limits=Limits(0), fresh=False)
        ledger.record_run(connection, replace(RUN, errors=()))
    return settings


def states(report: StatusReport) -> dict[str, str]:
    return {file.file: file.state for file in report.files}


def test_a_warehouse_as_the_source_folder_is_unchanged(built: Settings) -> None:
    report = read_status(built)
    assert states(report) == dict.fromkeys(NAMES.values(), "unchanged")
    assert {file.source: file.rows_loaded for file in report.files} == RECORDS
    assert {(file.loaded_at, file.run_id) for file in report.files} == {(AT, "r1")}
    assert (report.exists, report.source_dir_problem) == (True, None)
    assert report.size_bytes == built.warehouse.stat().st_size


def test_the_newest_order_tells_how_fresh_the_data_is(built: Settings) -> None:
    assert read_status(built).newest_order_at == datetime(2018, 8, 8, 8, 38, 49)


def test_the_tables_are_counted(built: Settings) -> None:
    with duckdb.connect(str(built.warehouse)) as connection:
        connection.execute("create schema mart; create table mart.m as select 1; create schema core")
        connection.execute('create table core."odd ""name" as select 1 from range(3); create schema other')
        connection.execute("create table other.o as select 1")
    tables = [(table.schema, table.table, table.rows) for table in read_status(built).tables]
    assert tables[-2:] == [("core", 'odd "name', 3), ("mart", "m", 1)]
    assert {table: rows for schema, table, rows in tables if schema == "raw"} == {
        f"stg_{source}": rows for source, rows in RECORDS.items()
    }


def test_the_state_of_every_file_is_told(built: Settings) -> None:
    folder = built.source_dir
    write_delivery(folder, orders=None, sellers=plus("sellers", b"x"))
    os.utime(folder / NAMES["products"], (1, 1))
    (folder / "olist_orders_dataset_2.csv").write_bytes(b"anything")
    with duckdb.connect(str(built.warehouse)) as connection:
        connection.execute(
            "insert into etl.source_files "
            "select * replace ('old.csv' as file_name) from etl.source_files where source = 'sellers'"
        )
    found = states(read_status(built))
    assert {name: state for name, state in found.items() if state != "unchanged"} == {
        NAMES["orders"]: "missing",
        NAMES["sellers"]: "changed",
        "olist_orders_dataset_2.csv": "new",
        "old.csv": "removed",
    }
    assert found[NAMES["products"]] == "unchanged"  # a touch is no change


@pytest.mark.parametrize("kind", ["fifo", "folder", "link"])
def test_a_loaded_file_that_is_no_file_any_more_is_told_without_opening_it(built: Settings, kind: str) -> None:
    file = built.source_dir / NAMES["orders"]
    file.unlink()
    if kind == "fifo":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        file.symlink_to("nowhere")
    assert states(read_status(built))[file.name] in ("changed", "unreadable")


def test_before_the_first_run_all_files_are_new(settings: Settings) -> None:
    report = read_status(settings)
    assert (report.exists, report.size_bytes, report.published_at, report.tables) == (False, 0, None, ())
    assert set(states(report).values()) == {"new"}
    assert not settings.warehouse.exists()


def test_a_source_folder_that_is_away_is_told_and_the_rest_is_shown(built: Settings, tmp_path: Path) -> None:
    report = read_status(replace(built, source_dir=tmp_path / "away"))
    assert "cannot be read" in (report.source_dir_problem or "")
    assert set(states(report).values()) == {"removed"}
    assert report.tables


def test_a_database_that_is_not_of_olistctl_has_no_runs(settings: Settings) -> None:
    settings.warehouse.parent.mkdir(parents=True)
    duckdb.connect(str(settings.warehouse)).close()
    report = read_status(settings)
    assert (report.runs, report.tables, report.newest_order_at) == ((), (), None)


def test_a_file_that_is_no_database_is_a_fault_of_the_environment(settings: Settings) -> None:
    settings.warehouse.parent.mkdir(parents=True)
    settings.warehouse.write_text("no database" * 1000)
    with pytest.raises(EnvironmentFault):
        read_status(settings)


def test_a_contract_that_is_away_is_a_configuration_error(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        read_status(replace(settings, contract_file=tmp_path / "no.yml"))


def test_runs_of_ledger_and_journal_come_together_the_newest_first(built: Settings) -> None:
    later = replace(RUN, run_id="r2", started_at=RUN.started_at.replace(hour=23), status="failed")
    earlier = replace(RUN, run_id="r0", started_at=RUN.started_at.replace(hour=1), status="killed")
    for run in (earlier, later):
        journal.write_journal(built.state_dir / "journal", run)
    assert [(run.run_id, run.status) for run in read_status(built).runs] == [
        ("r2", "failed"),
        ("r1", "warnings"),
        ("r0", "killed"),
    ]


def test_a_run_that_ledger_and_journal_know_is_one_run_as_the_ledger_says(built: Settings) -> None:
    journal.write_journal(built.state_dir / "journal", replace(RUN, status="killed", finished_at=None))
    assert [(run.run_id, run.status) for run in read_status(built).runs] == [("r1", "warnings")]


def test_only_the_last_runs_are_shown(built: Settings) -> None:
    for hour in range(9):
        run = replace(RUN, run_id=f"j{hour}", started_at=RUN.started_at.replace(hour=hour))
        journal.write_journal(built.state_dir / "journal", run)
    assert [run.run_id for run in read_status(built).runs] == ["r1", "j8", "j7", "j6", "j5"]


def test_looking_changes_nothing(built: Settings, tmp_path: Path) -> None:
    def everything() -> dict[Path, tuple[int, int]]:
        return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in tmp_path.rglob("*") if p.is_file()}

    before = everything()
    read_status(built)
    assert everything() == before
