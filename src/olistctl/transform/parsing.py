"""The manifest of a dbt project, parsed once for a state of its files."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from olistctl.transform.invoking import invoke
from olistctl.transform.jobs import TOLD, DbtPlace, shared_arguments
from olistctl.transform.project import PARSED, environment_of, is_parsed, mark_parsed, project_sha256

# The variable by which the project's profiles.yml learns where the warehouse is.
_WAREHOUSE = "OLISTCTL_WAREHOUSE"

# Where dbt keeps the manifest that it parsed.
_KEPT = Path("target", "partial_parse.msgpack")

# A manifest that nobody has worked with yet, with the state of the project that it is of.
_ahead: list[tuple[dict[str, Any], Any]] = []


class ParseFailed(Exception):
    """The project does not parse, for a reason that dbt gives or not."""

    def __init__(self, reason: BaseException | None) -> None:
        super().__init__(str(reason))
        self.reason = reason


def parsed_manifest(place: DbtPlace) -> Any:
    """Return a manifest that the caller may change, as dbt does with one that it works with.

    It is the one that dbt has kept, where that is of today's project; dbt itself would take half a second to find
    that out. Nothing in it depends on the folder of the warehouse, and dbt is not told of it: so it serves a copy of
    the project, and a verification in a scratch file, too.

    Raises:
        ParseFailed: the project does not parse.
    """
    state = parsing_state(place)
    if state and _ahead and _ahead[0][0] == state:
        return _ahead.pop()[1]
    if state and is_parsed(place.artifacts, state):
        # Damaged: dbt will not use it either.
        with suppress(OSError, ValueError, LookupError, TypeError):
            return _kept_manifest(place.artifacts)
    mark_parsed(place.artifacts, None)
    with place_named(replace(place, warehouse=Path(place.warehouse.name))):
        outcome = invoke(["parse", *shared_arguments(place)])
    if outcome.exception is not None or not outcome.success:
        raise ParseFailed(outcome.exception)
    if state:
        mark_parsed(place.artifacts, state)
    return outcome.result


def parse_ahead(place: DbtPlace) -> None:
    """Have a manifest ready for the next call of `parsed_manifest`.

    Raises:
        ParseFailed: the project does not parse, for a reason that dbt gives or not.
    """
    state = parsing_state(place)
    if state is None or (_ahead and _ahead[0][0] == state):
        return
    _ahead.clear()
    gc.collect()  # what the last call has left; nobody waits now
    _ahead.append((state, parsed_manifest(place)))


def parsing_state(place: DbtPlace) -> dict[str, Any] | None:
    """Return what the manifest, and what dbt compiles without looking at the data, depend on; None: on who knows what.

    Raises:
        OSError: a file of the project cannot be read.
    """
    environment = environment_of(place.project)
    if environment is None:
        return None
    for name in (_WAREHOUSE, *TOLD):
        environment.pop(name, None)
    return {
        "project": project_sha256(place.project),
        "warehouse": place.warehouse.name,
        "target": place.target,
        "environment": environment,
        "versions": [version("dbt-core"), version(place.adapter)],
    }


def lend_parsing(artifacts: Path, to: Path) -> None:
    """Give what dbt keeps of its parsing to other artifacts."""
    with suppress(OSError):  # dbt parses then
        (to / _KEPT).parent.mkdir(parents=True, exist_ok=True)
        for file in (_KEPT, Path(PARSED)):
            shutil.copyfile(artifacts / file, to / file)


def _kept_manifest(artifacts: Path) -> Any:
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    manifest = Manifest.from_msgpack((artifacts / _KEPT).read_bytes(), decoder=extended_mashumuro_decoder)
    manifest.build_flat_graph()
    return manifest


@contextmanager
def place_named(place: DbtPlace) -> Iterator[None]:
    """Tell dbt which warehouse file to work on, and how."""
    told = {_WAREHOUSE: str(place.warehouse), **dict(place.told)}
    before = {name: os.environ.get(name) for name in told}
    _set_environment(told)
    try:
        yield
    finally:
        _set_environment(before)


def _set_environment(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
