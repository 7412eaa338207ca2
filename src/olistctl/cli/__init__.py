"""The command line: parse, call, render, exit code. Nothing heavy is imported before a command runs."""

from __future__ import annotations

from olistctl.cli.app import main

__all__ = ["main"]
