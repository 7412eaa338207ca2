"""What olistctl asks of dbt, as data: pure functions that build dbt's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from olistctl.config import Settings


@dataclass(frozen=True)
class DbtJob:
    """One dbt command, how its progress is called, and the folder among dbt's artifacts for what it writes."""

    label: str
    arguments: tuple[str, ...]
    target: str = "target"


# The variables by which the project's profiles.yml learns how to work where it works. Nothing that is parsed depends on
# them.
TOLD = (
    "OLISTCTL_MEMORY_LIMIT",
    "OLISTCTL_SPARK_HOST",
    "OLISTCTL_SPARK_PORT",
    "OLISTCTL_SPARK_USER",
    "OLISTCTL_SPARK_POLL_SECONDS",
    "SPARK_WAP_BRANCH",
)


@dataclass(frozen=True)
class DbtPlace:
    """A dbt project and the warehouse file that it works on.

    `artifacts` is the folder for what dbt leaves behind, `told` those of the variables `TOLD` that are set, or taken
    away (None), while dbt works.
    """

    project: Path
    warehouse: Path
    artifacts: Path
    target: str
    threads: int
    told: tuple[tuple[str, str | None], ...] = ()
    adapter: str = "dbt-duckdb"

    @classmethod
    def of(cls, settings: Settings, warehouse: Path, branch: str | None = None) -> DbtPlace:
        """Return the place of the settings' project, working on a warehouse file, or on a branch of Spark's tables."""
        values = (
            settings.memory_limit,
            settings.spark_host,
            str(settings.spark_port),
            settings.spark_user,
            str(settings.spark_poll_seconds),
            branch,
        )
        return cls(
            settings.dbt_project,
            warehouse,
            settings.dbt_artifacts,
            settings.target,
            settings.threads,
            tuple(zip(TOLD, values, strict=True)),
            f"dbt-{settings.engine}",
        )


# Models and snapshots in the order of the graph. Tests are a stage of their own: a failing one is a warning
# and must not skip the models below it, as `dbt build` with tests would.
BUILD = DbtJob(
    "Transforming",
    ("build", "--resource-type", "seed", "--resource-type", "model", "--resource-type", "snapshot"),
)
# The same where each model takes seconds, and a lost server would be asked for each: the first failure ends it.
BUILD_OR_FAIL = DbtJob(BUILD.label, (*BUILD.arguments, "--fail-fast"))
# Only the snapshots; the staging views that they read stand in the warehouse.
SNAPSHOT = DbtJob("Taking snapshots", ("snapshot",))
# The query that counts the changes of which nobody knows what they touch; see macros/incremental.sql.
UNKNOWN_CHANGES = "unknown_changes"
# What can be run without dbt: tests, models, and what `compiled` asks for itself. It writes elsewhere, for its models
# are those of an incremental run. Unit tests are of the project, not of the data: `make test` runs them.
COMPILE = DbtJob(
    "Compiling",
    (
        "compile", "--no-write-json",
        "--select", "test_type:data", "resource_type:model", "resource_type:snapshot", UNKNOWN_CHANGES,
    ),
    "compiled",
)  # fmt: skip
# The tests alone, for a place where dbt builds all models.
COMPILE_TESTS = DbtJob(COMPILE.label, ("compile", "--no-write-json", "--select", "test_type:data"), "compiled")
# The models as a full refresh has them, without the tests that dbt would choose with them.
COMPILE_ANEW = DbtJob(
    COMPILE.label,
    (
        "compile", "--no-write-json", "--full-refresh", "--indirect-selection", "empty",
        "--select", "resource_type:model", "resource_type:snapshot",
    ),
)  # fmt: skip


def arguments_of(
    job: DbtJob, *, select: Sequence[str] = (), exclude: Sequence[str] = (), full_refresh: bool = False
) -> list[str]:
    """Return the arguments of a dbt call that are its own."""
    return [
        *job.arguments,
        # A part of the graph leaves no new artifacts: the manifest of a whole build tells more, and costs a third of a
        # second to write.
        *(["--no-write-json", "--select", *select] if select else []),
        *(["--exclude", *exclude] if exclude else []),
        *(["--full-refresh"] if full_refresh else []),
    ]


def shared_arguments(place: DbtPlace, target: str = "target") -> list[str]:
    """Return the arguments of all dbt calls: they print nothing and keep what they write in `target` in `artifacts`."""
    return [
        "--project-dir", str(place.project),
        "--profiles-dir", str(place.project),
        "--target", place.target,
        "--threads", str(place.threads),
        "--target-path", str(place.artifacts / target),
        "--log-path", str(place.artifacts / "logs"),
        "--log-level", "none",
        "--log-level-file", "none",
        "--no-print",
        "--no-use-colors",
        "--no-send-anonymous-usage-stats",
        "--no-version-check",
    ]  # fmt: skip


def compiled_file(artifacts: Path, package: str, file: str) -> Path:
    """Return where dbt leaves the compiled SQL of a file of the project."""
    return artifacts / "target" / "compiled" / package / file
