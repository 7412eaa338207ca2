"""kill -9 at any moment: readers keep a whole warehouse, and the next command ends as if nothing had happened."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.project import clean_environment
from tests.torture.conftest import Yard
from tests.torture.scale import LONG, scaled
from tests.waiting import wait_for

KILLER = Path(__file__).with_name("killer.py")
pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")

Generation = dict[str, tuple[int, str]]


@pytest.fixture(scope="session")
def before(waiting: Yard) -> Generation:
    return waiting.generation()


_UNDISTURBED: dict[tuple[str, ...], tuple[Generation, float]] = {}


def undisturbed(waiting: Yard, folder: Path, *arguments: str) -> tuple[Generation, float]:
    """What a command leaves when nobody disturbs it, and how long it takes."""
    if arguments not in _UNDISTURBED:
        yard = waiting.copy_to(folder)
        started = time.monotonic()
        yard.ok(*arguments)
        seconds = time.monotonic() - started
        _UNDISTURBED[arguments] = yard.generation(), seconds
    return _UNDISTURBED[arguments]


def aimed(yard: Yard, number: int, *arguments: str, no_links: bool = False) -> tuple[int, list[str]]:
    """Kill a command just before the n-th thing that it does in the state folder or to the live file."""
    notes = yard.folder / "notes"
    notes.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, str(KILLER), str(yard.warehouse.parent) + "/", str(number), str(notes), *arguments],
        cwd=yard.folder,
        env=clean_environment(TORTURE_NO_LINKS="1" if no_links else ""),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    things = [line for line in notes.read_text().splitlines() if "source/" not in line]
    return done.returncode, things


def start(yard: Yard, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        yard.command(*arguments),
        cwd=yard.folder,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def check(yard: Yard, before: Generation, after: Generation, what: str, *again: str) -> None:
    """Look at a project whose command was killed, run the command again and look once more."""
    try:
        yard.assert_whole(before, after)
        killed = {run for run, status in yard.journalled.items() if status == "running"}
        ended = {run for (run,) in yard.query("select run_id from etl.pipeline_runs where status <> 'killed'")}
        yard.ok(*again)
        assert yard.generation() == after
        yard.assert_tidy()
        statuses = dict(yard.query("select run_id, status from etl.pipeline_runs"))
        for run in killed:
            assert statuses[run] in (("success", "warnings") if run in ended else ("killed",))
    except AssertionError as error:
        raise AssertionError(f"killed at: {what}") from error


def _is_of_publication(thing: str) -> bool:
    signs = (
        "fsync",
        "os.link",
        "os.rename .olist_dw/stage",
        "os.remove .olist_dw/journal",
        "os.remove .olist_dw/versions",
    )
    return thing.startswith(signs)


@pytest.mark.parametrize(
    "arguments", [("load",), *scaled([], [("load", "--full-refresh")])], ids=lambda arguments: "_".join(arguments)
)
def test_a_load_killed_at_each_thing_it_does_to_its_files(
    waiting: Yard, before: Generation, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    listing = waiting.copy_to(tmp_path / "listing")
    _, things = aimed(listing, 0, *arguments)
    after = listing.generation()
    moments = (
        range(1, len(things) + 1) if LONG else [n for n, thing in enumerate(things, 1) if _is_of_publication(thing)]
    )
    assert len(moments) > 6
    for number in moments[:: scaled(2, 1)]:
        yard = waiting.copy_to(tmp_path / str(number))
        code, done = aimed(yard, number, *arguments)
        assert code == -signal.SIGKILL, f"thing {number} of {len(things)} did not happen"
        check(yard, before, after, f"{number}: {done[-1]}", *arguments)
        shutil.rmtree(yard.folder)


def test_a_version_that_must_be_copied_is_whole_or_absent(waiting: Yard, before: Generation, tmp_path: Path) -> None:
    listing = waiting.copy_to(tmp_path / "listing")
    _, things = aimed(listing, 0, "load", no_links=True)
    after = listing.generation()
    copying = [number for number, thing in enumerate(things, 1) if ".draft" in thing]
    assert len(copying) >= 3
    for number in copying[:: scaled(2, 1)]:
        yard = waiting.copy_to(tmp_path / str(number))
        code, done = aimed(yard, number, "load", no_links=True)
        assert code == -signal.SIGKILL
        check(yard, before, after, f"{number}: {done[-1]}", "load")
        shutil.rmtree(yard.folder)


@pytest.fixture(scope="session")
def loaded(waiting: Yard, tmp_path_factory: pytest.TempPathFactory) -> Yard:
    """The project after the delivery: with a record in quarantine, an error, and a version without the delivery."""
    yard = waiting.copy_to(tmp_path_factory.mktemp("loaded") / "project")
    yard.ok("load")
    return yard


@pytest.mark.parametrize(
    "arguments",
    [
        ("rollback",),
        *scaled([], [("quarantine", "discard", "1", "--reason", "x"), ("errors", "resolve", "1")]),
    ],
    ids=lambda arguments: "_".join(arguments[:2]),
)
def test_a_command_that_mends_killed_at_each_thing_of_its_publication(
    loaded: Yard, before: Generation, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    after = loaded.generation()
    _, things = aimed(loaded.copy_to(tmp_path / "listing"), 0, *arguments)
    moments = [number for number, thing in enumerate(things, 1) if LONG or _is_of_publication(thing)]
    assert len(moments) > 4
    for number in moments[:: scaled(2, 1)]:
        yard = loaded.copy_to(tmp_path / str(number))
        code, done = aimed(yard, number, *arguments)
        assert code == -signal.SIGKILL
        check(yard, before, after, f"{number}: {done[-1]}", "load")  # which brings the delivery in again
        shutil.rmtree(yard.folder)


@pytest.mark.parametrize("seed", range(scaled(2, 60)))
def test_a_load_killed_at_any_time(waiting: Yard, before: Generation, tmp_path: Path, seed: int) -> None:
    arguments = ("load", "--full-refresh") if seed % 2 else ("load",)
    after, seconds = undisturbed(waiting, tmp_path / "undisturbed", *arguments)
    delay = random.Random(seed).uniform(0.15, seconds)
    yard = waiting.copy_to(tmp_path / "yard")
    process = start(yard, *arguments)
    time.sleep(delay)
    process.kill()
    process.wait()
    check(yard, before, after, f"{arguments} after {delay:.3f} s", *arguments)


def _appears(pattern: str) -> Callable[[Yard], bool]:
    return lambda yard: bool(list(yard.state.glob(pattern)))


def _model_runs(yard: Yard) -> bool:
    wal = yard.state / "stage" / f"{yard.warehouse.name}.wal"
    return (yard.state / "dbt/compiled_anew.json").exists() and wal.exists()


@pytest.mark.parametrize(
    ("arguments", "sign"),
    [
        (("load",), _appears("journal/*.tmp")),
        (("load",), _appears("stage/*.duckdb")),
        (("load", "--full-refresh"), _appears("stage/*.wal")),
        (("transform", "--full-refresh"), _model_runs),
        *scaled(
            [],
            [
                (("transform", "--full-refresh"), _appears("dbt/target/manifest.json")),
                (("run",), _model_runs),
                (("run", "--full-refresh"), _appears("dbt/compiled.json")),
                (("run",), _appears("versions/*")),
            ],
        ),
    ],
)
def test_a_command_killed_when_a_file_appears(
    waiting: Yard, before: Generation, tmp_path: Path, arguments: tuple[str, ...], sign: Callable[[Yard], bool]
) -> None:
    yard = waiting.copy_to(tmp_path / "yard")
    shutil.rmtree(yard.state / "dbt", ignore_errors=True)
    process = start(yard, *arguments)
    try:
        wait_for(lambda: sign(yard) or process.poll() is not None, "the sign")
    finally:
        process.kill()
        process.wait()
    after = (
        before
        if arguments == ("transform", "--full-refresh")
        else undisturbed(waiting, tmp_path / "undisturbed", *arguments)[0]
    )
    check(yard, before, after, f"{arguments}", *arguments)


@pytest.mark.skipif(not LONG, reason="each takes ten seconds and more: make torture")
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    "arguments", [("run",), ("run", "--full-refresh"), ("transform", "--full-refresh"), ("snapshot",), ("test",)]
)
def test_a_command_with_dbt_killed_at_any_time(
    waiting: Yard, before: Generation, tmp_path: Path, arguments: tuple[str, ...], seed: int
) -> None:
    yard = waiting.copy_to(tmp_path / "yard")
    process = start(yard, *arguments)
    time.sleep(random.Random(f"{arguments}{seed}").uniform(0.2, 10))
    process.kill()
    process.wait()
    after = before if "run" not in arguments else undisturbed(waiting, tmp_path / "undisturbed", "run")[0]
    check(yard, before, after, f"{arguments} {seed}", *arguments)


def test_artifacts_of_dbt_that_a_kill_cut_short_stop_nothing(yard: Yard) -> None:
    for file in (yard.state / "dbt" / "target").glob("*.*"):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    yard.ok("snapshot")
