"""`etl.quarantine`: the records that were not loaded, whole, with place and reason.

A record is open until somebody decides: it is replayed (mended fields are loaded in its place) or discarded. A
decision belongs to the record's bytes in its file, so it outlives a full refresh, a changed file that still holds
them, and a file that is away for a while; a record that its file no longer holds as a bad one is not present.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from olistctl.ledger.rows import next_id

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

OPEN, REPLAYED, DISCARDED = "open", "replayed", "discarded"
_BATCH = 1000  # records whose bytes are held in Python at a time


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a record."""

    column: str | None
    error_type: str
    message: str


@dataclass(frozen=True)
class Quarantined:
    """A record of `etl.quarantine`; `raw` are its bytes in the file, times are UTC."""

    quarantine_id: int
    run_id: str
    source: str
    file_name: str
    file_sha256: str
    line: int
    byte_offset: int
    raw: bytes
    record_sha256: str
    key: str | None
    column_name: str | None
    error_type: str
    error_message: str
    faults: tuple[Fault, ...]
    status: str
    is_present: bool
    reason: str | None
    mended: tuple[str, ...] | None
    quarantined_at: datetime
    changed_at: datetime


@dataclass(frozen=True)
class Mend:
    """The fields that take the place of a quarantined record, and where that stands."""

    quarantine_id: int
    line: int
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Held:
    """How many records of a file are not loaded: those that wait for a decision, and those discarded."""

    open: int
    discarded: int

    @property
    def total(self) -> int:
        """The number of records that are not loaded."""
        return self.open + self.discarded


@dataclass(frozen=True)
class QuarantineCount:
    """How many records of a file are quarantined for one reason, with one status."""

    source: str
    file_name: str
    error_type: str
    column_name: str | None
    status: str
    is_present: bool
    records: int


def merge_file(
    connection: DuckDBPyConnection, source: str, file_name: str, sha256: str, *, run_id: str, at: datetime
) -> None:
    """Bring the table to the bad records that a file holds now; the temporary table `bad_records` has them.

    A record that is known keeps its id and what was decided of it. Of equal records in one file, the first stands
    for the first.
    """
    of_file = {"source": source, "file": file_name}
    if not connection.execute(
        "select 1 from etl.quarantine where source = $source and file_name = $file "
        "union all select 1 from bad_records limit 1",
        of_file,
    ).fetchone():
        return
    connection.execute(
        """
        create or replace temp table matched as
        with known as (
            select quarantine_id, record_sha256,
                row_number() over (partition by record_sha256 order by is_present desc, byte_offset) as nth
            from etl.quarantine where source = $source and file_name = $file
        ),
        found as (select *, row_number() over (partition by record_sha256 order by byte_offset) as nth from bad_records)
        select known.quarantine_id, found.* exclude (nth) from found left join known using (record_sha256, nth)
        """,
        of_file,
    )
    close_file(connection, source, file_name)
    connection.execute(
        """
        update etl.quarantine as known
        set is_present = true, file_sha256 = $sha256, line = found.line, byte_offset = found.byte_offset,
            raw = found.raw, key = found.key, column_name = found.column_name, error_type = found.error_type,
            error_message = found.error_message, faults = found.faults
        from matched as found
        where known.quarantine_id = found.quarantine_id
        """,
        {"sha256": sha256},
    )
    first = next_id(connection, "quarantine", "quarantine_id")
    connection.execute(
        """
        insert into etl.quarantine
        select
            $first + row_number() over (order by byte_offset) - 1, $run_id, $source, $file, $sha256, line, byte_offset,
            raw, record_sha256, key, column_name, error_type, error_message, faults, 'open', true, null, null, $at, $at
        from matched where quarantine_id is null
        """,
        of_file | {"first": first, "run_id": run_id, "sha256": sha256, "at": at},
    )
    connection.execute("drop table matched")


def close_file(connection: DuckDBPyConnection, source: str, file_name: str) -> None:
    """Note that a file holds no bad record."""
    connection.execute(
        "update etl.quarantine set is_present = false where source = ? and file_name = ? and is_present",
        [source, file_name],
    )


def mends_of(connection: DuckDBPyConnection, source: str, file_name: str) -> tuple[Mend, ...]:
    """Return what is to be loaded in place of quarantined records of a file."""
    rows = connection.execute(
        "select quarantine_id, line, mended from etl.quarantine "
        "where source = ? and file_name = ? and is_present and status = 'replayed' order by quarantine_id",
        [source, file_name],
    ).fetchall()
    return tuple(Mend(number, line, tuple(json.loads(mended))) for number, line, mended in rows)


def note_mended(connection: DuckDBPyConnection, mends: Sequence[Mend], at: datetime) -> None:
    """Note that mended fields are loaded in place of the records."""
    connection.execute(
        """
        update etl.quarantine as known
        set status = 'replayed', mended = mend.fields, reason = null, changed_at = $at
        from (select unnest($ids::bigint[]) as id, unnest($fields::json[]) as fields) as mend
        where known.quarantine_id = mend.id
        """,
        {
            "at": at,
            "ids": [mend.quarantine_id for mend in mends],
            "fields": [json.dumps(mend.fields) for mend in mends],
        },
    )


def open_records_of(connection: DuckDBPyConnection, file_name: str) -> list[int]:
    """Return the numbers of the records of a file that wait for a decision."""
    rows = connection.execute(
        "select quarantine_id from etl.quarantine where file_name = ? and is_present and status = 'open' order by 1",
        [file_name],
    ).fetchall()
    return [number for (number,) in rows]


def set_status(
    connection: DuckDBPyConnection, quarantine_ids: Sequence[int], status: str, reason: str | None, at: datetime
) -> None:
    """Set the status of records, with the reason for it; nothing is loaded in the place of any of them."""
    if not quarantine_ids:
        return
    connection.execute(
        "update etl.quarantine set status = $status, reason = $reason, mended = null, changed_at = $at "
        "where quarantine_id in (select unnest($ids::bigint[]))",
        {"status": status, "reason": reason, "at": at, "ids": list(quarantine_ids)},
    )


def held(connection: DuckDBPyConnection, source: str, file_name: str) -> Held:
    """Return how many records of a file are not loaded."""
    return held_by_file(connection, source, file_name)[source, file_name]


def held_by_file(
    connection: DuckDBPyConnection, source: str | None = None, file_name: str | None = None
) -> defaultdict[tuple[str, str], Held]:
    """Return how many records of a file (None: of each) are not loaded, by source and name; of any other file none."""
    rows = connection.execute(
        """
        select source, file_name, count(*) filter (status = 'open'), count(*) filter (status = 'discarded')
        from etl.quarantine
        where is_present and ($source is null or source = $source) and ($file is null or file_name = $file)
        group by source, file_name
        """,
        {"source": source, "file": file_name},
    ).fetchall()
    found = {(source, file_name): Held(waiting, discarded) for source, file_name, waiting, discarded in rows}
    return defaultdict(lambda: Held(0, 0), found)


def files_in_quarantine(connection: DuckDBPyConnection) -> frozenset[tuple[str, str]]:
    """Return the files, by source and name, of which there are records, present or not."""
    return frozenset(connection.execute("select distinct source, file_name from etl.quarantine").fetchall())


def lacks_records(connection: DuckDBPyConnection) -> bool:
    """Tell whether the ledger counts bad records that it does not hold, as one of a release without quarantine does."""
    row = connection.execute(
        """
        select coalesce((select sum(records_quarantined) from etl.source_files), 0)
            > (select count(*) from etl.quarantine where is_present and status in ('open', 'discarded'))
        """
    ).fetchone()
    return bool(row and row[0])


def records_of_file(connection: DuckDBPyConnection, source: str, file_name: str) -> Iterator[Quarantined]:
    """Give the quarantined records that a file holds, in its order; use it up before the next query."""
    connection.execute(
        "from etl.quarantine where source = ? and file_name = ? and is_present order by byte_offset",
        [source, file_name],
    )
    while rows := connection.fetchmany(_BATCH):
        yield from map(_record, rows)


def quarantined(
    connection: DuckDBPyConnection,
    *,
    quarantine_ids: Sequence[int] | None = None,
    status: str | None = None,
    is_present: bool | None = None,
    source: str | None = None,
    limit: int | None = None,
) -> tuple[Quarantined, ...]:
    """Return quarantined records by id; what is None does not choose."""
    rows = connection.execute(
        """
        from etl.quarantine
        where ($ids::bigint[] is null or quarantine_id in (select unnest($ids::bigint[])))
            and ($status is null or status = $status)
            and ($is_present is null or is_present = $is_present)
            and ($source is null or source = $source)
        order by quarantine_id
        limit $limit
        """,
        {
            "ids": None if quarantine_ids is None else list(quarantine_ids),
            "status": status,
            "source": source,
            "is_present": is_present,
            "limit": (1 << 62) if limit is None else limit,
        },
    ).fetchall()
    return tuple(_record(row) for row in rows)


def quarantine_counts(connection: DuckDBPyConnection) -> tuple[QuarantineCount, ...]:
    """Return the numbers of quarantined records by file, reason and status."""
    rows = connection.execute(
        """
        select source, file_name, error_type, column_name, status, is_present, count(*)
        from etl.quarantine group by all order by all
        """
    ).fetchall()
    return tuple(QuarantineCount(*row) for row in rows)


def _record(row: tuple[Any, ...]) -> Quarantined:
    named = dict(zip((field.name for field in fields(Quarantined)), row, strict=True))
    named["faults"] = tuple(Fault(**fault) for fault in json.loads(named["faults"]))
    named["mended"] = None if named["mended"] is None else tuple(json.loads(named["mended"]))
    return Quarantined(**named)
