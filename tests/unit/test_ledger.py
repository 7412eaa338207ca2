"""The schema `etl`: what was loaded, what ran and what went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from olistctl import ledger
from olistctl.ledger import LoadAudit, LoadedFile, LoggedError, PipelineRun
from olistctl.ledger.tables import TABLES

AT = datetime(2018, 9, 1, 12, 30, 15, 123456)
FILE = LoadedFile(
    source="sellers",
    file_name="o'f\n.csv",
    size_bytes=10,
    modified_at=AT,
    sha256="ab" * 32,
    contract_sha256="cd" * 32,
    records=3,
    rows_loaded=2,
    records_quarantined=1,
    loaded_at=AT,
    run_id="r1",
)
AUDIT = LoadAudit("r1", "sellers", "raw.stg_sellers", "o'f\n.csv", "loaded", 3, 2, 1, None, "ab" * 32, AT, 0.25)
ERROR = LoggedError(AT, "load", "raw.stg_sellers", "bad_zip", "a 'bad' zip\n", {"where": None})
RUN = PipelineRun(
    "r1", "run", "dev", "0.1.0", True, AT, AT + timedelta(seconds=5), "warnings",
    rows_loaded=7, warnings=2, message=None,
    stages=({"stage": "load", "seconds": 1.5, "note": "ação"},), errors=(ERROR,),
)  # fmt: skip


@pytest.fixture
def etl(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    ledger.create(connection)
    yield connection


def test_a_database_without_the_schema_has_no_ledger(connection: duckdb.DuckDBPyConnection) -> None:
    assert not ledger.is_present(connection)
    ledger.create(connection)
    assert ledger.is_present(connection)


def test_creating_the_ledger_again_keeps_what_it_holds(etl: duckdb.DuckDBPyConnection) -> None:
    ledger.record_loaded(etl, [FILE])
    ledger.create(etl)
    assert ledger.loaded_files(etl) == (FILE,)


def test_the_error_log_has_the_columns_of_the_design(etl: duckdb.DuckDBPyConnection) -> None:
    assert [row[0] for row in etl.execute("describe etl.error_log").fetchall()] == [
        "error_id", "error_timestamp", "pipeline_stage", "table_name", "error_type",
        "error_message", "error_details", "resolution_status", "created_at",
    ]  # fmt: skip


def test_a_loaded_file_comes_back_as_it_was_noted(etl: duckdb.DuckDBPyConnection) -> None:
    ledger.record_loaded(etl, [FILE])
    assert ledger.loaded_files(etl) == (FILE,)


def test_a_file_that_is_loaded_again_replaces_its_note(etl: duckdb.DuckDBPyConnection) -> None:
    ledger.record_loaded(etl, [FILE])
    ledger.record_loaded(etl, [replace(FILE, rows_loaded=9, run_id="r2")])
    assert [(file.rows_loaded, file.run_id) for file in ledger.loaded_files(etl)] == [(9, "r2")]


def test_loaded_files_come_by_source_and_name(etl: duckdb.DuckDBPyConnection) -> None:
    for source, name in (("b", "1"), ("a", "2"), ("a", "1")):
        ledger.record_loaded(etl, [replace(FILE, source=source, file_name=name)])
    assert [(file.source, file.file_name) for file in ledger.loaded_files(etl)] == [("a", "1"), ("a", "2"), ("b", "1")]


def test_forgetting_takes_one_file_and_no_other(etl: duckdb.DuckDBPyConnection) -> None:
    ledger.record_loaded(etl, [FILE])
    ledger.record_loaded(etl, [replace(FILE, source="orders")])
    ledger.record_loaded(etl, [replace(FILE, file_name="other.csv")])
    ledger.forget_loaded(etl, "sellers", FILE.file_name)
    assert [(file.source, file.file_name) for file in ledger.loaded_files(etl)] == [
        ("orders", FILE.file_name),
        ("sellers", "other.csv"),
    ]


def test_an_audit_is_kept_field_by_field(etl: duckdb.DuckDBPyConnection) -> None:
    ledger.record_audit(etl, [AUDIT, replace(AUDIT, file_name="x.csv", status="refused", reason="it is empty")])
    rows = etl.execute("from etl.load_audit order by file_name").fetchall()
    assert rows[0] == tuple(vars(AUDIT).values())
    assert rows[1][8] == "it is empty"


def test_a_run_cannot_audit_a_file_twice(etl: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.ConstraintException):
        ledger.record_audit(etl, [AUDIT, AUDIT])


def test_a_run_comes_back_as_it_was_entered_its_errors_aside(etl: duckdb.DuckDBPyConnection) -> None:
    ledger.record_run(etl, RUN)
    assert ledger.recent_runs(etl, 5) == (replace(RUN, errors=()),)


def test_a_run_without_an_end_has_none(etl: duckdb.DuckDBPyConnection) -> None:
    killed = replace(RUN, finished_at=None, status="killed", stages=(), errors=())
    ledger.record_run(etl, killed)
    assert ledger.recent_runs(etl, 1) == (killed,)


def test_the_last_runs_come_first_and_no_more_than_asked_for(etl: duckdb.DuckDBPyConnection) -> None:
    for number in (2, 4, 1, 3):
        ledger.record_run(etl, replace(RUN, run_id=f"r{number}", started_at=AT + timedelta(hours=number)))
    assert [run.run_id for run in ledger.recent_runs(etl, 3)] == ["r4", "r3", "r2"]


def test_an_error_is_logged_with_its_run_and_is_open(etl: duckdb.DuckDBPyConnection) -> None:
    ledger.record_run(etl, RUN)
    rows = etl.execute(
        "select error_id, error_timestamp, pipeline_stage, table_name, error_type, error_message, error_details, "
        "resolution_status from etl.error_log"
    ).fetchall()
    assert len(rows) == 1
    assert rows[0][:6] == (1, AT, "load", "raw.stg_sellers", "bad_zip", "a 'bad' zip\n")
    assert json.loads(rows[0][6]) == {"run_id": "r1", "where": None}
    assert rows[0][7] == "OPEN"


def test_an_error_is_entered_in_utc_whatever_the_zone_of_the_machine(etl: duckdb.DuckDBPyConnection) -> None:
    etl.execute("set timezone = 'America/Sao_Paulo'")
    before = datetime.now(UTC).replace(tzinfo=None)
    ledger.record_run(etl, RUN)
    ((entered_at,),) = etl.execute("select created_at from etl.error_log").fetchall()
    assert before <= entered_at <= datetime.now(UTC).replace(tzinfo=None)


def test_errors_of_several_runs_are_numbered_on(etl: duckdb.DuckDBPyConnection) -> None:
    ledger.record_run(etl, replace(RUN, errors=(ERROR, ERROR)))
    ledger.record_run(etl, replace(RUN, run_id="r2"))
    rows = etl.execute("select error_id, error_details->>'run_id' from etl.error_log order by 1").fetchall()
    assert rows == [(1, "r1"), (2, "r1"), (3, "r2")]


def test_a_run_entered_again_stays_as_it_was_and_its_errors_are_not_repeated(etl: duckdb.DuckDBPyConnection) -> None:
    ledger.record_run(etl, RUN)
    ledger.record_run(etl, replace(RUN, message="again"))
    assert [run.message for run in ledger.recent_runs(etl, 5)] == [RUN.message]
    assert etl.execute("select count(*) from etl.error_log").fetchall() == [(1,)]


def test_a_run_that_ended_is_not_called_killed_by_what_the_journal_still_says(etl: duckdb.DuckDBPyConnection) -> None:
    """A kill between the publication and the end of the journal leaves both."""
    ledger.record_run(etl, RUN)
    ledger.record_run(etl, replace(RUN, status="killed", finished_at=None, rows_loaded=0, errors=()))
    assert [(run.status, run.rows_loaded) for run in ledger.recent_runs(etl, 5)] == [("warnings", 7)]


def test_the_ledger_of_the_live_warehouse_is_carried_over_whole(tmp_path: Path) -> None:
    live = tmp_path / "live.duckdb"
    with duckdb.connect(str(live)) as connection:
        ledger.create(connection)
        ledger.record_loaded(connection, [FILE])
        ledger.record_audit(connection, [AUDIT])
        ledger.record_run(connection, RUN)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{live}' as live (read_only)")
        ledger.carry_over(connection)
        assert ledger.loaded_files(connection) == (FILE,)
        assert ledger.recent_runs(connection, 5) == (replace(RUN, errors=()),)
        for table in ("load_audit", "error_log", "pipeline_runs", "source_files"):
            same = f"select count(*) from (from etl.{table} except from live.etl.{table})"
            assert connection.execute(same).fetchall() == [(0,)]
            assert connection.execute(f"select count(*) from etl.{table}").fetchall() == [(1,)]


def test_a_live_warehouse_without_a_ledger_carries_nothing_over(tmp_path: Path) -> None:
    duckdb.connect(str(tmp_path / "live.duckdb")).close()
    with duckdb.connect() as connection:
        connection.execute(f"attach '{tmp_path / 'live.duckdb'}' as live (read_only)")
        ledger.carry_over(connection)
        assert ledger.loaded_files(connection) == ()


# --- a ledger of an older release ---

OLD_SOURCE_FILES = """
    create schema etl;
    create table etl.source_files (
        source VARCHAR NOT NULL, file_name VARCHAR NOT NULL, size_bytes BIGINT NOT NULL, modified_at TIMESTAMP NOT NULL,
        sha256 VARCHAR NOT NULL, contract_sha256 VARCHAR NOT NULL, records BIGINT NOT NULL, rows_loaded BIGINT NOT NULL,
        records_bad BIGINT NOT NULL, loaded_at TIMESTAMP NOT NULL, run_id VARCHAR NOT NULL,
        PRIMARY KEY (source, file_name)
    )
"""


def old_ledger(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(OLD_SOURCE_FILES)
    values = list(vars(FILE).values())[:-1]  # without the control total
    marks = ", ".join("?" * len(values))
    connection.execute(f"insert into etl.source_files values ({marks})", values)


def test_a_ledger_of_an_older_release_becomes_todays_in_place(connection: duckdb.DuckDBPyConnection) -> None:
    old_ledger(connection)
    assert not ledger.is_current(connection)
    ledger.create(connection)
    assert ledger.is_current(connection)
    assert ledger.loaded_files(connection) == (FILE,)
    with pytest.raises(duckdb.ConstraintException):
        connection.execute("insert into etl.source_files from etl.source_files")
    ledger.record_loaded(connection, [replace(FILE, run_id="r2")])


def test_a_ledger_of_an_older_release_is_carried_over(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "live.duckdb")) as live:
        old_ledger(live)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{tmp_path / 'live.duckdb'}' as live (read_only)")
        ledger.carry_over(connection)
        assert ledger.loaded_files(connection) == (FILE,)
        assert ledger.is_current(connection)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_that_had_hardly_a_column_becomes_todays(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    (name, definition), *_ = TABLES[table][0].items()
    kind = definition.split()[0]
    connection.execute("create schema etl")
    connection.execute(f"create table etl.{table} as select cast('7' as {kind}) as {name}")
    ledger.create(connection)
    assert ledger.is_current(connection)
    assert connection.execute(f"select {name}::varchar from etl.{table}").fetchall() == [("7",)]


# --- errors ---


def test_errors_have_numbers_of_their_own_across_runs_and_can_be_settled(etl: duckdb.DuckDBPyConnection) -> None:
    ledger.record_run(etl, RUN)
    ledger.record_run(etl, replace(RUN, run_id="r2", errors=(ERROR, ERROR)))
    assert [error.error_id for error in ledger.logged_errors(etl)] == [3, 2, 1]
    ledger.settle_errors(etl, [1, 3], "RESOLVED", "mended; 'so'", AT)
    assert [error.error_id for error in ledger.logged_errors(etl, status="OPEN")] == [2]
    first = ledger.logged_errors(etl, status="RESOLVED")[-1]
    assert first.details["resolution"]["reason"] == "mended; 'so'"
    assert first.details["run_id"] == "r1"


def test_what_live_knows_of_its_runs_joins_a_ledger_that_stopped_before_them(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "live.duckdb")) as live:
        ledger.create(live)
        ledger.record_run(live, RUN)
        ledger.record_run(live, replace(RUN, run_id="r2"))
        ledger.settle_errors(live, [1], "IGNORED", None, AT)
        ledger.record_loaded(live, [FILE])
    with duckdb.connect() as connection:
        ledger.create(connection)
        ledger.record_run(connection, RUN)
        connection.execute(f"attach '{tmp_path / 'live.duckdb'}' as live (read_only)")
        ledger.keep_history_of(connection)
        assert {run.run_id for run in ledger.recent_runs(connection, 9)} == {"r1", "r2"}
        assert [error.status for error in ledger.logged_errors(connection)] == ["OPEN", "IGNORED"]
        assert ledger.loaded_files(connection) == (), "which files are loaded is the affair of the version itself"
