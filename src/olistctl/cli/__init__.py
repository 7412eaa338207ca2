"""The command line: parse, call, render, exit code. Nothing heavy is imported before a command runs."""

from __future__ import annotations

from contextlib import suppress
from typing import NoReturn

from olistctl import interruption


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    interruption.listen()
    with suppress(KeyboardInterrupt), interruption.held():  # half an import cannot say that it was interrupted
        from olistctl.cli.app import run
    run()


__all__ = ["main"]
