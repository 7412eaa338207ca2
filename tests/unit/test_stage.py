"""Work happens in a stage file; one rename publishes it, and nothing else ever touches the live warehouse."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from olistctl.config import Settings
from olistctl.config.values import STORAGE_VERSIONS
from olistctl.errors import BusyError, EnvironmentFault
from olistctl.warehouse import Stage, connect, list_versions, open_stage, quote, read_only

# Writes to a warehouse and dies, so that the rows are only in the write-ahead log.
WRITE_AND_DIE = """
import duckdb, os, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("insert into t values (2)")
os._exit(0)
"""
HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def live(settings: Settings) -> Path:
    """A published warehouse that holds the number 1."""
    settings.warehouse.parent.mkdir(parents=True)
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("create table t as select 1 as n")
    return settings.warehouse


def numbers(file: Path) -> list[int]:
    with read_only(file) as connection:
        return [n for (n,) in connection.execute("select n from t order by n").fetchall()]


def write(stage: Stage, number: int) -> None:
    with stage.connection() as connection:
        connection.execute("create table if not exists t (n integer)")
        connection.execute("insert into t values (?)", [number])


def test_a_published_stage_is_the_live_warehouse(settings: Settings, live: Path) -> None:
    with open_stage(settings, "run") as stage:
        stage.copy_live()
        write(stage, 2)
        assert numbers(live) == [1]
        stage.publish()
        assert numbers(live) == [1, 2]


def test_the_first_stage_makes_the_warehouse(settings: Settings) -> None:
    with open_stage(settings, "run") as stage:
        stage.copy_live()
        write(stage, 5)
        stage.publish()
    assert numbers(settings.warehouse) == [5]


def test_publishing_replaces_the_file_so_that_an_open_one_stays_whole(settings: Settings, live: Path) -> None:
    before = live.read_bytes()
    with live.open("rb") as reader, open_stage(settings, "run") as stage:
        write(stage, 9)
        stage.publish()
        assert reader.read() == before
        assert live.read_bytes() != before
    assert numbers(live) == [9]


def test_a_stage_is_renamed_into_place_never_copied(settings: Settings, live: Path) -> None:
    with open_stage(settings, "run") as stage:
        write(stage, 9)
        inode = stage.file.stat().st_ino
        stage.publish()
        assert live.stat().st_ino == inode
        assert not stage.file.exists()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_stage_that_fails_leaves_the_live_warehouse_as_it_was(
    settings: Settings, live: Path, error: type[BaseException]
) -> None:
    before = live.read_bytes(), live.stat().st_mtime_ns
    with pytest.raises(error), open_stage(settings, "run") as stage:
        stage.copy_live()
        write(stage, 2)
        raise error
    assert (live.read_bytes(), live.stat().st_mtime_ns) == before


def test_a_stage_that_is_not_published_publishes_nothing(settings: Settings, live: Path) -> None:
    before = live.read_bytes()
    with open_stage(settings, "run") as stage:
        write(stage, 2)
    assert live.read_bytes() == before


def test_a_stage_leaves_no_file_behind(settings: Settings, live: Path) -> None:
    with open_stage(settings, "run") as stage:
        stage.copy_live()
        write(stage, 2)
        stage.publish()
    with pytest.raises(RuntimeError), open_stage(settings, "run") as stage:
        write(stage, 3)
        raise RuntimeError
    left = {path.name for path in settings.state_dir.rglob("*")} | {path.name for path in live.parent.iterdir()}
    kept = {
        "versions",
        "published.json",
        *(version.file.name for version in list_versions(settings.state_dir / "versions")),
    }
    assert left - {"lock"} - kept == {live.name, settings.state_dir.name}


def test_a_stage_begins_empty_whatever_a_killed_writer_left(settings: Settings, live: Path) -> None:
    folder = settings.state_dir / "stage"
    folder.mkdir(parents=True)
    (folder / live.name).write_text("half a warehouse")
    (folder / f"{live.name}.wal").write_text("a log of it")
    with open_stage(settings, "run") as stage:
        assert list(stage.file.parent.iterdir()) == []
        write(stage, 7)
        stage.publish()
    assert numbers(live) == [7]


def test_discarded_work_is_gone(settings: Settings, live: Path) -> None:
    with open_stage(settings, "run") as stage:
        stage.copy_live()
        write(stage, 2)
        stage.discard()
        stage.copy_live()
        write(stage, 3)
        stage.publish()
    assert numbers(live) == [1, 3]


def test_the_log_of_a_foreign_writer_is_taken_along_and_never_replayed_again(settings: Settings, live: Path) -> None:
    subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(live)], check=True)
    wal = live.with_name(live.name + ".wal")
    assert wal.exists()
    with open_stage(settings, "run") as stage:
        stage.copy_live()
        write(stage, 3)
        stage.publish()
    assert not wal.exists()
    assert numbers(live) == [1, 2, 3]


def test_a_stale_log_beside_the_live_file_does_not_survive_a_full_refresh(settings: Settings, live: Path) -> None:
    subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(live)], check=True)
    with open_stage(settings, "run") as stage:
        write(stage, 8)
        stage.publish()
    assert numbers(live) == [8]


def test_a_second_stage_of_the_same_warehouse_is_busy(settings: Settings, live: Path) -> None:
    with open_stage(settings, "run"), pytest.raises(BusyError, match="olistctl run"), open_stage(settings, "load"):
        pass


def test_a_warehouse_that_another_program_writes_is_busy(settings: Settings, live: Path) -> None:
    before = live.read_bytes()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(live)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        with pytest.raises(BusyError) as caught, open_stage(settings, "run"):
            pass
        process.kill()
    assert str(process.pid) in caught.value.message
    assert live.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"not a database", b"id,name\n1,2\n" * 5000])
def test_a_live_file_that_is_no_warehouse_is_never_written(settings: Settings, content: bytes) -> None:
    settings.warehouse.parent.mkdir(parents=True)
    settings.warehouse.write_bytes(content)
    with pytest.raises(EnvironmentFault) as caught, open_stage(settings, "run") as stage:
        write(stage, 1)
        stage.publish()
    assert caught.value.where == str(settings.warehouse)
    assert settings.warehouse.read_bytes() == content


def test_a_folder_in_place_of_the_warehouse_is_a_fault_of_the_environment(settings: Settings) -> None:
    settings.warehouse.mkdir(parents=True)
    with pytest.raises(EnvironmentFault), open_stage(settings, "run"):
        pass


def test_a_stage_that_cannot_be_put_in_place_is_told_and_not_lost_in_silence(settings: Settings) -> None:
    with open_stage(settings, "run") as stage:
        write(stage, 1)
        settings.warehouse.mkdir()
        (settings.warehouse / "in the way").write_text("")
        with pytest.raises(EnvironmentFault, match="could not be put in place") as caught:
            stage.publish()
    assert caught.value.where == str(settings.warehouse)


def test_changes_of_another_program_are_not_overwritten(settings: Settings, live: Path) -> None:
    with open_stage(settings, "run") as stage:
        write(stage, 1)
        script = f"import duckdb, sys; c = duckdb.connect({str(live)!r}); print('open', flush=True); sys.stdin.read()"
        writer = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert writer.stdout
            assert writer.stdout.readline() == b"open\n"
            inode = live.stat().st_ino
            with pytest.raises(BusyError, match="another program has the warehouse open for writing"):
                stage.publish()
            assert live.stat().st_ino == inode
        finally:
            writer.communicate()


def test_the_live_warehouse_is_attached_for_reading_only(settings: Settings, live: Path) -> None:
    with open_stage(settings, "run") as stage, stage.connection() as connection:
        with stage.attached_live(connection) as has_live:
            assert has_live
            assert connection.execute("select n from live.t").fetchall() == [(1,)]
            with pytest.raises(duckdb.InvalidInputException):
                connection.execute("insert into live.t values (2)")
        with pytest.raises(duckdb.Error):
            connection.execute("select n from live.t")


def test_without_a_warehouse_nothing_is_attached(settings: Settings) -> None:
    with (
        open_stage(settings, "run") as stage,
        stage.connection() as connection,
        stage.attached_live(connection) as has_live,
    ):
        assert not has_live


@pytest.mark.parametrize("name", ["o'neil", 'say "x"', "a;b", "é *[1]", "list", "1", "a.b", "memory", "memory.2024"])
def test_a_warehouse_of_any_name_can_be_staged_attached_and_published(settings: Settings, name: str) -> None:
    settings = replace(settings, warehouse=settings.warehouse.parent / name / f"{name}.duckdb")
    settings.warehouse.parent.mkdir(parents=True)
    for number in (1, 2):
        with open_stage(settings, "run") as stage:
            with stage.connection() as connection, stage.attached_live(connection) as has_live:
                assert has_live is (number == 2)
                connection.execute(f"create table t as select {number} as n")
                if has_live:
                    connection.execute("insert into t from live.t")
            stage.publish()
    assert numbers(settings.warehouse) == [1, 2]


def test_the_history_is_copied_and_only_it(settings: Settings, live: Path) -> None:
    with duckdb.connect(str(live)) as connection:
        connection.execute("create schema snapshots; create schema raw")
        connection.execute('create table snapshots."odd ""name" as select 3 as n')
        connection.execute("create table raw.r as select 4 as n")
        connection.execute("create view snapshots.v as select 5 as n")
    with open_stage(settings, "run") as stage, stage.connection() as connection:
        with stage.attached_live(connection):
            stage.copy_schemas(connection, ("snapshots",))
        assert connection.execute('from snapshots."odd ""name"').fetchall() == [(3,)]
        tables = connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
        assert tables == [("snapshots", 'odd "name')]


@pytest.mark.parametrize("version", STORAGE_VERSIONS)
def test_a_warehouse_has_the_format_of_the_settings(settings: Settings, version: str) -> None:
    with open_stage(replace(settings, storage_version=version), "run") as stage:
        write(stage, 1)
        stage.publish()
    with read_only(settings.warehouse) as connection:
        found: tuple[Any, ...] = connection.execute(
            "select tags['storage_version'] from duckdb_databases() where not internal"
        ).fetchall()[0]
    assert found[0] == f"{version}+"


def test_a_table_is_written_in_parts_that_each_core_compresses_while_it_is_filled(settings: Settings) -> None:
    with open_stage(settings, "run") as stage, stage.connection() as connection:
        connection.execute("create table big as select range as number from range(90000)")
        parts = connection.execute("select row_group_id, max(count) from pragma_storage_info('big') group by all")
        assert sorted(size for _, size in parts.fetchall()) == [28_560, 30_720, 30_720]


def test_connections_to_the_stage_see_what_is_committed_and_no_temporary_table_of_another(settings: Settings) -> None:
    with open_stage(settings, "run") as stage:
        with stage.connection() as first, stage.connection() as second:
            first.execute("create table made as select 1 as a; create temp table draft as select 2 as a")
            assert second.execute("from made").fetchall() == [(1,)]
            with pytest.raises(duckdb.CatalogException, match="draft"):
                second.execute("from draft")
        stage.let_go()
        assert [file.name for file in stage.file.parent.iterdir()] == [stage.file.name], "its log is brought into it"
        with connect(stage.file, readonly=True) as connection:
            assert connection.execute("from made").fetchall() == [(1,)]


def test_the_limits_of_the_settings_hold_in_the_stage(settings: Settings) -> None:
    with (
        open_stage(replace(settings, threads=1, memory_limit="300MiB"), "run") as stage,
        stage.connection() as connection,
    ):
        found = connection.execute("select current_setting('threads'), current_setting('memory_limit')").fetchall()
    assert found == [(1, "300.0 MiB")]


def test_reading_where_there_is_no_warehouse_says_how_to_build_one(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault) as caught, read_only(tmp_path / "no.duckdb"):
        pass
    assert "olistctl run --full-refresh" in (caught.value.hint or "")
    assert not (tmp_path / "no.duckdb").exists()


def test_a_reader_cannot_write(live: Path) -> None:
    with read_only(live) as connection, pytest.raises(duckdb.InvalidInputException):
        connection.execute("insert into t values (2)")


def test_a_memory_limit_that_duckdb_does_not_know_is_a_fault_of_the_environment(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault):
        connect(tmp_path / "x.duckdb", memory_limit="1 parsec")


@pytest.mark.parametrize("name", ["plain", "select", 'a"b', '"', "é x", "a.b"])
def test_a_quoted_identifier_names_what_it_says(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    connection.execute(f"create table {quote(name)} (x integer)")
    assert connection.execute("select table_name from duckdb_tables()").fetchall() == [(name,)]
