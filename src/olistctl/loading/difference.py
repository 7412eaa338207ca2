"""What changes in `raw` is written as a difference, and the keys that it touches are noted.

New rows come into the temporary table `incoming` first. Those that stand in `raw` already stay as they are, with the
run that loaded them; only a line that moved is written again. So a run knows what it changed, and the models can
follow it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from olistctl import ledger
from olistctl.loading.currency import mark_current
from olistctl.reading import INCOMING, Reading, create_incoming_table, table_of
from olistctl.sources import Source
from olistctl.warehouse import quote

_TEMPORARY = (INCOMING, "outgoing", "standing", "touched", "touched_before", "touched_after", "touched_keys")


@contextmanager
def incoming_rows(reading: Reading) -> Iterator[Reading]:
    """Give a reading that inserts into the empty table `incoming` in place of the table in `raw`."""
    _drop(reading)
    create_incoming_table(reading.connection, reading.source)
    try:
        yield replace(reading, into=INCOMING)
    finally:
        with suppress(Exception):  # the transaction may be lost already
            _drop(reading)


def replace_file(reading: Reading) -> None:
    """Bring the rows of a file in `raw` to those that are in `incoming`."""
    _pair_by_line(reading)
    # To compare rows by their content each is numbered among its equals, which takes longer than all the rest.
    ((some_are_left,),) = reading.execute(f"select exists (from outgoing) and exists (from {INCOMING})")
    if some_are_left:
        _pair_by_content(reading)
    _write(reading)


def add_rows(reading: Reading) -> None:
    """Add the rows of `incoming` to those of the file in `raw`."""
    reading.execute("create temp table standing (_row bigint, _new bigint, _line bigint, _is_moved boolean)")
    reading.execute("create temp table outgoing (_row bigint)")
    _write(reading)


def take_out_rows(reading: Reading, lines: Sequence[int]) -> None:
    """Take the rows of some lines of the file out of `raw`."""
    with incoming_rows(reading):
        reading.execute("create temp table standing (_row bigint, _new bigint, _line bigint, _is_moved boolean)")
        reading.execute(
            f"create temp table outgoing as select rowid as _row from {table_of(reading.source)} "
            "where _source_file = $file and _source_line in (select unnest($lines::bigint[]))",
            {"file": reading.file, "lines": list(lines)},
        )
        _write(reading)


def _old_and_new(reading: Reading) -> tuple[str, str, str]:
    """Return the SQL of the rows that the file has in `raw`, of those in `incoming`, and of whether two are equal."""
    return (
        f"(select rowid as _row, * from {table_of(reading.source)} where _source_file = $file)",
        f"(select rowid as _new, * from {INCOMING})",
        _same(reading.source.column_names, "old", "new"),
    )


def _pair_by_line(reading: Reading) -> None:
    """Make the table `standing`, pairs of rows in `raw` and in `incoming` that are equal and in the same line.

    And `outgoing`, of the rows in `raw` that are in no pair; `incoming` keeps its own. Most stand where they stood.
    """
    old, new, same = _old_and_new(reading)
    file = {"file": reading.file}
    reading.execute(
        "create temp table standing as select old._row, new._new, new._source_line as _line, false as _is_moved "
        f"from {old} as old join {new} as new on old._source_line = new._source_line and {same}",
        file,
    )
    left = f"select _row from {old} as old anti join standing using (_row)"
    reading.execute(f"create temp table outgoing as {left}", file)
    reading.execute(f"delete from {INCOMING} where rowid in (select _new from standing)")


def _pair_by_content(reading: Reading) -> None:
    """Move pairs of equal rows in other lines to `standing`, the first of several equal ones with the first."""
    old, new, same = _old_and_new(reading)
    names = ", ".join(quote(name) for name in reading.source.column_names)
    nth = f"row_number() over (partition by {names} order by _source_line) as _nth"
    reading.execute(
        f"""
        insert into standing
        with old as (select *, {nth} from {old} semi join outgoing using (_row)), new as (select *, {nth} from {new})
        select old._row, new._new, new._source_line, true from old join new on old._nth = new._nth and {same}
        """,
        {"file": reading.file},
    )
    reading.execute("delete from outgoing where _row in (select _row from standing)")
    reading.execute(f"delete from {INCOMING} where rowid in (select _new from standing)")


def _write(reading: Reading) -> None:
    """Write the rows that differ, and note the keys that they touch."""
    source, table = reading.source, table_of(reading.source)
    _find_touched(reading)
    _find_present(reading, "touched_before")
    reading.execute(f"delete from {table} where rowid in (select _row from outgoing)")
    reading.execute(f"insert into {table} from {INCOMING}")
    reading.execute(
        f"update {table} as t set _source_line = standing._line from standing "
        "where t.rowid = standing._row and standing._is_moved"
    )
    mark_current(reading.connection, source, touched="touched")
    _find_present(reading, "touched_after")
    fields = ", ".join(f"'{name}', touched.{quote(name)}" for name in source.identifying)
    reading.execute(
        f"""
        create temp table touched_keys as
        select
            cast(json_object({fields}) as varchar) as key,
            case
                when touched_before._is_present is null then '{ledger.INSERTED}'
                when touched_after._is_present is null then '{ledger.DELETED}'
                else '{ledger.CHANGED}'
            end as change
        from touched
        left join touched_before on {_same(source.identifying, "touched", "touched_before")}
        left join touched_after on {_same(source.identifying, "touched", "touched_after")}
        """
    )
    ledger.note_changes(reading.connection, reading.run_id, source.name)


def _find_touched(reading: Reading) -> None:
    """Make the table `touched`: the keys of rows that come or go, and of moved ones with a rival in their file.

    Among rows of one key in one file the last line wins, so a move alone can change which row is the current one.
    """
    table, names = table_of(reading.source), _identity(reading.source)
    rivals = ", ".join(f"lower(trim(cast({quote(name)} as varchar)))" for name in reading.source.identifying)
    reading.execute(
        f"""
        create temp table touched as
        select distinct {names} from (
            select {names} from {INCOMING}
            union all
            select {names} from {table} as t semi join outgoing on t.rowid = outgoing._row
            union all
            select {names} from (
                select rowid as _row, {names}, count(*) over (partition by {rivals}) as _rivals
                from {table} where _source_file = $file and exists (from standing where _is_moved)
            ) as t semi join (from standing where _is_moved) as moved using (_row) where _rivals > 1
        )
        """,
        {"file": reading.file},
    )


def _find_present(reading: Reading, name: str) -> None:
    """Make a table of those touched keys that `raw` holds now."""
    source = reading.source
    names = ", ".join(f"t.{quote(column)}" for column in source.identifying)
    reading.execute(
        f"create temp table {name} as select distinct {names}, true as _is_present from {table_of(source)} as t "
        f"semi join touched on {_same(source.identifying, 't', 'touched')}"
    )


def _identity(source: Source) -> str:
    return ", ".join(quote(name) for name in source.identifying)


def _same(names: Sequence[str], left: str, right: str) -> str:
    return " and ".join(f"{left}.{quote(name)} is not distinct from {right}.{quote(name)}" for name in names)


def _drop(reading: Reading) -> None:
    for name in _TEMPORARY:
        reading.execute(f"drop table if exists {name}")
