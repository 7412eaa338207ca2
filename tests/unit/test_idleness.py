"""That nothing has changed is known by what it depends on, and by nothing less."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from olistctl.config import Settings, load_settings
from olistctl.config.channels import Channel
from olistctl.idleness import known_idle, note_idle, surroundings_of
from olistctl.project_files import lay_out
from olistctl.results import Finding
from olistctl.sources import load_contract

FINDING = Finding("a column of it", "olist_orders_dataset.csv", "look at it")


def new_desk(folder: Path) -> Settings:
    """Lay out a project with all that the answer depends on; the warehouse is only looked at from outside."""
    lay_out(folder)
    for name in ("olist_orders_dataset.csv", "olist_sellers_dataset.csv"):
        (folder / "data" / "source" / name).write_text(f"{name} has some content")
    settings = load_settings(folder / "config" / "olistctl.yml", {}, environ={})
    settings.state_dir.mkdir(parents=True)
    settings.warehouse.write_bytes(b"a warehouse")
    (settings.state_dir / "published.json").write_text("[]")
    assert settings.parquet_dir
    (settings.parquet_dir / "release").mkdir(parents=True)
    (settings.parquet_dir / "latest").symlink_to("release")
    return settings


@pytest.fixture(scope="module")
def desks(tmp_path_factory: pytest.TempPathFactory) -> list[Settings]:
    """Projects whose last run found nothing to do: one for each test, so that all can be waited for at once."""
    made = [new_desk(tmp_path_factory.mktemp("desk")) for _ in range(len(MOVED) + 10)]
    deadline = time.monotonic() + 20
    for settings in made:
        rules = load_contract(settings.contract_file).rules_file
        while (found := surroundings_of(settings, "run", rules)) is None:  # until nothing was written just now
            assert time.monotonic() < deadline
            time.sleep(0.05)
        note_idle(settings, found, [FINDING])
    return made


@pytest.fixture
def desk(desks: list[Settings]) -> Settings:
    return desks.pop()


def test_what_was_found_is_said_again(desk: Settings) -> None:
    report = known_idle(desk, "run")
    assert report
    assert (report.run_id, report.status, report.findings, report.stages) == (None, "unchanged", (FINDING,), ())
    assert report.warehouse == desk.warehouse


def append(file: Path) -> None:
    with file.open("a") as stream:
        stream.write("\n")


def same_size(file: Path) -> None:
    """Write other content of the same length, and set the old time."""
    status = file.stat()
    file.write_bytes(bytes(reversed(file.read_bytes())))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def release_anew(desk: Settings) -> None:
    assert desk.parquet_dir
    (desk.parquet_dir / "another").mkdir()
    (desk.parquet_dir / "latest").unlink()
    (desk.parquet_dir / "latest").symlink_to("another")


def fail_a_run(desk: Settings) -> None:
    desk.journal_dir.mkdir()
    (desk.journal_dir / "1.json").write_text("{}")


MOVED: dict[str, Callable[[Settings], object]] = {
    "a file grows": lambda desk: append(desk.source_dir / "olist_orders_dataset.csv"),
    "a file has its old size and time": lambda desk: same_size(desk.source_dir / "olist_sellers_dataset.csv"),
    "a file comes": lambda desk: (desk.source_dir / "olist_orders_dataset_2.csv").write_text("x"),
    "a file goes": lambda desk: (desk.source_dir / "olist_orders_dataset.csv").unlink(),
    "a file is only a link now": lambda desk: (desk.source_dir / "olist_geolocation_dataset_2.csv").symlink_to("no"),
    "the contract": lambda desk: append(desk.contract_file),
    "the rules": lambda desk: append(desk.dbt_project / "models" / "quality" / "_rules.yml"),
    "a model": lambda desk: append(desk.dbt_project / "models" / "marts" / "mart_seller_scorecard.sql"),
    "a new model": lambda desk: (desk.dbt_project / "models" / "new.sql").write_text("select 1"),
    "the warehouse": lambda desk: append(desk.warehouse),
    "the warehouse has a log": lambda desk: desk.warehouse.with_name(desk.warehouse.name + ".wal").write_bytes(b"x"),
    "what was published": lambda desk: (desk.state_dir / "published.json").unlink(),
    "a run was killed": lambda desk: desk.stage_dir.mkdir(),
    "a run failed": fail_a_run,
    "the release": release_anew,
}  # fmt: skip


@pytest.mark.parametrize("move", MOVED.values(), ids=list(MOVED))
def test_whatever_moves_is_for_the_pipeline_to_look_at(desk: Settings, move: Callable[[Settings], object]) -> None:
    move(desk)
    assert known_idle(desk, "run") is None


def test_other_settings_commands_and_strictness_are_another_question(desk: Settings) -> None:
    assert known_idle(replace(desk, max_bad_share=0.5), "run") is None
    assert known_idle(desk, "load") is None
    assert known_idle(desk, "run", strict=True) is None, "a warning is a failure now"


def test_channels_hear_of_every_run(desk: Settings) -> None:
    channel = Channel("ops", ("alert",), "json://localhost")
    assert surroundings_of(replace(desk, notify_channels=(channel,)), "run", None) is None


def test_what_was_written_just_now_is_not_relied_on(desk: Settings) -> None:
    append(desk.contract_file)
    assert surroundings_of(desk, "run", None) is None


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"findings": [1]}', "[" * 100_000])
def test_a_damaged_note_counts_as_none(desk: Settings, note: str) -> None:
    (desk.state_dir / "idle.json").write_text(note)
    assert known_idle(desk, "run") is None
