"""`etl.changed_keys`: what changed in `raw`, and whether the models know of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from olistctl.ledger.rows import insert

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

INSERTED, CHANGED, DELETED, REBUILT, TOUCHED = "inserted", "changed", "deleted", "rebuilt", "touched"


@dataclass(frozen=True)
class SourceChange:
    """How many keys of a source were inserted, changed and deleted; `rebuilt`: all of them may have changed.

    None at all: what differs is only where records stand, or how many there are.
    """

    source: str
    inserted: int
    changed: int
    deleted: int
    rebuilt: bool

    @property
    def keys(self) -> int:
        """The number of keys that are known to differ."""
        return self.inserted + self.changed + self.deleted

    @property
    def brings_data(self) -> bool:
        """Tell whether rows of `raw` may have other values."""
        return self.rebuilt or self.keys > 0


def note_changes(connection: DuckDBPyConnection, run_id: str, source: str) -> None:
    """Add the changed keys of the temporary table `touched_keys` (key, change)."""
    connection.execute(
        "insert into etl.changed_keys select ?, ?, change, key, false from touched_keys",
        [run_id, source],
    )


def note_given_up(connection: DuckDBPyConnection, run_id: str, quarantine_ids: Sequence[int]) -> None:
    """Note the keys of bad records that will not be mended: for the history, only now are they gone."""
    connection.execute(
        "insert into etl.changed_keys select $run_id, source, $change, key, false from etl.quarantine "
        "where quarantine_id in (select unnest($ids::bigint[])) and key is not null",
        {"run_id": run_id, "change": DELETED, "ids": list(quarantine_ids)},
    )
    sources = connection.execute(
        "select distinct source from etl.quarantine where quarantine_id in (select unnest($ids::bigint[]))",
        {"ids": list(quarantine_ids)},
    ).fetchall()
    note_touched(connection, run_id, [source for (source,) in sources])


def note_touched(connection: DuckDBPyConnection, run_id: str, sources: Iterable[str]) -> None:
    """Note that files of these sources were read, or their bad records decided about, where no changed key says so.

    Models tell in which line a record stands, what a file holds and what is in quarantine.
    """
    connection.execute(
        "insert into etl.changed_keys select $run_id, source, $change, null, false "
        "from (select unnest($sources::varchar[]) as source) "
        "where source not in (select source from etl.changed_keys where not is_built)",
        {"run_id": run_id, "change": TOUCHED, "sources": list(sources)},
    )


def note_rebuilt(connection: DuckDBPyConnection, run_id: str, source: str) -> None:
    """Note that the table of a source was made anew, in place of its single keys."""
    connection.execute("delete from etl.changed_keys where source = ?", [source])
    insert(connection, "changed_keys", [(run_id, source, REBUILT, None, False)])


def forget_built_changes(connection: DuckDBPyConnection) -> None:
    """Forget the changes that the models know of: those of the next load take their place."""
    connection.execute("delete from etl.changed_keys where is_built")


def source_changes(
    connection: DuckDBPyConnection, *, run_id: str | None = None, is_built: bool | None = None
) -> tuple[SourceChange, ...]:
    """Return the changes by source; what is None does not choose."""
    rows = connection.execute(
        """
        select
            source,
            count(*) filter (change = 'inserted'),
            count(*) filter (change = 'changed'),
            count(*) filter (change = 'deleted'),
            bool_or(change = 'rebuilt')
        from etl.changed_keys
        where ($run_id is null or run_id = $run_id) and ($is_built is null or is_built = $is_built)
        group by source order by source
        """,
        {"run_id": run_id, "is_built": is_built},
    ).fetchall()
    return tuple(SourceChange(*row) for row in rows)
