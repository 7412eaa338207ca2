"""The command line as a user and a script meet it."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import Project, clean_environment, new_project

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (
    "run", "validate", "load", "transform", "snapshot", "test", "watch", "status", "verify", "rollback", "errors",
    "quarantine", "publish", "docs", "report", "init", "sample", "fetch", "doctor",
)  # fmt: skip
GROUPS = {
    "errors": ("list", "show", "resolve", "ignore"),
    "quarantine": ("list", "show", "export", "replay", "discard", "reopen"),
}
HEAVY = ("dbt", "duckdb", "rich", "yaml", "filelock", "watchdog", "kagglehub")


@pytest.fixture
def empty(tmp_path: Path) -> Project:
    return new_project(tmp_path / "empty")


def test_help_lists_every_command_and_each_has_its_own_help(empty: Project) -> None:
    text = empty.ok("--help").stdout
    assert re.findall(r"^  ([a-z]+)  +[A-Z]", text, re.MULTILINE) == list(COMMANDS)
    assert [panel for panel in ("Pipeline:", "Inspect and mend:", "Global options:") if panel not in text] == []
    for command in COMMANDS:
        names = GROUPS.get(command, ())
        for own in [[command, name] for name in names] or [[command]]:
            text = empty.ok(*own, "--help").stdout
            assert "--json" in text, "the global options stand after the command too"
            assert re.findall(r"<.+>|\d{12,}", text) == [], "words and bounds of programmers"
            assert {len(blanks) for blanks in re.findall(r"^( +)olistctl ", text, re.MULTILINE)} <= {4}
        if names:
            text = empty.ok(command, "--help").stdout
            assert [name for name in names if f"\n  {name} " not in text] == []


def test_nothing_heavy_is_imported_before_a_command_runs() -> None:
    probe = f"import sys, olistctl.cli; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_must_be_instant_does_without_the_heavy_and_without_rich(empty: Project) -> None:
    probe = (
        "import sys; from olistctl.cli import app\n"
        "try: app.app(sys.argv[1:])\n"
        f"except SystemExit: print([name for name in {[*HEAVY]} if name in sys.modules])"
    )
    for arguments in (["--help"], ["--version"], ["quarantine", "--help"]):
        done = subprocess.run([sys.executable, "-c", probe, *arguments], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "[]", arguments


def test_version_is_the_packages(empty: Project) -> None:
    from olistctl import __version__

    assert empty.ok("--version").stdout.strip() == f"olistctl {__version__}"


@pytest.mark.parametrize(
    ("call", "message", "hint"),
    [
        (["valdate"], "no such command 'valdate'", "did you mean 'validate'?"),
        (["run", "--full-refesh"], "no such option: --full-refesh", "did you mean '--full-refresh'?"),
        (["sample"], "missing option '--out'", "olistctl sample --help"),
        (["load", "--wait", "x"], "invalid value for '--wait': 'x' is not a number", "olistctl load --help"),
        (
            ["sample", "--orders", "0", "--out", "x"],
            "invalid value for '--orders': 0 is less than 1",
            "olistctl sample --help",
        ),
        (["verify", "--rows", "-1"], "invalid value for '--rows': -1 is not from 0 to 1000", "olistctl verify --help"),
        (["quarantine", "show"], "missing argument 'ID'", "olistctl quarantine show --help"),
    ],
    ids=["command", "option", "no option", "no number", "too few", "out of range", "no argument"],
)
def test_a_wrong_call_is_an_error_like_any_other(empty: Project, call: list[str], message: str, hint: str) -> None:
    wrong = empty.call(*call, "--json")
    assert wrong.returncode == 2
    assert wrong.stderr == f"error: {message}\n  next: {hint}\n"
    assert json.loads(wrong.stdout) == {
        "error": {"message": message, "where": None, "hint": hint},
        "exit_code": 2,
    }


def test_a_call_of_nothing_shows_the_help(empty: Project) -> None:
    for call in ([], ["quarantine"]):
        done = empty.call(*call)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == empty.ok(*call, "--help").stdout


def test_a_wrong_setting_leaves_with_2_and_names_file_key_and_nearest_name(empty: Project) -> None:
    config = empty.folder / "config" / "olistctl.yml"
    config.write_text(config.read_text().replace("source_dir:", "source_dri:"))
    done = empty.call("status")
    assert done.returncode == 2
    assert "olistctl.yml:" in done.stderr
    assert "unknown key 'source_dri'" in done.stderr
    assert "did you mean 'source_dir'?" in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_errors_are_json_too_when_asked(empty: Project) -> None:
    done = empty.call("run", "--json", "--target", "prd")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["message"] == "there is no target 'prd'"
    assert error["hint"] == "did you mean 'prod'?"


def test_without_a_configuration_the_error_names_init(tmp_path: Path) -> None:
    done = Project(tmp_path).call("run")
    assert done.returncode == 2
    assert "olistctl init" in done.stderr


def test_without_any_of_the_files_nothing_is_built(empty: Project) -> None:
    done = empty.call("run")
    assert done.returncode == 2
    assert "none of the nine CSVs is there" in done.stderr
    assert not empty.warehouse.exists()


def test_a_reader_that_goes_away_is_no_failure_of_the_data(empty: Project) -> None:
    empty.ok("sample", "--orders", "20", "--out", "data/source")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        empty.command("validate"), cwd=empty.folder, env=clean_environment(), stdout=writer, check=False
    )
    os.close(writer)
    assert done.returncode == 141


def test_models_and_history_need_to_be_built_before_they_are_tested(empty: Project) -> None:
    empty.ok("sample", "--orders", "20", "--out", "data/source")
    empty.ok("load")
    for command in ("test", "snapshot"):
        done = empty.call(command)
        assert done.returncode == 1
        assert "the models are not built yet" in done.stderr
        assert "next: olistctl transform" in done.stderr


def test_what_cannot_be_right_is_told_again_on_every_load(empty: Project) -> None:
    empty.ok("sample", "--orders", "50", "--out", "data/source")
    items = empty.source_dir / "olist_order_items_dataset.csv"
    lines = items.read_bytes().split(b"\n")
    items.write_bytes(b"\n".join([*lines[:3], lines[3] + b",", *lines[4:]]))
    orders = empty.source_dir / "olist_orders_dataset.csv"
    orders.write_bytes(orders.read_bytes().split(b"\n")[0] + b"\n")
    assert "1 too_many_columns" in empty.ok("load").stderr
    again = empty.ok("load").stderr
    assert "were bad when it was loaded" in again
    assert "olist_orders_dataset.csv: it has a header and no records" in again
    assert empty.call("load", "--strict").returncode == 1


def test_where_a_setting_comes_from_is_told(empty: Project) -> None:
    done = empty.ok("status", "--config-sources", "--json", OLISTCTL_LOAD_MAX_BAD_SHARE="0.2")
    origins = {row["key"]: row for row in json.loads(done.stdout)}
    assert origins["load.max_bad_share"]["value"] == 0.2
    assert origins["load.max_bad_share"]["origin"] == "environment OLISTCTL_LOAD_MAX_BAD_SHARE"
    assert "olistctl.yml:" in origins["warehouse"]["origin"]
    shown = dict(
        re.findall(r"setting +(\S+)\n +value +(.+)", empty.ok("status", "--config-sources", COLUMNS="60").stdout)
    )
    written = ("memory_limit", "watch.poll", "watch.marker", "notify.channels", "spark_bring_back")
    assert [shown[key] for key in written] == ["auto", "false", "none", "none", "mart, quality"]


def test_init_overwrites_nothing(empty: Project) -> None:
    done = empty.call("init", ".")
    assert done.returncode == 2
    assert "nothing is overwritten" in done.stderr


def test_a_path_with_markup_is_shown_as_it_is(empty: Project) -> None:
    done = empty.call("validate", "--source-dir", "[red]no[/red]")
    assert done.returncode == 2
    assert "[red]no[/red]" in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_letter_that_the_output_lacks_is_shown_as_an_escape(tmp_path: Path, encoding: str) -> None:
    project = new_project(tmp_path / "данные")
    assert "\\u0434\\u0430" in project.ok("status", PYTHONIOENCODING=encoding, COLUMNS="200").stdout
    told = json.loads(project.ok("status", "--json", PYTHONIOENCODING=encoding).stdout)
    assert told["warehouse"] == str(project.warehouse)


def test_an_unwritable_log_is_a_clear_error(empty: Project) -> None:
    (empty.folder / "logs").write_text("a file where a folder should be")
    done = empty.call("run")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_the_wheel_carries_configuration_and_dbt_project(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(tmp_path / "site")], check=True)
    environment = clean_environment(PYTHONPATH=str(tmp_path / "site"), PYTHONSAFEPATH="1")
    subprocess.run(
        [sys.executable, "-m", "olistctl", "init", str(tmp_path / "new")], env=environment, check=True, cwd=tmp_path
    )
    subprocess.run(
        [sys.executable, "-m", "olistctl", "sample", "--orders", "10", "--out", str(tmp_path / "sample")],
        env=environment,
        check=True,
        cwd=tmp_path,
    )
    laid_out = tmp_path / "new"
    for name in (
        "config/olistctl.yml",
        "config/sources.yml",
        "olist_dw_dbt/dbt_project.yml",
        "olist_dw_dbt/profiles.yml",
    ):
        assert (laid_out / name).read_bytes() == (ROOT / name).read_bytes()
    checkout = {p.relative_to(ROOT) for p in (ROOT / "olist_dw_dbt" / "models").rglob("*") if p.is_file()}
    assert {
        p.relative_to(laid_out) for p in (laid_out / "olist_dw_dbt" / "models").rglob("*") if p.is_file()
    } == checkout


def test_the_shell_completes_commands_and_options(tmp_path: Path) -> None:
    def completed(line: str, word: int) -> list[str]:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("olistctl"))],
            env=clean_environment(_OLISTCTL_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(word)),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.split()

    assert completed("olistctl st", 1) == ["status"]
    assert completed("olistctl run --full", 2) == ["--full-refresh"]
    assert completed("olistctl quarantine re", 2) == ["replay", "reopen"]


@pytest.mark.parametrize(
    ("arguments", "closed", "code"),
    [
        (("--version",), 1, 0),
        (("rum",), 2, 2),
        (("doctor",), 2, 2),
        (("status",), 1, 2),
    ],
)
def test_a_stream_that_is_closed_changes_no_exit_code(
    arguments: tuple[str, ...], closed: int, code: int, tmp_path: Path
) -> None:
    line = shlex.join([sys.executable, "-m", "olistctl", *arguments])
    done = subprocess.run(
        ["sh", "-c", f"{line} {closed}>&-"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done
    assert "Traceback" not in done.stdout + done.stderr


def test_the_reader_of_the_help_may_go(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        [sys.executable, "-m", "olistctl", "--help"], stdout=writer, stderr=subprocess.PIPE, env=clean_environment()
    )
    os.close(writer)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (141, b"")
