"""`olistctl watch` with real files in a real folder: each whole delivery becomes one run, whatever goes wrong."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from olistctl.config import load_settings
from olistctl.errors import Superseded
from olistctl.identities import identity_of
from olistctl.pipeline import run_pipeline
from olistctl.warehouse import writer_lock
from tests.project import Project, clean_environment, new_project
from tests.watching import WatchProcess

SELLERS = "olist_sellers_dataset.csv"
ORDERS = "olist_orders_dataset.csv"
LATER = "olist_orders_dataset_2018-11-01.csv"
OBSERVERS = pytest.mark.parametrize("observer", ["events", "poll"])


@pytest.fixture(scope="session")
def small(built: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small built project; tests must not change it."""
    project = new_project(tmp_path_factory.mktemp("watched") / "project", like=built)
    project.ok("sample", "--orders", "200", "--seed", "7", "--out", "data/source")
    project.ok("run", "--full-refresh")
    return project


@pytest.fixture
def desk(small: Project, tmp_path: Path) -> Project:
    shutil.copytree(small.folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


@contextmanager
def watching(desk: Project, *options: str, settle: str = "0.5", **environment: str) -> Iterator[WatchProcess]:
    command = desk.command("watch", "--json", "--debounce", settle, *options)
    with WatchProcess(command, desk.folder, clean_environment(**environment)) as watcher:
        watcher.wait_for("started")
        yield watcher


def rows_of(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


def canceled(desk: Project, number: int) -> bytes:
    """Return a delivery of later versions of the first orders."""
    header, *orders = rows_of((desk.source_dir / ORDERS).read_bytes())
    chosen = [order.split(b",") for order in orders if b",delivered," in order][:number]
    return header + b"".join(b",".join([*one[:2], b"canceled", *one[3:6], b"", one[7]]) for one in chosen)


def cancellations(desk: Project) -> int:
    return int(desk.value("select count(*) from core.fact_orders where order_status = 'canceled'"))


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@OBSERVERS
def test_deliveries_come_in_by_themselves(desk: Project, observer: str) -> None:
    before = cancellations(desk)
    sellers = (desk.source_dir / SELLERS).read_bytes()
    with watching(desk, *(["--poll"] if observer == "poll" else [])) as watcher:
        # a slow write that pauses in the middle of a record
        delivery = canceled(desk, 8)
        with (desk.source_dir / LATER).open("wb") as stream:
            stream.write(delivery[: len(delivery) // 2])
            stream.flush()
            watcher.wait_for("waiting", lambda event: "line end" in event["message"])
            stream.write(delivery[len(delivery) // 2 :])
        told = watcher.wait_for("delivered")
        assert [(file["file"], file["status"], file["loaded"]) for file in told["files"]] == [(LATER, "loaded", 8)]
        assert cancellations(desk) == before + 8

        # all nine at once, one of them with a change, renamed into the folder
        aside = desk.folder / "aside"
        shutil.copytree(desk.source_dir, aside)
        header, first, *others = rows_of(sellers)
        fields = first.split(b",")
        (aside / SELLERS).write_bytes(header + b",".join([*fields[:2], b"nova cidade", fields[3]]) + b"".join(others))
        for file in aside.iterdir():
            file.replace(desk.source_dir / file.name)
        told = watcher.wait_for("delivered")
        assert [file["file"] for file in told["files"]] == [SELLERS]

        # a touch is nothing
        os.utime(desk.source_dir / ORDERS)
        watcher.wait_for("unchanged")

        # a delivery that goes
        (desk.source_dir / LATER).unlink()
        told = watcher.wait_for("delivered")
        assert [(file["file"], file["status"]) for file in told["files"]] == [(LATER, "removed")]
        assert cancellations(desk) == before
        assert len(watcher.of("delivered")) == 3
        code, seconds = watcher.stop()
        assert code == 143
        assert seconds < 2
    runs = desk.query("select command, count(*) from etl.pipeline_runs group by all")
    assert runs == [("run", 4)], "the ordinary runs, and no other"
    assert desk.json("run")["status"] == "unchanged"


def test_what_came_while_it_was_off_comes_in_at_the_start(desk: Project) -> None:
    (desk.source_dir / LATER).write_bytes(canceled(desk, 3))
    with watching(desk) as watcher:
        assert watcher.wait_for("delivered")["rows"] == 3
    with watching(desk) as watcher:
        watcher.wait_for("ready")
        os.utime(desk.source_dir / LATER)
        watcher.wait_for("unchanged")
        assert watcher.of("delivered") == []


def test_a_file_is_refused_once_and_tried_again_when_it_changes(desk: Project) -> None:
    whole = (desk.source_dir / SELLERS).read_bytes()
    with watching(desk) as watcher:
        (desk.source_dir / SELLERS).write_bytes(b"id" + whole)
        watcher.wait_for("warning", lambda event: event["where"] == SELLERS)
        (desk.source_dir / LATER).write_bytes(canceled(desk, 2))
        watcher.wait_for("delivered", lambda event: event["rows"] == 2)
        (desk.source_dir / SELLERS).write_bytes(whole)
        watcher.wait_for("delivered")
        assert len(watcher.of("warning")) == 1
    assert desk.value("select count(*) from etl.error_log") == 1


def test_a_change_during_a_run_is_one_more_run(desk: Project) -> None:
    before = cancellations(desk)
    with watching(desk) as watcher:
        (desk.source_dir / LATER).write_bytes(canceled(desk, 2))
        watcher.wait_for("running")
        (desk.source_dir / LATER).write_bytes(canceled(desk, 5))
        eventually(lambda: cancellations(desk) == before + 5, "the second version")
        watcher.wait_for("waiting")
        os.utime(desk.source_dir / LATER)
        watcher.wait_for("unchanged")
        assert len(watcher.of("delivered")) in (1, 2), "one, if the run read the second version already"


def test_a_file_that_begins_to_arrive_during_a_run_is_left_for_the_next_one(desk: Project) -> None:
    delivery = canceled(desk, 6)
    with watching(desk) as watcher:
        os.utime(desk.source_dir / ORDERS)
        watcher.wait_for("unchanged")
        (desk.source_dir / SELLERS).write_bytes((desk.source_dir / SELLERS).read_bytes().replace(b",SP", b",RJ", 1))
        watcher.wait_for("running")
        with (desk.source_dir / LATER).open("wb") as stream:
            stream.write(delivery[: len(delivery) // 2])
            stream.flush()
            told = watcher.wait_for("delivered")
            assert [file["file"] for file in told["files"]] == [SELLERS]
            stream.write(delivery[len(delivery) // 2 :])
        assert watcher.wait_for("delivered")["rows"] == 6
    assert desk.value("select count(*) from etl.quarantine") == 0


@contextmanager
def watching_closely(desk: Project) -> Iterator[WatchProcess]:
    """A watcher whose last run took long, for it built all models anew, so that the next one begins early."""
    model = desk.folder / "olist_dw_dbt" / "models" / "core" / "dimensions" / "dim_category.sql"
    model.write_text(model.read_text() + "\n-- once more\n")
    with watching(desk, settle="8") as watcher:
        watcher.wait_for("delivered")
        yield watcher


def settled_at(watcher: WatchProcess) -> float:
    return datetime.fromisoformat(watcher.of("waiting")[-1]["at"]).replace(tzinfo=UTC).timestamp() + 8


def logged(desk: Project, text: str) -> bool:
    return any(text in file.read_text() for file in (desk.folder / "logs").rglob("*.log"))


def test_a_run_begins_before_its_delivery_has_settled_and_publishes_after(desk: Project) -> None:
    before = cancellations(desk)
    with watching_closely(desk) as watcher:
        (desk.source_dir / LATER).write_bytes(canceled(desk, 3))
        watcher.wait_for("running")
        assert time.time() < settled_at(watcher)
        eventually(lambda: cancellations(desk) == before + 3, "the delivery")
        assert desk.warehouse.stat().st_ctime >= settled_at(watcher)
        assert watcher.wait_for("delivered")["rows"] == 3


def test_nothing_stays_of_a_run_with_half_a_delivery(desk: Project) -> None:
    before = cancellations(desk)
    with watching_closely(desk) as watcher:
        header, *orders = rows_of(canceled(desk, 6))
        bad = orders[0].replace(b"canceled,2", b"canceled,x", 1)
        (desk.source_dir / LATER).write_bytes(header + b"".join([bad, *orders[1:]]))
        eventually(lambda: logged(desk, "waiting until the files have settled"), "the bad record")
        assert time.time() < settled_at(watcher)
        (desk.source_dir / LATER).write_bytes(header + b"".join(orders))
        assert watcher.wait_for("delivered")["rows"] == 6
        assert not watcher.of("warning")
    assert cancellations(desk) == before + 6
    assert desk.value("select count(*) from etl.quarantine") == 0
    assert desk.value("select count(*) from etl.pipeline_runs where command = 'run'") == 3
    assert not list((desk.folder / "data" / "quarantine").rglob("*.csv"))


def test_an_early_run_finds_another_olistctl_writing_and_says_nothing(desk: Project) -> None:
    with watching_closely(desk) as watcher:
        with writer_lock(desk.folder / "data" / ".olist_dw", "run"):
            (desk.source_dir / LATER).write_bytes(canceled(desk, 3))
            eventually(lambda: logged(desk, "watch: thrown away: another olistctl"), "the early run")
            assert time.time() < settled_at(watcher)
        assert watcher.wait_for("delivered")["rows"] == 3
        assert not watcher.of("busy")


def test_what_is_published_is_what_was_read_by_its_content(desk: Project) -> None:
    """A clock may be too coarse for times to tell."""
    (desk.source_dir / SELLERS).unlink()  # its rows stay, and it is not there later either
    later, before = desk.source_dir / LATER, identity_of(desk.warehouse.stat())
    whole = canceled(desk, 6)
    later.write_bytes(whole.replace(b"canceled", b"approved", 3))
    settings = load_settings(desk.folder / "config" / "olistctl.yml", environ={})

    def write_the_rest() -> None:
        later.write_bytes(whole)

    with pytest.raises(Superseded, match=LATER):
        run_pipeline(settings, "run", confirm=write_the_rest)
    assert identity_of(desk.warehouse.stat()) == before
    assert not settings.stage_dir.exists()
    assert not list(settings.journal_dir.glob("*"))
    with_all = run_pipeline(settings, "run", confirm=lambda: None)
    assert with_all.load
    assert with_all.load.rows_loaded == 6


def test_a_failure_of_half_a_delivery_is_not_heard_of(desk: Project) -> None:
    """Not by the desk, nor by the ledger."""
    before = cancellations(desk)
    (desk.folder / "olist_dw_dbt" / "models" / "marts" / "customer" / "mart_guard.sql").write_text(
        f"select case when count(*) = {before + 3} then error('half a delivery') end as guard "
        "from {{ ref('fact_orders') }} where order_status = 'canceled'"
    )
    with watching_closely(desk) as watcher:
        (desk.source_dir / LATER).write_bytes(canceled(desk, 3))
        eventually(lambda: logged(desk, "model mart_guard: error"), "the failure")
        assert time.time() < settled_at(watcher)
        (desk.source_dir / LATER).write_bytes(canceled(desk, 5))
        assert watcher.wait_for("delivered")["rows"] == 5
        assert not watcher.of("failed")
    assert cancellations(desk) == before + 5
    assert desk.value("select count(*) from etl.pipeline_runs where status = 'failed'") == 0


def test_a_failed_run_is_told_once_and_tried_again(desk: Project) -> None:
    model = desk.folder / "olist_dw_dbt" / "models" / "core" / "dimensions" / "dim_category.sql"
    good = model.read_text()
    model.write_text("select no_such_column from {{ ref('stg_category_translation') }}")
    with watching(desk) as watcher:
        first = watcher.wait_for("failed")
        assert "no_such_column" in first["message"]
        assert "dim_category" in first["where"]
        again = watcher.wait_for("failed")
        assert again["message"].startswith("still: ")
        assert (first["next_try_in"], again["next_try_in"]) == (5, 10)
        status = desk.ok("status").stdout
        assert f"A watcher (process {watcher.pid}) is retrying" in status
        assert "Its last run failed at" in status
        model.write_text(good)
        watcher.wait_for("recovered")
        watcher.wait_for("ready")
        assert watcher.stop(signal.SIGINT)[0] == 130
    status = desk.json("status")["watcher"]
    assert (status["state"], status["is_alive"], status["failure"], status["failures"]) == ("stopped", False, None, 2)


def test_a_warehouse_that_another_command_writes_to_is_waited_for(desk: Project) -> None:
    state = desk.warehouse.parent / ".olist_dw"
    with watching(desk) as watcher:
        with writer_lock(state, "run"):
            (desk.source_dir / LATER).write_bytes(canceled(desk, 2))
            assert "another olistctl is writing" in watcher.wait_for("busy")["message"]
        watcher.wait_for("delivered")
        second = desk.call("watch")
        assert (second.returncode, "another `olistctl watch`" in second.stderr) == (4, True)


@OBSERVERS
def test_a_folder_that_is_removed_and_made_again_is_watched_again(desk: Project, observer: str) -> None:
    aside = desk.folder / "aside"
    shutil.copytree(desk.source_dir, aside)
    with watching(desk, *(["--poll"] if observer == "poll" else []), OLISTCTL_WATCH_RESCAN_SECONDS="2") as watcher:
        watcher.wait_for("ready")
        shutil.rmtree(desk.source_dir)
        watcher.wait_for("waiting", lambda event: "folder" in event["message"])
        shutil.copytree(aside, desk.source_dir)
        watcher.wait_for("unchanged")
        (desk.source_dir / LATER).write_bytes(canceled(desk, 2))
        watcher.wait_for("delivered", lambda event: event["rows"] == 2)
        assert watcher.of("failed") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_mid_run_ends_it_in_time_and_the_next_one_goes_on(desk: Project, number: signal.Signals) -> None:
    before = cancellations(desk)
    with watching(desk) as watcher:
        (desk.source_dir / LATER).write_bytes(canceled(desk, 4))
        watcher.wait_for("running")
        code, seconds = watcher.stop(number)
        assert code == 128 + number
        assert seconds < 2
        assert "Traceback" not in watcher.errors()
    assert cancellations(desk) == before
    with watching(desk) as watcher:
        watcher.wait_for("delivered")
    assert cancellations(desk) == before + 4


@pytest.mark.parametrize("moment", [0.1, 1.2, 2.0])
def test_a_signal_while_dbt_is_made_ready_ends_it_in_time(desk: Project, moment: float) -> None:
    with watching(desk) as watcher:
        time.sleep(moment)  # any moment between the start and "ready"
        code, seconds = watcher.stop()
        assert (code, watcher.events[-1]["event"]) == (143, "error")
        assert seconds < 2
        assert "Traceback" not in watcher.errors()


def test_a_set_whose_run_failed_is_tried_again_with_any_part_of_it(desk: Project) -> None:
    model = desk.folder / "olist_dw_dbt" / "models" / "core" / "dimensions" / "dim_category.sql"
    good = model.read_text()
    sellers = (desk.source_dir / SELLERS).read_bytes()
    with watching(desk, OLISTCTL_WATCH_DELIVERY="orders, sellers") as watcher:
        watcher.wait_for("ready")
        model.write_text("select no_such_column from {{ ref('stg_category_translation') }}")
        (desk.source_dir / LATER).write_bytes(canceled(desk, 2))
        watcher.wait_for("waiting", lambda event: "a file of sellers" in event["message"])
        (desk.source_dir / SELLERS).write_bytes(sellers)  # as it was, but it came
        watcher.wait_for("failed")
        model.write_text(good)
        (desk.source_dir / LATER).write_bytes(canceled(desk, 3))
        assert watcher.wait_for("delivered")["rows"] == 3
        os.utime(desk.source_dir / SELLERS)
        watcher.wait_for("waiting", lambda event: "a file of orders" in event["message"])
        assert "waiting for a file of orders" in desk.ok("status").stdout
    (desk.source_dir / LATER).write_bytes(canceled(desk, 4))
    (desk.source_dir / SELLERS).write_bytes(sellers)
    done = desk.ok("watch", "--once", "--debounce", "0", OLISTCTL_WATCH_DELIVERY="orders, sellers")
    assert "4 rows" in done.stdout


def test_what_it_waits_for_is_forgotten_when_it_came(desk: Project) -> None:
    with watching(desk) as watcher:
        watcher.wait_for("ready")
        os.utime(desk.source_dir / ORDERS)
        watcher.wait_for("unchanged")
        eventually(lambda: desk.json("status")["watcher"]["waiting_for"] == [], "nothing waits")
        desk.warehouse.unlink()
        (desk.source_dir / "noise").touch()
        watcher.wait_for("delivered")  # a warehouse that is gone is built again
        assert desk.warehouse.is_file()


def test_a_watcher_that_was_killed_is_missed_and_its_run_is_done_again(desk: Project) -> None:
    before = cancellations(desk)
    with watching(desk) as watcher:
        (desk.source_dir / LATER).write_bytes(canceled(desk, 4))
        watcher.wait_for("running")
        watcher.stop(signal.SIGKILL)
    assert f"process {watcher.pid} is gone without a word" in desk.ok("status").stdout
    assert cancellations(desk) == before
    with watching(desk) as watcher:
        watcher.wait_for("delivered")
    assert cancellations(desk) == before + 4
    assert ("killed",) in desk.query("select status from etl.pipeline_runs")


def test_once_brings_in_what_is_there_and_ends(desk: Project) -> None:
    done = desk.ok("watch", "--once", "--debounce", "0")
    assert done.stdout.count("\n") == 2, done.stdout
    (desk.source_dir / LATER).write_bytes(canceled(desk, 2))
    done = desk.ok("watch", "--once", "--debounce", "0.2")
    assert "success, 2 rows of 1 file" in done.stdout
    with writer_lock(desk.warehouse.parent / ".olist_dw", "run"):
        (desk.source_dir / LATER).unlink()
        assert desk.call("watch", "--once", "--debounce", "0").returncode == 4
    model = desk.folder / "olist_dw_dbt" / "models" / "core" / "dimensions" / "dim_category.sql"
    model.write_text("select no_such_column from {{ ref('stg_category_translation') }}")
    failed = desk.call("watch", "--once", "--debounce", "0")
    assert (failed.returncode, "no_such_column" in failed.stderr) == (1, True)
    assert "Traceback" not in failed.stderr


def test_once_says_what_it_cannot_bring_in(desk: Project) -> None:
    (desk.source_dir / LATER).write_bytes(canceled(desk, 2))
    done = desk.ok("watch", "--once", "--debounce", "0", OLISTCTL_WATCH_MARKER="_SUCCESS")
    assert "nothing more can be done without _SUCCESS" in done.stdout
    for arguments, words in (
        (["--source-dir", "nowhere"], "the source folder cannot be read"),
        (["--source-dir", "config"], "none of the nine CSVs is there"),
        (["--debounce", "-1"], "option --debounce"),
    ):
        failed = desk.call("watch", "--once", *arguments)
        assert (failed.returncode, words in failed.stderr) == (2, True), failed.stderr
    (desk.source_dir / "_SUCCESS").touch()
    assert "2 rows" in desk.ok("watch", "--once", "--debounce", "0", OLISTCTL_WATCH_MARKER="_SUCCESS").stdout


def test_until_ends_it(desk: Project) -> None:
    assert "the time is over" in desk.ok("watch", "--until", "1s").stdout
    assert desk.call("watch", "--until", "soon").returncode == 2
