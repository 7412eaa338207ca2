"""Notifications of the real command line, to a real mail server and a real web hook on loopback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.channels import HOST, Hook, Mailbox, free_port, silent_server, text_of
from tests.project import Project, clean_environment, new_project
from tests.watching import WatchProcess

SELLERS = "olist_sellers_dataset.csv"
GEOLOCATION = "olist_geolocation_dataset.csv"
TEST = "no_seller_lives_nowhere"
SECRET = "hunter2-geheim"
VARIABLE = "OLISTCTL_NOTIFY_CHANNELS"
# One view and one test instead of the whole warehouse: a run takes two seconds.
DBT = {
    "models/staging/_staging.yml": "sources: [{name: raw, schema: raw, tables: [{name: stg_sellers}]}]\n",
    "models/staging/stg_sellers.sql": "select * from {{ source('raw', 'stg_sellers') }}\n",
    f"tests/{TEST}.sql": "select * from {{ ref('stg_sellers') }} where seller_city = 'nowhere'\n",
}


@pytest.fixture(scope="module")
def blocked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH in which Apprise cannot be imported, and which shows that somebody tried."""
    folder = tmp_path_factory.mktemp("blocked")
    (folder / "apprise.py").write_text(f"open({str(folder / 'imported')!r}, 'w').close()\nraise ImportError\n")
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, blocked: Path) -> Project:
    """A built project with a small dbt project; tests must not change it."""
    project = new_project(tmp_path_factory.mktemp("notify") / "project")
    dbt = project.folder / "olist_dw_dbt"
    for folder in ("analyses", "models", "snapshots", "tests"):
        shutil.rmtree(dbt / folder)
    for macro in (dbt / "macros").iterdir():
        if macro.name != "generate_schema_name.sql":
            macro.unlink()
    for name, text in DBT.items():
        (dbt / name).parent.mkdir(parents=True, exist_ok=True)
        (dbt / name).write_text(text)
    contract = project.folder / "config" / "sources.yml"
    rules = "rules: ../olist_dw_dbt/models/quality/_rules.yml\n"
    assert rules in contract.read_text()
    contract.write_text(contract.read_text().replace(rules, ""))
    project.ok("sample", "--orders", "100", "--seed", "7", "--out", "data/source")
    project.ok("run", "--full-refresh", PYTHONPATH=str(blocked))
    return project


@pytest.fixture
def desk(small: Project, tmp_path: Path) -> Project:
    shutil.copytree(small.folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.close()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    yield mailbox
    mailbox.close()


def channels(*urls: str) -> dict[str, str]:
    return {VARIABLE: " ".join(urls), "NO_PROXY": HOST, "no_proxy": HOST}


def move_seller(desk: Project, city: str) -> None:
    """Let the first seller live somewhere else."""
    file = desk.source_dir / SELLERS
    header, first, *others = file.read_text(encoding="utf-8").splitlines(keepends=True)
    fields = first.split(",")
    file.write_text("".join([header, ",".join([*fields[:2], city, fields[3]]), *others]), encoding="utf-8")


def log_of(desk: Project) -> str:
    return (desk.folder / "logs" / "etl_pipeline.log").read_text(encoding="utf-8")


def test_a_run_tells_each_channel_what_it_takes(desk: Project, hook: Hook, mailbox: Mailbox) -> None:
    to = channels(hook.url("all"), f"ticket={hook.url('desk')}", f"alert,completed={mailbox.url}")
    opened = f"olistctl ticket 1 opened: {TEST}"
    done, warned = "olistctl run: warnings", "olistctl run: 1 warning"

    move_seller(desk, "nowhere")
    (desk.source_dir / GEOLOCATION).rename(desk.folder / GEOLOCATION)
    run = json.loads(desk.ok("run", "--json", **to).stdout)
    assert len(run["findings"]) == 2
    assert hook.titles("all") == [done, warned, opened]
    assert hook.titles("desk") == [opened]
    assert [mail["Subject"] for mail in mailbox.mails] == [done, warned]
    assert [mail["To"] for mail in mailbox.mails] == ["desk@example.org"] * 2
    summary = text_of(mailbox.mails[0])
    assert f"{run['run_id']}: {run['load']['files'][6]['loaded']} rows loaded, 2 warnings" in summary
    assert "test: warnings" in summary
    assert str(desk.warehouse) in summary
    alert = text_of(mailbox.mails[1])
    assert f"- {GEOLOCATION}: missing: the file is not there" in alert
    assert "next: deliver it and run again" in alert
    assert TEST not in alert, "a test has its ticket"
    ticket = hook.at("desk")[0]["message"]
    assert f"test {TEST} fails: 1 row (owner: data engineering)" in ticket
    assert f"opened by {run['run_id']}" in ticket
    assert desk.query("select test, closed_at from etl.tickets") == [(TEST, None)]

    assert desk.json("run")["status"] == "unchanged"
    hook.bodies.clear()
    mailbox.mails.clear()
    assert desk.call("test", "--quiet", **to).returncode == 1
    assert hook.titles("all") == ["olistctl test: warnings"], "nothing of the ticket a second time"

    hook.bodies.clear()
    mailbox.mails.clear()
    move_seller(desk, "curitiba")
    desk.ok("run", **to)
    closed = f"olistctl ticket 1 closed: {TEST}"
    assert hook.titles("all") == [done, closed], "the missing file was told an hour ago at most"
    assert hook.titles("desk") == [closed]
    assert [mail["Subject"] for mail in mailbox.mails] == [done]
    assert desk.value("select count(*) from etl.tickets where closed_by_run is not null") == 1

    hook.bodies.clear()
    desk.ok("run", **to)
    assert hook.bodies == [], "nothing has changed"


def test_dead_channels_are_warned_of_and_show_no_secret(desk: Project, hook: Hook) -> None:
    hook.status = 500
    with silent_server() as silent:
        urls = [
            f"json://olist:${{TOKEN}}@{HOST}:{free_port()}/${{TOKEN}}?+X-Key=${{TOKEN}}",
            f"mailto://olist:${{TOKEN}}@example.org:{silent}?smtp={HOST}&to=desk@example.org",
            f"json://{HOST}:{hook.port}/${{TOKEN}}",
            "tgram://${TOKEN}",
        ]
        settings = desk.folder / "config" / "olistctl.yml"
        listed = "".join(f"\n    - url: {url}" for url in urls)
        settings.write_text(settings.read_text().replace("channels: []", f"channels:{listed}\n", 1))
        to = {"TOKEN": SECRET, "OLISTCTL_NOTIFY_TIMEOUT_SECONDS": "1"} | channels()
        del to[VARIABLE]
        move_seller(desk, "nowhere")
        done = desk.ok("run", "--verbose", **to)
        plain = desk.ok("status", "--config-sources", "--json", **to)
        trial = desk.call("status", "--notify-test", **to)
    for said in (
        f"channel 1 (json://{HOST}): 2 of 2 notifications did not go out: no connection",
        "channel 2 (mailto://example.org): 2 of 2 notifications did not go out: no answer within 1 s",
        f"channel 3 (json://{HOST}): 2 of 2 notifications did not go out: the server answered 500",
        "channel 4 (tgram://…): 2 of 2 notifications did not go out: Apprise knows no such address",
    ):
        assert f"warning: {said}" in done.stderr
    assert f"WARNING - notifications: channel 3 (json://{HOST}): the server answered 500; 2 not sent" in log_of(desk)
    assert trial.returncode == 2
    assert "the server answered 500" in trial.stdout
    assert f"json://{HOST}" in plain.stdout
    for call in (done, plain, trial):
        assert SECRET not in call.stdout + call.stderr
    holders = [file for file in desk.folder.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()]
    assert holders == []

    # When a channel lives again, it hears of the ticket, whatever the run has to do.
    hook.status = 200
    later = json.loads(desk.ok("run", "--json", **channels(hook.url("later"))).stdout)
    assert later["status"] == "unchanged"
    assert hook.titles("later") == [f"olistctl ticket 1 opened: {TEST}"]
    assert "channel 1 " in desk.ok("status", "--notify-test", **channels(hook.url("later"))).stdout


def test_a_failure_is_told_once(desk: Project, hook: Hook) -> None:
    (desk.folder / "olist_dw_dbt" / "models" / "staging" / "stg_sellers.sql").write_text("select no_such_column\n")
    to = channels(f"alert={hook.url('all')}", f"alert=json://{HOST}:{free_port()}")
    failed = desk.call("run", **to)
    assert failed.returncode == 1
    assert hook.titles("all") == ["olistctl run failed"]
    assert "no_such_column" in hook.at("all")[0]["message"]
    assert f"warning: channel 2 (json://{HOST}): 1 of 1 notification did not go out: no connection" in failed.stderr
    assert desk.call("run", **to).returncode == 1
    assert hook.titles("all") == ["olistctl run failed"]


def test_apprise_is_imported_for_channels_alone_and_may_be_missing(desk: Project, blocked: Path) -> None:
    assert not (blocked / "imported").exists(), "the project was built without channels"
    move_seller(desk, "recife")
    done = desk.ok("run", PYTHONPATH=str(blocked), **channels("json://localhost"))
    assert (blocked / "imported").exists()
    assert "Apprise is not installed" in done.stderr
    assert "next: pip install 'olistctl[notify]'" in done.stderr


def test_a_watcher_tells_too(desk: Project, hook: Hook) -> None:
    move_seller(desk, "recife")
    to = channels(f"completed={hook.url('all')}", f"json://{HOST}:{free_port()}")
    command = desk.command("watch", "--json", "--once", "--debounce", "0.2")
    with WatchProcess(command, desk.folder, clean_environment(**to)) as watcher:
        warning = watcher.wait_for("warning")
        assert watcher.wait() == 0
    assert warning["where"] == f"channel 2 (json://{HOST})"
    assert hook.titles("all") == ["olistctl run: success"]
