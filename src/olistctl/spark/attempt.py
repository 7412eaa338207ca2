"""What this machine last did on a cluster, kept beside the warehouse file.

The ledger tells what was published here, the cluster what was published there. Where a publication was cut short, or
the target points at another cluster, the two are not the same build, and a run with no news must find that out.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from olistctl.config import Settings
from olistctl.drafts import written


@dataclass(frozen=True)
class Attempt:
    """The server, the run whose models are to be seen there, and whether that is so: no run has left it half done."""

    server: str
    build: str
    is_whole: bool


def note_attempt(settings: Settings, attempt: Attempt) -> None:
    """Keep what is tried, or known, in place of the last one."""
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    with written(_file(settings)) as draft:
        draft.write_text(json.dumps(asdict(attempt)), encoding="utf-8")


def last_attempt(settings: Settings) -> Attempt | None:
    """Return what was noted last; None where nothing was, or nobody knows."""
    try:
        return Attempt(**json.loads(_file(settings).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def built_elsewhere(settings: Settings, build: str) -> str | None:
    """Say why the models of a build are not where the settings' target has them; None where they are."""
    attempt = last_attempt(settings)
    if settings.engine != "spark":
        is_there = attempt is not None and attempt.build == build
        return "the models were built on a Spark cluster" if is_there else None
    server = f"{settings.spark_host}:{settings.spark_port}"
    if attempt is None or attempt.server != server:
        return "the models were not built on this cluster"
    if attempt.build != build or not attempt.is_whole:
        return "the last run on the cluster did not end"
    return None


def _file(settings: Settings) -> Path:
    return settings.state_dir / "spark.json"
