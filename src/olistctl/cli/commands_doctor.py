"""`olistctl doctor`: why does it not work?"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from olistctl.cli.call import Call
from olistctl.cli.commands_pipeline import SourceDir

if TYPE_CHECKING:
    from olistctl.console import Console
    from olistctl.diagnosis import Check, Diagnosis
    from olistctl.results import Finding


def doctor(call: Call, source_dir: SourceDir = None) -> None:
    """Check versions, configuration, folders, disk, locks, warehouse and dbt project, and say how to mend each.

    Nothing is changed, and no check keeps the next one from being made; leaves with 2 when there is a problem.

      olistctl doctor --target prod
    """
    from olistctl.diagnosis import PROBLEM, examine
    from olistctl.errors import ExitCode

    with call.console.progress() as progress:
        diagnosis = examine(partial(call.settings, source_dir=source_dir), progress)
    if call.json:
        call.console.json(diagnosis)
    else:
        _render(call.console, diagnosis)
    if diagnosis.having(PROBLEM):
        raise typer.Exit(ExitCode.USAGE)


def _render(console: Console, diagnosis: Diagnosis) -> None:
    from olistctl.diagnosis import PROBLEM, WARNING
    from olistctl.results import counted

    # A place is shown whole, as all paths are, so that it can be copied.
    rows = [
        [check.name, check.status, check.found, Path(check.where) if check.where else None]
        for check in diagnosis.checks
    ]
    console.table("What was checked", ["check", "result", "found", "where"], rows)
    problems, warnings = diagnosis.having(PROBLEM), diagnosis.having(WARNING)
    console.warnings(_findings(warnings))
    console.problems(_findings(problems))
    verdict = "Not everything is right" if problems else "Nothing keeps olistctl from working"
    console.line(f"{verdict}: {counted(len(problems), 'problem')}, {counted(len(warnings), 'warning')}")
    if diagnosis.left_out:
        console.line(f"Not checked without a configuration: {', '.join(diagnosis.left_out)}")


def _findings(checks: Iterable[Check]) -> list[Finding]:
    from olistctl.results import Finding

    return [
        Finding(check.found, f"{check.name}: {check.where}" if check.where else check.name, check.next)
        for check in checks
    ]
