"""When what has changed in the source folder is a whole delivery: the rules, on made-up listings and clock."""

from __future__ import annotations

import ctypes
import json
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from olistctl.cli.commands_watch import _seconds_until
from olistctl.config import Settings, load_settings
from olistctl.errors import ConfigError, UsageError
from olistctl.heartbeat import Heartbeat, WatcherState, read_heartbeat
from olistctl.sources import Contract
from olistctl.warehouse import writer_lock
from olistctl.watching import Rules
from olistctl.watching.folder import Folder, Listing, Mark
from olistctl.watching.intake import Intake, State
from olistctl.watching.memory import recall, remember
from olistctl.watching.observer import Observer
from olistctl.watching.pauses import Pauses
from tests.delivery import NAMES, SELLERS, write_delivery

ORDERS, ITEMS, PRODUCTS = NAMES["orders"], NAMES["order_items"], NAMES["products"]


class Scene:
    """An intake, its clock, and what stands in its folder."""

    def __init__(self, contract: Contract, rules: Rules) -> None:
        self.now = 100.0
        self.files: dict[str, Mark] | None = {}
        self.marker: Mark | None = None
        self.unfinished: dict[str, str] = {}
        self.intake = Intake(rules, contract, lambda name, mark: self.unfinished.get(name))
        self.changes = 0

    @property
    def listing(self) -> Listing | None:
        return None if self.files is None else Listing(dict(self.files), self.marker)

    def write(self, *names: str) -> None:
        assert self.files is not None
        for name in names:
            self.changes += 1
            self.files[name] = (self.changes, 10, self.changes, self.changes)

    def mark(self) -> None:
        self.changes += 1
        self.marker = (1, 0, self.changes, self.changes)

    def see(self, after: float = 0.0) -> State:
        self.now += after
        return self.intake.see(self.listing, self.now).state

    def reasons(self) -> tuple[str, ...]:
        return self.intake.see(self.listing, self.now).reasons

    def take(self) -> None:
        listing = self.listing
        assert listing is not None
        self.intake.taken = listing


@pytest.fixture
def scene(contract: Contract) -> Scene:
    return Scene(contract, Rules(settle_seconds=2, patience_seconds=60))


def test_a_burst_is_one_delivery_and_waits_until_all_is_still(scene: Scene) -> None:
    scene.write(ORDERS)
    assert scene.see() is State.WAITING
    scene.write(ITEMS)
    assert scene.see(1.9) is State.WAITING
    assert scene.see(1.9) is State.WAITING, "the last of them counts"
    assert scene.see(0.2) is State.READY
    assert scene.intake.changed(scene.listing or Listing({})) == (ITEMS, ORDERS)
    scene.take()
    assert scene.see(10) is State.IDLE


def test_new_changed_and_removed_files_are_deliveries(scene: Scene) -> None:
    scene.write(ORDERS, ITEMS)
    scene.take()
    assert scene.see() is State.IDLE
    scene.write(ORDERS)
    scene.see()
    assert scene.see(2) is State.READY
    scene.take()
    assert scene.files is not None
    del scene.files[ITEMS]
    scene.see()
    assert scene.see(2) is State.READY


def test_a_change_during_a_run_is_one_more_delivery(scene: Scene) -> None:
    scene.write(ORDERS)
    scene.take()
    scene.write(ORDERS)
    scene.write(ITEMS)
    assert scene.see() is State.WAITING
    assert scene.see(2) is State.READY
    scene.take()
    assert scene.see(2) is State.IDLE


def test_what_is_gone_again_before_it_was_still_is_nothing(scene: Scene) -> None:
    scene.write(ITEMS)
    scene.take()
    scene.write(ORDERS)
    assert scene.see() is State.WAITING
    assert scene.files is not None
    del scene.files[ORDERS]
    assert scene.see(1) is State.IDLE


def test_a_file_that_looks_cut_off_waits_for_the_end_of_patience(scene: Scene) -> None:
    scene.write(ORDERS, ITEMS)
    scene.unfinished[ORDERS] = "its last record has no line end"
    scene.see()
    assert scene.see(3) is State.WAITING
    assert scene.reasons() == (f"{ORDERS}: its last record has no line end",)
    assert scene.see(50) is State.WAITING
    assert scene.see(8) is State.READY
    scene.write(ORDERS)
    assert scene.see() is State.WAITING
    scene.unfinished.clear()
    assert scene.see(2) is State.READY


def test_no_folder_and_no_files_are_waited_for(scene: Scene) -> None:
    scene.write(ORDERS)
    scene.take()
    scene.files = None
    assert scene.see() is State.WAITING
    assert "folder" in scene.reasons()[0]
    scene.files = {}
    assert scene.see(5) is State.WAITING
    assert scene.reasons() == ("none of the nine CSVs is there",)
    scene.write(ORDERS)
    scene.see()
    assert scene.see(2) is State.READY


def test_a_marker_is_waited_for_each_time_anew(contract: Contract) -> None:
    scene = Scene(contract, Rules(2, 60, marker="_SUCCESS"))
    scene.write(ORDERS)
    scene.see()
    assert scene.see(5) is State.WAITING
    assert scene.reasons() == ("_SUCCESS",)
    scene.mark()
    assert scene.see() is State.WAITING
    assert scene.see(2) is State.READY
    scene.take()
    scene.write(ITEMS)
    scene.see()
    assert scene.see(5) is State.WAITING
    assert scene.reasons() == ("a new _SUCCESS",)
    scene.mark()
    scene.see()
    assert scene.see(2) is State.READY


def test_a_marker_speaks_for_what_was_written_before_it(contract: Contract) -> None:
    scene = Scene(contract, Rules(2, 60, marker="_SUCCESS"))
    scene.mark()
    scene.write(ORDERS)
    scene.see()
    assert scene.see(5) is State.WAITING, "it may be the marker of another delivery"
    scene.mark()
    scene.see()
    assert scene.see(2) is State.READY


def test_a_marker_alone_is_no_delivery(contract: Contract) -> None:
    scene = Scene(contract, Rules(2, 60, marker="_SUCCESS"))
    scene.write(ORDERS)
    scene.take()
    scene.mark()
    assert scene.see(5) is State.IDLE


def test_the_files_that_make_a_delivery_are_waited_for(contract: Contract) -> None:
    scene = Scene(contract, Rules(2, 60, delivery=("orders", "order_items")))
    scene.write(ORDERS, PRODUCTS)
    scene.see()
    assert scene.see(5) is State.WAITING
    assert scene.reasons() == ("a file of order_items",)
    scene.write("olist_order_items_dataset_2018-09.csv")
    scene.see()
    assert scene.see(2) is State.READY


def test_settings_make_the_rules(settings: Settings, contract: Contract) -> None:
    overrides = {"watch.marker": "_SUCCESS", "watch.delivery": "orders, order_items", "watch.settle_seconds": 1}
    changed = load_settings(settings.config_file, overrides)
    assert Rules.of(changed, contract) == Rules(1, 60, "_SUCCESS", ("orders", "order_items"))
    assert Rules.of(settings, contract) == Rules(2, 60)
    with pytest.raises(ConfigError, match="no source 'order'") as caught:
        Rules.of(load_settings(settings.config_file, {"watch.delivery": "order"}), contract)
    assert "orders" in (caught.value.hint or "")
    for key, value in {"watch.marker": "a/b", "watch.delivery": "orders,,"}.items():
        with pytest.raises(ConfigError):
            load_settings(settings.config_file, {key: value})


# --- the end of a file ---


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (SELLERS, None),
        (SELLERS.replace(b"\n", b"\r\n"), None),
        (SELLERS[:-1], "its last record has no line end"),
        (SELLERS[:-20], "its last record has no line end"),
        (SELLERS + b'x,01310,"a\n', "a quote in it is still open"),
        (b"", "it is empty"),
    ],
    ids=["whole", "CRLF", "no line end", "half a record", "open quote", "empty"],
)
def test_half_a_file_is_told_from_a_whole_one(
    tmp_path: Path, contract: Contract, content: bytes, reason: str | None
) -> None:
    folder = Folder(write_delivery(tmp_path / "in", sellers=content), contract)
    listing = folder.look()
    assert listing
    assert folder.unfinished(NAMES["sellers"], listing.files[NAMES["sellers"]]) == reason


def test_the_end_of_a_file_is_looked_at_once_for_each_of_its_states(tmp_path: Path, contract: Contract) -> None:
    folder = Folder(write_delivery(tmp_path / "in", sellers=SELLERS), contract)
    file, name = tmp_path / "in" / NAMES["sellers"], NAMES["sellers"]
    listing = folder.look()
    assert listing
    mark = listing.files[name]
    assert folder.unfinished(name, mark) is None
    status = file.stat()
    file.write_bytes(SELLERS[:-1] + b"x")  # as many bytes, and the time is put back
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert folder.unfinished(name, mark) is None
    assert folder.unfinished(name, (*mark[:3], 1)) == "its last record has no line end"


def test_what_is_no_file_and_what_ends_open_by_contract_is_not_waited_for(tmp_path: Path, contract: Contract) -> None:
    place = write_delivery(tmp_path / "in")
    folder = Folder(place, contract)
    (place / NAMES["sellers"]).unlink()
    os.mkfifo(place / NAMES["sellers"])
    assert folder.unfinished(NAMES["sellers"], (1, 1, 1, 1)) is None
    name = NAMES["category_translation"]
    (place / name).write_bytes((place / name).read_bytes().rstrip())
    assert folder.unfinished(name, (1, 1, 1, 1)) is None
    assert Folder(tmp_path / "nowhere", contract).look() is None


# --- pauses, the end, and the heartbeat ---


def test_pauses_grow_up_to_a_limit_and_begin_anew() -> None:
    pauses = Pauses()
    assert [pauses.failed(0) for _ in range(9)] == [5, 10, 20, 40, 80, 160, 320, 600, 600]
    assert pauses.next_at == 600
    pauses.reset()
    assert pauses.failures == 0
    assert pauses.next_at is None
    assert [pauses.failed(0, is_busy=True) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("1.5m", 90), ("8h", 28_800), ("2d", 172_800), ("18:30", 1800), ("17:00", 82_800), ("18:00", 86_400)],
)
def test_until_is_a_span_or_the_next_such_time(text: str, seconds: float) -> None:
    assert _seconds_until(text, datetime(2026, 11, 23, 18, 0)) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5s", "90", "25:00", "5 m"])
def test_until_knows_nothing_else(text: str) -> None:
    with pytest.raises(UsageError, match="--until"):
        _seconds_until(text, datetime(2026, 11, 23, 18, 0))


def first_state() -> WatcherState:
    moment = datetime.now(UTC).isoformat()
    return WatcherState(os.getpid(), moment, moment, "in", "waiting", "events")


def test_a_heartbeat_tells_whether_the_watcher_lives(tmp_path: Path) -> None:
    assert read_heartbeat(tmp_path) is None
    with writer_lock(tmp_path, "watch"), Heartbeat(tmp_path, first_state()) as beat:
        beat.update(waiting_for=("_SUCCESS",), deliveries=3)
        found = read_heartbeat(tmp_path)
        assert found
        assert (found.is_alive, found.is_late, found.waiting_for, found.deliveries) == (True, False, ("_SUCCESS",), 3)
        late = json.loads((tmp_path / "heartbeat.json").read_text())
        late["beat_at"] = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
        (tmp_path / "heartbeat.json").write_text(json.dumps(late))
        found = read_heartbeat(tmp_path)
        assert found
        assert (found.is_alive, found.is_late) == (True, True)
    found = read_heartbeat(tmp_path)
    assert found
    assert (found.state, found.is_alive) == ("stopped", False)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"pid": 1}', "[" * 100_000], ids=range(6))
def test_a_damaged_heartbeat_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "heartbeat.json").write_text(content)
    assert read_heartbeat(tmp_path) is None


# --- what wakes it ---


def test_a_system_without_events_is_no_reason_to_stop(tmp_path: Path) -> None:
    """Other programs may hold all the instances that inotify gives to a user."""
    libc = ctypes.CDLL(None)
    held: list[int] = []
    while len(held) < 5_000 and (descriptor := libc.inotify_init()) >= 0:
        held.append(descriptor)
    observer = Observer(tmp_path, threading.Event())
    try:
        has_events = [observer.attend(), observer.attend()]
    finally:
        for descriptor in held:
            os.close(descriptor)
        observer.close()
    if len(held) == 5_000:
        pytest.skip("this system has more instances than a test should take")
    assert has_events == [False, False]
    assert observer.attend(), "a folder that is attended anew is asked for anew"
    observer.close()


def test_what_was_taken_is_known_to_the_next_watcher(tmp_path: Path) -> None:
    assert recall(tmp_path) is None
    name = os.fsdecode(b"olist_\xff.csv")
    listing = Listing({ORDERS: (1, 2, 3, 4), name: (5, 6, 7, 8)}, (9, 9, 9, 9))
    remember(tmp_path, listing)
    assert recall(tmp_path) == listing
    for damaged in ("", "{", "[]", '{"files": 3}', '{"files": {"a": [1]}, "marker": null}'):
        (tmp_path / "taken.json").write_text(damaged)
        assert recall(tmp_path) is None
