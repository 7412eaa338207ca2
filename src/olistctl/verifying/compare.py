"""Two warehouse files, table by table: the same rows, each as often, in whatever order?

Rows are multisets over every column that does not say when or by which run a row was loaded. NULL equals NULL and
nothing else. Floating-point numbers are compared to the last bit: no model of the project adds them up, so the order
of the rows cannot show in them (three builds with threads, and deliveries in any order, gave the same bits).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl.results import NoProgress, Progress, counted
from olistctl.warehouse import attach, connect, quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# All but the ledger and schema intermediate, which tell of runs. In the order in which a difference travels.
SCHEMAS = ("raw", "staging", "snapshots", "core", "mart", "quality")
RUN_METADATA = frozenset(
    {"_loaded_at", "_run_id", "created_at", "updated_at", "dbt_updated_at", "first_seen_at", "is_new"}
)
LIVE, FRESH = "warehouse", "full refresh"
# What parts the versions of a member, or the records of a file, from each other.
_MARKERS = ("effective_from", "dbt_valid_from", "_source_line")
_LONGEST_KEY = 4


@dataclass(frozen=True)
class ColumnDifference:
    """A column that only one side has, or that has another type on the other (None: it is not there)."""

    column: str
    live: str | None
    fresh: str | None


@dataclass(frozen=True)
class Example:
    """A row that one side has more often, as text; `times` says how many more."""

    side: str  # warehouse, full refresh
    times: int
    values: dict[str, str | None]


@dataclass(frozen=True)
class TableComparison:
    """A table or view on both sides; None counts the rows of one that is not there, or cannot be read."""

    schema: str
    table: str
    rows_live: int | None
    rows_fresh: int | None
    only_live: int = 0
    only_fresh: int = 0
    columns: tuple[ColumnDifference, ...] = ()
    key: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()  # columns in which examples of one key differ
    examples: tuple[Example, ...] = ()
    unreadable: str | None = None

    @property
    def name(self) -> str:
        """Schema and table."""
        return f"{self.schema}.{self.table}"

    @property
    def is_equal(self) -> bool:
        """Tell whether both sides have the table with the same columns and rows."""
        is_whole = self.rows_live is not None and self.rows_fresh is not None
        return is_whole and not (self.only_live or self.only_fresh or self.columns)

    @property
    def what(self) -> str:
        """In words, how the two sides differ."""
        if self.unreadable:
            return f"cannot be read: {self.unreadable}"
        if self.rows_live is None:
            return "only a full refresh has it"
        if self.rows_fresh is None:
            return "a full refresh does not have it"
        words = [_of_column(column) for column in self.columns]
        if self.only_live or self.only_fresh:
            words.append(
                f"{counted(self.only_live, 'row')} only in the warehouse, {self.only_fresh:,} only in a full refresh"
            )
        return "; ".join(words)


_Name = tuple[str, str]
_Columns = dict[str, str]


def compare_warehouses(
    live: Path,
    fresh: Path,
    *,
    rows: int = 5,
    threads: int | None = None,
    memory_limit: str | None = None,
    progress: Progress | None = None,
) -> tuple[TableComparison, ...]:
    """Compare every table and view; of what differs give up to `rows` example rows a side.

    `live` must be a copy, whose views become tables here: a view names its database, so that in an attached file it
    could read the tables of the other one.

    Raises:
        OlistctlError: a file cannot be opened.
        duckdb.Error: the disk is full, or the memory too little, say.
    """
    with _opened(live, threads, memory_limit) as connection:
        broken = _views_to_tables(connection)
    with _opened(fresh, threads, memory_limit, attached=live) as connection:
        return _Comparison(connection, rows, broken).run(progress or NoProgress())


@contextmanager
def _opened(
    file: Path, threads: int | None, memory_limit: str | None, *, attached: Path | None = None
) -> Iterator[DuckDBPyConnection]:
    connection = connect(file, readonly=attached is not None, threads=threads, memory_limit=memory_limit)
    try:
        if attached:
            attach(connection, attached, "live")
        yield connection
    finally:
        connection.close()


def _views_to_tables(connection: DuckDBPyConnection) -> dict[_Name, str]:
    """Put a table with its rows in the place of every view; return those that cannot be read, and why."""
    import duckdb

    views = connection.execute(
        "select schema_name, view_name from duckdb_views() where database_name = current_database() "
        "and list_contains($schemas, schema_name)",
        {"schemas": list(SCHEMAS)},
    ).fetchall()
    broken = {}
    for schema, view in views:
        old, new = f"{quote(schema)}.{quote(view)}", f"{quote(schema)}.{quote(view + ' rows')}"
        try:
            connection.execute(f"create table {new} as from {old}")
        except (duckdb.ProgrammingError, duckdb.DataError) as error:
            broken[schema, view] = _first_line(error)
            continue
        connection.execute(f"drop view {old}")
        connection.execute(f"alter table {new} rename to {quote(view)}")
    return broken


@dataclass(frozen=True)
class _Comparison:
    """The fresh file as the connection's own, the other attached as `live`."""

    connection: DuckDBPyConnection
    rows: int
    broken: dict[_Name, str]  # views of `live`

    def run(self, progress: Progress) -> tuple[TableComparison, ...]:
        live, fresh = self._relations("'live'"), self._relations("current_database()")
        names = sorted(live.keys() | fresh.keys(), key=lambda name: (SCHEMAS.index(name[0]), name[1]))
        progress.start("Comparing", len(names))
        results = []
        for name in names:
            results.append(self._compare(name, live.get(name), fresh.get(name)))
            progress.advance(1, ".".join(name))
        progress.finish()
        return tuple(results)

    def _relations(self, database: str) -> dict[_Name, _Columns]:
        """Return every table and view with its columns; a view that lacks what it reads may have none."""
        found: dict[_Name, _Columns] = {}
        for kind in ("table", "view"):
            names = self.connection.execute(
                f"select schema_name, {kind}_name from duckdb_{kind}s() "
                f"where database_name = {database} and list_contains($schemas, schema_name)",
                {"schemas": list(SCHEMAS)},
            ).fetchall()
            found |= {(schema, table): {} for schema, table in names}
        columns = self.connection.execute(
            "select schema_name, table_name, column_name, data_type from duckdb_columns() "
            f"where database_name = {database} order by column_index"
        ).fetchall()
        for schema, table, column, data_type in columns:
            if (schema, table) in found:
                found[schema, table][column] = data_type
        return found

    def _compare(self, name: _Name, live: _Columns | None, fresh: _Columns | None) -> TableComparison:
        import duckdb

        try:
            if name in self.broken:
                return TableComparison(*name, None, None, unreadable=self.broken[name])
            if live is None or fresh is None:
                return self._one_sided(name, live)
            return self._both(name, live, fresh)
        except (duckdb.ProgrammingError, duckdb.DataError) as error:
            return TableComparison(*name, None, None, unreadable=_first_line(error))

    def _one_sided(self, name: _Name, live: _Columns | None) -> TableComparison:
        present = _in_live(name) if live is not None else _in_fresh(name)
        ((rows,),) = self.connection.execute(f"select count(*) from {present}").fetchall()
        if live is None:
            return TableComparison(*name, None, rows, only_fresh=rows)
        return TableComparison(*name, rows, None, only_live=rows)

    def _both(self, name: _Name, live: _Columns, fresh: _Columns) -> TableComparison:
        differences = tuple(
            ColumnDifference(column, live.get(column), fresh.get(column))
            for column in live | fresh
            if live.get(column) != fresh.get(column)
        )
        shared = [column for column in fresh if column not in RUN_METADATA and live.get(column) == fresh[column]]
        ((in_live, in_fresh, only_live, only_fresh),) = self.connection.execute(
            "select coalesce(sum(in_live), 0)::bigint, coalesce(sum(in_fresh), 0)::bigint, "
            "coalesce(sum(greatest(in_live - in_fresh, 0)), 0)::bigint, "
            f"coalesce(sum(greatest(in_fresh - in_live, 0)), 0)::bigint from ({_grouped(name, shared)})"
        ).fetchall()
        key = self._key(name, shared) if only_live or only_fresh else ()
        examples = tuple(
            example
            for side, surplus in ((LIVE, "in_live - in_fresh"), (FRESH, "in_fresh - in_live"))
            for example in (self._examples(name, shared, key, side, surplus) if key else ())
        )
        return TableComparison(
            *name,
            rows_live=in_live,
            rows_fresh=in_fresh,
            only_live=only_live,
            only_fresh=only_fresh,
            columns=differences,
            key=key,
            differing=_differing(examples, key),
            examples=examples,
        )

    def _key(self, name: _Name, columns: Sequence[str]) -> tuple[str, ...]:
        """Return columns by which a reader knows a row: natural ones, which no two rows of the fresh table share."""
        natural = [column for column in columns if not column.endswith("_key")] or list(columns)
        candidates = [natural[:1]]
        candidates += [[natural[0], marker] for marker in _MARKERS if marker in natural[1:]]
        candidates += [natural[:length] for length in range(2, _LONGEST_KEY + 1)]
        for candidate in candidates:
            names = ", ".join(map(quote, candidate))
            sql = f"select 1 from {_in_fresh(name)} group by {names} having count(*) > 1 limit 1"
            if candidate and not self.connection.execute(sql).fetchone():
                return tuple(candidate)
        return tuple(natural[:_LONGEST_KEY])

    def _examples(
        self, name: _Name, columns: Sequence[str], key: Sequence[str], side: str, surplus: str
    ) -> Iterator[Example]:
        aliases = {column: f"c{number}" for number, column in enumerate(columns)}
        order = [aliases[column] for column in (*key, *(column for column in columns if column not in key))]
        rows = self.connection.execute(
            f"select ({surplus})::bigint, {', '.join(f'{alias}::varchar' for alias in aliases.values())} "
            f"from ({_grouped(name, columns)}) where {surplus} > 0 order by {', '.join(order)} limit {self.rows:d}"
        ).fetchall()
        for times, *values in rows:
            yield Example(side, times, dict(zip(columns, values, strict=True)))


def _grouped(name: _Name, columns: Sequence[str]) -> str:
    """Return the SQL of every different row with the number of times that each side has it."""
    picked = "".join(f"{quote(column)} as c{number}, " for number, column in enumerate(columns))
    aliases = "".join(f"c{number}, " for number in range(len(columns)))
    return (
        f"select {aliases}sum(l) as in_live, sum(f) as in_fresh from ("
        f"select {picked}1 as l, 0 as f from {_in_live(name)} "
        f"union all select {picked}0 as l, 1 as f from {_in_fresh(name)}) group by all"
    )


def _in_live(name: _Name) -> str:
    return f"live.{quote(name[0])}.{quote(name[1])}"


def _in_fresh(name: _Name) -> str:
    return f"{quote(name[0])}.{quote(name[1])}"


def _differing(examples: Sequence[Example], key: Sequence[str]) -> tuple[str, ...]:
    """Return the columns in which examples with one key are not the same on both sides."""
    found: dict[str, None] = {}
    sides = [
        {tuple(e.values[column] for column in key): e.values for e in examples if e.side == side}
        for side in (LIVE, FRESH)
    ]
    for identity, values in sides[0].items():
        other = sides[1].get(identity, values)
        found |= {column: None for column in values if values[column] != other[column]}
    return tuple(found)


def _of_column(column: ColumnDifference) -> str:
    if column.fresh is None:
        return f"column {column.column} only in the warehouse"
    if column.live is None:
        return f"column {column.column} only in a full refresh"
    return f"column {column.column} is {column.live}, in a full refresh {column.fresh}"


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0]
