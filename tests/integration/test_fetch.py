"""`olistctl fetch` as a user and a script meet it, from a Kaggle on loopback that has only made-up files."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from olistctl.fetching import OLIST
from olistctl.fetching.fetch import WORKPLACE
from tests.kaggle import CONTENTS, LARGE, MEGABYTE, Kaggle, visible
from tests.project import REAL_DATA, Project, clean_environment, new_project
from tests.torture.conftest import small_disk
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
SECRET = "secret-0123456789"
CUT = 5 * MEGABYTE // 2  # of which the client has written two megabytes
# The command line on a table of sums in which the made-up files are the genuine ones.
MADE_UP_IS_GENUINE = """
import olistctl.fetching
from tests.kaggle import MADE_UP
olistctl.fetching.OLIST = MADE_UP
from olistctl.cli import main
main()
"""


@pytest.fixture
def kaggle(tmp_path: Path) -> Iterator[Kaggle]:
    home = tmp_path / "home"
    home.mkdir()
    kaggle = Kaggle(home)
    yield kaggle
    kaggle.close()


@pytest.fixture
def empty(tmp_path: Path) -> Project:
    return new_project(tmp_path / "empty")


def environment_of(kaggle: Kaggle, **extra: str) -> dict[str, str]:
    kept = {name: value for name, value in clean_environment().items() if not name.startswith("KAGGLE")}
    return kept | kaggle.environment | extra


def fetch(
    project: Project, kaggle: Kaggle, *arguments: str, is_genuine: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", MADE_UP_IS_GENUINE] if is_genuine else [sys.executable, "-m", "olistctl"]
    return subprocess.run(
        [*command, "fetch", *arguments],
        cwd=project.folder,
        env=environment_of(kaggle, PYTHONPATH=str(ROOT), **environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_files_come_with_their_licence_and_stay(empty: Project, kaggle: Kaggle) -> None:
    done = fetch(empty, kaggle, "--quiet")
    assert done.returncode == 0, done.stderr
    assert contents(empty.source_dir) == CONTENTS
    assert done.stdout.count(" fetched ") == 9
    assert "All 9 files are the genuine ones. Next: `olistctl run`" in done.stdout
    # Nothing but the licence: --quiet leaves the progress out, and the client is not heard.
    first, second = done.stderr.splitlines()
    assert "Brazilian E-Commerce Public Dataset by Olist" in first
    assert "CC BY-NC-SA 4.0" in second
    assert "no commercial use" in second
    again = fetch(empty, kaggle, "--json")
    report = json.loads(again.stdout)
    assert {file["result"] for file in report["files"]} == {"genuine"}
    assert report["dataset"]["licence"] == "CC BY-NC-SA 4.0"
    assert again.stderr == ""


def test_json_alone_is_on_stdout(empty: Project, kaggle: Kaggle) -> None:
    out = empty.folder / "[red]here[/red]"
    done = fetch(empty, kaggle, "--json", "--out", str(out))
    report = json.loads(done.stdout)
    assert [(file["name"], file["result"]) for file in report["files"]] == [(name, "fetched") for name in CONTENTS]
    assert report["folder"] == str(out)
    assert done.stderr == "Fetching …\n"
    assert sorted(CONTENTS) == visible(out)


def test_what_is_not_genuine_is_not_put_in_place(empty: Project, kaggle: Kaggle) -> None:
    done = fetch(empty, kaggle, is_genuine=False)
    assert done.returncode == 1
    assert f"error: {LARGE}: what Kaggle sent is not the genuine file" in done.stderr
    assert "nothing was put in place" in done.stderr
    assert visible(empty.source_dir) == []


def test_files_of_ones_own_are_replaced_by_force_alone(empty: Project, kaggle: Kaggle) -> None:
    empty.ok("sample", "--orders", "10", "--out", "data/source")
    sample = contents(empty.source_dir)
    done = fetch(empty, kaggle)
    assert done.returncode == 1
    assert "not the genuine files, and nothing is overwritten: olist_customers_dataset.csv, " in done.stderr
    assert "`--force` replaces them" in done.stderr
    assert contents(empty.source_dir) == sample
    assert fetch(empty, kaggle, "--force").returncode == 0
    assert contents(empty.source_dir) == CONTENTS


def test_a_refusal_is_told_without_the_token(empty: Project, kaggle: Kaggle) -> None:
    kaggle.refusal = 401
    done = fetch(empty, kaggle, "--json", "--verbose", KAGGLE_API_TOKEN=SECRET, KAGGLEHUB_VERBOSITY="debug")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["message"] == "Kaggle does not accept the credentials (HTTP 401)"
    assert "https://www.kaggle.com/settings/api" in error["hint"]
    written = [path.read_text(errors="replace") for path in empty.folder.rglob("*") if path.is_file()]
    assert all(SECRET not in text for text in (done.stdout, done.stderr, *written))


def test_without_the_extra_the_error_says_how_to_get_it(empty: Project, kaggle: Kaggle) -> None:
    (empty.folder / "site").mkdir()
    (empty.folder / "site" / "kagglehub.py").write_text("raise ModuleNotFoundError(name='kagglehub')\n")
    done = subprocess.run(
        empty.command("fetch"),
        cwd=empty.folder,
        env=environment_of(kaggle, PYTHONPATH=str(empty.folder / "site")),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install 'olistctl[kaggle]'" in done.stderr
    assert contents(empty.source_dir) == {}


def test_check_looks_without_network_or_client(empty: Project) -> None:
    done = empty.call("fetch", "--check", "--json", https_proxy="http://127.0.0.1:9")
    assert done.returncode == 1
    assert {file["result"] for file in json.loads(done.stdout)["files"]} == {"missing"}
    assert "missing: olist_customers_dataset.csv, " in done.stderr
    wrong = empty.call("fetch", "--check", "--force")
    assert wrong.returncode == 2


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the real data is not beside the checkout")
def test_check_knows_a_genuine_file() -> None:
    """The subset of the real data has the translation as it is, and its rows of the others."""
    done = Project(REAL_DATA).call("fetch", "--check", "--json", "--out", str(REAL_DATA))
    assert done.returncode == 1
    results = {file["name"]: file["result"] for file in json.loads(done.stdout)["files"]}
    assert results.pop("product_category_name_translation.csv") == "genuine"
    assert set(results.values()) == {"different"}


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_call_that_is_stopped_leaves_nothing_half_and_goes_on(
    empty: Project, kaggle: Kaggle, number: signal.Signals, code: int
) -> None:
    kaggle.holds_after = CUT
    stopped = subprocess.Popen(
        empty.command("fetch"),
        cwd=empty.folder,
        env=environment_of(kaggle),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        part = empty.source_dir / WORKPLACE / f"{LARGE}.part"
        wait_for(lambda: bytes_in(part) == 2 * MEGABYTE, "two megabytes")
        second = fetch(empty, kaggle)
        assert second.returncode == 4
        assert "another olistctl is fetching into this folder" in second.stderr
        stopped.send_signal(number)
        _, told = stopped.communicate(timeout=60)
    finally:
        stopped.kill()
    assert stopped.returncode == code
    assert visible(empty.source_dir) == []
    if number != signal.SIGKILL:
        assert "next: run it again, it goes on where it was" in told
    kaggle.holds_after = None
    kaggle.asked.clear()
    assert fetch(empty, kaggle).returncode == 0
    assert kaggle.ranges[1] == f"bytes={2 * MEGABYTE}-"
    assert contents(empty.source_dir) == CONTENTS


def test_a_full_disk_is_named_and_what_came_is_used(empty: Project, kaggle: Kaggle, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2 * MEGABYTE + MEGABYTE // 2) as disk:
        done = fetch(empty, kaggle, "--out", str(disk))
        assert done.returncode == 2
        assert f"the disk is full: no space is left on the disk at {disk}" in done.stderr
        assert visible(disk) == []
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        assert fetch(empty, kaggle, "--out", str(disk)).returncode == 0
        assert contents(disk) == CONTENTS


def test_known_files_are_those_of_the_contract(empty: Project) -> None:
    from olistctl.sources import load_contract

    contract = load_contract(empty.folder / "config" / "sources.yml")
    assert [file.name for file in OLIST.files] == [source.file for source in contract.sources]


def contents(folder: Path) -> dict[str, bytes]:
    """Return all that stands in a folder, hidden files and folders included."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
