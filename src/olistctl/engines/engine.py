"""What the pipeline asks of the place where models are built and tested."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from olistctl.errors import TransformError
from olistctl.ledger import Build
from olistctl.quality import FailingTest
from olistctl.transform import DbtReport, NodeResult
from olistctl.writing import Work


class Engine(Protocol):
    """Where the models of a target are built and tested; one for a run of the pipeline.

    What it raises is an `OlistctlError`. Nothing that it does is seen by readers before `publish`.
    """

    def check(self) -> None:
        """Raise an error where something is missing that a run will need; it is called before the run does anything."""

    def warm_up(self, *, full_refresh: bool) -> None:
        """Begin with what takes a while and depends on no data; do not wait for it."""

    def holds(self, work: Work, build: Build) -> bool:
        """Tell whether what stands there is what the ledger has noted as built last."""

    def check_built(self, work: Work) -> None:
        """Raise an error where no models stand."""

    def build(self, work: Work, tables: tuple[str, ...] | None, *, anew: bool) -> DbtReport:
        """Build what changes of tables of `raw` touch (None: everything); `anew`: not only rows that are affected."""

    def snapshot(self, work: Work) -> DbtReport:
        """Take the snapshots: the history."""

    def drop(self, work: Work, relations: Sequence[tuple[str, str]]) -> int:
        """Drop those tables and views (schema, name) that are there; return how many they were."""

    def test(self, work: Work, tables: tuple[str, ...] | None) -> DbtReport:
        """Run the tests that changes of tables of `raw` concern; None: all."""

    def keep_failing(self, work: Work, tests: DbtReport, *, everything: bool) -> tuple[FailingTest, ...]:
        """Keep the rows that fail in the warehouse file; see `quality.keep_failing_rows`."""

    def explain(self, work: Work, node: NodeResult) -> TransformError:
        """Return the error that says why a model failed, and where to look."""

    def publish(self, work: Work) -> None:
        """Let readers see what was built; the warehouse file is published right after it."""
