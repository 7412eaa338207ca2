"""A run that begins before its delivery has settled: when it may, and when it must not go on."""

from __future__ import annotations

import threading

import pytest

from olistctl.errors import Superseded
from olistctl.results import NoProgress
from olistctl.watching.ahead import Settling, begins_at
from olistctl.watching.folder import Listing

BEGUN_WITH = Listing({"a.csv": (1, 2, 3, 4)})
OTHER = Listing({"a.csv": (1, 9, 9, 9)})


@pytest.mark.parametrize(
    ("settle", "run", "expected"),
    [
        (2, 3.6, 0.5),  # longer than it settles: as soon as the burst of its files is over
        (2, 1.2, 0.8),
        (3600, 4, 3596),  # no sooner than needed: meanwhile nobody else can write
        (0, 4, 0),
    ],
)
def test_a_run_begins_so_early_that_it_ends_as_its_delivery_settles(settle: float, run: float, expected: float) -> None:
    assert begins_at(settle, run) == pytest.approx(expected)


class Heard(NoProgress):
    """The steps that have begun."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def start(self, label: str, total: float | None = None) -> None:
        self.steps.append(label)


def test_it_waits_until_nothing_has_changed_for_so_long_and_says_so() -> None:
    heard = Heard()
    with Settling(lambda: BEGUN_WITH, BEGUN_WITH, 0.3, heard) as settling:
        settling.check()
        assert heard.steps == []
        settling.wait()
        assert settling.waited > 0.1
        settling.wait()
    assert heard.steps == ["Waiting until the files have settled"], "the second time there was nothing to wait for"


@pytest.mark.parametrize("now", [OTHER, None])
def test_a_change_supersedes_it_and_a_later_one_does_not(now: Listing | None) -> None:
    seen = threading.Event()

    def look() -> Listing | None:
        seen.set()
        return now

    with Settling(look, BEGUN_WITH, 60, NoProgress()) as settling:
        assert seen.wait(30)
        with pytest.raises(Superseded):
            settling.wait()
        with pytest.raises(Superseded):
            settling.check()

    with Settling(look, BEGUN_WITH, 0, NoProgress()) as settled:
        settled.wait()
        settled.check()
