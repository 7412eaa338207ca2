"""Which run readers of the cluster see, and how the tables of the next one take their place.

A run writes into a branch of each table (Iceberg's write-audit-publish), which no reader sees. To publish it, each
table is set to what its branch holds, one after the other: the cluster's catalog has no transaction over tables. The
table etl.publication says before and after it that this goes on, so that a run that finds it half done builds all anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from olistctl.errors import OlistctlError, TransformError
from olistctl.spark.connection import Server, Session, StatementFailed, in_sessions, literal, name_of, session

SCHEMAS = ("raw", "etl", "staging", "intermediate", "snapshots", "core", "mart", "quality")
# Tables of Iceberg whose sessions may work in a branch.
TABLE_OPTIONS = "using iceberg tblproperties ('write.wap.enabled' = 'true')"
_TABLE = "etl.publication"
_PUBLISHED, _WORKING, _PUBLISHING = "published", "working", "publishing"

_IS_TABLE, _IS_VIEW = "table", "view"

Relation = tuple[str, str]  # schema and name


@dataclass(frozen=True)
class Publication:
    """What etl.publication says: the run that readers see (None: none yet), and the branch that a run works in."""

    run_id: str | None
    branch: str | None = None
    state: str = _PUBLISHED

    @property
    def is_whole(self) -> bool:
        """Tell whether all tables are of the run."""
        return self.run_id is not None and self.state != _PUBLISHING


def branch_of(run_id: str) -> str:
    """Return the name of a run's branch."""
    return f"olistctl_{run_id.replace('-', '_')}"


def read_publication(spark: Session) -> Publication:
    """Return what the cluster holds; the schemas and the table are made where they are missing.

    Raises:
        StatementFailed: Spark refuses.
        EnvironmentFault: the server has gone.
    """
    for schema in SCHEMAS:
        spark.run(f"create namespace if not exists {schema}")
    columns = "run_id string, branch string, state string, changed_at timestamp"
    spark.run(f"create table if not exists {_TABLE} ({columns}) using iceberg")
    return _read(spark)


def begin(spark: Session, found: Publication, branch: str) -> None:
    """Note that a run works in its branch; what one that did not end has left in another goes."""
    if found.branch:
        for relation in tables_in(spark, SCHEMAS):
            _drop_branch(spark, relation, found.branch)
    _note(spark, Publication(found.run_id, branch, _PUBLISHING if found.state == _PUBLISHING else _WORKING))


def note_replaced(spark: Session) -> None:
    """Note that a table had to be replaced, not overwritten: readers find it empty, and until the run is published, the
    whole is none.
    """
    spark.run(f"update {_TABLE} set state = {literal(_PUBLISHING)}")


def publish(
    server: Server,
    found: Publication,
    build: str,
    branch: str,
    *,
    written: Collection[Relation],
    gone: Iterable[Relation] = (),
    threads: int = 1,
) -> None:
    """Let readers see what a run has written into its branch of tables, and drop those tables and views that are gone.

    `found` is what the run began with, `build` the run whose models they are.

    Raises:
        TransformError: another client has begun or published meanwhile; nothing is done.
        StatementFailed: Spark refuses; etl.publication says that it is half done.
        EnvironmentFault: the server has gone, and so does it then.
    """
    with session(server) as spark:
        now = _read(spark)
        if (now.run_id, now.branch) != (found.run_id, branch):
            hint = "nothing was published; let one client at a time write there, and run again"
            raise TransformError("another client has written to the cluster meanwhile", where=server.address, hint=hint)
        kinds = relations_in(spark, {schema for schema, _ in (*written, *gone)})
        tables = [relation for relation in written if kinds.get(relation) == _IS_TABLE]
        _note(spark, Publication(build, branch, _PUBLISHING))
        in_sessions(server, partial(_switch, branch=branch), tables, threads=threads)
        for relation in gone:
            if relation in kinds:
                spark.run(f"drop {kinds[relation]} {name_of(*relation)}")
        _note(spark, Publication(build, branch))
        with suppress(OlistctlError):  # a branch that is left goes with the next run
            in_sessions(server, partial(_drop_branch, branch=branch), tables, threads=threads)
            _note(spark, Publication(build))


def relations_in(spark: Session, schemas: Iterable[str]) -> dict[Relation, str]:
    """Return what stands in some schemas, each a table or a view."""
    found: dict[Relation, str] = {}
    for schema in sorted(schemas):
        try:
            views = {row[1] for row in spark.run(f"show views in {name_of(schema)}")}
            names = [row[1] for row in spark.run(f"show tables in {name_of(schema)}")]
        except StatementFailed:  # there is no such schema
            continue
        found |= {(schema, name): _IS_VIEW if name in views else _IS_TABLE for name in names}
    return found


def tables_in(spark: Session, schemas: Iterable[str]) -> tuple[Relation, ...]:
    """Return the tables, and no views, of some schemas."""
    return tuple(relation for relation, kind in relations_in(spark, schemas).items() if kind == _IS_TABLE)


def _read(spark: Session) -> Publication:
    rows = spark.run(f"select run_id, branch, state from {_TABLE}")
    return Publication(*rows[0]) if rows else Publication(None)


def _note(spark: Session, what: Publication) -> None:
    values = [literal(value) if value else "cast(null as string)" for value in (what.run_id, what.branch, what.state)]
    now = f"timestamp {literal(f'{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}')}"
    spark.run(f"insert overwrite {_TABLE} select {', '.join(values)}, {now}")


def _switch(spark: Session, relation: Relation, branch: str) -> None:
    """Set a table to what its branch holds; one that the run left alone has no such branch."""
    if spark.run(f"select 1 from {name_of(*relation)}.refs where name = {literal(branch)}"):
        table = literal(".".join(relation))
        spark.run(f"call spark_catalog.system.set_current_snapshot(table => {table}, ref => {literal(branch)})")


def _drop_branch(spark: Session, relation: Relation, branch: str) -> None:
    with suppress(StatementFailed):  # a table of another format has none
        spark.run(f"alter table {name_of(*relation)} drop branch if exists {name_of(branch)}")
