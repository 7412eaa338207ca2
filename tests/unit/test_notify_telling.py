"""What follows a run, with a real web hook: what is told, what is owed, and what is nobody's business."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import duckdb
import pytest

from olistctl import ledger
from olistctl.config import Settings
from olistctl.config.channels import channel
from olistctl.errors import (
    BusyError,
    ConfigError,
    DataError,
    EnvironmentFault,
    Interrupted,
    TransformError,
    UsageError,
)
from olistctl.ledger import FailedTest
from olistctl.notify import Ended, tell_done, tell_failed, telling, try_channels
from olistctl.notify.memory import Memory, recall, remember
from olistctl.results import Finding
from tests.channels import HOST, Hook, free_port

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
MISSING = Finding("missing: the file is not there", "olist_sellers_dataset.csv", "deliver it and run again")
ENDED = Ended("run", "run-1", "warnings", 7, 1.0, (), (MISSING,))
IDLE = replace(ENDED, run_id=None, status="unchanged")
TEST = FailedTest("unique_orders", "test unique_orders fails: 2 rows", "orders.id", "olistctl test")
DONE, ALERT = "olistctl run: warnings", "olistctl run: 1 warning"
OPENED, CLOSED = "olistctl ticket 1 opened: unique_orders", "olistctl ticket 1 closed: unique_orders"


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    monkeypatch.setenv("no_proxy", HOST)
    hook = Hook()
    yield hook
    hook.close()


@pytest.fixture
def told(settings: Settings, hook: Hook) -> Settings:
    """Settings whose one channel takes everything."""
    settings.warehouse.parent.mkdir()
    note(settings, [])
    return replace(settings, notify_channels=(channel(hook.url("hook")),))


def note(settings: Settings, failed: list[FailedTest]) -> None:
    """Note a run in which only these tests failed."""
    with duckdb.connect(str(settings.warehouse)) as connection:
        ledger.create(connection)
        ledger.note_tickets(connection, failed, lambda _: True, "run-1", datetime(2018, 9, 1))


def said(hook: Hook) -> list[str]:
    """Return the titles of what came since the last time."""
    titles = hook.titles("hook")
    hook.bodies.clear()
    return titles


def test_a_run_is_told_and_an_alert_is_quiet_then(told: Settings, hook: Hook) -> None:
    assert tell_done(told, ENDED) == ()
    assert said(hook) == [DONE, ALERT]
    assert tell_done(told, replace(ENDED, run_id="run-2")) == ()
    assert said(hook) == [DONE]
    assert tell_done(replace(told, notify_quiet_minutes=0), ENDED) == ()
    assert said(hook) == [DONE, ALERT]
    assert tell_done(told, IDLE) == ()
    assert said(hook) == []


def test_without_channels_nothing_is_kept_either(settings: Settings) -> None:
    assert tell_done(settings, ENDED) == ()
    assert tell_failed(settings, "run", DataError("bad")) == ()
    assert not settings.state_dir.exists()
    with pytest.raises(UsageError, match=r"notify\.channels is empty"):
        try_channels(settings)


def test_a_ticket_is_told_twice_in_its_life(told: Settings, hook: Hook) -> None:
    note(told, [TEST])
    of_test = replace(ENDED, findings=(Finding(TEST.message, TEST.where, TEST.hint),))
    tell_done(told, of_test)
    assert said(hook) == [DONE, OPENED], "its test is no alert"
    tell_done(told, of_test)
    assert said(hook) == [DONE]
    note(told, [])
    tell_done(told, replace(ENDED, findings=()))
    assert said(hook) == [DONE, CLOSED]
    tell_done(told, replace(ENDED, findings=()))
    assert said(hook) == [DONE]


def test_without_a_channel_for_tickets_a_failing_test_is_an_alert(told: Settings, hook: Hook) -> None:
    note(told, [TEST])
    alone = replace(told, notify_channels=(channel(hook.url("hook"), ["alert"]),))
    tell_done(alone, replace(ENDED, findings=(Finding(TEST.message, TEST.where, TEST.hint),)))
    assert said(hook) == [ALERT]
    tell_done(told, replace(ENDED, findings=()))
    assert said(hook) == [DONE, OPENED], "a new channel hears of what is open"


def test_what_no_channel_took_is_told_later(told: Settings, hook: Hook) -> None:
    note(told, [TEST])
    hook.status = 503
    (problem,) = tell_done(told, ENDED)
    assert problem.where == f"channel 1 (json://{HOST})"
    assert problem.message == "3 of 3 notifications did not go out: the server answered 503"
    assert recall(told.state_dir) == Memory(owes=True)
    hook.status = 200
    assert tell_done(told, IDLE) == ()
    assert said(hook) == [OPENED]
    assert tell_done(told, IDLE) == ()
    assert tell_done(told, ENDED) == ()
    assert said(hook) == [DONE, ALERT]


def test_one_living_channel_is_enough(told: Settings, hook: Hook) -> None:
    note(told, [TEST])
    both = replace(told, notify_channels=(channel(f"json://{HOST}:{free_port()}"), *told.notify_channels))
    assert [problem.where for problem in tell_done(both, ENDED)] == [f"channel 1 (json://{HOST})"]
    assert said(hook) == [DONE, ALERT, OPENED]
    assert not recall(told.state_dir).owes
    assert [trial.problem for trial in try_channels(both)] == ["no connection", None]
    assert said(hook) == ["olistctl: a trial message"]


def test_a_lost_memory_tells_open_tickets_again_and_no_closed_ones(told: Settings, hook: Hook) -> None:
    note(told, [TEST])
    note(told, [])
    note(told, [replace(TEST, test="not_null_orders")])
    tell_done(told, ENDED)
    assert said(hook) == [DONE, ALERT, "olistctl ticket 2 opened: not_null_orders"]
    (told.state_dir / "notify.json").write_text("{")
    tell_done(told, ENDED)
    assert said(hook) == [DONE, ALERT, "olistctl ticket 2 opened: not_null_orders"]


def test_a_failure_is_told_once_in_a_while(told: Settings, hook: Hook) -> None:
    assert tell_failed(told, "run", TransformError("no such column", where="model x", hint="read it")) == ()
    (body,) = hook.at("hook")
    assert body["title"] == "olistctl run failed"
    assert body["message"].startswith("- model x: no such column\n  next: read it\n")
    assert said(hook)
    assert tell_failed(told, "run", TransformError("no such column", where="model x")) == ()
    assert said(hook) == []
    for error in (EnvironmentFault("the disk is full"), ZeroDivisionError("division by zero")):
        tell_failed(told, "run", error)
        assert said(hook) == ["olistctl run failed"]
    hook.status = 500
    for _ in range(2):
        assert len(tell_failed(told, "run", DataError("other"))) == 1, "it was not taken, so it is not quiet"


@pytest.mark.parametrize("kind", [UsageError, ConfigError, BusyError, Interrupted])
def test_whoever_called_knows(told: Settings, hook: Hook, kind: type[UsageError]) -> None:
    assert tell_failed(told, "run", kind("no")) == ()
    assert said(hook) == []


def test_a_bug_in_here_is_a_warning_that_repeats_nothing(told: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("json://user:secret@host")

    monkeypatch.setattr(telling, "send", broken)
    (problem,) = tell_done(told, ENDED)
    assert "RuntimeError in" in problem.message
    assert "secret" not in str(problem)


def test_a_warehouse_that_cannot_be_read_has_no_tickets_to_tell(told: Settings, hook: Hook) -> None:
    remember(told.state_dir, Memory(tickets={"1 run-1": "unique_orders"}))
    told.warehouse.write_bytes(b"no database")
    assert tell_done(told, replace(ENDED, findings=())) == ()
    assert said(hook) == [DONE], "and none of them is closed for that"
