"""What the user sees: data on stdout, everything else on stderr, foreign text never taken as markup."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.color import Color

from olistctl.console import GREEN, ORANGE, RED, Console
from olistctl.errors import BusyError, ConfigError, ExitCode
from olistctl.results import Finding, NoProgress, to_plain

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def plain_wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")


def test_results_go_to_stdout_and_remarks_to_stderr(capsys: Capture) -> None:
    console = Console()
    console.line("a result")
    console.note("a remark")
    out, err = capsys.readouterr()
    assert (out, err) == ("a result\n", "a remark\n")


def test_quiet_silences_remarks_and_progress_but_no_result_and_no_warning(capsys: Capture) -> None:
    console = Console(quiet=True)
    console.note("a remark")
    with console.progress() as progress:
        progress.start("Loading", 10)
        progress.advance(5)
        progress.finish()
    assert isinstance(progress, NoProgress)
    console.line("a result")
    console.warnings([Finding("careful")])
    assert capsys.readouterr() == ("a result\n", "warning: careful\n")


@pytest.mark.parametrize("text", ["[red]x[/red]", "[/]", "[link=http://x]y", ":smile:", "[bold]", "\\[x]"])
def test_foreign_text_is_never_markup(capsys: Capture, text: str) -> None:
    console = Console()
    console.line(text)
    console.note(text)
    console.problems([Finding(text, where=text, hint=text)])
    console.table(text, [text], [[text]])
    out, err = capsys.readouterr()
    assert out.count(text) == 4
    assert err.count(text) == 4


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\rb", "a\\rb"),
        ("a\x07b", "a\\x07b"),
        ("a\tb", "a\\tb"),
        ("\u202eabc", "\\u202eabc"),
        ("\x9b31m", "\\x9b31m"),
        ("a\udcffb", "a\\udcffb"),
        ("São Paulo 🎁", "São Paulo 🎁"),
    ],
    ids=ascii,
)
def test_control_characters_are_shown_and_not_sent(capsys: Capture, text: str, shown: str) -> None:
    console = Console()
    console.line(text)
    console.note(text)
    console.warnings([Finding(text, where=text, hint=text)])
    console.table(text, ["c"], [[text]])
    out, err = capsys.readouterr()
    assert out.count(shown) == 3
    assert err.count(shown) == 4
    assert "\x1b" not in out + err


def test_a_problem_says_where_what_and_what_next(capsys: Capture) -> None:
    Console().problems([Finding("it is empty", where="x.csv", hint="deliver it again")])
    assert capsys.readouterr().err == "error: x.csv: it is empty\n  next: deliver it again\n"


def test_a_long_message_is_not_broken(capsys: Capture) -> None:
    message = "word " * 100 + "end"
    Console().warnings([Finding(message, where="/a/very/long/path" * 10)])
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_error_is_told_on_stderr_only(capsys: Capture) -> None:
    Console().error(ConfigError("unknown key 'x'", where="f.yml:3 (x)", hint="did you mean 'y'?"))
    assert capsys.readouterr() == ("", "error: f.yml:3 (x): unknown key 'x'\n  next: did you mean 'y'?\n")


def test_with_json_an_error_is_json_on_stdout_too(capsys: Capture) -> None:
    Console(as_json=True).error(BusyError("busy", where="here"))
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": {"message": "busy", "where": "here", "hint": None}, "exit_code": 4}
    assert err == "error: here: busy\n"


def test_a_table_shows_its_values_for_people(capsys: Capture) -> None:
    Console().table("Files", ["file", "rows", "MB", "ok", "at"], [["a.csv", 1234567, 1.5, True, None]])
    out = capsys.readouterr().out
    assert out.splitlines()[0].strip() == "Files"
    (row,) = [line for line in out.splitlines() if "a.csv" in line]
    assert row.split() == ["a.csv", "1,234,567", "1.50", "yes"]


def test_a_table_keeps_every_cell_in_a_narrow_terminal(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    Console().table("T", ["file", "reason"], [["a.csv", "0123456789" * 6]])
    out = "".join(line.split("a.csv")[-1].strip() for line in capsys.readouterr().out.splitlines()[3:])
    assert "0123456789" * 6 in out


def test_no_number_is_cut_however_narrow_the_terminal(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    Console().table(
        "Sums", ["what", "one", "two", "why"], [["price", 13_738_207.93, 1_000_163, "for a reason that is long"]]
    )
    shown = capsys.readouterr().out
    assert (
        shown
        == "Sums\n\n  what  price\n  one   13,738,207.93\n  two   1,000,163\n  why   for a reason that is long\n\n"
    )


def test_without_a_terminal_progress_is_a_line_a_step(capsys: Capture) -> None:
    with Console().progress() as progress:
        for label in ("Reading", "Loading", "Loading", "Checking"):
            progress.start(label, 10)
            progress.advance(5, "a file")
            progress.finish()
    assert capsys.readouterr() == ("", "Reading …\nLoading …\nChecking …\n")


def test_in_a_terminal_progress_is_bars_and_survives_a_step_begun_again(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Console().progress() as progress:
        for total in (10, 10, None, 0):
            progress.start("Loading", total)
            progress.advance(5, "a[red]\x1b[2Jfile")
            progress.start("Loading", total)
            progress.finish()
    out, err = capsys.readouterr()
    assert out == ""
    assert "Loading" in err
    assert "\x1b[2J" not in err


def test_output_without_a_terminal_has_no_colour(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    Console().table("T", ["result"], [["ok"], ["failed"]])
    Console().problems([Finding("x")])
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err


@dataclass(frozen=True)
class Result:
    path: Path
    at: datetime
    day: date
    code: ExitCode
    money: Decimal
    parts: tuple[Any, ...]
    _inner: int = 0


def test_a_result_is_json_that_machines_read(capsys: Capture) -> None:
    result = Result(
        Path("/x"), datetime(2018, 1, 2, 3, 4, 5), date(2018, 1, 2), ExitCode.BUSY, Decimal("1.50"), ({1: None}, "ação")
    )
    Console(as_json=True).json(result)
    out = capsys.readouterr().out
    assert json.loads(out) == {
        "path": "/x",
        "at": "2018-01-02 03:04:05",
        "day": "2018-01-02",
        "code": 4,
        "money": 1.5,
        "parts": [{"1": None}, "ação"],
    }
    assert "ação" in out


def test_json_holds_no_number_that_json_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    Console().json({"x": float("nan"), "y": [float("-inf"), 1.5]})
    assert json.loads(capsys.readouterr().out) == {"x": None, "y": [None, 1.5]}


def test_a_name_that_is_not_utf8_can_be_written_as_json(capsys: Capture) -> None:
    Console(as_json=True).json({"file": os.fsdecode(b"x\xff.csv")})
    assert json.loads(capsys.readouterr().out)["file"].startswith("x")


def test_to_plain_leaves_plain_values_alone() -> None:
    assert to_plain([1, "x", None, True, 1.5]) == [1, "x", None, True, 1.5]


def test_in_github_actions_a_problem_is_an_annotation(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    Console().warnings([Finding("100% of\nthe rows: a, b", "fact_orders:7,x", "olistctl test")])
    Console().problems([Finding("\x1b[31m::set-output name=x::y")])
    assert capsys.readouterr() == (
        "",
        "::warning title=fact_orders%3A7%2Cx::100%25 of%0Athe rows: a, b%0Anext: olistctl test\n"
        "::error title=olistctl::\\x1b[31m::set-output name=x::y\n",
    )


@pytest.mark.parametrize("width", [52, 60, 70, 100])
def test_no_name_and_no_path_is_broken_however_narrow_the_terminal(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    path = Path("/somewhere/else/mart_seller.xlsx")
    names = ["1", "shipping_limit_date", "olist_orders_dataset.csv"]
    Console().table("T", ["id", "column", "file", "what"], [[*names, "expected an amount with two decimals"]])
    Console().table("T", ["n", "file", "what"], [[1, path, "some text that is longer than the room for it"]])
    out = capsys.readouterr().out
    assert [text for text in (*names, str(path)) if text not in out] == []
    assert "decimals" in out
    assert max(map(len, out.splitlines())) <= width


def test_a_path_in_a_sentence_may_be_broken_to_keep_the_table(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    Console().table("Run", ["stage", "what"], [["export", "20 tables, /a/path/that/is/longer/than/the/room/for/it"]])
    assert " stage    what" in capsys.readouterr().out


def test_columns_come_closer_before_a_table_is_given_up(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    columns, row = ["one", "two"], ["a" * 9, "b" * 9]
    shown = []
    for width in ("23", "22", "21"):
        monkeypatch.setenv("COLUMNS", width)
        Console().table("T", columns, [row])
        shown.append(next(line for line in capsys.readouterr().out.splitlines() if "a" * 9 in line).rstrip())
    assert shown == [" aaaaaaaaa   bbbbbbbbb", " aaaaaaaaa  bbbbbbbbb", "  one  aaaaaaaaa"]


@pytest.mark.parametrize("name", [GREEN, ORANGE, RED])
def test_each_colour_can_be_read_on_white_and_on_black(name: str) -> None:
    colour = Color.parse(name)
    assert colour.number is not None
    assert colour.number >= 16, "what a terminal calls by the first sixteen, nobody knows"
    light = luminance(*colour.get_truecolor())
    assert min(1.05 / (light + 0.05), (light + 0.05) / 0.05) >= 3.5


def luminance(*channels: int) -> float:
    """Return how bright a colour is, from 0 to 1 (WCAG 2, relative luminance)."""
    red, green, blue = (c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_in_80_columns_a_step_keeps_its_name_and_its_share(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    with Console().progress() as progress:
        progress.start("Transforming", 10)
        progress.advance(5, "mart_executive_state_monthly, a_model_of_a_very_long_name_indeed, and_another")
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().err)
    last = plain.splitlines()[-1].split("\r")[-1]
    assert re.search(r"Transforming +━+.* +50% 0:00:\d\d mart_executive_st.*…", last), last
