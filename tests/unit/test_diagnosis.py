"""What keeps olistctl from working is found, check by check, with what to do; and looking leaves nothing behind."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from olistctl import __version__, journal, ledger
from olistctl.config import Settings, load_settings
from olistctl.diagnosis import OK, PROBLEM, WARNING, Check, Diagnosis, examine
from olistctl.diagnosis.check import Answer, ask
from olistctl.diagnosis.requirements import needs, unmet
from olistctl.errors import ConfigError
from olistctl.heartbeat import Heartbeat, WatcherState, now, watch_folder
from olistctl.project_files import lay_out
from olistctl.results import NoProgress
from olistctl.warehouse import connect
from tests.delivery import NAMES, write_delivery
from tests.unit.test_ledger import RUN
from tests.unit.test_lock import holder
from tests.unit.test_stage import HOLD

OF_MACHINE = ("python", "olistctl", "packages", "extras", "text", "configuration")


@pytest.fixture
def sound(tmp_path: Path) -> Settings:
    """The settings of a project with nine files, as `olistctl init` lays it out, before its first run."""
    lay_out(tmp_path / "project")
    write_delivery(tmp_path / "project" / "data" / "source")
    return load_settings(tmp_path / "project" / "config" / "olistctl.yml", environ={})


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a package of which there is nothing but its metadata, before the real ones."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def install(name: str, version: str, *lines: str) -> None:
        info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        head = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}"]
        (info / "METADATA").write_text("\n".join([*head, *lines, ""]))
        importlib.invalidate_caches()  # what a folder has is known by its time, which may not have moved yet

    return install


def found(settings: Settings) -> dict[str, Check]:
    return by_name(examine(lambda: settings, NoProgress()))


def by_name(diagnosis: Diagnosis) -> dict[str, Check]:
    return {check.name: check for check in diagnosis.checks}


def wrong(settings: Settings) -> dict[str, str]:
    """Return the status of each check that is not ok."""
    return {name: check.status for name, check in found(settings).items() if check.status != OK}


def tree(folder: Path) -> dict[Path, tuple[int, int]]:
    files = {path: path.lstat() for path in folder.rglob("*")}
    return {path: (0 if path.is_dir() else stat.st_mtime_ns, stat.st_size) for path, stat in files.items()}


# --- all of it ---


def test_a_sound_project_has_nothing_to_mend_and_stays_as_it_is(sound: Settings, tmp_path: Path) -> None:
    before = tree(tmp_path)
    assert wrong(sound) == {}
    assert tree(tmp_path) == before
    assert not sound.state_dir.exists()


def test_a_configuration_that_cannot_be_read_leaves_the_rest_to_be_checked(sound: Settings) -> None:
    text = sound.config_file.read_text()
    sound.config_file.write_text(text.replace("source_dir:", "source_dri:"))
    diagnosis = examine(lambda: load_settings(sound.config_file, environ={}), NoProgress())
    assert tuple(check.name for check in diagnosis.checks) == OF_MACHINE
    check = by_name(diagnosis)["configuration"]
    assert (check.status, check.found, check.next) == (
        PROBLEM, "unknown key 'source_dri'", "did you mean 'source_dir'?",
    )  # fmt: skip
    assert (check.where or "").startswith(f"{sound.config_file}:")
    assert {"contract", "source files", "warehouse", "disk"} < set(diagnosis.left_out)


def test_what_overrides_the_configuration_is_named(sound: Settings) -> None:
    settings = load_settings(sound.config_file, environ={"OLISTCTL_LOAD_MAX_BAD_SHARE": "0.2"})
    assert found(settings)["configuration"].found == "target dev; overridden by OLISTCTL_LOAD_MAX_BAD_SHARE"


@pytest.mark.parametrize(
    ("error", "where", "words"),
    [
        (ConfigError("wrong", where="here", hint="mend it"), "here", ("wrong", "mend it")),
        (PermissionError(13, "Permission denied", "/x"), "/x", ("no permission", "give this user the right")),
        (NotADirectoryError(20, "Not a directory", "/x"), "/x", ("Not a directory", "olistctl doctor")),
        (ConfigError("wrong", where="here"), "here", ("wrong", "olistctl doctor")),
        (ModuleNotFoundError("No module named 'duckdb'"), None, ("No module named 'duckdb'", "packages")),
        (KeyError("k"), None, ("KeyError: 'k'", "a bug in olistctl")),
    ],
)
def test_whatever_keeps_a_check_from_looking_is_a_problem(
    error: Exception, where: str | None, words: tuple[str, ...]
) -> None:
    def look() -> Answer:
        raise error

    check = ask("a look", look)
    assert (check.name, check.status, check.where) == ("a look", PROBLEM, where)
    assert [word for word in words if word not in f"{check.found} {check.next}"] == []


# --- versions ---


def test_a_package_of_a_wrong_version_is_named_with_the_command_that_mends_it(
    sound: Settings, site: Callable[..., None]
) -> None:
    site("duckdb", "0.9.1")
    check = found(sound)["packages"]
    assert check.status == PROBLEM
    assert check.found.startswith("duckdb 0.9.1 (needs ")
    assert (check.next or "").startswith(f"{sys.executable} -m pip install 'duckdb<")


def test_packages_that_are_missing_and_a_python_that_is_too_old(sound: Settings, site: Callable[..., None]) -> None:
    site("olistctl", __version__, "Requires-Python: >=3.99", "Requires-Dist: no-such-package>=1")
    checks = found(sound)
    assert checks["packages"].found == "no-such-package is not installed (needs >=1)"
    assert checks["packages"].status == PROBLEM
    assert checks["python"].status == PROBLEM
    assert checks["python"].found.endswith("(needs >=3.99)")
    assert checks["olistctl"].status == OK


def test_an_installed_olistctl_that_is_not_the_one_that_runs(sound: Settings, site: Callable[..., None]) -> None:
    site("olistctl", "0.0.1")
    check = found(sound)["olistctl"]
    assert (check.status, check.found) == (WARNING, f"{__version__} runs, and 0.0.1 is installed")


def test_an_extra_is_installed_with_what_its_packages_extras_need(site: Callable[..., None]) -> None:
    spark = "Requires-Dist: some-adapter[Client]>=1; extra == 'spark'"
    site("olistctl", __version__, "Provides-Extra: spark", spark, "Requires-Dist: some-base; sys_platform == 'none'")
    assert [need.requirement.name for need in unmet(needs("spark"))] == ["some-adapter"]
    client = "Requires-Dist: some-client>2; extra == 'client'"
    site("some-adapter", "1.5", "Provides-Extra: client", client, "Requires-Dist: some-base")
    assert [str(need) for need in unmet(needs("spark"))] == ["some-client is not installed (needs >2)"]
    site("some-client", "3.0")
    assert unmet(needs("spark")) == ()
    assert needs() == ()


def test_channels_need_their_extra(sound: Settings, site: Callable[..., None]) -> None:
    environ = {"OLISTCTL_NOTIFY_CHANNELS": "jsons://user:secret@example.org/hook"}
    settings = load_settings(sound.config_file, environ=environ)
    assert found(settings)["notifications"].found == "jsons://example.org"
    site("apprise", "1.0")
    check = found(settings)["notifications"]
    assert (check.status, check.next) == (WARNING, "pip install 'olistctl[notify]'")
    assert check.found.startswith("apprise 1.0 (needs ")
    site("olistctl", __version__, "Provides-Extra: notify", "Requires-Dist: no-such-package; extra == 'notify'")
    check = found(settings)["notifications"]
    assert (check.status, check.next) == (WARNING, "pip install 'olistctl[notify]'")
    assert "not installed" in check.found
    assert found(sound)["notifications"].status == OK


def test_a_spark_target_is_asked_for_its_cluster(sound: Settings) -> None:
    assert "spark cluster" not in found(sound)
    check = found(load_settings(sound.config_file, {"target": "spark"}, environ={}))["spark cluster"]
    assert (check.status, check.found) == (PROBLEM, "spark_table_format is not set")
    assert "spark_table_format: iceberg" in (check.next or "")


# --- contract, files, dbt project ---


def test_a_contract_with_a_fault_is_told_once(sound: Settings) -> None:
    sound.contract_file.write_text(sound.contract_file.read_text().replace("type: zip", "type: zipp", 1))
    assert wrong(sound) == {"contract": PROBLEM, "source files": WARNING}
    assert found(sound)["contract"].next == "did you mean 'zip'?"


def test_a_source_folder_that_is_away_or_empty(sound: Settings, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder, words in (("away", "the source folder cannot be read"), ("empty", "none of the nine CSVs is there")):
        settings = replace(sound, source_dir=tmp_path / folder)
        check = found(settings)["source files"]
        assert (check.status, check.where) == (PROBLEM, str(tmp_path / folder))
        assert words in check.found
        assert "--source-dir" in (check.next or "")
        assert wrong(settings) == {"source files": PROBLEM}


def test_files_that_are_missing_are_a_warning(sound: Settings) -> None:
    (sound.source_dir / NAMES["orders"]).unlink()
    check = found(sound)["source files"]
    assert check.status == WARNING
    assert check.found.startswith("8 files, ")
    assert check.found.endswith(f"missing: {NAMES['orders']}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_that_cannot_be_read_are_a_warning(sound: Settings) -> None:
    (sound.source_dir / NAMES["orders"]).chmod(0)
    check = found(sound)["source files"]
    assert (check.status, check.found.endswith(f"not to be read: {NAMES['orders']}")) == (WARNING, True)


def test_a_dbt_project_that_is_away(sound: Settings, tmp_path: Path) -> None:
    check = found(replace(sound, dbt_project=tmp_path / "away"))["dbt project"]
    assert (check.status, check.found, check.where) == (PROBLEM, "there is no dbt project", str(tmp_path / "away"))
    assert "dbt_project" in (check.next or "")


def test_a_dbt_project_whose_profile_does_not_know_the_target(sound: Settings) -> None:
    check = found(replace(sound, target="prd"))["dbt project"]
    assert (check.status, check.found) == (PROBLEM, "dbt knows no target 'prd'")
    assert check.next == "did you mean 'prod'?"
    assert check.where == str(sound.dbt_project / "profiles.yml")


def test_a_profile_that_shares_its_settings_is_read_as_dbt_reads_it(sound: Settings) -> None:
    (sound.dbt_project / "profiles.yml").write_text(
        "shared: &shared\n  dev: {type: duckdb}\nolist_dw:\n  target: dev\n  outputs:\n    <<: *shared\n"
    )
    assert found(sound)["dbt project"].status == OK
    (sound.dbt_project / "profiles.yml").write_text("olist_dw: [\n")
    check = found(sound)["dbt project"]
    assert (check.status, check.where) == (PROBLEM, str(sound.dbt_project / "profiles.yml"))


def test_a_folder_in_the_place_of_the_log(sound: Settings) -> None:
    sound.log_file.mkdir(parents=True)
    check = found(sound)["log"]
    assert (check.status, check.where) == (PROBLEM, str(sound.log_file))


def test_a_dbt_project_of_ones_own_is_told_and_no_fault(sound: Settings) -> None:
    (sound.dbt_project / "models" / "mine.sql").write_text("select 1")
    file = sound.dbt_project / "dbt_project.yml"
    file.write_text(file.read_text() + "# mine\n")
    (sound.dbt_project / "macros" / "cleaning.sql").unlink()
    check = found(sound)["dbt project"]
    assert check.status == OK
    assert "1 file changed: dbt_project.yml; 1 file added: models/mine.sql; 1 file gone: macros/cleaning.sql" in (
        check.found
    )


# --- folders, disk, memory ---


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("warehouse folder", "OLISTCTL_WAREHOUSE"),
        ("parquet folder", "OLISTCTL_PARQUET_DIR"),
        ("quarantine folder", "OLISTCTL_LOAD_QUARANTINE_DIR"),
        ("log", "OLISTCTL_LOG_FILE"),
    ],
)
def test_a_folder_that_cannot_be_made(sound: Settings, tmp_path: Path, name: str, variable: str) -> None:
    file = tmp_path / "file"
    file.write_text("")
    inside = str(file / "folder" / "x.duckdb")
    check = found(load_settings(sound.config_file, environ={variable: inside}))[name]
    assert (check.status, check.where) == (PROBLEM, str(file))
    assert check.found == "a file lies where a folder should be"
    assert "config/olistctl.yml" in (check.next or "")


def test_a_folder_that_is_a_link_to_nowhere(sound: Settings, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    check = found(replace(sound, quarantine_dir=tmp_path / "link" / "folder"))["quarantine folder"]
    assert (check.status, check.where) == (PROBLEM, str(tmp_path / "link"))
    assert check.found == "a link leads nowhere where a folder should be"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder in which nobody, not even root, can write")
def test_a_folder_in_which_nothing_can_be_made(sound: Settings) -> None:
    check = found(replace(sound, quarantine_dir=Path("/proc/olistctl")))["quarantine folder"]
    assert (check.status, check.where) == (PROBLEM, "/proc")
    assert check.found.startswith("it cannot be written: ")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_and_a_lock_without_permission(sound: Settings) -> None:
    sound.state_dir.mkdir()
    lock = sound.state_dir / "lock"
    lock.touch(0o400)
    check = found(sound)["state folder"]
    assert (check.status, check.where) == (PROBLEM, str(lock))
    sound.warehouse.parent.chmod(0o500)
    try:
        checks = found(sound)
    finally:
        sound.warehouse.parent.chmod(0o700)
    assert checks["warehouse folder"].found == "it cannot be written: no permission"
    assert checks["warehouse folder"].where == str(sound.warehouse.parent)
    assert "give this user the right" in (checks["warehouse folder"].next or "")


def test_a_state_folder_on_another_file_system(sound: Settings) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == sound.warehouse.parent.stat().st_dev:
        pytest.skip("needs a second file system")
    with tempfile.TemporaryDirectory(dir=elsewhere) as folder:
        sound.state_dir.symlink_to(folder)
        check = found(sound)["state folder"]
        assert list(Path(folder).iterdir()) == []
    assert (check.status, check.where) == (PROBLEM, str(sound.state_dir))
    assert "in one rename" in check.found
    assert str(sound.state_dir) in (check.next or "")


def test_a_file_system_without_links_is_a_warning(sound: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(os, "symlink", refuse)
    assert wrong(sound) == {"state folder": WARNING, "parquet folder": WARNING}
    checks = found(sound)
    assert "hard links: Operation not permitted" in checks["state folder"].found
    assert "'latest' cannot lead to a release" in checks["parquet folder"].found


def sparse(file: Path, size: int) -> None:
    """Give a file a size that it does not take on the disk."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as stream:
        stream.truncate(size)


def test_a_disk_too_small_for_a_full_refresh(sound: Settings) -> None:
    sparse(sound.source_dir / NAMES["orders"], shutil.disk_usage(sound.source_dir).free)
    check = found(sound)["disk"]
    assert (check.status, check.where) == (WARNING, str(sound.warehouse.parent))
    assert " free, and a full refresh takes about " in check.found


def test_a_disk_too_small_for_any_run(sound: Settings) -> None:
    sparse(sound.warehouse, 2 * shutil.disk_usage(sound.source_dir).free)
    check = found(sound)["disk"]
    assert (check.status, check.where) == (PROBLEM, str(sound.warehouse.parent))
    assert " free, and a run begins with a copy of " in check.found
    assert "free space" in (check.next or "")


def test_a_memory_limit_that_the_machine_does_not_have(sound: Settings) -> None:
    settings = load_settings(sound.config_file, environ={"OLISTCTL_MEMORY_LIMIT": "900TB"})
    check = found(settings)["memory"]
    assert (check.status, check.where) == (WARNING, "environment OLISTCTL_MEMORY_LIMIT")
    assert found(replace(settings, memory_limit="50%"))["memory"].status == OK


# --- who is at work, and what stands there ---


def test_a_writer_is_named_and_not_disturbed(sound: Settings) -> None:
    with holder(sound.state_dir) as process:
        check = found(sound)["lock"]
        assert check.status == WARNING
        assert check.found.startswith(f"held by process {process.pid} (`olistctl run`) since 20")
        assert "--wait" in (check.next or "")
        assert found(sound)["lock"] == check
    assert found(sound)["lock"].found == "free"


def test_a_watcher_that_lives_and_one_that_is_gone(sound: Settings) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    folder = watch_folder(sound.state_dir)
    state = WatcherState(ended.pid, now(), now(), str(sound.source_dir), "waiting", "events")
    Heartbeat(folder, state).update()
    check = found(sound)["watcher"]
    assert (check.status, check.next) == (WARNING, "olistctl watch")
    assert f"process {ended.pid} is gone without a word" in check.found
    with holder(folder):
        assert found(sound)["watcher"].status == OK
        Heartbeat(folder, state).update(failure="the disk is full")
        check = found(sound)["watcher"]
        assert (check.status, check.next) == (WARNING, "olistctl status")
        assert check.found.endswith("; its last run failed: the disk is full")
    Heartbeat(folder, state).update(state="stopped")
    assert found(sound)["watcher"].status == OK


def test_what_a_killed_run_left_is_told_and_stays(sound: Settings) -> None:
    sound.stage_dir.mkdir(parents=True)
    journal.write_journal(sound.journal_dir, replace(RUN, status=journal.RUNNING))
    check = found(sound)["leftovers"]
    assert check.status == OK
    assert [word for word in (RUN.run_id, str(sound.stage_dir), "clears") if word not in check.found] == []
    assert sound.stage_dir.exists()
    assert journal.read_journal(sound.journal_dir)


def make_warehouse(settings: Settings, *statements: str) -> None:
    settings.warehouse.parent.mkdir(parents=True, exist_ok=True)
    connection = connect(settings.warehouse)
    for statement in statements:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"this is no database" * 1000, "not a DuckDB file"),
        (b"SQLite format 3\0" * 300, "a SQLite database"),
        (b"", "an empty file"),
    ],
)
def test_a_warehouse_that_is_none(sound: Settings, content: bytes, words: str) -> None:
    sound.warehouse.write_bytes(content)
    check = found(sound)["warehouse"]
    assert (check.status, check.where) == (PROBLEM, str(sound.warehouse))
    assert words in check.found
    assert "point `warehouse` in config/olistctl.yml" in (check.next or "")


def test_a_damaged_warehouse(sound: Settings) -> None:
    make_warehouse(sound, "create table t as from range(100000)")
    content = bytearray(sound.warehouse.read_bytes())
    content[100] ^= 0xFF
    sound.warehouse.write_bytes(content)
    check = found(sound)["warehouse"]
    assert check.status == PROBLEM
    assert "the file is damaged" in check.found
    assert "olistctl run --full-refresh" in (check.next or "")


def test_a_database_that_olistctl_has_not_published(sound: Settings) -> None:
    make_warehouse(sound, "create table t (n integer)")
    checks = found(sound)
    assert checks["warehouse"].status == checks["models"].status == WARNING
    assert "has not published" in checks["warehouse"].found


def test_a_warehouse_that_another_program_has_open_for_writing(sound: Settings) -> None:
    make_warehouse(sound)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(sound.warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        check = found(sound)["warehouse"]
        process.kill()
    assert check.status == PROBLEM
    assert "open for writing" in check.found
    assert "close it there" in (check.next or "")


def test_a_ledger_of_an_older_release_is_told(sound: Settings) -> None:
    with duckdb.connect(str(sound.warehouse)) as connection:
        ledger.create(connection)
        connection.execute("drop table etl.tickets")
    checks = found(sound)
    for name in ("warehouse", "models"):
        assert checks[name].status == OK
        assert "an older release" in checks[name].found


def test_models_that_a_run_would_build(sound: Settings) -> None:
    with duckdb.connect(str(sound.warehouse)) as connection:
        ledger.create(connection)
    check = found(sound)["models"]
    assert (check.status, check.next) == (WARNING, "olistctl run")
    assert "nothing is built yet" in check.found
