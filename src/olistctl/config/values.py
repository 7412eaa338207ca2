"""What a value of a setting may be: each function gives it in its type, or raises a ValueError with what it expects."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

# What DuckDB calls the formats of its file: clients of that version, and newer ones, can read it.
STORAGE_VERSIONS = ("v1.2.0", "v1.3.0", "v1.4.0", "v1.5.0")


def text(value: Any) -> str:
    """A text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected text")
    return value


def number(low: float, high: float) -> Callable[[Any], float]:
    """Return the check of a number between two others, both included."""

    def check(value: Any) -> float:
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not low <= number <= high:
            raise ValueError(f"expected a number from {low:g} to {high:g}")
        return number

    return check


def whole(low: int, high: int) -> Callable[[Any], int]:
    """Return the check of a whole number between two others, both included."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not re.fullmatch(r"-?\d+", str(value)) or not low <= int(value) <= high:
            raise ValueError(f"expected a whole number from {low} to {high}")
        return int(value)

    return check


def truth(value: Any) -> bool:
    """Yes or no, in one of the usual words."""
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if str(value).lower() not in words:
        raise ValueError("expected true or false")
    return words[str(value).lower()]


def file_name(value: Any) -> str | None:
    """The name of a file without a folder; "none" gives None."""
    if text(value) == "none":
        return None
    if "/" in value or "\\" in value or value in (".", ".."):
        raise ValueError("expected the name of a file, without a folder, or 'none'")
    return str(value)


def words(value: Any) -> tuple[str, ...]:
    """Names separated by commas; "none" gives no name."""
    words = tuple(word.strip() for word in text(value).split(","))
    if not all(words):
        raise ValueError("expected names separated by commas, or 'none'")
    return () if words == ("none",) else words


def storage_version(value: Any) -> str:
    """One of DuckDB's storage versions."""
    if value not in STORAGE_VERSIONS:
        raise ValueError(f"expected one of {', '.join(STORAGE_VERSIONS)}")
    return str(value)


def one_of(*words: str) -> Callable[[Any], str | None]:
    """Return the check of a value that is one of some words; "none" gives None."""

    def check(value: Any) -> str | None:
        if value not in words:
            raise ValueError("expected " + " or ".join(f"'{word}'" for word in words))
        return None if value == "none" else str(value)

    return check


def optional(value: Any) -> str | None:
    """A text; "none" gives None."""
    return None if text(value) == "none" else str(value)


def place(value: Any) -> str | None:
    """A folder, as an absolute path, or a URL; "none" gives None."""
    text = optional(value)
    if text and "://" not in text and not Path(text).is_absolute():
        raise ValueError("expected an absolute path, or a URL such as s3://bucket/olist, or 'none'")
    return text


def threads(value: Any) -> int:
    """How many statements run at a time; "auto": as many as the machine has cores."""
    # More threads than cores only add waiting (measured on two cores: two help, four do not).
    if value == "auto":
        return os.cpu_count() or 1
    try:
        return whole(1, 256)(value)
    except ValueError as error:
        raise ValueError(f"{error} or 'auto'") from None


def memory(value: Any) -> str | None:
    """A size such as 2GB, or a share of the memory; "auto" gives None."""
    if value == "auto":
        return None
    if not re.fullmatch(r"\d+(\.\d+)?\s*([KMGT]i?B|%)", str(value)):
        raise ValueError("expected a size such as 2GB or 'auto'")
    return str(value)
