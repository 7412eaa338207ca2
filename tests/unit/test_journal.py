"""Runs that no published warehouse holds yet are kept in files, and come back as they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from olistctl.journal import forget_journal, read_journal, write_journal
from tests.unit.test_ledger import ERROR, RUN


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "not" / "there" / "yet"


@pytest.mark.parametrize(
    "run",
    [
        RUN,
        replace(RUN, finished_at=None, status="killed", stages=(), errors=()),
        replace(RUN, started_at=RUN.started_at.replace(microsecond=0)),
        replace(RUN, errors=(ERROR, replace(ERROR, table_name=None, details={}))),
        replace(RUN, message="line\nbreak, \"quotes\" and \u2028 ação \U0001f381"),
    ],
)  # fmt: skip
def test_a_run_comes_back_as_it_was_written(folder: Path, run: object) -> None:
    assert isinstance(run, type(RUN))
    write_journal(folder, run)
    assert read_journal(folder) == (run,)


def test_a_run_written_again_is_replaced(folder: Path) -> None:
    write_journal(folder, replace(RUN, status="killed"))
    write_journal(folder, RUN)
    assert read_journal(folder) == (RUN,)


def test_runs_come_in_the_order_of_their_names(folder: Path) -> None:
    for run_id in ("20180902T1", "20180901T1", "20180903T1"):
        write_journal(folder, replace(RUN, run_id=run_id))
    assert [run.run_id for run in read_journal(folder)] == ["20180901T1", "20180902T1", "20180903T1"]


def test_without_a_folder_there_are_no_runs(folder: Path) -> None:
    assert read_journal(folder) == ()


def test_a_forgotten_run_is_gone_and_the_others_stay(folder: Path) -> None:
    write_journal(folder, RUN)
    write_journal(folder, replace(RUN, run_id="r2"))
    forget_journal(folder, ["r1", "never there"])
    assert [run.run_id for run in read_journal(folder)] == ["r2"]
    assert [path.name for path in folder.iterdir()] == ["r2.json"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"{}",
        b"[]",
        b"null",
        b"5",
        b'"text"',
        b"\xff\xfe",
        b'{"errors": [5], "started_at": "2018-01-01"}',
        b'{"errors": [], "stages": [], "started_at": "yesterday", "finished_at": null}',
        b'{"errors": [], "stages": null, "started_at": "2018-01-01", "finished_at": null}',
        b'{"errors": [], "stages": [], "started_at": "2018-01-01", "finished_at": null, "unknown": 1}',
    ],
)
def test_a_file_that_cannot_be_read_is_passed_over(folder: Path, content: bytes) -> None:
    write_journal(folder, RUN)
    (folder / "a.json").write_bytes(content)
    (folder / "z.json").write_bytes(content)
    assert read_journal(folder) == (RUN,)


@pytest.mark.parametrize("key", ["started_at", "status", "command"])
def test_a_run_that_the_ledger_could_not_hold_is_passed_over(folder: Path, key: str) -> None:
    """Or every later run would fail when it enters it."""
    write_journal(folder, replace(RUN, **{key: None}))  # type: ignore[arg-type]
    assert read_journal(folder) == ()


def test_a_half_written_draft_is_no_run(folder: Path) -> None:
    write_journal(folder, RUN)
    (folder / "r2.tmp").write_text('{"run_id": "r2"')
    assert read_journal(folder) == (RUN,)
