"""What was told is kept beside the warehouse; whatever becomes of the file, a run goes on."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from olistctl.notify.memory import Memory, one_at_a_time, recall, remember

MEMORY = Memory({"abc": 1.5}, {"3 run-1": "unique_orders"}, owes=True)


def test_what_was_told_is_remembered(tmp_path: Path) -> None:
    assert recall(tmp_path / "state") == Memory()
    remember(tmp_path / "state", MEMORY)
    assert recall(tmp_path / "state") == MEMORY
    assert [file.name for file in (tmp_path / "state").iterdir()] == ["notify.json"]


@pytest.mark.parametrize(
    "damage",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"alerts": {}}',
        b'{"alerts": {"a": "x"}, "tickets": {}, "owes": false}', b'{"alerts": [], "tickets": {}, "owes": false}',
    ],
)  # fmt: skip
def test_a_damaged_memory_is_an_empty_one(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "notify.json").write_bytes(damage)
    assert recall(tmp_path) == Memory()
    remember(tmp_path, MEMORY)
    assert recall(tmp_path) == MEMORY


def test_a_memory_that_cannot_be_kept_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    remember(tmp_path / "file", MEMORY)
    (tmp_path / "notify.json").mkdir()
    remember(tmp_path, MEMORY)
    assert recall(tmp_path) == Memory()


def test_one_tells_at_a_time_and_none_waits_for_ever(tmp_path: Path) -> None:
    order = []

    def second() -> None:
        with one_at_a_time(tmp_path, 30):
            order.append("second")

    with one_at_a_time(tmp_path, 30):
        thread = threading.Thread(target=second)
        thread.start()
        with one_at_a_time(tmp_path, 0):
            order.append("first")
    thread.join()
    assert order == ["first", "second"]
    with one_at_a_time(tmp_path / "nowhere" / "at all", 0):
        pass
