"""The manifest of a dbt project, parsed once in a process."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from olistctl.transform.invoking import invoke
from olistctl.transform.jobs import DbtPlace, shared_arguments
from olistctl.transform.project import mark_manifest, project_sha256

# The variable by which the project's profiles.yml learns where the warehouse is.
WAREHOUSE_VARIABLE = "OLISTCTL_WAREHOUSE"

# The last manifest, pickled, and what it is of. dbt changes the one that it works with: a second call would find
# leftovers of the first in it.
_last: tuple[tuple[str, ...], bytes] | None = None


class ParseFailed(Exception):
    """The project does not parse, for a reason that dbt gives or not."""

    def __init__(self, reason: BaseException | None) -> None:
        super().__init__(str(reason))
        self.reason = reason


def parsed_manifest(place: DbtPlace) -> Any:
    """Return a manifest that the caller may change.

    Nothing in it depends on the folder of the warehouse, and dbt is not told of it: what it keeps of the parsing then
    serves a copy of the project, and a verification in a scratch file, too.

    Raises:
        ParseFailed: the project does not parse.
        Interrupted: the user asked to stop.
    """
    global _last
    state, arguments = project_sha256(place.project), shared_arguments(place)
    key = state, place.warehouse.name, *arguments
    if _last is None or _last[0] != key:
        with warehouse_named(Path(place.warehouse.name)):
            outcome = invoke(["parse", *arguments])
        if outcome.exception is not None or not outcome.success:
            raise ParseFailed(outcome.exception)
        mark_manifest(state, place.artifacts)
        _last = key, _packed(outcome.result)
    return _unpacked(_last[1])


def lend_parsing(artifacts: Path, to: Path) -> None:
    """Give what dbt keeps of its parsing to other artifacts; it checks each file of the project itself."""
    parsing = Path("target", "partial_parse.msgpack")
    with suppress(OSError):  # it parses all of them then
        (to / parsing).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(artifacts / parsing, to / parsing)


def _packed(manifest: Any) -> bytes:
    """Pickle a manifest without what dbt looks up in it; its own pickling gives the lookups to the wrong fields."""
    names = [field.name for field in fields(manifest) if field.init and not field.name.startswith("_")]
    return pickle.dumps({name: getattr(manifest, name) for name in names})


def _unpacked(packed: bytes) -> Any:
    from dbt.contracts.graph.manifest import Manifest

    return Manifest(**pickle.loads(packed))


@contextmanager
def warehouse_named(warehouse: Path) -> Iterator[None]:
    """Tell dbt which warehouse file to work on."""
    before = os.environ.get(WAREHOUSE_VARIABLE)
    os.environ[WAREHOUSE_VARIABLE] = str(warehouse)
    try:
        yield
    finally:
        if before is None:
            del os.environ[WAREHOUSE_VARIABLE]
        else:
            os.environ[WAREHOUSE_VARIABLE] = before
