"""The live screen of the watcher, as a terminal gets it."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from olistctl.cli.watch_screen import Screen
from olistctl.console import Console
from olistctl.heartbeat import WatcherState
from olistctl.watching import WatchEvent

NINE = [{"file": f"olist_number_{number}_dataset.csv"} for number in range(9)]


def test_in_80_columns_a_delivery_keeps_its_result_and_its_numbers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    state = WatcherState(
        1, "2026-11-29T00:00:00+00:00", "2026-11-29T00:00:00+00:00", "/data/source", "waiting", "events"
    )
    watcher: Any = SimpleNamespace(state=state)
    screen = Screen(Console())
    with screen.showing(watcher):
        screen.tell(
            WatchEvent("delivered", "", details={"status": "warnings", "rows": 7866, "seconds": 3.1, "files": NINE})
        )
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().out)
    assert re.search(r"\d\d:\d\d:\d\d +warnings +7,866 +3\.1 +olist_num.*…", plain), plain
