"""Which record of a key is the current one: that of the file sorting last by name, then of the highest line.

It is decided here, when rows come and go, and not by each model that reads a source: ranking all records of a key took
most of the time of a small run, and of the tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from olistctl.reading import IS_CURRENT, columns_in_raw, table_of
from olistctl.sources import Contract, Source
from olistctl.warehouse import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def mark_current(connection: DuckDBPyConnection, source: Source, *, touched: str | None = None) -> None:
    """Mark the rows of a source in `raw` that are the current records of their keys, and unmark the others.

    Keys are compared without outer blanks, as staging cleans them. `touched`: a table of the keys whose rows have come
    or gone since the rows were marked; None: all rows have just come in, marked. Of a source without key all rows are
    current.
    """
    if not source.key:
        return
    table, names = table_of(source), [f"key_{number}" for number, _ in enumerate(source.key)]
    key = ", ".join(f"{_cleaned(source, column)} as {name}" for column, name in zip(source.key, names, strict=True))
    keys = ", ".join(names)
    repeated = f"select {key} from {table} group by all having count(*) > 1"
    chosen = f"select distinct {key} from {touched}" if touched else repeated
    same = " and ".join(f"ours.{name} is not distinct from chosen.{name}" for name in names)
    connection.execute(
        f"""
        update {table} as t set {IS_CURRENT} = ranked.is_last
        from (
            select
                _row,
                row_number() over (partition by {keys} order by _source_file desc, _source_line desc) = 1 as is_last
            from (select rowid as _row, _source_file, _source_line, {key} from {table}) as ours
            semi join ({chosen}) as chosen on {same}
        ) as ranked
        where t.rowid = ranked._row and t.{IS_CURRENT} <> ranked.is_last
        """
    )


def mark_older_tables(connection: DuckDBPyConnection, contract: Contract) -> None:
    """Mark the rows of tables that an olistctl made which did not yet."""
    columns = columns_in_raw(connection)
    for source in contract.sources:
        if source.table in columns and IS_CURRENT not in columns[source.table]:
            connection.execute(f"alter table {table_of(source)} add column {IS_CURRENT} boolean default true")
            mark_current(connection, source)


def _cleaned(source: Source, name: str) -> str:
    is_text = next(column.type for column in source.columns if column.name == name) in ("text", "zip")
    return trimmed(quote(name)) if is_text else quote(name)


def trimmed(text: str) -> str:
    """Return SQL for a text without outer blanks: DuckDB's trim where there may be some, as in macros/cleaning.sql."""
    is_plain = f"strlen({text}) = length({text}) and not starts_with({text}, ' ') and not ends_with({text}, ' ')"
    return f"case when {is_plain} then {text} else trim({text}) end"
