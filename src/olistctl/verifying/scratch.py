"""A place of its own beside the warehouse, in which a full refresh can be built that nobody will ever read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from olistctl import interruption
from olistctl.config import Settings
from olistctl.errors import BusyError
from olistctl.transform import lend_parsing
from olistctl.warehouse import fold_in_log, identity, read_only, writer_lock


@dataclass(frozen=True)
class Scratch:
    """A copy of the live warehouse, and settings whose warehouse is a second one that a run may replace.

    Both files have the live one's name, which dbt and the views of older DuckDBs take for the database's name.
    """

    live: Path
    settings: Settings


@contextmanager
def scratch_of(settings: Settings) -> Iterator[Scratch]:
    """Give a scratch in the state folder, which is removed in any case; what a killed one left is removed first.

    The warehouse is only read, and not locked: a writer may publish meanwhile.

    Raises:
        BusyError: another verification is at work, or another program has the warehouse open for writing.
        EnvironmentFault: there is no warehouse, or it cannot be read.
        OSError: the disk is full, say.
    """
    root = settings.state_dir / "verify"
    place = root / "scratch"
    with ExitStack() as stack:
        try:
            stack.enter_context(writer_lock(root, "verify"))
        except BusyError as busy:
            hint = "wait for it to end"
            raise BusyError("another `olistctl verify` is at work", where=busy.where, hint=hint) from None
        shutil.rmtree(place, ignore_errors=True)
        try:
            yield _fill(place, settings)
        finally:
            with interruption.held():
                shutil.rmtree(place, ignore_errors=True)


def _fill(place: Path, settings: Settings) -> Scratch:
    live = place / "live" / settings.warehouse.name
    fresh = place / "fresh" / settings.warehouse.name
    for file in (live, fresh):
        file.parent.mkdir(parents=True)
    _copy(settings.warehouse, live)
    fold_in_log(live)
    try:
        os.link(live, fresh)  # the run replaces the name, and leaves the file that it stands for alone
    except OSError:
        shutil.copyfile(live, fresh)
    # Evidence is for people, and belongs to the runs that publish.
    scratch = replace(settings, warehouse=fresh, quarantine_dir=place / "quarantine", keep_versions=0)
    lend_parsing(settings.dbt_artifacts, scratch.dbt_artifacts)
    return Scratch(live, scratch)


def _copy(warehouse: Path, target: Path) -> None:
    """Copy one state of the warehouse, with the log that a foreign writer may have left; start again after a change."""
    while True:
        with read_only(warehouse):  # keeps a foreign writer out, and says what is wrong with a damaged file
            seen = identity(warehouse)
            shutil.copyfile(warehouse, target)
            log = warehouse.with_name(warehouse.name + ".wal")
            if log.exists():
                shutil.copyfile(log, target.with_name(target.name + ".wal"))
        if identity(warehouse) == seen:
            return
        target.with_name(target.name + ".wal").unlink(missing_ok=True)
