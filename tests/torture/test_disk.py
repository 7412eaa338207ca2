"""A machine that refuses: full and read-only disks, damaged and foreign files, too little memory."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.project import clean_environment
from tests.torture.conftest import Yard, small_disk
from tests.torture.scale import scaled

MB = 1 << 20
DISK = 96 * MB
POINTS = scaled(5, 20)


@pytest.fixture
def on_disk(waiting: Yard, tmp_path: Path) -> Iterator[Yard]:
    """A project all of whose data, log and state are on a small disk of their own."""
    with small_disk(tmp_path / "disk", DISK) as disk:
        yield waiting.copy_to(disk / "project")


def free(yard: Yard) -> int:
    status = os.statvfs(yard.folder)
    return status.f_bavail * status.f_frsize


def leave(yard: Yard, size: int) -> Path:
    """Fill the disk up to so many bytes."""
    filler = yard.folder / "filler"
    with filler.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, max(free(yard) - size, 1))
    return filler


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """One clear message that says what the machine refuses, and what to do."""
    assert done.returncode == 2, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1, done.stderr
    for word in words:
        assert word in errors[0]
    assert "  next: " in done.stderr
    for noise in ("Traceback", "a bug", "Logging error", "Exception ignored", "duckdb.org", "Possible solutions"):
        assert noise not in done.stderr
    assert len(done.stderr.splitlines()) < 12


@pytest.mark.parametrize("arguments", [("load",), *scaled([], [("load", "--full-refresh")])])
def test_a_load_on_a_disk_that_fills_up(on_disk: Yard, arguments: tuple[str, ...]) -> None:
    yard = on_disk
    orders = yard.folder / "data" / "source" / "olist_orders_dataset.csv"
    orders.with_name("olist_orders_dataset_2018-11.csv").write_bytes(orders.read_bytes())
    before = yard.digest()
    refused = 0
    for size in [int(point * 24 * MB / (POINTS - 1)) for point in range(POINTS)]:
        filler = leave(yard, size)
        done = yard.call(*arguments)
        filler.unlink()
        if done.returncode == 0:
            break
        assert_refused(done, "the disk is full", str(yard.folder.parent))
        assert yard.digest() == before
        assert not (yard.state / "stage").exists()
        refused += 1
    assert refused > POINTS // 3  # the larger points have room enough
    yard.ok(*arguments)
    assert yard.generation()
    yard.assert_tidy()


@pytest.mark.parametrize(
    "size", scaled([1, 14 * MB], [0, 4096, MB, 2 * MB, 5 * MB, 10 * MB, 12 * MB, 14 * MB, 16 * MB, 18 * MB, 20 * MB])
)
def test_a_run_on_a_disk_that_fills_up(on_disk: Yard, size: int) -> None:
    yard = on_disk
    shutil.rmtree(yard.state / "dbt")
    before = yard.digest()
    leave(yard, size)
    done = yard.call("run", "--full-refresh")
    if done.returncode:
        assert_refused(done, "the disk is full", str(yard.folder.parent))
        assert yard.digest() == before
    assert yard.generation()


@pytest.mark.parametrize(
    "size", scaled([1, 12 * MB, 24 * MB], [0, 4096, *(megabytes * MB for megabytes in range(2, 36, 3))])
)
def test_a_verification_on_a_disk_that_fills_up(on_disk: Yard, size: int) -> None:
    yard = on_disk
    next(yard.source_dir.glob("*_2018-11-01.csv")).unlink()  # what no run has seen cannot be compared
    before = yard.digest()
    leave(yard, size)
    done = yard.call("verify")
    if done.returncode:
        assert_refused(done, "the disk is full", str(yard.folder.parent))
    assert yard.digest() == before
    assert not (yard.state / "verify" / "scratch").exists()


def test_a_version_that_finds_no_room_stops_no_publication(on_disk: Yard) -> None:
    driver = on_disk.folder / "no_links.py"
    driver.write_text(
        "import os, runpy, shutil, sys, pathlib\n"
        "def link(*a, **k): raise PermissionError(1, 'Operation not permitted')\n"
        "os.link = link\n"
        "copy = shutil.copyfile\n"
        "def full(source, target, **k):\n"
        "    if '.draft' in str(target):\n"
        "        status = os.statvfs('.')\n"
        "        fill = open('filler', 'wb')\n"
        "        os.posix_fallocate(fill.fileno(), 0, status.f_bavail * status.f_frsize - 100_000)\n"
        "    return copy(source, target, **k)\n"
        "shutil.copyfile = full\n"
        "sys.argv[0] = 'olistctl'\n"
        "runpy.run_module('olistctl', run_name='__main__')\n"
    )
    kept = sorted((on_disk.state / "versions").iterdir())
    command = on_disk.command("load", "--full-refresh")
    command[1:3] = [str(driver)]
    before = on_disk.digest()
    done = subprocess.run(command, cwd=on_disk.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "the replaced warehouse could not be kept for a rollback: the disk is full" in done.stderr
    assert on_disk.digest() != before
    assert sorted((on_disk.state / "versions").iterdir()) == kept


def test_a_disk_that_can_only_be_read(on_disk: Yard, tmp_path: Path) -> None:
    before = on_disk.digest()
    subprocess.run(["mount", "-o", "remount,ro", str(tmp_path / "disk")], check=True)
    assert_refused(on_disk.call("load", "--full-refresh"), "the file system can only be read")
    log = str(tmp_path / "etl.log")
    assert_refused(
        on_disk.call("load", "--full-refresh", OLISTCTL_LOG_FILE=log), "the file system can only be read", "lock"
    )
    assert on_disk.call("status").returncode == 0
    assert "file system can only be read" in problems(on_disk)["warehouse folder"]
    assert on_disk.digest() == before


def test_a_doctor_on_a_full_disk(on_disk: Yard) -> None:
    before = on_disk.digest()
    leave(on_disk, 0)
    found = problems(on_disk)
    assert {"warehouse folder", "state folder", "parquet folder", "disk"} <= found.keys()
    assert "the disk is full" in found["warehouse folder"]
    assert "0 MB free, and a run begins with a copy of " in found["disk"]
    assert on_disk.digest() == before


def problems(yard: Yard) -> dict[str, str]:
    """What `olistctl doctor` finds that keeps olistctl from working."""
    done = yard.call("doctor", "--json")
    assert done.returncode == 2, done.stderr
    checks = json.loads(done.stdout)["checks"]
    return {check["name"]: check["found"] for check in checks if check["status"] == "problem"}


# --- files that are no warehouse ---


def storage_checksum(block: bytes) -> int:
    """DuckDB's checksum of a header block."""
    result = 5381
    for (word,) in struct.iter_unpack("<Q", block):
        result ^= (word * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    return result


def newer(content: bytes, version: int) -> bytes:
    """Say in the header of a DuckDB file that a newer DuckDB wrote it."""
    block = content[8:12] + struct.pack("<Q", version) + content[20:4096]
    assert storage_checksum(content[8:4096]) == struct.unpack("<Q", content[:8])[0]
    return struct.pack("<Q", storage_checksum(block)) + block + content[4096:]


def flipped(content: bytes, *places: int) -> bytes:
    changed = bytearray(content)
    for place in places:
        changed[place] ^= 0xFF
    return bytes(changed)


def sqlite_file(folder: Path) -> bytes:
    with sqlite3.connect(folder / "x.sqlite") as connection:
        connection.execute("create table t (n)")
    connection.close()
    return (folder / "x.sqlite").read_bytes()


def broken_file(kind: str, content: bytes, folder: Path) -> bytes:
    files: dict[str, Callable[[], bytes]] = {
        "damaged header": lambda: flipped(content, 100),
        "damaged meta data": lambda: flipped(content, *range(4200, len(content), 4096)),
        "cut short": lambda: content[: len(content) // 2],
        "text": lambda: b"this is no database" * 1000,
        "empty": lambda: b"",
        "sqlite": lambda: sqlite_file(folder),
        "newer": lambda: newer(content, 99),
        "much newer": lambda: newer(content, 999),
    }
    return files[kind]()


@pytest.mark.parametrize("kept", [True, False], ids=["with a version", "without one"])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("damaged header", "the file is damaged"),
        ("damaged meta data", "the file is damaged"),
        ("cut short", "the file is damaged"),
        ("text", "not a DuckDB file"),
        ("empty", "an empty file"),
        ("sqlite", "a SQLite database"),
        ("newer", "a newer DuckDB wrote the file: it has storage version 99, and this one reads up to"),
        ("much newer", "a newer DuckDB wrote the file"),
    ],
)
def test_a_live_file_that_cannot_be_read(yard: Yard, tmp_path: Path, kind: str, words: str, kept: bool) -> None:
    content = yard.warehouse.read_bytes()
    broken = broken_file(kind, content, tmp_path)
    yard.warehouse.write_bytes(broken)
    if not kept:
        shutil.rmtree(yard.state / "versions")
    for arguments in (("load",), ("status",)):
        done = yard.call(*arguments)
        assert_refused(done, words, str(yard.warehouse))
        assert ("olistctl rollback" in done.stderr) is kept
    assert yard.warehouse.read_bytes() == broken


def test_damage_inside_the_live_file_is_no_bug(yard: Yard) -> None:
    """The header is whole, so the file opens; what is in it cannot be read."""
    content = yard.warehouse.read_bytes()
    yard.warehouse.write_bytes(flipped(content, *range(12288 + 300_000, len(content) - 600_000, 1 << 18)))
    before = yard.digest()
    done = yard.call("load")
    assert_refused(done, "damaged")
    assert yard.digest() == before


@pytest.mark.parametrize("arguments", [("load", "--full-refresh"), *scaled([], [("run", "--full-refresh")])])
def test_too_little_memory(yard: Yard, arguments: tuple[str, ...]) -> None:
    before = yard.digest()
    done = yard.call(*arguments, OLISTCTL_MEMORY_LIMIT="1MB")
    assert_refused(done, "the memory is not enough: DuckDB may use")
    assert "memory_limit" in done.stderr
    assert yard.digest() == before


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_output_to_a_full_disk(yard: Yard, option: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            yard.command("status", *option),
            cwd=yard.folder,
            env=clean_environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert_refused(done, "the disk is full")


def test_a_folder_without_permission(yard: Yard) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    before = yard.digest()
    yard.state.chmod(0o500)
    try:
        assert_refused(yard.call("load", "--full-refresh"), "no permission")
    finally:
        yard.state.chmod(0o700)
    assert yard.digest() == before
