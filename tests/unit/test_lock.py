"""One writer at a time, also across processes, and never a lock that outlives its holder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from olistctl.errors import BusyError, EnvironmentFault, ExitCode
from olistctl.warehouse import holder_of, writer_lock

HOLD = """
import sys
from pathlib import Path
from olistctl.warehouse import writer_lock
with writer_lock(Path(sys.argv[1]), "run"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(state: Path) -> Iterator[subprocess.Popen[str]]:
    """Run another process that holds the lock until its input is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / ".dw"


def test_a_second_writer_is_told_who_holds_the_warehouse(state: Path) -> None:
    with holder(state) as process:
        started = time.monotonic()
        with pytest.raises(BusyError) as caught, writer_lock(state, "load"):
            pass
        assert time.monotonic() - started < 5
        assert f"process {process.pid} (`olistctl run`) since 20" in caught.value.message
    assert caught.value.exit_code == ExitCode.BUSY
    assert caught.value.where == str(state)
    assert "--wait" in (caught.value.hint or "")


def test_a_second_writer_in_the_same_process_is_busy_too(state: Path) -> None:
    with (
        writer_lock(state, "run"),
        pytest.raises(BusyError, match=f"process {os.getpid()} "),
        writer_lock(state, "load"),
    ):
        pass


def test_a_waiting_writer_gives_up_after_its_time(state: Path) -> None:
    with holder(state):
        started = time.monotonic()
        with pytest.raises(BusyError), writer_lock(state, "load", wait_seconds=0.2):
            pass
        assert time.monotonic() - started >= 0.2


def test_a_waiting_writer_goes_on_when_the_other_ends(state: Path) -> None:
    with holder(state) as process:
        assert process.stdin
        process.stdin.close()
        with writer_lock(state, "load", wait_seconds=30):
            assert json.loads((state / "holder.json").read_text())["pid"] == os.getpid()


def test_a_killed_holder_leaves_no_lock(state: Path) -> None:
    with holder(state) as process:
        process.kill()
        process.wait()
        with writer_lock(state, "load", wait_seconds=30):
            pass


def test_the_lock_is_free_after_use_and_after_an_error(state: Path) -> None:
    with pytest.raises(RuntimeError), writer_lock(state, "run"):
        raise RuntimeError
    with writer_lock(state, "run"):
        assert json.loads((state / "holder.json").read_text())["command"] == "run"
    assert not (state / "holder.json").exists()


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", "null", "5", '{"pid": 1}'])
def test_a_holder_that_cannot_be_read_is_a_process_that_has_just_started(state: Path, content: str) -> None:
    with holder(state):
        (state / "holder.json").write_text(content)
        with pytest.raises(BusyError, match="a process that has just started"), writer_lock(state, "load"):
            pass


def test_a_holder_that_a_killed_process_left_is_replaced(state: Path) -> None:
    state.mkdir()
    (state / "holder.json").write_text('{"pid": 1, "command": "old", "since": "then"}')
    with writer_lock(state, "run"):
        assert json.loads((state / "holder.json").read_text())["pid"] == os.getpid()


def test_two_warehouses_are_written_side_by_side(tmp_path: Path) -> None:
    with holder(tmp_path / ".a"), writer_lock(tmp_path / ".b", "run"):
        pass


def test_a_state_folder_that_cannot_be_made_is_a_fault_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault) as caught, writer_lock(tmp_path / "file" / ".dw", "run"):
        pass
    assert caught.value.exit_code == ExitCode.USAGE


def test_who_holds_the_warehouse_is_told_without_a_lock(state: Path) -> None:
    assert holder_of(state) is None
    with holder(state) as process:
        assert (holder_of(state) or "").startswith(f"process {process.pid} (`olistctl run`) since 20")
    assert holder_of(state) is None
    assert not state.with_name("other").exists()
