"""New tables are filled several at a time, before anything is accounted for.

To number the records of a file keeps one core busy, whatever else there is.
"""

from __future__ import annotations

import time
from collections import ChainMap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from olistctl import ledger
from olistctl.loading.attempt import Filled, Known, Load
from olistctl.loading.one_file import judge_file
from olistctl.reading import Inspection, Reading, create_raw_table, parse_good
from olistctl.sources import Contract, Source
from olistctl.warehouse import in_parallel

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def fill_tables(
    load: Load, contract: Contract, inspections: Sequence[Inspection], known: Known
) -> Mapping[tuple[str, str], Filled]:
    """Make the tables of all sources anew and read the files that are good as a whole; return what came of them.

    Any other file is left to be read by itself, with reasons. Each source is a transaction, and no other may be open.
    """
    import duckdb

    held = ledger.held_by_file(load.connection)

    def fill(cursor: DuckDBPyConnection, source: Source) -> dict[tuple[str, str], Filled]:
        filled, told = {}, 0
        create_raw_table(cursor, source)
        cursor.begin()
        try:
            for found in inspections:
                key = found.source, found.file
                if found.source != source.name or judge_file(load, source, found, known.get(key), held[key]):
                    continue
                load.progress.advance(0, found.file)
                started = time.perf_counter()
                parsed = parse_good(Reading(cursor, source, found, load.run_id, load.at))
                filled[key] = Filled(parsed, time.perf_counter() - started)
                if parsed:
                    load.progress.advance(found.size_bytes)
                    told += found.size_bytes
            cursor.commit()
        except duckdb.Error:  # one file spoils the transaction for the others: whoever reads each by itself says which
            with suppress(duckdb.Error):  # what went wrong may have ended the transaction
                cursor.rollback()
            load.progress.advance(-told)
            filled.clear()
        return filled

    def size(source: Source) -> int:
        return sum(found.size_bytes for found in inspections if found.source == source.name)

    load.connection.execute("create schema if not exists raw")  # once, for of several that make it one would fail
    largest_first = sorted(contract.sources, key=size, reverse=True)
    return dict(ChainMap(*in_parallel(load.connection, fill, largest_first)))
