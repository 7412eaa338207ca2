"""A watcher through what a desk sees in a year: a full disk, lost events, kills, and many deliveries."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.project import clean_environment
from tests.torture.conftest import Yard, small_disk
from tests.torture.scale import LONG, scaled
from tests.watching import WatchProcess

MB = 1 << 20
SELLERS = "olist_sellers_dataset.csv"


@contextmanager
def watching(yard: Yard) -> Iterator[WatchProcess]:
    with WatchProcess(
        yard.command("watch", "--json", "--debounce", "0.3"), yard.folder, clean_environment()
    ) as process:
        process.wait_for("started")
        yield process


def move_a_seller(yard: Yard, town: str) -> None:
    file = yard.folder / "data" / "source" / SELLERS
    header, first, *others = file.read_bytes().splitlines(keepends=True)
    fields = first.split(b",")
    fields[2] = town.encode()
    draft = file.with_name("draft")
    draft.write_bytes(header + b",".join(fields) + b"".join(others))
    draft.replace(file)


def test_a_disk_that_is_full_for_a_while(waiting: Yard, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 96 * MB) as disk:
        yard = waiting.copy_to(disk / "project")
        yard.ok("run")
        filler = yard.folder / "filler"
        status = os.statvfs(disk)
        move_a_seller(yard, "cidade cheia")
        with filler.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, status.f_bavail * status.f_frsize - MB)
        before = yard.digest()
        with watching(yard) as watcher:
            assert "the disk is full" in watcher.wait_for("failed")["message"]
            assert yard.digest() == before
            filler.unlink()
            watcher.wait_for("recovered")
        assert yard.digest() != before


def test_events_that_are_lost_lose_no_delivery(waiting: Yard, tmp_path: Path) -> None:
    """More files come and go than the system's queue of events holds."""
    yard = waiting.copy_to(tmp_path / "project")
    yard.ok("run")
    source = yard.folder / "data" / "source"
    with watching(yard) as watcher:
        watcher.wait_for("ready")
        os.kill(watcher.pid, signal.SIGSTOP)
        try:
            for _ in range(20_000):
                (source / "noise").touch()
                (source / "noise").unlink()
            move_a_seller(yard, "cidade ruidosa")
        finally:
            os.kill(watcher.pid, signal.SIGCONT)
        told = watcher.wait_for("delivered")
        assert [file["file"] for file in told["files"]] == [SELLERS]


def test_kills_at_any_moment_lose_nothing(waiting: Yard, tmp_path: Path) -> None:
    yard = waiting.copy_to(tmp_path / "project")
    yard.ok("run")
    dice = random.Random(5)
    for turn in range(scaled(1, 12)):
        move_a_seller(yard, f"cidade {turn}")
        with watching(yard) as watcher:
            watcher.wait_for("running")
            time.sleep(dice.uniform(0, 6))  # any moment of the run, its publication included
            watcher.stop(signal.SIGKILL)
    yard.ok("watch", "--once", "--debounce", "0")
    assert yard.json("verify")["is_equal"]


@pytest.mark.skipif(not LONG, reason="hundreds of deliveries: make torture")
def test_memory_and_open_files_stay_flat(waiting: Yard, tmp_path: Path) -> None:
    yard = waiting.copy_to(tmp_path / "project")
    yard.ok("run")
    with watching(yard) as watcher:
        watcher.wait_for("ready")
        seen = []
        for turn in range(300):
            move_a_seller(yard, f"cidade {turn}")
            watcher.wait_for("delivered")
            memory = int(Path(f"/proc/{watcher.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // MB
            seen.append((memory, len(list(Path(f"/proc/{watcher.pid}/fd").iterdir()))))
    early, late = seen[20:50], seen[-30:]
    assert max(memory for memory, _ in late) < max(memory for memory, _ in early) + 60, "MB"
    assert max(files for _, files in late) <= max(files for _, files in early) + 1
