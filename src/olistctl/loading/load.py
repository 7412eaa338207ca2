"""Load the nine sources, with their audit."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from olistctl import ledger
from olistctl.errors import DataError
from olistctl.loading.accounting import check_accounts
from olistctl.loading.attempt import Filled, Known, Load
from olistctl.loading.currency import mark_current, mark_older_tables
from olistctl.loading.filling import fill_tables
from olistctl.loading.limits import Limits
from olistctl.loading.one_file import load_file, remove_file
from olistctl.loading.report import FAULTY, HELD, LOADED, UNCHANGED, FileLoad, LoadReport
from olistctl.loading.tables import Table, forget_sources_but, prepare_table
from olistctl.reading import CHANGED_WHILE_READ, UNREADABLE, Inspection, UnreadableFile, columns_in_raw
from olistctl.results import NoProgress, Progress
from olistctl.sources import Contract, Source

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_MUST_BE_READ = "deliver the file as config/sources.yml says, or take a change of that back"


def load_files(
    connection: DuckDBPyConnection,
    contract: Contract,
    inspections: Sequence[Inspection],
    *,
    run_id: str,
    at: datetime,
    limits: Limits,
    fresh: bool,
    has_live: bool = False,
    records_before: Mapping[tuple[str, str], int] | None = None,
    progress: Progress | None = None,
) -> LoadReport:
    """Bring the tables of `raw` to what the inspected files say, in one transaction with the audit.

    Where nothing is loaded yet, or nothing of it stays, new tables are filled before it begins.

    A changed file is written as a difference, and `etl.changed_keys` holds the keys that were touched. `fresh`: the
    tables are empty, so every file is read again, and the rows of a file that is missing, refused or held back are
    taken from the attached database `live` (if `has_live`). Otherwise files whose content the ledger knows are left
    alone. `records_before`: how many records the files had, by source and name, if the ledger does not know.

    Raises:
        DataError: the records of a file are not the rows loaded and the records quarantined.
    """
    refused: dict[str, tuple[str, str]] = {}
    progress = progress or NoProgress()
    known = _known(connection)
    before = {key: file.records for key, file in known.items()} | dict(records_before or {})
    in_quarantine = ledger.files_in_quarantine(connection)
    columns = columns_in_raw(connection)
    filled: Mapping[tuple[str, str], Filled] | None = None
    while True:
        load = Load(connection, run_id, at, limits, fresh, has_live, refused, before, in_quarantine, progress, filled)
        waiting = (inspection for inspection in inspections if not load.holds(inspection.source, inspection.file))
        progress.start("Loading", sum(inspection.size_bytes for inspection in waiting))
        try:
            if filled is None and (fresh or not known):
                filled = fill_tables(load, contract, inspections, known)
                load = replace(load, filled=filled)
            connection.begin()
            report = _load_all(load, contract, inspections, columns)
            connection.commit()
        except UnreadableFile as unreadable:
            connection.rollback()
            refused[unreadable.file] = unreadable.refusal_type, unreadable.message
        except BaseException:
            with suppress(Exception):  # what went wrong may have ended the transaction, and is what must be heard
                connection.rollback()
            raise
        else:
            return report
        finally:
            progress.finish()


def _known(connection: DuckDBPyConnection) -> Known:
    return {(file.source, file.file_name): file for file in ledger.loaded_files(connection)}


def _load_all(
    load: Load, contract: Contract, inspections: Sequence[Inspection], columns: Mapping[str, Mapping[str, str]]
) -> LoadReport:
    last = ledger.last_audits(load.connection)
    ledger.forget_built_changes(load.connection)
    mark_older_tables(load.connection, contract)
    results = list(forget_sources_but(load, contract))
    audits = [_audit(load, None, result, None) for result in results]
    known = _known(load.connection)
    hashes = {(inspection.source, inspection.file): inspection.sha256 for inspection in inspections}
    held = ledger.held_by_file(load.connection)
    read_again: list[str] = []
    for source in contract.sources:
        own = [inspection for inspection in inspections if inspection.source == source.name]
        present = {inspection.file for inspection in own}
        table = prepare_table(load, source, columns.get(source.table, {}), known, present)
        read_again += [f"{source.name} ({table.read_again})"] if table.read_again else []
        for result in _load_source(load, source, table, own, known, held):
            audit = _audit(load, source, result, hashes.get((source.name, result.file)))
            results.append(replace(result, is_known=_is_known(audit, last.get((source.name, result.file)))))
            audits.append(audit)
    ledger.record_loaded(load.connection, load.read)
    ledger.record_audit(load.connection, audits)
    check_accounts(load.connection, contract)
    changes = ledger.source_changes(load.connection, run_id=load.run_id)
    return LoadReport(tuple(results), changes, tuple(read_again))


def _load_source(
    load: Load,
    source: Source,
    table: Table,
    own: Sequence[Inspection],
    known: Known,
    held: Mapping[tuple[str, str], ledger.Held],
) -> Iterator[FileLoad]:
    is_loaded = False
    for inspection in own:
        started = time.perf_counter()
        key = source.name, inspection.file
        result = load_file(load, source, table, inspection, known.get(key), held[key])
        if inspection.file in table.outdated and result.status != LOADED:
            raise DataError(
                f"the rows of '{source.name}' must be read again ({table.read_again}), but: {result.reason}",
                where=inspection.file,
                hint=result.hint if result.status == HELD else _MUST_BE_READ,
            )
        is_loaded = is_loaded or result.status == LOADED
        filled = load.filled_by(*key)
        if not load.holds(*key):
            load.progress.advance(inspection.size_bytes, inspection.file)
        seconds = time.perf_counter() - started + (filled.seconds if filled else 0)
        yield replace(result, seconds=round(seconds, 3))
    seen = {inspection.file for inspection in own}
    gone = [name for owner, name in known if owner == source.name and name not in seen]
    for name in sorted(gone):
        yield remove_file(load, source, table, name)
    if table.is_new:
        mark_current(load.connection, source)
    if table.is_new and (load.fresh or table.read_again or is_loaded or not table.existed):
        ledger.note_rebuilt(load.connection, load.run_id, source.name)
    elif is_loaded or gone:
        ledger.note_touched(load.connection, load.run_id, [source.name])


def _is_known(audit: ledger.LoadAudit, last: ledger.LoadAudit | None) -> bool:
    """Tell whether a run before has said of the file what this one says."""
    if audit.status == UNCHANGED:
        return True
    if last is None or audit.status not in FAULTY or audit.judged_by is None:
        return False
    return (audit.status, audit.sha256, audit.judged_by) == (last.status, last.sha256, last.judged_by)


def _audit(load: Load, source: Source | None, result: FileLoad, sha256: str | None) -> ledger.LoadAudit:
    return ledger.LoadAudit(
        run_id=load.run_id,
        source=result.source,
        table_name=f"raw.{result.table}",
        file_name=result.file,
        status=result.status,
        records=result.records,
        rows_loaded=result.loaded,
        records_quarantined=result.quarantined,
        reason=result.reason,
        sha256=sha256,
        loaded_at=load.at,
        seconds=result.seconds,
        judged_by=_judged_by(load, source, result, sha256) if source else None,
    )


def _judged_by(load: Load, source: Source, result: FileLoad, sha256: str | None) -> str | None:
    """Return what decided about a file; None where it was not its content, so that it must be read again."""
    if sha256 and result.reason_type in (CHANGED_WHILE_READ, UNREADABLE):
        return None
    before = load.records_before.get((source.name, result.file), 0) if result.status == HELD else 0
    return load.limits.fingerprint(source, before)
