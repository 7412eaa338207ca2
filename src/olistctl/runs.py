"""What a command that loads or builds says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl.results import Finding

if TYPE_CHECKING:
    from olistctl.loading import LoadReport
    from olistctl.quality import FailingTest, Flow
    from olistctl.transform import DbtReport


@dataclass(frozen=True)
class StageResult:
    """One line of the summary: a stage, how it ended, how many rows it handled."""

    stage: str
    result: str  # ok, warnings, failed
    rows: int | None
    seconds: float
    note: str


@dataclass(frozen=True)
class RunReport:
    """What a run did."""

    run_id: str | None  # None: nothing has changed, so nothing was run
    command: str
    full_refresh: bool
    status: str  # success, warnings, unchanged
    warehouse: Path
    seconds: float
    stages: tuple[StageResult, ...]
    findings: tuple[Finding, ...]
    load: LoadReport | None = None
    transform: DbtReport | None = None
    tests: DbtReport | None = None
    failing: tuple[FailingTest, ...] = ()
    reconciliation: tuple[Flow, ...] = ()

    @property
    def failed_tests(self) -> tuple[FailingTest, ...]:
        """The tests that did not pass, warnings aside."""
        return tuple(test for test in self.failing if test.status != "warn")
