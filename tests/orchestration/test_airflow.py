"""Airflow itself, in an environment of its own (`make test-airflow`): the DAG of a fresh project, run to its end."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from olistctl.config import load_settings
from olistctl.warehouse import writer_lock
from tests.channels import HOST, Mailbox, text_of
from tests.project import Project, clean_environment

DAG = "olist_etl_pipeline"
ITEMS = "olist_order_items_dataset.csv"
ORDERS = "olist_orders_dataset.csv"
DESK = "desk@example.org"
AIRFLOW = [sys.executable, "-m", "airflow"]


@dataclass
class Airflow:
    """An installation of Airflow that knows the DAGs of one project."""

    home: Path
    project: Project
    mailbox: Mailbox
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def database(self) -> Path:
        return self.home / "airflow.db"

    @property
    def environment(self) -> dict[str, str]:
        smtp = {
            "conn_type": "smtp",
            "host": HOST,
            "port": self.mailbox.port,
            "extra": {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.org"},
        }
        return clean_environment(
            AIRFLOW_HOME=str(self.home),
            AIRFLOW__CORE__DAGS_FOLDER=str(self.project.folder / "dags"),
            AIRFLOW__CORE__LOAD_EXAMPLES="False",
            AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{self.database}",
            AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
            AIRFLOW_CONN_SMTP_DEFAULT=json.dumps(smtp),
            OLIST_ALERT_EMAIL=DESK,
            **self.variables,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        with (self.home / "airflow.log").open("a") as log:
            return subprocess.Popen(
                [*AIRFLOW, *arguments], cwd=self.home, env=self.environment, stdout=log, stderr=log, text=True
            )

    def test(self) -> None:
        assert self.start("dags", "test", DAG).wait(600) is not None

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.database, timeout=30)) as connection:
            return connection.execute(sql).fetchall()

    @property
    def tasks(self) -> dict[str, tuple[str, int]]:
        """How each task ended, and at which try."""
        rows = self.rows("select task_id, state, try_number from task_instance")
        return {task: (state, tries) for task, state, tries in rows}

    @property
    def run_state(self) -> str:
        ((state,),) = self.rows("select state from dag_run")
        return str(state)

    @property
    def summaries(self) -> dict[str, dict[str, Any]]:
        """What the tasks have kept."""
        return {
            task: json.loads(value)
            for task, value in self.rows("select task_id, value from xcom where key = 'summary'")
        }

    @property
    def mails(self) -> dict[str, str]:
        """What the desk was told, by the task that failed."""
        told = {str(mail["subject"]).removeprefix(f"{DAG}: "): text_of(mail) for mail in self.mailbox.mails}
        assert len(told) == len(self.mailbox.mails), "a failed task is told of once"
        assert {str(mail["to"]) for mail in self.mailbox.mails} <= {DESK}
        return {subject.removesuffix(" failed"): text for subject, text in told.items()}

    @property
    def log(self) -> str:
        return (self.home / "airflow.log").read_text()


@pytest.fixture(scope="session")
def migrated(laid_out: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An Airflow that has made its database; tests must not change it."""
    home = tmp_path_factory.mktemp("airflow") / "home"
    home.mkdir()
    mailbox = Mailbox()
    try:
        airflow = Airflow(home, laid_out, mailbox)
        assert airflow.start("db", "migrate").wait(300) == 0, airflow.log
    finally:
        mailbox.close()
    return home


@pytest.fixture
def airflow(laid_out: Project, migrated: Path, tmp_path: Path) -> Iterator[Airflow]:
    shutil.copytree(laid_out.folder, tmp_path / "project")
    shutil.copytree(migrated, tmp_path / "home")
    mailbox = Mailbox()
    try:
        yield Airflow(tmp_path / "home", Project(tmp_path / "project"), mailbox)
    finally:
        mailbox.close()


def test_the_dag_runs_to_its_end(airflow: Airflow) -> None:
    project = airflow.project
    airflow.test()
    assert airflow.tasks == dict.fromkeys(("validate", "run", "test", "docs"), ("success", 1)), airflow.log
    assert airflow.run_state == "success"
    assert project.value("select count(*) from core.fact_orders") == 300
    assert (project.folder / "data" / "olist_dw_docs.html").is_file()
    assert airflow.mails == {}
    run = airflow.summaries["run"]
    assert (run["exit_code"], run["status"]) == (0, "success")
    assert [stage["stage"] for stage in run["stages"]] == ["validate", "load", "transform", "test", "publish", "export"]
    assert run["run_id"] in {one["run_id"] for one in project.json("status")["runs"]}
    assert "0 failed" in next(stage["note"] for stage in run["stages"] if stage["stage"] == "test")


def test_the_dag_is_as_the_design_says(airflow: Airflow) -> None:
    program = f"""
import json
from {DAG} import dag
print(json.dumps({{
    "schedule": dag.schedule, "catchup": dag.catchup, "tags": sorted(dag.tags), "runs": dag.max_active_runs,
    "start": dag.start_date.isoformat(),
    "tasks": {{
        task.task_id: [sorted(task.upstream_task_ids), task.pool, task.pool_slots, task.retries,
                       task.retry_delay.total_seconds(), task.owner, len(task.on_failure_callback),
                       task.depends_on_past]
        for task in dag.tasks
    }},
}}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=airflow.project.folder / "dags",
        env=airflow.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    dag = json.loads(done.stdout.splitlines()[-1])
    rest = [1, 2, 300.0, "data_team", 1, False]
    assert dag == {
        "schedule": "0 2 * * *",
        "catchup": False,
        "tags": ["etl", "olist"],
        "runs": 1,
        "start": "2025-01-01T00:00:00+00:00",
        "tasks": {
            "validate": [[], "default_pool", *rest],
            "run": [["validate"], "olistctl_writer", *rest],
            "test": [["run"], "olistctl_writer", *rest],
            "docs": [["run"], "default_pool", *rest],
        },
    }


def test_damaged_data_is_mailed_and_published_all_the_same(airflow: Airflow) -> None:
    """A record that is bad, and parcels that arrive before they were ordered."""
    project = airflow.project
    damage(project)
    airflow.test()
    assert airflow.tasks == {
        "validate": ("failed", 1),  # bad data does not mend by another try
        "run": ("success", 1),
        "test": ("failed", 1),
        "docs": ("success", 1),
    }, airflow.log
    assert airflow.run_state == "failed"
    assert airflow.summaries["run"]["status"] == "warnings"
    assert airflow.summaries["test"]["exit_code"] == 1
    assert project.value("select count(*) from etl.quarantine") == 1
    assert airflow.mails.keys() == {"validate", "test"}
    assert "bad_money" in airflow.mails["validate"]
    assert "delivered_after_purchase" in airflow.mails["test"]


def test_a_model_that_fails_publishes_nothing(airflow: Airflow) -> None:
    project = airflow.project
    project.ok("run")
    before = project.contents("raw", "core", "mart")
    damage(project)
    model = project.folder / "olist_dw_dbt" / "models" / "marts" / "geographic" / "mart_state_flows.sql"
    model.write_text(model.read_text().replace("select * from final", "select no_such_column from final"))
    airflow.test()
    states = {task: state for task, (state, _) in airflow.tasks.items()}
    assert states == {"validate": "failed", "run": "failed", "test": "upstream_failed", "docs": "upstream_failed"}
    assert airflow.run_state == "failed"
    assert project.contents("raw", "core", "mart") == before
    assert "mart_state_flows" in airflow.summaries["run"]["error"]["where"]
    assert airflow.mails.keys() == {"validate", "run"}
    assert "mart_state_flows" in airflow.mails["run"]


def test_a_busy_warehouse_is_tried_again_by_an_olistctl_of_another_place(airflow: Airflow, tmp_path: Path) -> None:
    project = airflow.project
    command = tmp_path / "elsewhere" / "olistctl"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m olistctl "$@"\n')
    command.chmod(0o755)
    airflow.variables["OLIST_COMMAND"] = str(command)
    dag = project.folder / "dags" / f"{DAG}.py"
    dag.write_text(dag.read_text().replace("timedelta(minutes=5)", "timedelta(seconds=1)"))
    with writer_lock(load_settings(project.folder / "config" / "olistctl.yml").state_dir, "run"):
        process = airflow.start("dags", "test", DAG)
        deadline = time.monotonic() + 300
        while airflow.tasks.get("run") != ("up_for_retry", 1):
            assert time.monotonic() < deadline, airflow.log
            time.sleep(0.05)
    process.wait(600)
    assert airflow.tasks["run"][0] == "success", airflow.log
    assert airflow.tasks["run"][1] > 1
    assert str(command) in airflow.log
    assert airflow.mails == {}


def damage(project: Project) -> None:
    """Make a price no number, and let parcels arrive before they were ordered: a bad record, and a broken rule."""
    lines = (project.source_dir / ITEMS).read_bytes().splitlines(keepends=True)
    first = lines[1].split(b",")
    lines[1] = b",".join([*first[:5], b"much", *first[6:]])
    (project.source_dir / ITEMS).write_bytes(b"".join(lines))
    header, *orders = (project.source_dir / ORDERS).read_bytes().splitlines(keepends=True)
    fields = [order.split(b",") for order in orders]
    changed = [
        [*one[:6], b"2016-01-01 00:00:00", *one[7:]] if b"delivered" in order else one
        for order, one in zip(orders, fields, strict=True)
    ]
    (project.source_dir / ORDERS).write_bytes(header + b"".join(map(b",".join, changed)))
