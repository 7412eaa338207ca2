"""`olistctl rollback`: an earlier published warehouse takes the place of today's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from olistctl import ledger
from olistctl.config import Settings
from olistctl.errors import UsageError
from olistctl.warehouse import Version, is_as_published, list_versions, versions_folder
from olistctl.writing import Outcome, Work, write_warehouse


@dataclass(frozen=True)
class RollbackReport:
    """Which version is live now."""

    version: str
    warehouse: Path
    run_id: str


def kept_versions(settings: Settings) -> tuple[Version, ...]:
    """Return the versions that can be put back, the newest first."""
    return list_versions(versions_folder(settings.state_dir))


def rollback(settings: Settings, name: str | None = None) -> RollbackReport:
    """Put a version back (None: the newest), and keep the live warehouse as a version in turn.

    The runs, errors and audit entries of the live warehouse go along, so that nothing that happened is forgotten.
    A live file that cannot be read is set aside.

    Raises:
        UsageError: there is no such version, or the tables are on a Spark cluster.
    """
    if settings.engine == "spark":
        raise UsageError(
            "the tables of a Spark cluster cannot be rolled back together",
            where=f"target {settings.target}",
            hint="put the earlier files back and run; or set single tables to one of their snapshots (docs/spark.md)",
        )
    version = _chosen(settings, name)

    def put_back(work: Work) -> Outcome:
        work.stage.copy_version(version)
        with work.stage.connection() as connection:
            ledger.create(connection)
            with work.stage.attached_live(connection) as has_live:
                if has_live:
                    ledger.keep_history_of(connection)
            if not is_as_published(version.file, settings.state_dir):  # changed by another program while it was live
                ledger.forget_build(connection)
        return Outcome(None, f"version {version.name}")

    work = write_warehouse(
        settings,
        "rollback",
        {"rollback": put_back},
        begin_with="empty",
        needs_warehouse=False,
        tolerates_damage=True,
    )
    return RollbackReport(version.name, settings.warehouse, work.run_id)


def _chosen(settings: Settings, name: str | None) -> Version:
    versions = kept_versions(settings)
    if not versions:
        raise UsageError(
            "no earlier version of the warehouse is kept",
            where=str(versions_folder(settings.state_dir)),
            hint="a run that replaces a warehouse keeps it, unless the setting `publish.keep_versions` is 0",
        )
    for version in versions:
        if name in (None, version.name):
            return version
    raise UsageError(f"there is no version '{name}'", hint="`olistctl rollback --list` shows them")
