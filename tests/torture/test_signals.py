"""Ctrl-C and SIGTERM: out within two seconds, with the right code, and nothing published."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.project import clean_environment
from tests.torture.conftest import Yard
from tests.torture.scale import LONG, scaled
from tests.waiting import wait_for

CODES = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
IN_TIME = 2.0


@pytest.fixture(scope="session")
def big(waiting: Yard) -> Path:
    """A delivery that takes a second and more to load."""
    folder = waiting.folder.parent / "big"
    waiting.ok("sample", "--orders", str(scaled(30_000, 99_441)), "--seed", "3", "--out", str(folder))
    return folder


def begin(yard: Yard, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        yard.command(*arguments),
        cwd=yard.folder,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def stop(yard: Yard, process: subprocess.Popen[str], number: signal.Signals, code: int, before: str) -> None:
    """Send the signal and look at how the command leaves."""
    started = time.monotonic()
    os.kill(process.pid, number)
    try:
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    seconds = time.monotonic() - started
    assert process.returncode == code, errors
    assert seconds < IN_TIME, errors
    assert "Traceback" not in errors
    assert "a bug" not in errors
    assert "nothing was published" in errors
    assert yard.digest() == before
    assert not (yard.state / "stage").exists()
    assert set(yard.journalled.values()) <= {"interrupted"}


@pytest.mark.parametrize(("number", "code"), CODES)
@pytest.mark.parametrize("turn", range(scaled(4, 20)))
def test_a_signal_during_a_load(yard: Yard, big: Path, number: signal.Signals, code: int, turn: int) -> None:
    before = yard.digest()
    process = begin(yard, "load", "--full-refresh", "--source-dir", str(big))
    stage = yard.state / "stage" / yard.warehouse.name
    wait_for(lambda: stage.exists() or process.poll() is not None, "the stage")
    time.sleep(random.Random(turn).uniform(0, scaled(1.0, 3.0)))
    stop(yard, process, number, code, before)


@pytest.mark.parametrize(("number", "code"), CODES)
@pytest.mark.parametrize("delay", scaled([0.0, 2.5], [0.0, 0.2, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0]))
def test_a_signal_during_dbt(yard: Yard, number: signal.Signals, code: int, delay: float) -> None:
    before = yard.digest()
    process = begin(yard, "transform", "--full-refresh")
    stage = yard.state / "stage" / yard.warehouse.name
    wait_for(lambda: stage.exists() or process.poll() is not None, "the stage")
    time.sleep(delay)
    stop(yard, process, number, code, before)


@pytest.mark.parametrize("turn", range(scaled(1, 5)))
@pytest.mark.parametrize("by_dbt", [True, False], ids=["by dbt", "without dbt"])
@pytest.mark.parametrize(("number", "code"), CODES)
def test_a_signal_during_a_model_that_takes_for_ever(
    yard: Yard, number: signal.Signals, code: int, by_dbt: bool, turn: int
) -> None:
    """Sent as soon as the statement is there to be run, which then may or may not have begun."""
    model = yard.folder / "olist_dw_dbt" / "models" / "staging" / "stg_forever.sql"
    hook = ", post_hook='select 1'" if by_dbt else ""  # which only dbt can run
    model.write_text(
        f"{{{{ config(materialized='table'{hook}) }}}}\n"
        "select count(*) as n from range(1000000) as a (x), range(1000000) as b (y) where (x * y) % 7 = 3"
    )
    shutil.rmtree(yard.state / "dbt")
    before = yard.digest()
    process = begin(yard, "transform", "--full-refresh")
    of_dbt = yard.state / "dbt" / "target" / "run" / "olist_dw" / "models" / "staging" / model.name
    sign = of_dbt if by_dbt else yard.state / "dbt" / "compiled_anew.json"
    wait_for(lambda: sign.exists() or process.poll() is not None, "the model to run")
    stop(yard, process, number, code, before)


@pytest.mark.parametrize(("number", "code"), CODES)
def test_a_signal_during_publication_never_lies(yard: Yard, number: signal.Signals, code: int) -> None:
    """Sent from within, just before the rename: the publication ends first, and the message says so."""
    driver = yard.folder / "driver.py"
    driver.write_text(
        "import os, pathlib, runpy, sys\n"
        "replace = pathlib.Path.replace\n"
        "def signalled(self, target):\n"
        "    if 'stage' in self.parts:\n"
        f"        os.kill(os.getpid(), {int(number)})\n"
        "    return replace(self, target)\n"
        "pathlib.Path.replace = signalled\n"
        "sys.argv[0] = 'olistctl'\n"
        "runpy.run_module('olistctl', run_name='__main__')\n"
    )
    before = yard.digest()
    done = subprocess.run(
        [sys.executable, str(driver), "load", "--full-refresh"],
        cwd=yard.folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "the warehouse was already published" in done.stderr
    assert yard.digest() != before
    assert yard.value("select status from etl.pipeline_runs order by started_at desc limit 1") in (
        "success",
        "warnings",
    )
    yard.assert_tidy()


@pytest.mark.skipif(not LONG, reason="takes a second each: make torture")
@pytest.mark.parametrize("turn", range(20))
def test_a_signal_at_any_time_leaves_no_traceback(yard: Yard, turn: int) -> None:
    """From the first import on, when nobody listens yet, to the last breath."""
    process = begin(yard, "load")
    time.sleep(turn * 0.04)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode in (0, 143, -signal.SIGTERM)
    assert "Traceback" not in errors
    assert yard.generation()
