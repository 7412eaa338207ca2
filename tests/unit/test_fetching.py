"""Fetching made-up files from a real server on loopback, through the real client."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from olistctl.errors import DataError, EnvironmentFault, ExitCode
from olistctl.fetching import DIFFERENT, FETCHED, GENUINE, MISSING, OLIST, FolderReport, check, fetch
from olistctl.fetching.faults import fault_of
from olistctl.fetching.fetch import WORKPLACE
from olistctl.results import NoProgress
from tests.channels import free_port
from tests.kaggle import API, CONTENTS, LARGE, MADE_UP, MEGABYTE, SIGNATURE, STORAGE, Kaggle, made_up, visible

SMALL = MADE_UP.files[-1].name
ONE = replace(MADE_UP, files=MADE_UP.files[:1])
SECRET = "secret-0123456789"
CUT = 5 * MEGABYTE // 2  # of which the client has written two megabytes


class Told(NoProgress):
    """What a user would see of the progress."""

    def __init__(self) -> None:
        self.total: float | None = None
        self.done = 0.0
        self.steps: list[tuple[str | None, float]] = []

    def start(self, label: str, total: float | None = None) -> None:
        self.total = total

    def advance(self, amount: float = 1, doing: str | None = None) -> None:
        self.done += amount
        self.steps.append((doing, amount))


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kaggle]:
    home = tmp_path / "home"
    home.mkdir()
    kaggle = Kaggle(home)
    for name in [name for name in os.environ if name.upper().startswith("KAGGLE")]:
        monkeypatch.delenv(name)
    for name, value in kaggle.environment.items():
        monkeypatch.setenv(name, value)
    yield kaggle
    kaggle.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "source"


def results(report: FolderReport) -> dict[str, str]:
    return {file.name: file.result for file in report.files}


def contents(folder: Path) -> dict[str, bytes]:
    """Return all that stands in the folder, hidden files and folders included."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_known_sums_are_those_of_nine_files() -> None:
    assert len({file.name for file in OLIST.files}) == len({file.sha256 for file in OLIST.files}) == 9
    assert sum(file.bytes for file in OLIST.files) == 126_186_995
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) for file in OLIST.files)


def test_all_files_come_whole_and_nothing_else_stays(kaggle: Kaggle, folder: Path) -> None:
    told = Told()
    report = fetch(folder, MADE_UP, progress=told)
    assert set(results(report).values()) == {FETCHED}
    assert contents(folder) == CONTENTS
    assert told.total == told.done == sum(len(data) for data in CONTENTS.values())
    assert {name for name, _ in told.steps} == set(CONTENTS)
    asked = [asked for asked in kaggle.asked if asked.host == API]
    assert {
        (body["ownerSlug"], body["datasetSlug"], body["datasetVersionNumber"]) for body in (a.body for a in asked)
    } == {("olistbr", "brazilian-ecommerce", 2)}
    assert {a.authorization for a in kaggle.asked} == {None}


def test_what_is_there_and_genuine_is_not_asked_for(kaggle: Kaggle, folder: Path) -> None:
    folder.mkdir()
    (folder / LARGE).write_bytes(CONTENTS[LARGE])
    report = fetch(folder, MADE_UP)
    assert results(report) == dict.fromkeys(CONTENTS, FETCHED) | {LARGE: GENUINE}
    assert LARGE not in [asked.body.get("fileName") for asked in kaggle.asked]
    asked = len(kaggle.asked)
    again = fetch(folder, MADE_UP)
    assert set(results(again).values()) == {GENUINE}
    assert len(kaggle.asked) == asked


def test_what_differs_is_replaced_by_force_alone(kaggle: Kaggle, folder: Path) -> None:
    folder.mkdir()
    (folder / SMALL).write_bytes(b"mine")
    with pytest.raises(DataError, match=f"nothing is overwritten: {SMALL}") as refused:
        fetch(folder, MADE_UP)
    assert refused.value.where == str(folder)
    assert "--force" in str(refused.value.hint)
    assert contents(folder) == {SMALL: b"mine"}
    assert kaggle.asked == []
    assert results(fetch(folder, MADE_UP, force=True))[SMALL] == FETCHED
    assert contents(folder) == CONTENTS


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_in_the_place_of_a_file_is_named_before_anything_is_fetched(
    kaggle: Kaggle, folder: Path, force: bool
) -> None:
    (folder / SMALL).mkdir(parents=True)
    with pytest.raises(EnvironmentFault, match=f"a folder lies where the file goes: {SMALL}") as refused:
        fetch(folder, MADE_UP, force=force)
    assert refused.value.where == str(folder)
    assert visible(folder) == [SMALL]
    assert kaggle.asked == []


def test_a_file_that_cannot_be_read_where_files_are_gathered_is_no_bug(kaggle: Kaggle, folder: Path) -> None:
    (folder / WORKPLACE / LARGE).mkdir(parents=True)
    with pytest.raises(EnvironmentFault, match="cannot be written: "):
        fetch(folder, ONE)


def test_certificates_that_are_not_there_are_no_fault_of_the_folder(
    kaggle: Kaggle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(folder / "no.pem"))
    with pytest.raises(EnvironmentFault, match="certificates cannot be used") as refused:
        fetch(folder, ONE)
    assert "REQUESTS_CA_BUNDLE" in str(refused.value.hint)


def test_the_reader_of_the_progress_that_goes_is_no_fault_of_the_disk(kaggle: Kaggle, folder: Path) -> None:
    class Gone(NoProgress):
        def advance(self, amount: float = 1, doing: str | None = None) -> None:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        fetch(folder, ONE, progress=Gone())


def test_a_file_that_came_by_another_way_meanwhile_is_not_overwritten(kaggle: Kaggle, folder: Path) -> None:
    class Delivers(NoProgress):
        def finish(self) -> None:
            (folder / SMALL).write_bytes(b"just arrived")

    with pytest.raises(DataError, match=f"nothing is overwritten: {SMALL}"):
        fetch(folder, MADE_UP, progress=Delivers())
    assert visible(folder) == [SMALL]
    assert (folder / SMALL).read_bytes() == b"just arrived"


def test_a_connection_that_is_cut_goes_on_by_itself(kaggle: Kaggle, folder: Path) -> None:
    kaggle.cuts = [CUT, MEGABYTE + 1]
    fetch(folder, ONE)
    assert contents(folder) == {LARGE: CONTENTS[LARGE]}
    assert [part for part in kaggle.ranges if part] == [f"bytes={2 * MEGABYTE}-", f"bytes={3 * MEGABYTE}-"]


def test_without_parts_a_cut_connection_is_an_error_and_no_half_file(kaggle: Kaggle, folder: Path) -> None:
    kaggle.has_ranges = False
    kaggle.cuts = [MEGABYTE // 2]
    with pytest.raises(EnvironmentFault, match="the connection was lost") as lost:
        fetch(folder, ONE)
    assert "run it again" in str(lost.value.hint)
    assert visible(folder) == []
    fetch(folder, ONE)
    assert contents(folder) == {LARGE: CONTENTS[LARGE]}


def test_what_one_call_brought_the_next_one_uses(kaggle: Kaggle, folder: Path) -> None:
    """All but the last file are there when Kaggle begins to refuse."""
    kaggle.contents.pop(SMALL)
    with pytest.raises(EnvironmentFault):
        fetch(folder, MADE_UP)
    assert visible(folder) == []
    kaggle.contents[SMALL] = CONTENTS[SMALL]
    kaggle.asked.clear()
    report = fetch(folder, MADE_UP)
    assert set(results(report).values()) == {FETCHED}
    assert contents(folder) == CONTENTS
    assert [asked.body["fileName"] for asked in kaggle.asked if asked.host == API] == [SMALL]


def test_a_beginning_that_does_not_fit_is_fetched_anew(kaggle: Kaggle, folder: Path) -> None:
    kaggle.cuts = [CUT, 0]
    with pytest.raises(EnvironmentFault, match="the connection was lost"):
        fetch(folder, ONE)
    (part,) = [path for path in (folder / WORKPLACE).rglob("*") if path.name == LARGE and path.is_file()]
    assert part.read_bytes() == CONTENTS[LARGE][: 2 * MEGABYTE]
    part.write_bytes(made_up(2 * MEGABYTE, seed=99))
    fetch(folder, ONE)
    assert contents(folder) == {LARGE: CONTENTS[LARGE]}


def test_an_archive_of_a_file_is_unpacked(kaggle: Kaggle, folder: Path) -> None:
    kaggle.zipped = {LARGE, SMALL}
    kaggle.cuts = [CUT]
    fetch(folder, MADE_UP)
    assert contents(folder) == CONTENTS


def test_other_content_is_refused_and_nothing_is_put_in_place(kaggle: Kaggle, folder: Path) -> None:
    kaggle.contents[SMALL] = b"another version of the data"
    with pytest.raises(DataError, match="is not the genuine file") as refused:
        fetch(folder, MADE_UP)
    assert refused.value.exit_code == ExitCode.DATA
    assert refused.value.where == SMALL
    assert MADE_UP.files[-1].sha256 in refused.value.message
    assert visible(folder) == []
    kaggle.contents[SMALL] = CONTENTS[SMALL]
    fetch(folder, MADE_UP)
    assert contents(folder) == CONTENTS


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [
        (401, r"wants a sign-in \(HTTP 401\)", "KAGGLE_API_TOKEN"),
        (403, r"wants a sign-in \(HTTP 403\)", "~/.kaggle/access_token"),
        (404, r"this version of the data any more \(HTTP 404\)", "in a browser, unzip it into"),
        (429, r"too many requests \(HTTP 429\)", "in 30 seconds"),
        (503, r"answers with HTTP 503", "run it again"),
    ],
)
def test_a_refusal_says_what_to_do(kaggle: Kaggle, folder: Path, code: int, message: str, hint: str) -> None:
    kaggle.refusal, kaggle.retry_after = code, "30"
    with pytest.raises(EnvironmentFault, match=message) as refused:
        fetch(folder, ONE)
    assert refused.value.exit_code == ExitCode.USAGE
    assert hint in str(refused.value.hint)
    assert contents(folder) == {}
    assert not (folder / WORKPLACE).exists()


@pytest.mark.parametrize("code", [401, 403])
def test_credentials_are_sent_to_kaggle_and_shown_to_nobody(
    kaggle: Kaggle, folder: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", SECRET)
    fetch(folder, replace(MADE_UP, files=MADE_UP.files[-1:]))
    assert [(asked.host, asked.authorization) for asked in kaggle.asked] == [(API, f"Bearer {SECRET}"), (STORAGE, None)]
    kaggle.refusal = code
    with pytest.raises(EnvironmentFault, match="does not accept the credentials") as refused:
        fetch(folder, ONE)
    assert SECRET not in f"{refused.value} {refused.value.hint}"


def test_a_token_that_cannot_be_sent_is_not_quoted(
    kaggle: Kaggle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", f"{SECRET}\n{SECRET}")
    with pytest.raises(EnvironmentFault, match="the Kaggle client failed: ValueError") as failed:
        fetch(folder, ONE)
    assert SECRET not in f"{failed.value} {failed.value.hint}"


def test_credentials_that_cannot_be_read_are_named(
    kaggle: Kaggle, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kaggle.json").write_text(f'{{"username": "{SECRET}"')
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    with pytest.raises(EnvironmentFault, match="credentials cannot be read") as failed:
        fetch(folder, ONE)
    assert failed.value.where == str(tmp_path)
    assert SECRET not in f"{failed.value} {failed.value.hint}"


def test_a_proxy_that_is_not_there_is_named(kaggle: Kaggle, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(EnvironmentFault, match="cannot be reached: the proxy gives no connection") as no_proxy:
        fetch(folder, ONE)
    assert "HTTPS_PROXY" in str(no_proxy.value.hint)
    assert not (folder / WORKPLACE).exists()


def test_offline_says_how_a_browser_does_it(folder: Path) -> None:
    with socket.socket() as nobody, pytest.raises(requests.ConnectionError) as failed:
        nobody.bind(("127.0.0.1", 0))  # and it does not listen
        requests.get(f"http://127.0.0.1:{nobody.getsockname()[1]}", timeout=60, proxies={"http": ""})
    fault = fault_of(failed.value, OLIST, folder)
    assert fault.message == "Kaggle cannot be reached: there is no connection"
    assert OLIST.description.page in str(fault.hint)
    assert f"olistctl fetch --check --out {folder}" in str(fault.hint)


def test_a_certificate_that_nobody_vouches_for_is_refused(
    kaggle: Kaggle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import certifi

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    with pytest.raises(EnvironmentFault, match="its certificate cannot be verified") as refused:
        fetch(folder, ONE)
    assert "REQUESTS_CA_BUNDLE" in str(refused.value.hint)
    assert kaggle.asked == []


def test_a_server_that_falls_silent_is_not_waited_for(kaggle: Kaggle, folder: Path) -> None:
    kaggle.holds_after = CUT
    with pytest.raises(EnvironmentFault, match="has sent nothing for 4 seconds") as silent:
        fetch(folder, ONE, stalled_seconds=4)
    assert silent.value.where == LARGE
    kaggle.holds_after = None
    fetch(folder, ONE)
    assert kaggle.ranges[-1] == f"bytes={2 * MEGABYTE}-"
    assert contents(folder) == {LARGE: CONTENTS[LARGE]}


def test_the_signed_address_of_a_storage_that_refuses_is_not_quoted(kaggle: Kaggle, folder: Path) -> None:
    kaggle.storage_refusal = 403
    with pytest.raises(EnvironmentFault, match="HTTP 403") as refused:
        fetch(folder, ONE)
    assert SIGNATURE not in f"{refused.value} {refused.value.hint}"


def test_what_is_no_regular_file_differs(folder: Path) -> None:
    folder.mkdir()
    names = [file.name for file in MADE_UP.files]
    os.mkfifo(folder / names[0])
    (folder / names[1]).symlink_to(folder / "nothing")
    (folder / names[2]).mkdir()
    (folder / names[3]).write_bytes(made_up(len(CONTENTS[names[3]]), seed=99))
    (folder / "elsewhere").write_bytes(CONTENTS[names[4]])
    (folder / names[4]).symlink_to(folder / "elsewhere")
    expected = [DIFFERENT] * 4 + [GENUINE] + [MISSING] * 4
    assert [file.result for file in check(folder, MADE_UP).files] == expected


def test_a_folder_that_cannot_be_is_a_clear_error(kaggle: Kaggle, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")
    with pytest.raises(EnvironmentFault) as refused:
        fetch(tmp_path / "file" / "source", ONE)
    assert str(tmp_path / "file") in str(refused.value.where)
