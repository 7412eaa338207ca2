"""Runs that no published warehouse holds yet: a file each beside the warehouse.

A run is written here when it starts and again when it fails, so that a run whose stage file was thrown away,
or whose process was killed, still reaches `etl.pipeline_runs` with the next published file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from olistctl.drafts import written
from olistctl.ledger import LoggedError, PipelineRun

# The status of a run that has not ended: it runs now, or its process was killed.
RUNNING = "running"


def as_ended(run: PipelineRun) -> PipelineRun:
    """Return a run as it ended; one that never said so was killed."""
    if run.status != RUNNING:
        return run
    return replace(run, status="killed", message="the process ended without a word")


def write_journal(folder: Path, run: PipelineRun) -> None:
    """Keep a run beside the warehouse until a published file holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = vars(run) | {"errors": [vars(error) for error in run.errors]}
    file = folder / f"{run.run_id}.json"
    with written(file) as draft:
        draft.write_text(json.dumps(plain, default=str), encoding="utf-8")


def read_journal(folder: Path) -> tuple[PipelineRun, ...]:
    """Return the runs that no published file holds yet; a file that is no such run is passed over."""
    runs = []
    for file in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            runs.append(_run_of(json.loads(file.read_text(encoding="utf-8"))))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return tuple(runs)


def _run_of(plain: dict[str, Any]) -> PipelineRun:
    errors = tuple(LoggedError(**(e | {"at": datetime.fromisoformat(e["at"])})) for e in plain.pop("errors"))
    finished = plain["finished_at"]
    times = {
        "started_at": datetime.fromisoformat(plain["started_at"]),
        "finished_at": datetime.fromisoformat(finished) if finished else None,
    }
    run = PipelineRun(**(plain | times | {"stages": tuple(plain["stages"]), "errors": errors}))
    if not all(isinstance(text, str) for text in (run.run_id, run.command, run.target, run.status)):
        raise ValueError("a run that the ledger could not hold")
    return run


def forget_journal(folder: Path, run_ids: Iterable[str]) -> None:
    """Remove the journal files of runs that a published file holds."""
    for run_id in run_ids:
        (folder / f"{run_id}.json").unlink(missing_ok=True)
