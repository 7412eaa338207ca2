"""Readers in other processes, while one publication follows the other."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from olistctl.config import Settings, load_settings
from olistctl.warehouse import list_versions, open_stage
from tests.torture.scale import scaled
from tests.waiting import wait_for

PUBLICATIONS = scaled(50, 1_000)

# Opens the warehouse again and again until it is told to stop, and says what it saw.
READ = """
import duckdb, json, sys, threading
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
reads, errors, seen = 0, [], []
print("reading", flush=True)
while not stop.is_set():
    try:
        with duckdb.connect(sys.argv[1], read_only=True) as connection:
            found = connection.execute(
                "select (select n from core.one), (select min(n) from core.many), (select max(n) from core.many), "
                "(select count(*) from core.many)"
            ).fetchone()
        if found[0] != found[1] or found[1] != found[2] or found[3] != 5000:
            errors.append(f"a mixture: {found}")
        if not seen or seen[-1] != found[0]:
            seen.append(found[0])
    except Exception as error:
        errors.append(f"{type(error).__name__}: {error}")
    reads += 1
print(json.dumps({"reads": reads, "errors": errors, "seen": seen}), flush=True)
"""


def settings_of(folder: Path) -> Settings:
    file = folder / "config" / "olistctl.yml"
    file.parent.mkdir(parents=True)
    file.write_text("version: 1\ntargets:\n  dev:\n    warehouse: ../data/dw.duckdb\n    threads: 1\n")
    return load_settings(file, environ={})


def publish(settings: Settings, number: int) -> None:
    with open_stage(settings, "load") as stage:
        with stage.connection() as connection:
            connection.execute("create schema core")
            connection.execute(f"create table core.one as select {number} as n")
            connection.execute(f"create table core.many as select {number} as n from range(5000)")
        stage.publish()


def test_readers_see_one_generation_after_the_other_and_never_an_error(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    settings.warehouse.parent.mkdir()
    publish(settings, 0)
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READ, str(settings.warehouse)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        for reader in readers:
            assert reader.stdout
            assert reader.stdout.readline() == "reading\n"
        for number in range(1, PUBLICATIONS + 1):
            publish(settings, number)
        found = [json.loads(reader.communicate()[0]) for reader in readers]
    finally:
        for reader in readers:
            reader.kill()
    for report in found:
        assert report["errors"] == []
        assert report["seen"] == sorted(set(report["seen"])), "generations go forward only"
        assert len(report["seen"]) > PUBLICATIONS / 20
        assert report["reads"] > PUBLICATIONS / 10
    assert len(list_versions(settings.state_dir / "versions")) == 1


def test_a_reader_that_stays_keeps_what_it_opened_and_the_version_is_the_same_file(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    settings.warehouse.parent.mkdir()
    publish(settings, 1)
    inode = settings.warehouse.stat().st_ino
    publish(settings, 2)
    (version,) = list_versions(settings.state_dir / "versions")
    assert version.file.stat().st_ino == inode
    wait_for(lambda: not (settings.state_dir / "stage").exists(), "the stage to go", 5)
