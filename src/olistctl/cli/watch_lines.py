"""The events of `olistctl watch` as lines of text."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from olistctl.watching import WatchEvent


def line_of(event: WatchEvent) -> str:
    """Return an event as a line with its time, in this machine's zone."""
    where = event.details.get("where")
    hint = event.details.get("hint")
    words = {"failed": "failed: ", "warning": "warning: ", "busy": "busy: "}.get(event.event, "")
    place = f"{where}: " if where else ""
    line = f"{clock_of(event)}  {words}{place}{event.message}{f'; next: {hint}' if hint else ''}"
    return line.replace("\r", "\\r").replace("\n", "\\n")  # a name may hold one, and forge a line


def clock_of(event: WatchEvent) -> str:
    """Return when an event was, in this machine's zone."""
    return f"{event.at.replace(tzinfo=UTC).astimezone():%Y-%m-%d %H:%M:%S}"
