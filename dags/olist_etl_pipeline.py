"""The nightly pipeline under Airflow 3: every task is a command of olistctl, whose exit code and summary it uses.

This file imports Airflow alone, so olistctl may live in an environment of its own. It finds the command in the
project's `.venv`, beside Airflow's own, or on the path; these variables of Airflow's environment say otherwise:

- `OLIST_COMMAND`: the olistctl to call
- `OLIST_PROJECT`: the folder made by `olistctl init`, where this one is not in its `dags`
- `OLIST_ALERT_EMAIL`: who hears of a failed task; the mail goes through the connection `smtp_default`

The pool has to be made once, with one slot: `airflow pools set olistctl_writer 1 "writes to the warehouse"`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import DAG, BaseOperator, TriggerRule
from airflow.sdk.exceptions import AirflowException, AirflowFailException

PROJECT = Path(os.environ.get("OLIST_PROJECT") or Path(__file__).resolve().parents[1])
ALERT_EMAIL = os.environ.get("OLIST_ALERT_EMAIL", "data-team@example.com")
WRITER_POOL = "olistctl_writer"

BAD_DATA = 1  # the exit code that another try would leave with, too
SUMMARY = "summary"
# Of a report, what is worth keeping with the task: its plain values, and these.
_LISTS = ("stages", "findings")


def olistctl() -> str:
    """Return the command to call."""
    places = (PROJECT / ".venv" / "bin", Path(sys.executable).parent)
    found = (str(place / "olistctl") for place in places if (place / "olistctl").is_file())
    return os.environ.get("OLIST_COMMAND") or next(found, "olistctl")


class OlistctlOperator(BaseOperator):
    """Calls a command of olistctl in the project's folder.

    What it says goes to the task's log; of its JSON the task keeps what tells how it went, as XCom `summary`. Bad data
    (exit code 1) fails the task at once, anything else is tried again: a warehouse that is busy, a full disk.
    """

    template_fields: Sequence[str] = ("arguments",)
    ui_color = "#fdf3d8"

    def __init__(self, *, arguments: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.arguments = arguments
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Any) -> None:
        """Call the command, keep its summary, and fail as it failed."""
        code, report = self._call()
        summary = {"exit_code": code, **_summary(report)}
        context["ti"].xcom_push(key=SUMMARY, value=summary)
        for stage in summary.get("stages", ()):
            self.log.info("%(stage)s: %(result)s in %(seconds)s s, %(note)s", stage)
        for finding in summary.get("findings", ()):
            self.log.warning("%s", _line(finding))
        if code:
            error = AirflowFailException if code == BAD_DATA else AirflowException
            raise error(f"olistctl {' '.join(self.arguments)} left with {code}: {_why(report)}")

    def on_kill(self) -> None:
        """Stop the command as SIGTERM does: nothing is published."""
        if self._process:
            self._process.terminate()

    def _call(self) -> tuple[int, dict[str, Any]]:
        command = [olistctl(), *self.arguments, "--json"]
        self.log.info("%s in %s", command, PROJECT)
        with tempfile.TemporaryFile("w+", encoding="utf-8") as answer:
            self._process = subprocess.Popen(
                command,
                cwd=PROJECT,
                stdout=answer,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="backslashreplace",
                start_new_session=True,
            )
            assert self._process.stderr
            try:
                for line in self._process.stderr:
                    self.log.info("%s", line.rstrip())
                code = self._process.wait()
            except BaseException:  # a time limit, Ctrl-C
                self.on_kill()
                raise
            answer.seek(0)
            text = answer.read()
        return code, json.loads(text) if text.strip() else {}


def _summary(report: dict[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in report.items() if not isinstance(value, (dict, list))}
    return plain | {key: report[key] for key in (*_LISTS, "error") if key in report}


def _why(report: dict[str, Any]) -> str:
    first = next(iter(report.get("findings", ())), None)
    return _line(report.get("error") or first or {"message": "the log of the task says why"})


def _line(problem: dict[str, Any]) -> str:
    return ": ".join(problem[key] for key in ("where", "message") if problem.get(key))


def mail(context: Any) -> None:
    """Tell the desk of a task that failed for good."""
    # A new one each time: a notifier writes its texts into itself, and tasks may share a process.
    notifier = SmtpNotifier(
        to=ALERT_EMAIL,
        subject="{{ ti.dag_id }}: {{ ti.task_id }} failed",
        html_content="<p>{{ exception | e }}</p><p>Run {{ ti.run_id }}, try {{ ti.try_number }}.</p>",
    )
    notifier(context)


with DAG(
    "olist_etl_pipeline",
    description="Olist: from the nine CSVs to a tested warehouse",
    doc_md=__doc__,
    schedule="0 2 * * *",
    start_date=datetime(2025, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["etl", "olist"],
    default_args={
        "owner": "data_team",
        "depends_on_past": False,
        "retries": 2,
        "retry_delay": timedelta(minutes=5),
        "on_failure_callback": mail,
    },
) as dag:
    validate = OlistctlOperator(task_id="validate", arguments=["validate"])
    # Loading, building, testing and publishing are one task, for readers must not see the half of it. What `validate`
    # has found stops nothing: bad records go to quarantine, refused files leave their earlier rows.
    run = OlistctlOperator(task_id="run", arguments=["run"], pool=WRITER_POOL, trigger_rule=TriggerRule.ALL_DONE)
    test = OlistctlOperator(task_id="test", arguments=["test"], pool=WRITER_POOL)
    docs = OlistctlOperator(task_id="docs", arguments=["docs"])

    validate >> run >> [test, docs]
