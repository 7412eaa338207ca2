"""Dagster itself, in an environment of its own (`make test-dagster`): real runs of a real project, and its server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from olistctl.config import load_settings
from olistctl.orchestration import dagster as orchestration
from olistctl.transform import DbtPlace, DbtProcess
from olistctl.warehouse import writer_lock
from tests.channels import HOST, free_port
from tests.project import Project, clean_environment

ITEMS = "olist_order_items_dataset.csv"
ORDERS = "olist_orders_dataset.csv"
MODULE = "olistctl.orchestration.dagster"
JOB = "olist_pipeline"
BUSY = "another olistctl is writing"


@pytest.fixture(scope="session")
def materialized(laid_out: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Ended]:
    """A project whose warehouse Dagster has built, and what it said; tests must not change it."""
    project = copy_of(laid_out, tmp_path_factory.mktemp("materialized"))
    return project, execute(project)


@pytest.fixture
def desk(materialized: tuple[Project, Ended], tmp_path: Path) -> Project:
    return copy_of(materialized[0], tmp_path)


class Ended:
    """What a run said."""

    def __init__(self, result: dg.ExecuteInProcessResult) -> None:
        self.result = result
        self.metadata: dict[str, dict[str, Any]] = {}
        for event in result.all_events:
            if event.event_type_value == "ASSET_MATERIALIZATION":
                told = event.step_materialization_data.materialization
                key = told.asset_key.to_user_string()
                assert key not in self.metadata, "an asset is told of once"
                self.metadata[key] = {name: value.value for name, value in told.metadata.items()}
        self.checks = {check.check_name: check for check in result.get_asset_check_evaluations()}

    @property
    def success(self) -> bool:
        return bool(self.result.success)

    @property
    def failed_checks(self) -> dict[str, str]:
        return {name: check.severity.value for name, check in self.checks.items() if not check.passed}

    @property
    def failure(self) -> Any:
        (event,) = [event for event in self.result.all_events if event.event_type_value == "STEP_FAILURE"]
        return event.step_failure_data


def copy_of(project: Project, folder: Path) -> Project:
    shutil.copytree(project.folder, folder / "project", symlinks=True)
    return Project(folder / "project")


def definitions(project: Project) -> dg.Definitions:
    return orchestration.definitions(load_settings(project.folder / "config" / "olistctl.yml"))


def execute(
    project: Project,
    *,
    assets: list[str] | None = None,
    checks: list[tuple[str, str]] | None = None,
    instance: dg.DagsterInstance | None = None,
    **options: Any,
) -> Ended:
    job = definitions(project).resolve_job_def(JOB)
    if assets is not None or checks is not None:
        job = job.get_subset(
            asset_selection={dg.AssetKey(key.split("/")) for key in assets or ()},
            asset_check_selection={dg.AssetCheckKey(dg.AssetKey(key.split("/")), name) for key, name in checks or ()},
        )
    config = {"ops": {"olistctl_run": {"config": options}}} if options else None
    with dg.DagsterInstance.ephemeral() as own:
        return Ended(job.execute_in_process(run_config=config, instance=instance or own, raise_on_error=False))


def manifest_of(project: Project) -> dict[str, Any]:
    settings = load_settings(project.folder / "config" / "olistctl.yml")
    with DbtProcess() as dbt:
        return dbt.manifest(DbtPlace.of(settings, settings.warehouse))


def identity_of(project: Project) -> tuple[int, int]:
    """Return what differs between two publications."""
    status = project.warehouse.stat()
    return status.st_ino, status.st_mtime_ns


def damage_orders(project: Project) -> None:
    """Let parcels arrive before they were ordered, which breaks a rule of severity error."""
    header, *orders = (project.source_dir / ORDERS).read_bytes().splitlines(keepends=True)
    fields = [order.split(b",") for order in orders]
    changed = [[*one[:6], b"2016-01-01 00:00:00", *one[7:]] if b"delivered" in one else one for one in fields]
    (project.source_dir / ORDERS).write_bytes(header + b"".join(map(b",".join, changed)))


def damage_item(project: Project) -> None:
    """Make a price no number: a bad record."""
    lines = (project.source_dir / ITEMS).read_bytes().splitlines(keepends=True)
    first = lines[1].split(b",")
    lines[1] = b",".join([*first[:5], b"much", *first[6:]])
    (project.source_dir / ITEMS).write_bytes(b"".join(lines))


def eventually(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 120
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


def test_everything_is_materialized(materialized: tuple[Project, Ended]) -> None:
    project, ended = materialized
    assert ended.success
    manifest = manifest_of(project)
    models = {
        f"{node['schema']}/{node['name']}"
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "snapshot") and node["config"]["materialized"] != "ephemeral"
    }
    tables = {f"{source['schema']}/{source['identifier']}" for source in manifest["sources"].values()}
    files = {key for key in ended.metadata if key.startswith("files/")}
    assert len(files) == 9
    assert models | tables | files <= ended.metadata.keys()
    for key in models | tables:
        rows = project.value(f"select count(*) from {key.replace('/', '.')}")
        if "ephemeral" not in key:
            assert ended.metadata[key]["dagster/row_count"] == rows, key
    assert all(ended.metadata[key]["seconds"] >= 0 for key in models)
    orders = ended.metadata["files/orders"]
    assert (orders["records_read"], orders["rows_loaded"], orders["records_quarantined"]) == (300, 300, 0)
    account = ended.metadata["quality/dq_reconciliation"]["account"].records
    assert {flow.data["unexplained"] for flow in account} == {"0.00"}
    assert "orders" in {flow.data["flow"] for flow in account}


def test_every_dbt_test_is_a_check_that_passed(materialized: tuple[Project, Ended]) -> None:
    project, ended = materialized
    tests = {node["name"] for node in manifest_of(project)["nodes"].values() if node["resource_type"] == "test"}
    assert len(tests) > 150
    assert ended.checks.keys() == tests
    assert ended.failed_checks == {}


def test_the_load_is_upstream_of_dbt(laid_out: Project) -> None:
    graph = definitions(laid_out).resolve_asset_graph()

    def above(key: str) -> set[str]:
        found: set[str] = set()
        todo = [dg.AssetKey(key.split("/"))]
        while todo:
            parents = graph.get(todo.pop()).parent_keys
            todo += [parent for parent in parents if parent.to_user_string() not in found]
            found |= {parent.to_user_string() for parent in parents}
        return found

    assert above("staging/stg_orders") == {"raw/stg_orders", "files/orders"}
    assert {f"files/{name}" for name in ("orders", "customers", "geolocation")} <= above("mart/mart_executive_monthly")
    assert {f"files/{name}" for name in ("orders", "sellers")} <= above("etl/source_files")


def test_assets_are_grouped_by_layer(laid_out: Project) -> None:
    graph = definitions(laid_out).resolve_asset_graph()
    groups = {graph.get(key).group_name for key in graph.get_all_asset_keys()}
    assert groups >= {"raw", "staging", "intermediate", "snapshots", "core", "mart", "quality"}


def test_damaged_data_fails_checks_and_is_counted(desk: Project) -> None:
    damage_orders(desk)
    damage_item(desk)
    ended = execute(desk)
    assert ended.success, "a failing test is a warning, and the run goes on"
    assert ended.failed_checks["rules_of_severity_error"] == "ERROR"
    assert ended.failed_checks["rules_of_severity_warn"] == "WARN"
    check = ended.checks["rules_of_severity_error"]
    assert check.asset_key == dg.AssetKey(["quality", "dq_rules"])
    assert "delivered_after_purchase" in check.metadata["finding_1"].value
    assert ended.metadata["raw/stg_order_items"]["records_quarantined"] == 1
    (file,) = [row.data for row in ended.metadata["files/order_items"]["files"].records]
    assert (file["file"], file["quarantined"]) == (ITEMS, 1)
    # Nothing has changed since: what is known to be wrong is said again.
    again = execute(desk)
    assert again.failed_checks == ended.failed_checks
    assert "delivered_after_purchase" in again.checks["rules_of_severity_error"].metadata["finding_1"].value


def test_with_nothing_to_do_nothing_is_published(desk: Project, materialized: tuple[Project, Ended]) -> None:
    before = identity_of(desk)
    ended = execute(desk)
    assert ended.success
    assert identity_of(desk) == before
    assert {told["built"] for told in ended.metadata.values()} == {"by an earlier run"}
    assert ended.metadata.keys() == materialized[1].metadata.keys()
    assert {check.metadata["tested"].value for check in ended.checks.values()} == {"by an earlier run"}
    assert len(ended.checks) == len(materialized[1].checks)


def test_a_part_brings_all_up_to_date(desk: Project) -> None:
    """Half a warehouse is never published: the other assets that a run builds are told of, too."""
    damage_item(desk)
    ended = execute(desk, assets=["raw/stg_order_items"], checks=[])
    assert ended.success
    items = desk.value("select count(*) from core.fact_order_items")
    assert ended.metadata["core/fact_order_items"]["dagster/row_count"] == items
    assert ended.metadata["raw/stg_order_items"]["dagster/row_count"] == items
    assert not {"files/orders", "raw/stg_orders", "core/dim_geography"} & ended.metadata.keys(), (
        "what it does not touch"
    )
    assert desk.call("verify").returncode == 0


def test_checks_alone_run_the_tests(desk: Project) -> None:
    ended = execute(desk, checks=[("core/fact_orders", "unique_fact_orders_order_key")])
    assert ended.success
    assert ended.metadata == {}
    assert ended.checks.keys() == {"unique_fact_orders_order_key"}
    assert desk.json("status")["runs"][0]["command"] == "test"


def test_a_failing_model_publishes_nothing(desk: Project) -> None:
    before = desk.contents("raw", "core", "mart")
    damage_item(desk)
    model = desk.folder / "olist_dw_dbt" / "models" / "marts" / "geographic" / "mart_state_flows.sql"
    model.write_text(model.read_text().replace("select * from final", "select no_such_column from final"))
    ended = execute(desk)
    assert not ended.success
    assert ended.metadata == {}
    assert ended.checks == {}
    assert "mart_state_flows" in ended.failure.error.message
    assert ended.failure.user_failure_data.metadata["exit_code"].value == 1
    assert desk.contents("raw", "core", "mart") == before


def test_strict_publishes_nothing_of_damaged_data(desk: Project) -> None:
    before = desk.contents("raw", "core", "mart")
    damage_item(desk)
    ended = execute(desk, strict=True)
    assert not ended.success
    assert ended.metadata == {}
    assert "--strict" in ended.failure.error.message
    assert desk.contents("raw", "core", "mart") == before


def test_a_second_writer_waits_for_its_turn(desk: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orchestration, "_BUSY_SECONDS", 1)
    state = load_settings(desk.folder / "config" / "olistctl.yml").state_dir
    held, waited = threading.Event(), threading.Event()

    def hold(instance: dg.DagsterInstance) -> None:
        with writer_lock(state, "run"):
            held.set()
            eventually(lambda: events(instance, "STEP_UP_FOR_RETRY"), "the run never found the warehouse busy")
            waited.set()

    with dg.DagsterInstance.ephemeral() as instance:
        other = threading.Thread(target=hold, args=(instance,))
        other.start()
        assert held.wait(60)
        ended = execute(desk, full_refresh=True, instance=instance)
        other.join()
        assert waited.is_set()
    assert ended.success
    assert ended.metadata["raw/stg_orders"]["rows_loaded"] == 300


def events(instance: dg.DagsterInstance, kind: str) -> list[Any]:
    return [
        event
        for run in instance.get_runs()
        for event in instance.all_logs(run.run_id)
        if event.dagster_event and event.dagster_event.event_type_value == kind
    ]


def test_a_whole_delivery_asks_for_one_run(laid_out: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = copy_of(laid_out, tmp_path)
    (sensor,) = definitions(desk).sensors
    now = max(file.stat().st_ctime for file in desk.source_dir.iterdir()) + 1
    monkeypatch.setattr("time.time", lambda: now)

    def tick(cursor: str | None) -> Any:
        with dg.build_sensor_context(cursor=cursor) as context:
            return sensor(context)

    assert "changed just now" in tick(None).skip_message
    now += 3
    first = tick(None)
    assert len(first.run_requests) == 1
    assert "no file has come" in tick(first.cursor).skip_message
    delivery = desk.source_dir / "olist_orders_dataset_2018-11-01.csv"
    whole = (desk.source_dir / ORDERS).read_bytes()[:-1]
    delivery.write_bytes(whole)
    now = delivery.stat().st_mtime + 3
    assert "line end" in tick(first.cursor).skip_message
    delivery.write_bytes(whole + b"\n")
    now = delivery.stat().st_mtime + 3
    second = tick(first.cursor)
    assert [request.run_key for request in second.run_requests] != [request.run_key for request in first.run_requests]
    delivery.unlink()
    now += 3
    assert tick(second.cursor).run_requests, "a file that goes is a change"


def test_every_night(laid_out: Project) -> None:
    (schedule,) = definitions(laid_out).schedules
    assert (schedule.name, schedule.cron_schedule, schedule.job.name) == ("daily_etl", "0 2 * * *", JOB)


def test_an_interrupted_run_leaves_the_warehouse(desk: Project) -> None:
    before = desk.warehouse.read_bytes()
    damage_item(desk)
    dagster = [sys.executable, "-m", "dagster", "job", "execute", "-m", MODULE, "-j", JOB]
    with started(dagster, desk) as process:
        stage = desk.folder / "data" / ".olist_dw" / "stage"
        eventually(lambda: any(stage.glob("*.duckdb")), "the run never began")
        process.terminate()
        process.wait(60)
    assert desk.warehouse.read_bytes() == before
    ended = execute(desk)
    assert ended.success
    assert ended.metadata["raw/stg_order_items"]["records_quarantined"] == 1
    _, run = desk.json("status")["runs"][:2]
    assert run["status"] == "interrupted"


def test_dagster_dev_opens_it(laid_out: Project, tmp_path: Path) -> None:
    """`dagster dev -m olistctl.orchestration.dagster` in a fresh project: its page, and a run that it starts."""
    desk = copy_of(laid_out, tmp_path)
    port = free_port()
    dagster = [sys.executable, "-m", "dagster", "dev", "-m", MODULE, "-h", HOST, "-p", str(port)]
    with started(dagster, desk) as process:

        def answer(query: str, **variables: Any) -> Any:
            body = json.dumps({"query": query, "variables": variables}).encode()
            request = urllib.request.Request(
                f"http://{HOST}:{port}/graphql", body, {"content-type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)["data"]

        def is_up() -> bool:
            assert process.poll() is None, "the server has ended"
            try:
                return bool(answer("{version}"))
            except urllib.error.URLError:
                return False

        eventually(is_up, "the server never answered")
        (shown,) = answer(
            "{repositoriesOrError{... on RepositoryConnection{nodes{name location{name} "
            "assetNodes{assetKey{path}} schedules{name} sensors{name}}}}}"
        )["repositoriesOrError"]["nodes"]
        assert len(shown["assetNodes"]) > 60
        assert [one["name"] for one in (*shown["schedules"], *shown["sensors"])] == ["daily_etl", "new_files"]
        selector = {
            "repositoryName": shown["name"],
            "repositoryLocationName": shown["location"]["name"],
            "pipelineName": JOB,
        }
        launched = answer(
            "mutation($what: ExecutionParams!){launchPipelineExecution(executionParams: $what)"
            "{... on LaunchRunSuccess{run{runId}}}}",
            what={"selector": selector, "runConfigData": {}, "mode": "default"},
        )
        run = launched["launchPipelineExecution"]["run"]["runId"]

        def status() -> str | None:
            status = answer("query($run: ID!){runOrError(runId: $run){... on Run{status}}}", run=run)
            return ended if (ended := status["runOrError"]["status"]) in ("SUCCESS", "FAILURE", "CANCELED") else None

        assert eventually(status, "the run never ended") == "SUCCESS"
    assert desk.value("select count(*) from core.fact_orders") == 300


@contextmanager
def started(command: list[str], project: Project) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process of Dagster that keeps what it knows in the project's folder; end it, and its children."""
    home = project.folder / "dagster_home"
    home.mkdir()
    environment = clean_environment(DAGSTER_HOME=str(home), DAGSTER_DISABLE_TELEMETRY="1")
    with (project.folder / "dagster.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=project.folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
