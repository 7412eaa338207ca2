"""The log file: one line a message, each with its run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path

import pytest

from olistctl import logs


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "logs" / "etl.log"
    logs.open_log(path, 10_000, 2)
    yield path
    logs.set_run_id("-")
    logger = logging.getLogger("olistctl")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = True


def test_a_line_has_time_run_level_and_message(file: Path) -> None:
    logs.set_run_id("r1")
    logs.get_logger("olistctl.pipeline").warning("%s: %d rows", "load", 5)
    (line,) = file.read_text().splitlines()
    assert line.split(" - ")[1:] == ["r1", "WARNING", "load: 5 rows"]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_no_text_forges_a_line(file: Path, end: str) -> None:
    forged = f"a.csv{end}2018-01-01 00:00:00,000 - r9 - INFO - all is well"
    logger = logs.get_logger("olistctl.x")
    logger.error(forged)
    logger.error("%s: %s", forged, forged)
    assert len(file.read_text().splitlines()) == 2


def test_opening_the_log_again_writes_each_line_once(file: Path) -> None:
    logs.open_log(file, 10_000, 2)
    logs.get_logger("olistctl.x").info("once")
    assert file.read_text().count("once") == 1


def test_the_log_is_rotated_and_so_many_are_kept(file: Path) -> None:
    for _ in range(400):
        logs.get_logger("olistctl.x").info("x" * 100)
    assert sorted(path.name for path in file.parent.iterdir()) == ["etl.log", "etl.log.1", "etl.log.2"]


def test_a_percent_sign_in_a_message_stays(file: Path) -> None:
    logs.get_logger("olistctl.x").info("100 %s done")
    assert "100 %s done" in file.read_text()


def test_a_name_that_is_not_utf8_is_logged(file: Path) -> None:
    handler = next(h for h in logging.getLogger("olistctl").handlers if isinstance(h, RotatingFileHandler))
    # Straight to the handler: pytest's own capture of log records cannot pass such a name on.
    handler.handle(logging.LogRecord("olistctl.x", logging.ERROR, __file__, 1, "%s", ("x\udcff.csv",), None))
    assert "x" in file.read_text()
