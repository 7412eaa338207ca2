"""How much the torture tests try: little and always the same by default, much with OLISTCTL_TORTURE=1."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

IS_LONG = os.environ.get("OLISTCTL_TORTURE") == "1"


def examples(short: int, long: int) -> settings:
    """Return the settings of a property test: `short` fixed examples, or `long` new ones on every run."""
    return settings(
        max_examples=long if IS_LONG else short,
        derandomize=not IS_LONG,
        deadline=None,
        print_blob=IS_LONG,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
