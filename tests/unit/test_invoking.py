"""An interruption of dbt's work counts, whatever dbt makes of it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress

import pytest

from olistctl.errors import ExitCode, Interrupted
from olistctl.transform.invoking import stoppable


def _swallow() -> None:
    with suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


def _make_another_error() -> None:
    try:
        signal.raise_signal(signal.SIGTERM)
    except KeyboardInterrupt:
        raise ValueError("half a file") from None


def _let_through() -> None:
    signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("work", [_swallow, _make_another_error, _let_through])
def test_a_signal_stops_the_work_whatever_becomes_of_the_interruption(work: Callable[[], None]) -> None:
    with pytest.raises(Interrupted) as caught, stoppable():
        work()
    assert caught.value.exit_code == ExitCode.TERMINATED


def test_an_error_without_a_signal_stays_what_it_is() -> None:
    with pytest.raises(ValueError, match="of the work"), stoppable():
        raise ValueError("of the work")


def test_the_handlers_are_as_they_were() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with stoppable():
        assert signal.getsignal(signal.SIGTERM) != before[0]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
