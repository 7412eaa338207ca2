"""Models in the warehouse file itself: by dbt, or, where dbt has compiled them, without it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from olistctl import ledger
from olistctl.config import Settings
from olistctl.errors import DataError, TransformError
from olistctl.ledger import Build
from olistctl.quality import FailingTest, keep_failing_rows
from olistctl.spark import built_elsewhere
from olistctl.transform import (
    BUILD,
    SNAPSHOT,
    VIEWS,
    Compiled,
    CompiledModel,
    DbtJob,
    DbtPlace,
    DbtProcess,
    DbtReport,
    LeftToDbt,
    NodeResult,
    compiled_anew_for,
    compiled_for,
    explain_failure,
    project_sha256,
    run_models,
    run_tests,
    selectors,
)
from olistctl.warehouse import Relation, drop_relations, stage_file, standing
from olistctl.writing import Work

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class DuckdbEngine:
    """Builds and tests in the stage file, which is published as a whole."""

    def __init__(self, settings: Settings, dbt: DbtProcess) -> None:
        self._settings = settings
        self._dbt = dbt
        self._compiled: Compiled | None = None
        self._changed: frozenset[Relation] | None = None  # by this run; None: nobody knows

    def check(self) -> None:
        """Nothing to do: DuckDB is here."""

    def warm_up(self, *, full_refresh: bool) -> None:
        """Let dbt be imported and the project be parsed for the next run with this process of dbt.

        Where dbt has compiled all tests and models, a run needs no process of dbt, and none is kept.
        """
        place = DbtPlace.of(self._settings, stage_file(self._settings))
        compiled = compiled_for(place)
        models = compiled_anew_for(place) if full_refresh else compiled
        if compiled is None or models is None or models.needs_dbt:
            self._dbt.warm_up(place)
        else:
            self._dbt.close()

    def holds(self, work: Work, build: Build) -> bool:
        """Tell whether they are in the file, which holds the ledger, too: a target on Spark may have had it before."""
        return built_elsewhere(self._settings, build.run_id) is None

    def check_built(self, work: Work) -> None:
        """Raise an error where no models stand."""
        with work.stage.connection() as connection:
            if not connection.execute("select 1 from duckdb_views() where schema_name = 'staging' limit 1").fetchone():
                raise DataError("the models are not built yet", where=str(work.stage.live), hint="olistctl transform")

    def build(self, work: Work, tables: tuple[str, ...] | None, *, anew: bool) -> DbtReport:
        """Build what changes of tables of `raw` touch, without dbt where it has compiled all of that.

        What comes out as it was is "unchanged" then, and so is what reads nothing else.
        Only `verify` has dbt do all: what is built here must be the same as what is built there.
        """
        if anew:
            report = None if work.command == "verify" else self._built_anew(work, tables)
        else:
            report = self._built_without_dbt(work, tables or ())
        if report is None:
            chosen, left = selectors(tables or ()), () if anew else VIEWS
            report = self._run_dbt(work, BUILD, select=chosen, exclude=left, full_refresh=anew)
        return report

    def snapshot(self, work: Work) -> DbtReport:
        """Take the snapshots: the history."""
        return self._run_dbt(work, SNAPSHOT)

    def drop(self, work: Work, relations: Sequence[tuple[str, str]]) -> int:
        """Drop those tables and views (schema, name) that are there; return how many they were."""
        with work.stage.connection() as connection:
            return drop_relations(connection, relations)

    def test(self, work: Work, tables: tuple[str, ...] | None) -> DbtReport:
        """Run the tests that changes of tables of `raw` concern, as dbt has compiled them.

        Of what the run has built, or not had to, only those that look at something that came out different.
        """
        compiled = self._tests(work)
        chosen = [test for test in compiled.tests if tables is None or test.is_about(tables)]
        if tables is not None and self._changed is not None:
            chosen = [test for test in chosen if not self._changed.isdisjoint(test.inputs)]
        with work.stage.connection() as connection:
            return run_tests(connection, chosen, work.progress)

    def keep_failing(self, work: Work, tests: DbtReport, *, everything: bool) -> tuple[FailingTest, ...]:
        """Keep the rows that fail in schema dbt_test__audit."""
        with work.stage.connection() as connection:
            return keep_failing_rows(connection, tests.nodes, everything=everything)

    def explain(self, work: Work, node: NodeResult) -> TransformError:
        """Return the error that says why a model failed, with its line."""
        with work.stage.connection() as connection:
            return explain_failure(node, self._settings.dbt_project, connection)

    def publish(self, work: Work) -> None:
        """Nothing to do: it is in the file."""

    def _place(self, work: Work) -> DbtPlace:
        return DbtPlace.of(self._settings, work.stage.file)

    def _run_dbt(self, work: Work, job: DbtJob, **options: Any) -> DbtReport:
        """Run a dbt job with options of `DbtProcess.run`."""
        work.stage.let_go()
        return self._dbt.run(job, self._place(work), progress=work.progress, **options)

    def _built_without_dbt(self, work: Work, tables: tuple[str, ...]) -> DbtReport | None:
        """Build what the changes touch, as dbt has compiled it; None where it has not, or only dbt knows how."""
        place = self._place(work)
        compiled = self._compiled = compiled_for(place)
        models = compiled.models_about(tables) if compiled else None
        if not (compiled and compiled.unknown_changes and models):
            return None
        with work.stage.connection() as connection:
            if connection.execute(compiled.unknown_changes).fetchone() != (0,):
                return None
            changed = compiled.changed_by(tables)
            report = self._run_models(connection, models, work, changed)
        self._changed = changed.union(node.relation for node in report.having("success") if node.relation)
        return report

    def _built_anew(self, work: Work, tables: tuple[str, ...] | None) -> DbtReport | None:
        """Build anew what depends on the tables (None: all), as dbt has compiled it; None where only dbt knows how."""
        place = self._place(work)
        with work.stage.connection() as connection:
            stands = standing(connection)
        compiled = compiled_anew_for(place)
        if compiled is None or compiled.standing != stands:
            work.stage.let_go()
            compiled = self._dbt.compile_anew(place, stands, work.progress)
        models = compiled.models_about(tables)
        if models is None:
            return None
        with suppress(LeftToDbt), work.stage.connection() as connection:
            return self._run_models(connection, models, work)
        return None

    def _run_models(
        self,
        connection: DuckDBPyConnection,
        models: Sequence[CompiledModel],
        work: Work,
        changed: frozenset[Relation] | None = None,
    ) -> DbtReport:
        at, artifacts = datetime.now(UTC).replace(tzinfo=None), self._settings.dbt_artifacts
        return run_models(connection, models, artifacts, at=at, changed=changed, progress=work.progress)

    def _tests(self, work: Work) -> Compiled:
        """Return what dbt has compiled, with the models where all of them stand; compiled now, if it is not at hand."""
        place = self._place(work)
        compiled = self._compiled or compiled_for(place)
        if compiled and compiled.models is not None:
            return compiled
        with work.stage.connection() as connection:
            build = ledger.last_build(connection)
            unbuilt = ledger.source_changes(connection, is_built=False)
        is_built = build is not None and build.project_sha256 == project_sha256(place.project) and not unbuilt
        if compiled and not is_built:
            return compiled
        work.stage.let_go()
        return self._dbt.compile(place, is_built=is_built, progress=work.progress)
