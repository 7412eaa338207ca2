"""Replaced files stay as versions, damaged ones are set aside, and what the machine refuses is said in one sentence."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from olistctl.config import Settings, load_settings
from olistctl.errors import BusyError, EnvironmentFault
from olistctl.warehouse import (
    DamagedWarehouse,
    Published,
    Stage,
    Version,
    connect,
    list_versions,
    machine_fault,
    open_stage,
    read_only,
    versions_folder,
)
from olistctl.warehouse import versions as module


@pytest.fixture
def live(settings: Settings) -> Path:
    """A published warehouse that holds the number 1."""
    settings.warehouse.parent.mkdir(parents=True)
    publish(settings, 1)
    return settings.warehouse


def publish(settings: Settings, number: int, keep: int = 1, **options: Any) -> Published:
    with open_stage(replace(settings, keep_versions=keep), "run") as stage:
        fill(stage, number)
        return stage.publish(**options)


def fill(stage: Stage, number: int) -> None:
    with stage.connection() as connection:
        connection.execute(f"create or replace table t as select {number} as n")


def number_in(file: Path) -> int:
    with read_only(file) as connection:
        ((number,),) = connection.execute("from t").fetchall()
    return int(number)


def versions(settings: Settings) -> tuple[Version, ...]:
    return list_versions(versions_folder(settings.state_dir))


def numbers(settings: Settings) -> list[int]:
    return [number_in(version.file) for version in versions(settings)]


# --- keeping ---


@pytest.mark.parametrize(("keep", "kept"), [(0, []), (1, [4]), (2, [4, 3]), (9, [4, 3, 2, 1])])
def test_the_last_replaced_files_are_kept_the_newest_first(
    settings: Settings, live: Path, keep: int, kept: list[int]
) -> None:
    for number in (2, 3, 4, 5):
        publish(settings, number, keep)
    assert number_in(live) == 5
    assert numbers(settings) == kept


def test_a_version_says_when_it_was_replaced_in_utc(settings: Settings, live: Path) -> None:
    size = live.stat().st_size
    before = datetime.now(UTC).replace(tzinfo=None)
    kept = publish(settings, 2).kept
    (version,) = versions(settings)
    assert version == kept
    assert before <= version.kept_at <= datetime.now(UTC).replace(tzinfo=None)
    assert version.size_bytes == size
    assert version.name == f"{version.kept_at:%Y%m%dT%H%M%S.%fZ}"


def test_a_version_is_the_replaced_file_itself(settings: Settings, live: Path) -> None:
    inode = live.stat().st_ino
    publish(settings, 2)
    assert versions(settings)[0].file.stat().st_ino == inode


def test_a_small_publication_pushes_no_version_out(settings: Settings, live: Path) -> None:
    publish(settings, 2)
    assert publish(settings, 3, keep_replaced=False) == Published()
    assert number_in(live) == 3
    assert numbers(settings) == [1]


def test_versions_stay_in_order_when_the_clock_is_set_back(settings: Settings, live: Path) -> None:
    publish(settings, 2, 3)
    (version,) = versions(settings)
    future = version.kept_at + timedelta(days=400)
    version.file.rename(version.file.with_name(f"{future:%Y%m%dT%H%M%S.%fZ}.duckdb"))
    publish(settings, 3, 3)
    publish(settings, 4, 3)
    assert numbers(settings) == [3, 2, 1]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EXDEV, errno.ENOTSUP, errno.EMLINK])
def test_where_no_link_can_be_made_the_version_is_a_copy(
    settings: Settings, live: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    content = live.read_bytes()
    publish(settings, 2)
    (version,) = versions(settings)
    assert version.file.read_bytes() == content
    assert [file.name for file in version.file.parent.iterdir()] == [version.file.name]


def test_a_full_disk_keeps_no_version_and_stops_no_publication(
    settings: Settings, live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(settings, 2)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(shutil, "copyfile", full)
    published = publish(settings, 3)
    assert published.kept is None
    assert "could not be kept for a rollback: the disk is full" in (published.problem or "")
    assert number_in(live) == 3
    assert numbers(settings) == [1], "the older one stays"


def test_what_is_no_version_is_passed_over(settings: Settings, live: Path) -> None:
    publish(settings, 2)
    folder = versions_folder(settings.state_dir)
    for name in ("x.duckdb", "20180230T000000.000000Z.duckdb", "20180901T000000.000000Z.duckdb.draft"):
        (folder / name).write_text("")
    (folder / "20180901T000000.000000Z.duckdb").mkdir()
    assert numbers(settings) == [1]
    assert list_versions(folder / "none") == ()


def test_what_a_killed_publication_left_goes_with_the_next_stage(settings: Settings, live: Path) -> None:
    publish(settings, 2)
    folder = versions_folder(settings.state_dir)
    module.keep_version(live, folder)  # killed before the rename
    (folder / "20990901T000000.000000Z.duckdb.draft").write_text("half a copy")
    draft = settings.journal_dir / "r.tmp"
    draft.parent.mkdir()
    draft.write_text("{")
    with open_stage(settings, "run"):
        assert numbers(settings) == [1]
        assert len(list(folder.iterdir())) == 1
        assert not draft.exists()
    assert number_in(live) == 2


# --- going back ---


def test_a_stage_filled_from_a_version_brings_it_back_and_keeps_what_it_replaces(
    settings: Settings, live: Path
) -> None:
    publish(settings, 2)
    for expected in ((1, [2]), (2, [1])):
        with open_stage(settings, "rollback", tolerate_damage=True) as stage:
            stage.copy_version(versions(settings)[0])
            stage.publish()
        assert (number_in(live), numbers(settings)) == expected


def test_a_version_that_is_gone_or_damaged_is_not_brought_back(settings: Settings, live: Path) -> None:
    publish(settings, 2)
    (version,) = versions(settings)
    version.file.write_bytes(version.file.read_bytes()[:20_000])
    with open_stage(settings, "rollback") as stage:
        with pytest.raises(DamagedWarehouse, match="damaged"):
            stage.copy_version(version)
        version.file.unlink()
        with pytest.raises(EnvironmentFault, match="there is no version"):
            stage.copy_version(version)
    assert number_in(live) == 2


@pytest.mark.parametrize("content", [b"", b"no database" * 999, b"SQLite format 3\0" * 99, b"12345678DUCK" * 999])
def test_a_damaged_live_file_is_set_aside_at_publication_and_not_before(
    settings: Settings, live: Path, content: bytes
) -> None:
    publish(settings, 2)
    live.write_bytes(content)
    with pytest.raises(DamagedWarehouse) as caught, open_stage(settings, "run"):
        pass
    assert "olistctl rollback" in (caught.value.hint or "")
    assert caught.value.where == str(live)
    with open_stage(settings, "rollback", tolerate_damage=True) as stage:
        stage.copy_live()
        assert not stage.file.exists(), "a damaged file counts as none"
        stage.copy_version(versions(settings)[0])
        assert live.read_bytes() == content
        stage.publish()
    assert number_in(live) == 1
    assert numbers(settings) == [1], "a damaged file is no version"
    (aside,) = (settings.state_dir / "damaged").iterdir()
    assert aside.read_bytes() == content


def test_the_log_of_a_damaged_live_file_is_set_aside_with_it(settings: Settings, live: Path) -> None:
    publish(settings, 2)
    wal = live.with_name(live.name + ".wal")
    wal.write_bytes(b"no log at all" * 99)
    with open_stage(settings, "rollback", tolerate_damage=True) as stage:
        stage.copy_version(versions(settings)[0])
        stage.publish()
    assert number_in(live) == 1
    assert not wal.exists()


def test_without_a_version_no_rollback_is_promised(settings: Settings, live: Path) -> None:
    live.write_bytes(b"no database")
    with pytest.raises(DamagedWarehouse) as caught, read_only(live):
        pass
    assert "rollback" not in (caught.value.hint or "")


def test_a_named_pipe_is_no_warehouse_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.duckdb")
    with pytest.raises(DamagedWarehouse, match="not a regular file"):
        connect(tmp_path / "x.duckdb", readonly=True)


# --- what is checked before anyone gets to read it ---


def test_a_run_that_is_not_in_the_ledger_is_not_published(settings: Settings, live: Path) -> None:
    with pytest.raises(EnvironmentFault, match="the run r1 is not in its ledger"):
        publish(settings, 2, run_id="r1")
    assert number_in(live) == 1
    with open_stage(settings, "run") as stage:
        with stage.connection() as connection:
            connection.execute("create schema etl; create table etl.pipeline_runs as select 'r1' as run_id")
            connection.execute("create table t as select 3 as n")
        stage.publish(run_id="r1")
    assert number_in(live) == 3


def test_a_stage_that_is_not_whole_is_not_published(settings: Settings, live: Path) -> None:
    with open_stage(settings, "run") as stage:
        fill(stage, 2)
        content = bytearray(stage.file.read_bytes())
        content[100] ^= 0xFF
        stage.file.write_bytes(content)
        with pytest.raises(EnvironmentFault, match="cannot be read back, so it is not published"):
            stage.publish()
    assert number_in(live) == 1
    assert numbers(settings) == []


def test_what_another_program_wrote_meanwhile_is_not_overwritten(settings: Settings, live: Path) -> None:
    with open_stage(settings, "run") as stage:
        stage.copy_live()
        fill(stage, 2)
        with duckdb.connect(str(live)) as other:
            other.execute("insert into t values (7)")
        with pytest.raises(BusyError, match="has changed the warehouse while this command worked"):
            stage.publish()
    with read_only(live) as connection:
        assert connection.execute("from t order by n").fetchall() == [(1,), (7,)]


@pytest.mark.skipif(os.name == "nt", reason="needs no right to make links elsewhere")
def test_a_warehouse_behind_a_link_is_replaced_there_and_the_link_stays(settings: Settings, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "real.duckdb"
    target.parent.mkdir()
    link = tmp_path / "data" / "dw.duckdb"
    link.parent.mkdir()
    link.symlink_to(target)
    found = load_settings(settings.config_file, {"contract": settings.contract_file}, environ={})
    assert found.warehouse == target
    for number in (1, 2):
        publish(replace(found, threads=2), number)
    assert link.is_symlink()
    assert number_in(link) == number_in(target) == 2


def test_a_file_that_the_system_does_not_let_go_of(
    settings: Settings, live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(errno.EACCES, "Access is denied")

    with open_stage(settings, "run") as stage:
        fill(stage, 2)
        monkeypatch.setattr(Path, "replace", refuse)
        with pytest.raises(EnvironmentFault, match="could not be put in place: no permission"):
            stage.publish()
    assert number_in(live) == 1


# --- what the machine refuses ---


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('IO Error: Could not write file "/x/a": No space left on device', "the disk is full", "free space"),
        ('TransactionContext Error: Failed to commit: Could not write file "/x": No space left on device', "full", ""),
        ("Out of Memory Error: failed to offload data block of size 256.0 KiB", "no room on", "memory_limit"),
        (
            "Out of Memory Error: could not allocate (9.5 MiB/9.5 MiB used)\n\nSee also",
            "may use 9.5 MiB",
            "memory_limit",
        ),
        ('IO Error: Cannot open file "/x/b": Read-only file system', "can only be read", "writable"),
        ('IO Error: Cannot open file "/x/b": Permission denied', "no permission", "right"),
        ('IO Error: Cannot open file "/x/b": Too many open files', "too many files", "ulimit"),
        ('IO Error: Could not read from file "/x/b": Input/output error', "disk fails", "check the disk"),
        ("Corrupt database file: computed checksum 1 does not match stored checksum 2", "damaged", "full-refresh"),
        ('IO Error: Could not read enough bytes from file "/x/b": attempted to read 4', "damaged", "backup"),
        ('IO Error: The file "/x/b" exists, but it is not a valid DuckDB database file!', "not a DuckDB file", "point"),
        (
            "IO Error: Trying to read a database file with storage version number 99, but we can only read storage "
            "versions between 64 and 69.\nThe database file was created with a newer version of DuckDB.",
            "it has storage version 99, and this one reads up to 69",
            "upgrade",
        ),
        (
            "Runtime Error in model m (m.sql)\n  IO Error: Could not write file: No space left on device",
            "full",
            "",
        ),
        (OSError(errno.ENOSPC, "Kein Platz", "/x/file"), "the disk is full", "free space"),
        (OSError(errno.EROFS, "?", "/x/file"), "can only be read", "writable"),
        (OSError(errno.EMFILE, "?"), "too many files", "ulimit"),
        (OSError(errno.EIO, "?"), "disk fails", "check"),
        (PermissionError(errno.EACCES, "?", "/x/file"), "no permission", "right"),
        (MemoryError(), "the memory is not enough", "memory_limit"),
    ],
)
def test_what_the_machine_refuses_is_one_sentence_with_a_place_and_a_hint(
    text: str | BaseException, message: str, hint: str
) -> None:
    fault = machine_fault(text, "/w/dw.duckdb")
    assert fault
    assert message in fault.message
    assert "\n" not in fault.message
    assert hint in (fault.hint or "")
    assert (fault.where or "").startswith(("/x", "/w/dw.duckdb"))


@pytest.mark.parametrize(
    "error",
    [
        "Conversion Error: Could not convert string 'No space left on device' to INT32",
        "Binder Error: column Permission denied not found",
        "",
        ValueError("disk is full"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/x"),
        duckdb.ConversionException("Conversion Error: 'Out of Memory'"),
    ],
)
def test_what_only_quotes_such_words_is_no_fault_of_the_machine(error: str | BaseException) -> None:
    assert machine_fault(error, "/w") is None


def test_a_rollback_that_fails_on_a_full_disk_says_that_the_disk_is_full() -> None:
    try:
        try:
            raise duckdb.IOException('IO Error: Could not write file "/x/a": No space left on device')
        finally:
            raise duckdb.TransactionException("TransactionContext Error: cannot rollback - no transaction is active")
    except duckdb.Error as error:
        fault = machine_fault(error)
    assert fault
    assert fault.where == "/x/a"


def test_a_copy_that_is_cut_off_leaves_nothing(settings: Settings, live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:1000])
        raise OSError(errno.ENOSPC, "No space left on device")

    with open_stage(settings, "run") as stage:
        monkeypatch.setattr(shutil, "copyfile", half)
        with pytest.raises(EnvironmentFault, match="the new warehouse cannot be written: the disk is full"):
            stage.copy_live()
        assert not stage.file.exists()
