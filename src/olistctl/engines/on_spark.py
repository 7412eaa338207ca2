"""Models on a Spark cluster; the warehouse file keeps the loaded rows and the ledger, and gets what is asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from olistctl import ledger
from olistctl.config import Settings
from olistctl.errors import DataError, EnvironmentFault, TransformError
from olistctl.ledger import Build
from olistctl.quality import FailingTest, keep_failing_rows
from olistctl.spark import (
    Attempt,
    Landing,
    Publication,
    Relation,
    Server,
    Session,
    StatementFailed,
    begin,
    branch_of,
    check_cluster,
    in_sessions,
    name_of,
    note_attempt,
    publish,
    read_publication,
    reason_of,
    relations_in,
    session,
    ship,
    tables_in,
)
from olistctl.transform import (
    BUILD_OR_FAIL,
    SNAPSHOT,
    VIEWS,
    Compiled,
    DbtJob,
    DbtPlace,
    DbtProcess,
    DbtReport,
    NodeResult,
    QueryFailed,
    compiled_for,
    judged,
    selectors,
)
from olistctl.warehouse import drop_relations, quote, stage_file
from olistctl.writing import Work

_FAILED = ("error", "fail")


class SparkEngine:
    """Builds and tests in a branch of the cluster's tables, which readers see when all is done."""

    def __init__(self, settings: Settings, dbt: DbtProcess) -> None:
        self._settings = settings
        self._dbt = dbt
        self._found: Publication | None = None  # what the cluster held before this run; None: nobody has looked
        self._has_begun = False
        self._build: str | None = None  # the run whose models readers are to see
        self._written: set[Relation] = set()
        self._gone: tuple[Relation, ...] = ()

    def check(self) -> None:
        """Raise an error where a setting, the extra, the server, the table format or the landing is missing."""
        check_cluster(self._settings)

    def warm_up(self, *, full_refresh: bool) -> None:
        """Let dbt be imported and the project be parsed."""
        self._dbt.warm_up(DbtPlace.of(self._settings, stage_file(self._settings)))

    def holds(self, work: Work, build: Build) -> bool:
        """Tell whether the cluster holds the build: no publication was cut short, no other client came between."""
        found = self._look()
        is_held = found.is_whole and found.run_id == build.run_id
        if is_held:
            self._note_attempt(build.run_id, is_whole=True)
        return is_held

    def check_built(self, work: Work) -> None:
        """Raise an error where no models stand."""
        with work.stage.connection() as connection:
            build = ledger.last_build(connection)
        if build is None:
            raise DataError("the models are not built yet", where=self._server.address, hint="olistctl transform")
        if not self._has_begun and not self.holds(work, build):
            hint = "another client has published there, or a publication was cut short: `olistctl run` builds all anew"
            raise DataError("the cluster does not hold what the ledger says", where=self._server.address, hint=hint)

    def build(self, work: Work, tables: tuple[str, ...] | None, *, anew: bool) -> DbtReport:
        """Ship what the cluster lacks, build there, and bring back what the warehouse file is to have."""
        self._begin(work)
        self._build = work.run_id
        with work.stage.connection() as connection, self._working(work) as (spark, landing):
            self._written.update(ship(spark, connection, landing, tables, work.progress))
        chosen, left = selectors(tables or ()), () if anew else VIEWS
        report = self._run_dbt(work, BUILD_OR_FAIL, select=chosen, exclude=left, full_refresh=anew)
        if not report.having(*_FAILED):
            self._bring_back(work, report)
        return report

    def snapshot(self, work: Work) -> DbtReport:
        """Take the snapshots: the history."""
        self._begin(work)
        return self._run_dbt(work, SNAPSHOT)

    def drop(self, work: Work, relations: Sequence[Relation]) -> int:
        """Drop those tables and views here now, on the cluster when the run is published; return how many are there."""
        if not relations:
            return 0
        with work.stage.connection() as connection:
            drop_relations(connection, relations)
        with session(self._server) as spark:
            standing = relations_in(spark, {schema for schema, _ in relations})
        self._gone = tuple(relation for relation in relations if relation in standing)
        return len(self._gone)

    def test(self, work: Work, tables: tuple[str, ...] | None) -> DbtReport:
        """Run the tests that changes of tables of `raw` concern, as dbt has compiled them for Spark."""
        chosen = [test for test in self._tests(work).tests if tables is None or test.is_about(tables)]

        def run(judge: Any) -> list[NodeResult]:
            return self._in_sessions(work, lambda spark, test: judge(test, partial(_asked, spark)), chosen)

        return judged(run, len(chosen), work.progress)

    def keep_failing(self, work: Work, tests: DbtReport, *, everything: bool) -> tuple[FailingTest, ...]:
        """Keep the rows that fail in schema dbt_test__audit of the warehouse file."""
        with work.stage.connection() as connection, self._working(work) as (spark, landing):

            def keep(table: str, sql: str) -> None:
                landing.ask_for(spark, "failing", sql)
                landing.fetch(connection, "failing", table)

            return keep_failing_rows(connection, tests.nodes, everything=everything, keep=keep)

    def explain(self, work: Work, node: NodeResult) -> TransformError:
        """Return the error that says why a model failed, in Spark's words.

        Raises:
            EnvironmentFault: the server has gone, which is why.
        """
        if not self._server.answers():
            raise self._server.is_gone()
        hint = "nothing was published"
        if node.compiled:
            hint = f"read the compiled SQL in {node.compiled}; {hint}"
        where = f"{node.kind} {node.name} ({node.file})"
        return TransformError(reason_of(node.message or "it failed"), where=where, hint=hint)

    def publish(self, work: Work) -> None:
        """Let readers of the cluster see what the run has written there."""
        if not self._has_begun:
            return
        found = self._look()
        build = self._build or found.run_id or work.run_id
        self._note_attempt(build, is_whole=False)
        try:
            publish(
                self._server,
                found,
                build,
                branch_of(work.run_id),
                written=self._written,
                gone=self._gone,
                threads=self._settings.threads,
            )
        except (StatementFailed, EnvironmentFault) as error:
            message = f"the publication on the cluster was cut short: {error.message}"
            hint = "some tables may be of this run, others of the last: run again, and all are built anew"
            kind = EnvironmentFault if isinstance(error, EnvironmentFault) else TransformError
            raise kind(message, where=self._server.address, hint=hint) from None
        self._note_attempt(build, is_whole=True)

    @property
    def _server(self) -> Server:
        return Server.of(self._settings)

    def _look(self) -> Publication:
        """Return what the cluster held before this run."""
        if self._found is None:
            with session(self._server) as spark:
                self._found = read_publication(spark)
        return self._found

    def _begin(self, work: Work) -> None:
        """Write into a branch from here on."""
        if not self._has_begun:
            found = self._look()
            self._note_attempt(found.run_id or "", is_whole=False)
            with session(self._server) as spark:
                begin(spark, found, branch_of(work.run_id))
            self._has_begun = True

    def _note_attempt(self, build: str, *, is_whole: bool) -> None:
        note_attempt(self._settings, Attempt(self._server.address, build, is_whole))

    def _place(self, work: Work) -> DbtPlace:
        return DbtPlace.of(self._settings, work.stage.file, branch_of(work.run_id))

    def _run_dbt(self, work: Work, job: DbtJob, **options: Any) -> DbtReport:
        """Run a dbt job with options of `DbtProcess.run`, and note what it writes."""
        with self._said_of_server():
            report = self._dbt.run(job, self._place(work), progress=work.progress, **options)
        self._written.update(node.relation for node in report.nodes if node.relation)
        return report

    def _bring_back(self, work: Work, report: DbtReport) -> None:
        """Make the tables that were built, of the schemas that the settings name, tables of the warehouse file."""
        named = self._settings.spark_bring_back
        built = {node.relation for node in report.nodes if node.relation}
        with work.stage.connection() as connection, self._working(work) as (spark, landing):
            last = ledger.last_build(connection)
            known = built | set(last.relations if last else ())
            drop_relations(connection, [one for one in known if one[0] not in named])
            here = set(connection.execute("select schema_name, table_name from duckdb_tables()").fetchall())
            there = tables_in(spark, {schema for schema, _ in known if schema in named})
            tables = [table for table in there if table in built or (table in known and table not in here)]
            work.progress.start("Bringing back", len(tables))

            def ask(spark: Session, table: Relation) -> None:
                landing.ask_for(spark, "/".join(("back", *table)), f"select * from {name_of(*table)}")
                work.progress.advance(1, ".".join(table))

            try:
                self._in_sessions(work, ask, tables)
            finally:
                work.progress.finish()
            for schema, name in tables:
                connection.execute(f"create schema if not exists {quote(schema)}")
                landing.fetch(connection, f"back/{schema}/{name}", f"{quote(schema)}.{quote(name)}")

    def _tests(self, work: Work) -> Compiled:
        place = self._place(work)
        with self._said_of_server():
            return compiled_for(place) or self._dbt.compile(place, is_built=False, progress=work.progress)

    @contextmanager
    def _said_of_server(self) -> Iterator[None]:
        """Say of what dbt could not do that the server has gone, where it has: dbt says so in many words."""
        try:
            yield
        except TransformError:
            if not self._server.answers():
                raise self._server.is_gone() from None
            raise

    def _in_sessions(self, work: Work, do: Any, items: Collection[Any]) -> list[Any]:
        branch = branch_of(work.run_id)
        return in_sessions(self._server, do, items, threads=self._settings.threads, branch=branch)

    @contextmanager
    def _working(self, work: Work) -> Iterator[tuple[Session, Landing]]:
        """Give a session in the run's branch, and the run's landing for as long."""
        landing = Landing.of(self._settings, work.run_id)
        try:
            with session(self._server, branch_of(work.run_id)) as spark:
                yield spark, landing
        finally:
            landing.clear()


def _asked(spark: Session, query: str) -> Sequence[Any] | None:
    try:
        rows = spark.run(query)
    except StatementFailed as failed:
        raise QueryFailed(failed.reason) from None
    return rows[0] if rows else None
