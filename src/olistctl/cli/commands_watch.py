"""`olistctl watch`: drop the files in, the warehouse follows."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from olistctl.cli.call import Call
from olistctl.cli.commands_pipeline import SourceDir, Wait
from olistctl.cli.watch_lines import line_of

if TYPE_CHECKING:
    from olistctl.console import Console
    from olistctl.watching import WatchEvent

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def watch(
    call: Call,
    source_dir: SourceDir = None,
    once: Annotated[bool, typer.Option("--once", help="Bring in what is there, and end.")] = False,
    debounce: Annotated[
        float | None,
        typer.Option(
            "--debounce", metavar="SECONDS", help="Take files that have been still this long.", show_default=False
        ),
    ] = None,
    poll: Annotated[
        bool, typer.Option("--poll", help="Look at the folder every second: for network shares, which send no events.")
    ] = False,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="WHEN", help="End after 90s, 15m, 8h or 2d, or at 18:30.", show_default=False),
    ] = None,
    wait: Wait = None,
) -> None:
    """Watch the source folder, and bring in each whole delivery by an ordinary incremental run.

    Half-copied files wait; a run that fails is tried again; Ctrl-C or SIGTERM ends it. With --json, a line an event.

      olistctl watch --source-dir ~/Downloads/olist
    """
    from olistctl.watching import Watcher, WatchOptions

    settings = call.logged_settings(
        source_dir=source_dir,
        **{"lock.wait_seconds": wait, "watch.settle_seconds": debounce, "watch.poll": poll or None},
    )
    options = WatchOptions(once, None if until is None else _seconds_until(until, datetime.now()))
    if call.console.can_redraw:
        from olistctl.cli.watch_screen import Screen

        screen = Screen(call.console)
        watcher = Watcher(settings, options, screen.tell, progress=screen)
        with screen.showing(watcher):
            watcher.watch()
    else:
        Watcher(settings, options, _teller(call.console)).watch()


def _teller(console: Console) -> Callable[[WatchEvent], None]:
    def tell(event: WatchEvent) -> None:
        if console.as_json:
            plain = {"at": event.at.isoformat(timespec="milliseconds") + "Z", "event": event.event}
            console.json_line(plain | {"message": event.message} | dict(event.details))
        elif not console.quiet or event.event in ("failed", "warning", "delivered"):
            console.line(line_of(event))

    return tell


def _seconds_until(text: str, now: datetime) -> float:
    """Return how many seconds lie between now and a moment: 90s, 15m, 8h, 2d from now, or the next 18:30."""
    from olistctl.errors import UsageError

    if match := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text):
        return float(match[1]) * _UNITS[match[2]]
    try:
        clock = datetime.strptime(text, "%H:%M").time()
    except ValueError:
        hint = "90s, 15m, 8h, 2d, or a time such as 18:30"
        message = f"'{text}' is neither a length of time nor a time of day"
        raise UsageError(message, where="option --until", hint=hint) from None
    moment = datetime.combine(now.date(), clock)
    return (moment + timedelta(days=moment <= now) - now).total_seconds()
