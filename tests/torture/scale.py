"""How much the torture tests try: little and always the same, or much with TORTURE=1 (`make torture`)."""

from __future__ import annotations

import os
from typing import TypeVar

from hypothesis import HealthCheck, settings

T = TypeVar("T")

LONG = os.environ.get("TORTURE") == "1"


def scaled(short: T, long: T) -> T:
    """Return the value for this length of torture."""
    return long if LONG else short


def examples(short: int, long: int) -> settings:
    """Return the settings of a property test: `short` fixed examples, or `long` new ones on every run."""
    return settings(
        max_examples=scaled(short, long),
        derandomize=not LONG,
        deadline=None,
        print_blob=LONG,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
