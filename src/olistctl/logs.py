"""The log file: `etl_pipeline.log` of the design, rotated, every line with its run id."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

_ROOT = "olistctl"
_run_id = "-"


def get_logger(name: str) -> logging.Logger:
    """Return the logger of a module of this package."""
    return logging.getLogger(name)


def set_run_id(run_id: str) -> None:
    """Put `run_id` on every line from here on."""
    global _run_id
    _run_id = run_id


def run_id() -> str | None:
    """Return the run that the lines are of; None outside of one."""
    return None if _run_id == "-" else _run_id


def open_log(file: Path, max_bytes: int, backups: int, level: int = logging.INFO) -> None:
    """Write this package's log to `file`.

    Raises:
        OSError: the folder cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = _SilentWhenFull(
        file, maxBytes=max_bytes, backupCount=backups, encoding="utf-8", errors="backslashreplace"
    )
    handler.setFormatter(_OneLine("%(asctime)s - %(run_id)s - %(levelname)s - %(message)s"))
    handler.addFilter(_add_run_id)
    logger = logging.getLogger(_ROOT)
    for old in list(logger.handlers):
        logger.removeHandler(old)
        old.close()
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False


@contextmanager
def silenced() -> Iterator[None]:
    """Write nothing of work that leaves no trace; the run id is as before afterwards."""
    logger = logging.getLogger(_ROOT)
    level, run_id = logger.level, _run_id
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
        set_run_id(run_id)


def _add_run_id(record: logging.LogRecord) -> bool:
    record.run_id = _run_id
    return True


class _SilentWhenFull(RotatingFileHandler):
    """A line that cannot be written, on a full disk say, is lost: the work itself says what is wrong."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the base class's name
        return


class _OneLine(logging.Formatter):
    """A line end in a message would forge a line of the log; only a traceback has lines of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class's name
        return super().formatMessage(record).replace("\r", "\\r").replace("\n", "\\n")
