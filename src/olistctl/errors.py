"""The errors that a user can meet, each with what happened, where, and what to do next.

Everything that is expected to go wrong is raised as an `OlistctlError`; the command line prints it
without a traceback and leaves with its exit code. Any other exception is a bug.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command (docs/operations.md)."""

    DONE = 0
    DATA = 1
    USAGE = 2
    BUG = 3
    BUSY = 4
    INTERRUPTED = 130
    PIPE_CLOSED = 141
    TERMINATED = 143


class OlistctlError(Exception):
    """Something expected went wrong.

    `message` says what happened, `where` the file, key or model, `hint` what to do next.
    """

    exit_code = ExitCode.DATA

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class UsageError(OlistctlError):
    """The command was called with something it cannot work with."""

    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """A configuration file, variable or option is wrong."""


class EnvironmentFault(UsageError):
    """The machine refuses: no permission, no space, not a DuckDB file."""


class DataError(OlistctlError):
    """The data failed a check that stops the command."""


class TransformError(OlistctlError):
    """A dbt model or snapshot failed, so nothing is published."""


class BusyError(OlistctlError):
    """Another olistctl is writing to the warehouse."""

    exit_code = ExitCode.BUSY


class Superseded(OlistctlError):
    """The files that a run has read are others by now; it leaves nothing behind, and another one is to read them."""


class Interrupted(OlistctlError):
    """The user or the system asked to stop (Ctrl-C, SIGTERM)."""

    exit_code = ExitCode.INTERRUPTED
