"""What the work modules give back and how they tell their progress; nothing here prints."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from math import isfinite
from pathlib import Path
from typing import Any, Protocol


class Progress(Protocol):
    """How work tells how far it is. `console` draws it; `NoProgress` is silent."""

    def start(self, label: str, total: float | None = None) -> None:
        """Begin a step with `total` units of work (None: not known)."""

    def advance(self, amount: float = 1, doing: str | None = None) -> None:
        """Add `amount` to the units done; `doing` names what runs now."""

    def finish(self) -> None:
        """End the step."""


class NoProgress:
    """A `Progress` that says nothing."""

    def start(self, label: str, total: float | None = None) -> None:
        """Say nothing."""

    def advance(self, amount: float = 1, doing: str | None = None) -> None:
        """Say nothing."""

    def finish(self) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Finding:
    """Something a user should know: what, where, and what to do next."""

    message: str
    where: str | None = None
    hint: str | None = None


def utc_time(timestamp: float) -> datetime:
    """Return a POSIX timestamp as UTC without a zone, as the warehouse keeps its times."""
    return datetime.fromtimestamp(timestamp, UTC).replace(tzinfo=None)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 row", "2 rows"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def printable(text: str) -> str:
    """Show control characters and lone surrogates as escapes; line breaks stay."""
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape", "backslashreplace").decode()
        for char in text
    )


def to_plain(value: Any) -> Any:
    """Turn a result (dataclasses, paths, times, enums) into what `json.dumps` can write."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in fields(value) if not f.name.startswith("_")}
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (datetime, date)):
        return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not isfinite(value):  # JSON has no word for it
        return None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):  # a record of a file; what is no UTF-8 is shown as escapes
        return value.decode("utf-8", errors="backslashreplace")
    return value
