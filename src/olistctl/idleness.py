"""That a command had nothing to do, kept with all that this depends on: the next call need not open the warehouse.

Files are known by their metadata here, as in `sources.fingerprints`. The note is a cache: without it, or where anything
has moved, the pipeline finds out for itself.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from olistctl import __version__, logs
from olistctl.config import Settings
from olistctl.drafts import written
from olistctl.identities import identity_of, is_still
from olistctl.project_files import dbt_files
from olistctl.results import Finding, to_plain
from olistctl.runs import RunReport

log = logs.get_logger(__name__)


@dataclass(frozen=True)
class Surroundings:
    """A digest of all that the answer of a command depends on; `rules_file` is one that only the contract names."""

    command: str
    rules_file: Path | None
    digest: str


def surroundings_of(settings: Settings, command: str, rules_file: Path | None) -> Surroundings | None:
    """Look at everything that decides whether a command has something to do, before that is found out.

    None where that cannot be told by metadata: something was written just now, or is left behind by a run; or where
    the channels must hear of every run.
    """
    if settings.notify_channels or settings.stage_dir.exists() or _entries(settings.journal_dir):
        return None
    try:
        contract = (settings.contract_file, rules_file or settings.contract_file)
        sources = _entries(settings.source_dir)
        inputs = _marks((*contract, *dbt_files(settings.dbt_project), *sources), must_be_still=True)
        wal = settings.warehouse.with_name(f"{settings.warehouse.name}.wal")
        releases = _entries(settings.parquet_dir) if settings.parquet_dir else ()
        outputs = _marks((settings.warehouse, wal, settings.state_dir / "published.json", *releases))
    except (OSError, _NotStill):
        return None
    whole = json.dumps([__version__, command, repr(settings), inputs, outputs])
    return Surroundings(command, rules_file, hashlib.sha256(whole.encode("utf-8", "surrogateescape")).hexdigest())


def note_idle(settings: Settings, surroundings: Surroundings, findings: Iterable[Finding]) -> None:
    """Keep that the command had nothing to do, and what it said nevertheless, if the folder can be written."""
    note = {**to_plain(surroundings), "findings": to_plain(list(findings))}
    with suppress(OSError), written(_file(settings)) as draft:
        draft.write_text(json.dumps(note), encoding="utf-8")


def known_idle(settings: Settings, command: str, *, strict: bool = False) -> RunReport | None:
    """Return the report of a command that has nothing to do, as it was found before; None where it may have."""
    started = time.perf_counter()
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        note = json.loads(_file(settings).read_text(encoding="utf-8"))
        findings = tuple(Finding(**finding) for finding in note["findings"])
        rules_file = Path(note["rules_file"]) if note["rules_file"] else None
        now = surroundings_of(settings, command, rules_file)
        if now and now.digest == note["digest"] and not (strict and findings):
            log.info("%s: nothing has changed", command)
            seconds = round(time.perf_counter() - started, 2)
            return RunReport(None, command, False, "unchanged", settings.warehouse, seconds, (), findings)
    return None


class _NotStill(Exception):
    """A file was written so short a time ago that its next change may not show."""


def _marks(files: Iterable[Path], *, must_be_still: bool = False) -> list[tuple[str, tuple[int, ...] | None]]:
    marks: list[tuple[str, tuple[int, ...] | None]] = []
    for file in sorted(files):
        try:
            identity = identity_of(file.stat())
        except FileNotFoundError:
            marks.append((str(file), None))
            continue
        if must_be_still and not is_still(identity):
            raise _NotStill
        marks.append((str(file), identity))
    return marks


def _entries(folder: Path) -> tuple[Path, ...]:
    return tuple(folder.iterdir()) if folder.is_dir() else ()


def _file(settings: Settings) -> Path:
    return settings.state_dir / "idle.json"
