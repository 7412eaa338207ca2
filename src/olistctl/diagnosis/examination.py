"""All checks, in the order in which one is the ground of the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from olistctl.config import Settings
from olistctl.diagnosis import machine, places, project, state
from olistctl.diagnosis.check import Answer, Check, ask
from olistctl.results import Progress

_OF_MACHINE: tuple[tuple[str, Callable[[], Answer]], ...] = (
    ("python", machine.python),
    ("olistctl", machine.program),
    ("packages", machine.packages),
    ("extras", machine.extras),
    ("text", machine.text),
)
_OF_SETTINGS: tuple[tuple[str, Callable[[Settings], Answer]], ...] = (
    ("contract", project.contract),
    ("source files", project.source_files),
    ("dbt project", project.dbt_project),
    ("notifications", project.notifications),
    ("warehouse folder", places.warehouse_folder),
    ("state folder", places.state_folder),
    ("parquet folder", places.parquet_folder),
    ("quarantine folder", places.quarantine_folder),
    ("log", places.log_folder),
    ("disk", places.disk),
    ("memory", places.memory),
    ("lock", state.lock),
    ("watcher", state.watcher),
    ("leftovers", state.leftovers),
    ("warehouse", state.warehouse),
    ("models", project.models),
)
_OF_SPARK = (("spark cluster", project.cluster),)


@dataclass(frozen=True)
class Diagnosis:
    """What was checked, and the names of what was not, because the configuration cannot be read."""

    checks: tuple[Check, ...]
    left_out: tuple[str, ...] = ()

    def having(self, status: str) -> tuple[Check, ...]:
        """Return the checks with a status."""
        return tuple(check for check in self.checks if check.status == status)


def examine(read_settings: Callable[[], Settings], progress: Progress) -> Diagnosis:
    """Check the machine, and what the settings name; nothing is changed, and what goes wrong is an answer."""
    known: list[Settings] = []

    def configuration() -> Answer:
        known.append(read_settings())
        return project.configuration(known[0])

    progress.start("Checking", len(_OF_MACHINE) + 1 + len(_OF_SETTINGS))
    checks = [_ask(name, look, progress) for name, look in (*_OF_MACHINE, ("configuration", configuration))]
    left_out = []
    for name, look in (*_OF_SETTINGS, *(_OF_SPARK if known and known[0].engine == "spark" else ())):
        if known:
            checks.append(_ask(name, partial(look, known[0]), progress))
        else:
            left_out.append(name)
    progress.finish()
    return Diagnosis(tuple(checks), tuple(left_out))


def _ask(name: str, look: Callable[[], Answer], progress: Progress) -> Check:
    progress.advance(1, name)
    return ask(name, look)
