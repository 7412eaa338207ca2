"""Help as plain text in panels: boxes drawn by rich take longer than all else that `--help` does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand, TyperGroup

_LONGEST = 300  # characters of a command's first sentence


class Command(TyperCommand):
    """A command whose help shows its options by panel."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write the text, with every example of a call a little to the right."""
        text = re.sub(r"^ *(?=olistctl )", "  ", self.help or "", flags=re.MULTILINE)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options, those of the command first."""
        _write_options(self, ctx, formatter)


class Group(TyperGroup):
    """A group of commands whose help shows commands and options by panel."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options and then the commands."""
        _write_options(self, ctx, formatter)
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        shown = [(name, command) for name, command in commands if command and not command.hidden]
        _write_panels(
            formatter,
            ((_panel_of(command, "Commands"), (name, command.get_short_help_str(_LONGEST))) for name, command in shown),
        )


def _write_options(command: TyperCommand | TyperGroup, ctx: Any, formatter: Any) -> None:
    parameters = [(parameter, parameter.get_help_record(ctx)) for parameter in command.get_params(ctx)]
    _write_panels(formatter, ((_panel_of(parameter, "Options"), record) for parameter, record in parameters if record))


def _write_panels(formatter: Any, rows: Iterable[tuple[str, tuple[str, str]]]) -> None:
    panels: dict[str, list[tuple[str, str]]] = {}
    for panel, row in rows:
        panels.setdefault(panel, []).append(row)
    for panel, its_rows in panels.items():
        with formatter.section(panel):
            formatter.write_dl(its_rows)


def _panel_of(item: Any, default: str) -> str:
    panel = getattr(item, "rich_help_panel", None)
    return panel if isinstance(panel, str) else default
