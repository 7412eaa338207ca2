"""The live screen of `olistctl watch`: what it waits for, what runs, the last deliveries, the next try."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from olistctl.cli.watch_lines import clock_of, line_of
from olistctl.console import GREEN, ORANGE, Console
from olistctl.results import printable

if TYPE_CHECKING:
    from olistctl.watching import Watcher, WatchEvent

_DELIVERIES, _LINES = 8, 6
_STYLES = {"waiting": "", "running": GREEN, "retrying": ORANGE, "stopped": "dim"}


class Screen:
    """Draws a watcher; it is also the progress of its runs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._watcher: Watcher | None = None
        self._deliveries: deque[WatchEvent] = deque(maxlen=_DELIVERIES)
        self._lines: deque[WatchEvent] = deque(maxlen=_LINES)
        self._label, self._doing = "", ""
        self._total: float | None = None
        self._done = 0.0

    @contextmanager
    def showing(self, watcher: Watcher) -> Iterator[None]:
        """Show the watcher until the block ends."""
        self._watcher = watcher
        console = self._console.rich_stdout()
        with Live(get_renderable=self._draw, console=console, refresh_per_second=4, redirect_stderr=False):
            yield

    def tell(self, event: WatchEvent) -> None:
        """Take up an event."""
        (self._deliveries if event.event == "delivered" else self._lines).append(event)
        if event.event in ("delivered", "failed", "busy", "unchanged"):
            self._label = ""

    def start(self, label: str, total: float | None = None) -> None:
        """Begin a step of a run."""
        self._label, self._total, self._done, self._doing = label, total, 0.0, ""

    def advance(self, amount: float = 1, doing: str | None = None) -> None:
        """Go on with a step."""
        self._done += amount
        self._doing = self._doing if doing is None else doing

    def finish(self) -> None:
        """End a step."""
        self._doing = ""

    def _draw(self) -> RenderableType:
        if self._watcher is None:
            return Text("")
        state = self._watcher.state
        head = Text()
        head.append("olistctl watch  ", style="bold")
        head.append(printable(state.source_dir))
        now = Text()
        now.append(state.state, style=_STYLES.get(state.state, ""))
        if state.state == "running":
            now.append(printable(f"  {self._step()}"))
        elif state.state != "stopped":
            now.append(printable(_waits(state.waiting_for)))
        if state.next_try_at:
            now.append(f"  next try {_clock(state.next_try_at)}", style=ORANGE)
        counts = f"since {_clock(state.started_at)}: deliveries {state.deliveries}, failed tries {state.failures}"
        return Group(
            head,
            now,
            Text(counts, "dim"),
            self._table(),
            *(Text(printable(line_of(e)), "dim") for e in tuple(self._lines)),
        )

    def _step(self) -> str:
        share = f" {min(1.0, self._done / self._total):.0%}" if self._total else ""
        return f"{self._label}{share}  {self._doing}"

    def _table(self) -> Table:
        table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=True)
        for name, justify in (("delivered", "left"), ("result", "left"), ("rows", "right"), ("seconds", "right")):
            table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
        table.add_column("files", overflow="ellipsis", no_wrap=True, ratio=1)
        for event in reversed(tuple(self._deliveries)):
            told = event.details
            files = ", ".join(file["file"] for file in told["files"])
            cells = (clock_of(event), told["status"], f"{told['rows']:,}", f"{told['seconds']:.1f}", files)
            table.add_row(*(Text(printable(cell)) for cell in cells))
        return table


def _waits(reasons: tuple[str, ...]) -> str:
    return f"  for {'; '.join(reasons)}" if reasons else "  for a change"


def _clock(moment: str) -> str:
    return f"{datetime.fromisoformat(moment).astimezone():%H:%M:%S}"
