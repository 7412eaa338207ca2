"""What the user sees: tables and JSON on stdout; progress, warnings and errors on stderr.

Foreign text (paths, cell values, database messages) is never taken as markup, and its control characters
are shown, not sent to the terminal.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from olistctl.errors import OlistctlError
from olistctl.results import Finding, NoProgress, Progress, printable, to_plain

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.progress import Progress as RichProgress

# Of the fixed colours, those that can be read on a light and on a dark ground; what a terminal calls yellow cannot,
# least of all in bold, which many show brighter.
GREEN, ORANGE, RED = "green4", "dark_orange3", "red3"
# Meaning is carried by words; colour only repeats it.
_STYLES = {
    "ok": GREEN, "success": GREEN, "pass": GREEN, "loaded": GREEN,
    "genuine": GREEN, "fetched": GREEN,
    "warnings": ORANGE, "warn": ORANGE, "warning": ORANGE, "missing": ORANGE, "bad records": ORANGE,
    "no records": ORANGE, "held back": ORANGE,
    "failed": RED, "fail": RED, "error": RED, "refused": RED, "different": RED, "problem": RED,
}  # fmt: skip
_THEME = {"progress.elapsed": "none", "progress.spinner": GREEN}  # yellow, of rich's own


@dataclass(frozen=True)
class Console:
    """How one call talks to its user."""

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Print a table on stdout; numbers are aligned right, and a cell of known meaning is coloured.

        The first column, numbers and paths are never broken into lines, other texts only between words.
        """
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        from olistctl.columns import laid_out  # which knows rich

        cells = [[_cell(value) for value in row] for row in rows]
        kinds = [[type(row[index]) for row in rows] for index in range(len(columns))]
        numeric = [any(issubclass(kind, (int, float, Decimal)) for kind in own) for own in kinds]
        whole = [
            index == 0 or numeric[index] or any(issubclass(kind, Path) for kind in own)
            for index, own in enumerate(kinds)
        ]
        console = self._rich(sys.stdout)
        layout = laid_out(columns, cells, whole, console.width)
        if layout is None:  # a number or a name that is cut is another one
            self._records(title, columns, cells)
            return
        gap, widths = layout
        table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, gap - 2, 0, 1))  # and a blank that divides
        for name, is_number, width in zip(columns, numeric, widths, strict=True):
            table.add_column(name, justify="right" if is_number else "left", overflow="fold", width=width)
        for row in cells:
            table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
        # Not the table's own title: that one would be broken where the table ends.
        console.print(Text(printable(title), style="bold"), soft_wrap=True)
        console.print(table)

    def _records(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table that is wider than the terminal with a line a cell, as psql does (`\\x auto`)."""
        width = max(map(len, columns))
        self.line(title)
        for row in rows:
            self.line("")
            for name, cell in zip(columns, row, strict=True):
                if cell:
                    self.line(f"  {name:<{width}}  {cell}")
        self.line("")

    def line(self, text: str) -> None:
        """Print a line of the result on stdout."""
        sys.stdout.write(f"{printable(text)}\n")
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """Print a remark on stderr, unless quiet."""
        if not self.quiet:
            sys.stderr.write(f"{printable(text)}\n")

    def problems(self, findings: Sequence[Finding]) -> None:
        """Print what makes the command fail on stderr, each with what to type next."""
        for finding in findings:
            self._problem("error", RED, finding)

    def warnings(self, findings: Sequence[Finding]) -> None:
        """Print warnings on stderr, each with what to type next."""
        for finding in findings:
            self._problem("warning", ORANGE, finding)

    def error(self, error: OlistctlError) -> None:
        """Print an error: what happened, where, what to do next; with `--json` also on stdout."""
        if self.as_json:
            body = {"message": error.message, "where": error.where, "hint": error.hint}
            with suppress(OSError):  # stdout may be what the error is about
                self.json_line({"error": body, "exit_code": int(error.exit_code)})
        self._problem("error", RED, Finding(error.message, error.where, error.hint))

    def json(self, value: Any) -> None:
        """Print a value as JSON on stdout."""
        _write_json(value, indent=2)

    def json_line(self, value: Any) -> None:
        """Print a value as one line of JSON on stdout, at once."""
        _write_json(value, indent=None)
        sys.stdout.flush()

    @property
    def can_redraw(self) -> bool:
        """Tell whether stdout is a terminal whose user wants to see more than the result."""
        console = self.rich_stdout()
        return not self.as_json and not self.quiet and console.is_terminal and not console.is_dumb_terminal

    def rich_stdout(self) -> RichConsole:
        """Return rich's console for stdout."""
        return self._rich(sys.stdout)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Give a progress display: bars in a terminal, a line a step elsewhere, nothing when quiet."""
        if self.quiet:
            yield NoProgress()
            return
        if not _may_draw(sys.stderr) or not (console := self._rich(sys.stderr)).is_terminal:
            yield _Lines()
            return
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars
        from rich.table import Column

        with Bars(
            SpinnerColumn(),
            TextColumn("{task.description:<17}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[doing]}", markup=False, style="dim", table_column=Column(no_wrap=True, ratio=1)),
            console=console,
            expand=True,
        ) as bars:
            yield _Bars(bars)

    def _problem(self, word: str, style: str, finding: Finding) -> None:
        if os.environ.get("GITHUB_ACTIONS") == "true":
            sys.stderr.write(_annotation(word, finding) + "\n")
            return
        what = f"{finding.where}: {finding.message}" if finding.where else finding.message
        parts = [(f"{word}: ", style), (printable(what), "")]
        if finding.hint:
            parts += [("\n  next: ", "bold"), (printable(finding.hint), "")]
        if not _may_draw(sys.stderr):
            sys.stderr.write("".join(text for text, _ in parts) + "\n")
            return
        from rich.text import Text

        self._rich(sys.stderr).print(Text.assemble(*parts), soft_wrap=True)

    def _rich(self, stream: IO[str]) -> RichConsole:
        from rich.console import Console as RichConsole
        from rich.theme import Theme

        # A pipe or a log has no width of its own; 80 would break what a reader or a script looks for.
        width = None if stream.isatty() or "COLUMNS" in os.environ else 140
        theme = Theme(_THEME)
        return RichConsole(file=stream, width=width, markup=False, highlight=False, emoji=False, theme=theme)


def _may_draw(stream: IO[str]) -> bool:
    """Tell whether rich may find something to draw on; importing it takes longer than a command with nothing to do."""
    return stream.isatty() or any(os.environ.get(name) for name in ("FORCE_COLOR", "TTY_COMPATIBLE"))


class _Lines:
    """Progress for logs and pipes: one line when a step starts."""

    _label = ""

    def start(self, label: str, total: float | None = None) -> None:
        if label != self._label:
            sys.stderr.write(f"{label} …\n")
            sys.stderr.flush()
        self._label = label

    def advance(self, amount: float = 1, doing: str | None = None) -> None:
        return

    def finish(self) -> None:
        return


class _Bars:
    """Progress for terminals: one bar a step."""

    def __init__(self, bars: RichProgress) -> None:
        self._bars = bars
        self._label = ""
        self._task: Any = None

    def start(self, label: str, total: float | None = None) -> None:
        if label == self._label and self._task is not None:
            self._bars.update(self._task, total=total)
            return
        self._label = label
        self._task = self._bars.add_task(label, total=total, doing="")

    def advance(self, amount: float = 1, doing: str | None = None) -> None:
        self._bars.update(self._task, advance=amount)
        if doing is not None:
            self._bars.update(self._task, doing=printable(doing))

    def finish(self) -> None:
        total = self._bars.tasks[self._task].total or 1
        self._bars.update(self._task, total=total, completed=total, doing="")
        self._task = None


def _annotation(level: str, finding: Finding) -> str:
    """Return a finding as GitHub Actions' workflow command, which becomes an annotation of the run."""
    text = printable(finding.message + (f"\nnext: {finding.hint}" if finding.hint else ""))
    title = _escaped(printable(finding.where or "olistctl")).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={title}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _write_json(value: Any, indent: int | None) -> None:
    holds_all = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    text = json.dumps(to_plain(value), indent=indent, ensure_ascii=not holds_all, allow_nan=False)
    # A name that is no UTF-8 holds lone surrogates, which JSON can only write as escapes.
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, (float, Decimal)):
        return f"{value:,.2f}"
    return printable(str(value))
