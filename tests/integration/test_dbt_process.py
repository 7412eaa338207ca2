"""dbt's own process: it works while others do, ends when it is told to, and says how it ended if it was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from olistctl.errors import ConfigError, EnvironmentFault, OlistctlError, TransformError
from olistctl.results import NoProgress
from olistctl.transform import BUILD, DbtPlace, DbtProcess
from tests.project import Project, clean_environment

ONE = ("dim_date",)


class _When(NoProgress):
    """Does something when dbt's first node begins."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act

    def advance(self, amount: float = 1, doing: str | None = None) -> None:
        self._act()


def place_of(project: Project) -> DbtPlace:
    artifacts = project.artifacts
    return DbtPlace(project.folder / "olist_dw_dbt", project.warehouse, artifacts, "dev", 2)


@pytest.fixture
def dbt() -> Iterator[DbtProcess]:
    with DbtProcess() as dbt:
        yield dbt


def pid_of(dbt: DbtProcess) -> int:
    assert dbt._worker._process
    return dbt._worker._process.pid


def test_calls_share_a_process_that_lets_go_of_the_warehouse(project: Project, dbt: DbtProcess) -> None:
    place = place_of(project)
    dbt.warm_up(place)
    pid = pid_of(dbt)
    for _ in range(2):
        report = dbt.run(BUILD, place, select=ONE)
        assert [(node.name, node.status) for node in report.nodes] == [("dim_date", "success")]
        assert pid_of(dbt) == pid
        with duckdb.connect(str(project.warehouse)) as connection:  # to write, which dbt's lock would forbid
            connection.execute("create or replace table core.proof as select 1 as one")


def test_an_interruption_ends_the_process_and_the_next_call_has_another(project: Project, dbt: DbtProcess) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    dbt.warm_up(place_of(project))
    pid = pid_of(dbt)
    with pytest.raises(KeyboardInterrupt):
        dbt.run(BUILD, place_of(project), progress=_When(interrupt))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert dbt.run(BUILD, place_of(project), select=ONE).having("success")


@pytest.mark.parametrize(
    ("number", "error", "message"),
    [
        (signal.SIGKILL, EnvironmentFault, "dbt's process was killed: the machine may be out of memory"),
        (signal.SIGSEGV, TransformError, f"dbt's process ended by signal {int(signal.SIGSEGV)}"),
    ],
)
def test_a_process_that_ends_by_itself_is_an_error(
    project: Project, dbt: DbtProcess, number: signal.Signals, error: type[OlistctlError], message: str
) -> None:
    with pytest.raises(error, match=message):
        dbt.run(BUILD, place_of(project), progress=_When(lambda: os.kill(pid_of(dbt), number)))


def test_errors_are_those_of_dbt_and_a_bug_has_its_traceback(project: Project, dbt: DbtProcess) -> None:
    elsewhere = DbtPlace(project.folder / "nothing", project.warehouse, project.folder / "artifacts", "dev", 2)
    dbt.warm_up(elsewhere)
    with pytest.raises(ConfigError, match="there is no dbt project") as caught:
        dbt.run(BUILD, elsewhere)
    assert (caught.value.where, caught.value.hint) == (
        str(elsewhere.project),
        "set `dbt_project` in config/olistctl.yml",
    )
    with pytest.raises(RuntimeError, match="AttributeError") as bug:
        dbt.run(BUILD, None)  # type: ignore[arg-type]
    assert "Traceback" in bug.value.__notes__[0]


_LEAVES = """
import os, sys
from pathlib import Path
from olistctl.results import NoProgress
from olistctl.transform import BUILD, DbtPlace, DbtProcess

class Leave(NoProgress):
    def advance(self, amount=1, doing=None):
        print(dbt._worker._process.pid, flush=True)
        os.kill(os.getpid(), 9)

folder = Path(sys.argv[1])
data = folder / "data"
dbt = DbtProcess()
place = DbtPlace(folder / "olist_dw_dbt", data / "olist_dw.duckdb", data / ".olist_dw" / "dbt", "dev", 2)
dbt.run(BUILD, place, progress=Leave())
"""


def test_the_process_ends_with_the_one_that_asked(project: Project) -> None:
    asked = subprocess.Popen(
        [sys.executable, "-c", _LEAVES, str(project.folder)],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    # The worker has the same stderr: it reaches its end when both are gone.
    told, complaints = asked.communicate(timeout=60)
    assert asked.returncode == -signal.SIGKILL
    assert complaints == b""
    with suppress(FileNotFoundError):  # a process that nobody has waited for yet is a zombie
        assert " Z " in Path(f"/proc/{int(told)}/stat").read_text()


def test_the_limit_of_memory_is_that_of_the_settings(project: Project, dbt: DbtProcess) -> None:
    with pytest.raises(EnvironmentFault, match=r"the memory is not enough: DuckDB may use 4\.0 MiB"):
        dbt.run(BUILD, replace(place_of(project), told=(("OLISTCTL_MEMORY_LIMIT", "4MiB"),)), select=("fact_orders",))
    assert dbt.run(BUILD, place_of(project), select=ONE).having("success")
