"""Incremental equals full: whatever is delivered, edited, taken away and interrupted, in whatever order.

Stories of small steps are played in process on a tiny project. After every command raw, staging and the history must be
what `expected` tells from the bytes of the files, and after every run all tables must equal those of a full refresh
on a copy of the project. TORTURE=1 plays many new stories; otherwise a few are played, always the same.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from olistctl.config import Settings, load_settings
from olistctl.config.settings import variable_of
from olistctl.errors import OlistctlError
from olistctl.pipeline import run_pipeline
from olistctl.project_files import lay_out
from olistctl.results import NoProgress
from olistctl.transform import DbtProcess
from tests.comparison import differences
from tests.dbt_project import switch_off_data_tests
from tests.project import clean_environment
from tests.torture import expected as second_opinion
from tests.torture.deliveries import (
    CHANGES,
    Add,
    Break,
    BringBack,
    Change,
    Desk,
    Move,
    Pad,
    Remove,
    Rename,
    Repeat,
    Replace,
    Reverse,
    Spoil,
    TakeAway,
    Touch,
    first_delivery,
)
from tests.torture.expected import BAD_SHARE, Expected
from tests.torture.scale import LONG, examples, scaled

# One worker builds the project once.
pytestmark = pytest.mark.xdist_group("incremental")

KILLER = Path(__file__).with_name("killer.py")
COMPARED = ("raw", "staging", "core", "mart", "snapshots", "quality")
# What stands between a delivery and its load is not what is tested here: a file that holds a few records and loses
# half of them must be loaded all the same.
OVERRIDES = {"threads": 2, "load.max_bad_share": BAD_SHARE, "load.max_shrink_share": 1}


# --- the commands of a story ---


@dataclass(frozen=True)
class Call:
    """A command that must succeed."""

    command: str = "run"
    full_refresh: bool = False


@dataclass(frozen=True)
class Disturbed:
    """A run in whose course something breaks: an exception at the n-th sign of progress."""

    at: int


@dataclass(frozen=True)
class Killed:
    """A run in a process of its own, killed before the n-th thing that it does to files; too late if it does fewer."""

    at: int


Command = Call | Disturbed | Killed
RUN, REFRESH, LOAD, TRANSFORM, SNAPSHOT = (
    Call(),
    Call("run", full_refresh=True),
    Call("load"),
    Call("transform"),
    Call("snapshot"),
)


@dataclass(frozen=True)
class Round:
    """What happens to the files, and the command that follows."""

    changes: tuple[Change, ...] = ()
    then: Command = RUN


class _Breaks(NoProgress):
    """Raises at the n-th sign of progress, which may come from a thread of dbt."""

    def __init__(self, at: int) -> None:
        self.left = at

    def start(self, label: str, total: float | None = None) -> None:
        self.advance()

    def advance(self, amount: float = 1, doing: str | None = None) -> None:
        self.left -= 1
        if self.left == 0:
            raise RuntimeError("broken by a test")


# --- where they are played ---


@dataclass
class Stage:
    """A project, and what it must hold."""

    project: Settings
    desk: Desk
    expected: Expected
    dbt: DbtProcess
    is_built: bool = True  # False after a full refresh that only loads
    is_in_step: bool = True  # what stands in core is built from what stands in raw

    def play(self, turn: Round, *, compares: bool) -> None:
        for change in turn.changes:
            change.do(self.desk)
        self.desk.write()
        self.command(turn.then)
        self.check()
        if compares:
            self.compare()

    def command(self, command: Command) -> None:
        if isinstance(command, Call):
            if command.command == "snapshot" and not self.is_built:
                return
            run_pipeline(self.project, command.command, full_refresh=command.full_refresh, dbt=self.dbt)
            self._note(command)
        elif isinstance(command, Disturbed):
            try:
                run_pipeline(self.project, "run", dbt=self.dbt, progress=_Breaks(command.at))
            except RuntimeError:
                return
            self._note(RUN)  # it had less to tell of
        elif self._kill(command.at):
            self._note(RUN)

    def _kill(self, at: int) -> bool:
        """Tell whether the run was published before it was killed."""
        live, folder = self.project.warehouse, self.project.warehouse.parent
        before, notes = live.stat().st_ino, folder.parent / "notes"
        done = subprocess.run(
            [sys.executable, str(KILLER), f"{folder}/", str(at), str(notes), "run", "--quiet"],
            cwd=folder.parent,
            env=clean_environment(**{variable_of(key): str(value) for key, value in OVERRIDES.items()}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        return live.stat().st_ino != before

    def _note(self, command: Call) -> None:
        """Bring what is expected to what a command that succeeded must leave."""
        if command.command in ("run", "load"):
            self.expected.load(self.project.source_dir)
            self.is_in_step = command.command == "run"
            self.is_built = self.is_built and not (command.command == "load" and command.full_refresh)
        if command.command in ("run", "transform"):
            self.is_built = self.is_in_step = True
        if command.command != "load":
            self.expected.snapshot()

    def check(self) -> None:
        with duckdb.connect(str(self.project.warehouse), read_only=True) as connection:

            def query(sql: str) -> list[tuple[Any, ...]]:
                return connection.execute(sql).fetchall()

            second_opinion.check_raw(self.expected, query)
            second_opinion.check_snapshots(self.expected, query)
            if not self.is_built:
                return
            second_opinion.check_staging(self.expected, query)
            if self.is_in_step:
                windows = second_opinion.check_dimensions(self.expected, query)
                second_opinion.check_facts(self.expected, windows, query)

    def compare(self) -> None:
        """Build everything at once from a copy of files, warehouse and state, in the place of the project's own.

        In the same place, so that dbt need not parse the project again.
        """
        data = self.project.warehouse.parent
        aside = data.with_name("aside")
        data.rename(aside)
        try:
            _copy_data(aside, data)
            run_pipeline(self.project, "run", full_refresh=True, dbt=self.dbt)
            told = differences(aside / self.project.warehouse.name, self.project.warehouse, COMPARED)
        finally:
            _move_dbt(data, aside)
            shutil.rmtree(data)
            aside.rename(data)
        assert not told, told


def _copy_data(origin: Path, target: Path) -> None:
    """Copy a data folder; what dbt keeps in it, so as not to parse again, is moved."""
    shutil.copytree(origin, target, ignore=shutil.ignore_patterns("dbt", "stage", "versions"))
    _move_dbt(origin, target)


def _move_dbt(origin: Path, target: Path) -> None:
    state = Path(".olist_dw") / "dbt"
    if (origin / state).exists():
        (origin / state).rename(target / state)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The stage before a story, and in `origin` its data."""
    folder = tmp_path_factory.mktemp("incremental")
    lay_out(folder)
    switch_off_data_tests(folder / "olist_dw_dbt")  # they look at each warehouse by itself, and take as long as models
    project = load_settings(folder / "config" / "olistctl.yml", OVERRIDES, environ={})
    with DbtProcess() as dbt:
        stage = Stage(project, first_delivery(project.source_dir), Expected(), dbt)
        stage.desk.write()
        stage.command(RUN)
        stage.check()
        data = project.warehouse.parent
        _copy_data(data, folder / "origin")
        _move_dbt(folder / "origin", data)
        yield stage


def set_stage(built: Stage) -> Stage:
    """Return the stage as it is before a story."""
    data = built.project.warehouse.parent
    old = data.with_name("old")
    data.rename(old)
    shutil.copytree(data.with_name("origin"), data)
    _move_dbt(old, data)
    shutil.rmtree(old)
    return replace(built, desk=replace(built.desk, files=deepcopy(built.desk.files)), expected=deepcopy(built.expected))


def play(built: Stage, story: list[Round]) -> None:
    """Play a story, which ends with a run, and tell it if it goes wrong."""
    stage = set_stage(built)
    rounds = [*story, *([] if story[-1].then in (RUN, REFRESH) else [Round()])]
    for number, turn in enumerate(rounds, 1):
        try:
            stage.play(turn, compares=turn is rounds[-1] or (LONG and turn.then == RUN))
        except (AssertionError, OlistctlError) as error:
            told = "\n".join(_told(n, earlier) for n, earlier in enumerate(rounds[:number], 1))
            raise AssertionError(f"{error}\nafter round {number} of this story:\n{told}") from error


def _told(number: int, turn: Round) -> str:
    return "\n".join([f"round {number}: {turn.then}", *(f"    {change}" for change in turn.changes)])


# --- the stories ---

# An order, and before it what belongs to it.
NEW = Add("orders", "_2018-05", ("o11", "c3", "delivered", "now", "", "2018-03-02 09:00:00", "", ""))
NEWS = (
    Add("order_items", "_2018-05", ("o11", "1", "product 4", "seller 1", "", "99.99", "10.00")),
    Add("order_payments", "_2018-05", ("o11", "1", "boleto", "1", "109.99")),
    Add("order_reviews", "_2018-05", ("r1", "o11", "1", "", "bom", "2018-03-02 09:00:00", "")),
)
ADDRESS = ("c3", "person 0", "88000", "nova cidade", "SP")


def _order(order: str, customer: str, status: str, purchased: str) -> tuple[str, ...]:
    return (order, customer, status, purchased, "", "", "", "")


STORIES = {
    "late arrivals and corrections": [
        Round((*NEWS, Add("order_payments", "_2018-05", ("o00", "1", "boleto", "1", "1.23")))),
        Round((NEW, Add("orders", "_2018-06", _order("o03", "c3", "canceled", "2018-01-31 23:59:59")))),
        # The status comes back, another order is of another customer and one of another day.
        Round(
            (
                Add("products", "_2018-05", ("product 4", "pet_shop", "", *"111111")),
                TakeAway("orders", 2),
                Replace("orders", 0, 4, _order("o04", "c5", "shipped", "2017-11-24 08:00:00")),
            )
        ),
        # An order goes and leaves what belongs to it.
        Round(
            (Add("category_translation", "", ("pet_shop", "Pets")), Rename("orders", 1, "-0"), Remove("orders", 1, 5))
        ),
        Round((TakeAway("orders", 0), TakeAway("order_items", 1), Pad("orders", 1, 0))),
    ],
    "members change, go and return": [
        Round((Add("customers", "_2018-05", ADDRESS), Remove("sellers", 0, 1), Add("orders", "", NEW.fields))),
        Round(
            (
                BringBack("sellers"),
                Replace("customers", 1, 0, ("c3", "person 2", *ADDRESS[2:])),
                Add("products", "_2018-05", ("product 1", "novidade", "", *"111111")),
            ),
            LOAD,
        ),
        Round((TakeAway("customers", 1), TakeAway("products", 0), Spoil("sellers", 0, 0, 0)), SNAPSHOT),
        Round((Add("sellers", "", ("seller 1", "14409", "franca", "SP")), Remove("geolocation", 0, 0)), RUN),
    ],
    "accidents": [
        Round((NEWS[0], Break("order_items", 0), Repeat("orders", 0, 2)), Killed(12)),
        Round((Reverse("orders", 0), Move("order_payments", 0, 3, "_2018-06"), Touch("orders", 0)), Disturbed(31)),
        Round((Break("order_items", 0),), Disturbed(15)),
        Round((Spoil("order_items", 0, 0, 2), TakeAway("order_reviews", 0)), RUN),
        Round((), Call("load", full_refresh=True)),
    ],
}


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_as_a_full_refresh_does(built: Stage, name: str) -> None:
    play(built, STORIES[name])


_CALLS = [*[RUN] * 10, REFRESH, *[LOAD] * 3, TRANSFORM, SNAPSHOT, Call("load", full_refresh=True)]
_ACCIDENTS: list[type[Disturbed] | type[Killed]] = [Disturbed, Disturbed, Killed]
COMMANDS: st.SearchStrategy[Command] = st.sampled_from([*_CALLS, *_ACCIDENTS]).flatmap(
    lambda command: st.just(command) if isinstance(command, Call) else st.builds(command, st.integers(1, 40))
)
ROUNDS = st.builds(Round, st.lists(CHANGES, max_size=4).map(tuple), COMMANDS)
TRIED = examples(2, 60)


@settings(TRIED, phases=[Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if LONG else [])])
@given(story=st.lists(ROUNDS, min_size=1, max_size=scaled(4, 12)))
def test_any_story_ends_as_a_full_refresh_does(built: Stage, story: list[Round]) -> None:
    play(built, story)
