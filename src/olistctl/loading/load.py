"""Load the nine sources in one transaction, with their audit."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl import ledger
from olistctl.errors import DataError
from olistctl.loading.accounting import check_accounts, quarantine_bad_records
from olistctl.loading.currency import mark_current, mark_older_tables
from olistctl.loading.difference import incoming_rows, replace_file
from olistctl.loading.evidence import keep_evidence
from olistctl.loading.limits import Limits
from olistctl.loading.report import (
    FAULTY,
    HELD,
    LOADED,
    MISSING,
    REFUSED,
    REMOVED,
    UNCHANGED,
    FileLoad,
    LoadReport,
    next_step,
)
from olistctl.reading import (
    CHANGED_WHILE_READ,
    IS_CURRENT,
    SQL_TYPES,
    UNREADABLE,
    Inspection,
    ParsedFile,
    Reading,
    UnreadableFile,
    columns_in_raw,
    create_raw_table,
    parse_into,
    table_of,
)
from olistctl.results import NoProgress, Progress
from olistctl.sources import Contract, Source
from olistctl.warehouse import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class _Load:
    """One load: where it writes, who it is, and how it judges."""

    connection: DuckDBPyConnection
    run_id: str
    at: datetime
    limits: Limits
    fresh: bool  # the tables are new, and rows that stay come from the attached `live`
    has_live: bool
    refused: dict[str, tuple[str, str]]  # files that the CSV reader gave up on in an earlier attempt: how, and why
    records_before: Mapping[tuple[str, str], int]
    progress: Progress


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
    evidence_dir: Path | None = None,
    progress: Progress | None = None,
) -> LoadReport:
    """Bring the tables of `raw` to what the inspected files say, in one transaction with the audit.

    A changed file is written as a difference, and `etl.changed_keys` holds the keys that were touched. `fresh`: the
    tables are empty, so every file is read again, and the rows of a file that is missing, refused or held back are
    taken from the attached database `live` (if `has_live`). Otherwise files whose content the ledger knows are left
    alone. `records_before`: how many records the files had, by source and name, if the ledger does not know.
    `evidence_dir`: where to put copies of refused files and bad records.

    Raises:
        DataError: the records of a file are not the rows loaded and the records quarantined.
    """
    refused: dict[str, tuple[str, str]] = {}
    progress = progress or NoProgress()
    before = {(file.source, file.file_name): file.records for file in ledger.loaded_files(connection)}
    before |= records_before or {}
    while True:
        load = _Load(connection, run_id, at, limits, fresh, has_live, refused, before, progress)
        progress.start("Loading", sum(inspection.size_bytes for inspection in inspections))
        connection.begin()
        try:
            report = _load_all(load, contract, inspections)
            connection.commit()
        except UnreadableFile as unreadable:
            connection.rollback()
            refused[unreadable.file] = unreadable.refusal_type, unreadable.message
        except BaseException:
            with suppress(Exception):  # what went wrong may have ended the transaction, and is what must be heard
                connection.rollback()
            raise
        else:
            return keep_evidence(connection, evidence_dir, report, inspections, run_id) if evidence_dir else report
        finally:
            progress.finish()


def _load_all(load: _Load, contract: Contract, inspections: Sequence[Inspection]) -> LoadReport:
    last = ledger.last_audits(load.connection)
    ledger.forget_built_changes(load.connection)
    mark_older_tables(load.connection, contract)
    results = list(_forget_sources_but(load, contract))
    audits = [_audit(load, None, result, None) for result in results]
    known = {(file.source, file.file_name): file for file in ledger.loaded_files(load.connection)}
    hashes = {(inspection.source, inspection.file): inspection.sha256 for inspection in inspections}
    read_again: list[str] = []
    for source in contract.sources:
        own = [inspection for inspection in inspections if inspection.source == source.name]
        table = _prepare_table(load, source, known, {inspection.file for inspection in own})
        read_again += [f"{source.name} ({table.read_again})"] if table.read_again else []
        for result in _load_source(load, source, table, own, known):
            audit = _audit(load, source, result, hashes.get((source.name, result.file)))
            results.append(replace(result, is_known=_is_known(audit, last.get((source.name, result.file)))))
            audits.append(audit)
    ledger.record_audit(load.connection, audits)
    check_accounts(load.connection, contract)
    changes = ledger.source_changes(load.connection, run_id=load.run_id)
    return LoadReport(tuple(results), changes, tuple(read_again))


def _forget_sources_but(load: _Load, contract: Contract) -> Iterator[FileLoad]:
    """Forget what was loaded of sources that have left the contract, and drop the tables that no source has now."""
    tables = {source.table for source in contract.sources}
    for source, table in ledger.loaded_tables(load.connection):
        if table not in tables:
            load.connection.execute(f"drop table if exists raw.{quote(table)}")
        if contract.find(source) is None:
            for file in ledger.loaded_files(load.connection):
                if file.source == source:
                    reason = "its source is no longer in the contract"
                    yield FileLoad(source, table, file.file_name, REMOVED, reason=reason)
            ledger.forget_source(load.connection, source)
            ledger.forget_build(load.connection)  # what the models make of it cannot stay


_Known = dict[tuple[str, str], ledger.LoadedFile]
_MUST_BE_READ = "deliver the file as config/sources.yml says, or take a change of that back"


@dataclass(frozen=True)
class _Table:
    """The table of a source as the load finds it, or makes it.

    `is_new`: it holds no row yet, and what comes in is no difference to anything. `outdated`: files whose rows were
    there and must be read again, for the reason in `read_again`.
    """

    is_new: bool
    existed: bool = True
    outdated: frozenset[str] = frozenset()
    read_again: str | None = None


def _prepare_table(load: _Load, source: Source, known: _Known, present: Set[str]) -> _Table:
    """Make the table where there is none, or where its rows are not of today's contract.

    `present` are the files that are there, or ought to be; those that are not are still known afterwards.
    """
    own = {name: file for (owner, name), file in known.items() if owner == source.name}
    columns = columns_in_raw(load.connection, source)
    is_outdated = any(file.contract_sha256 != source.fingerprint for file in own.values())
    if own and columns and not is_outdated and not load.fresh:
        return _Table(is_new=False)
    create_raw_table(load.connection, source)
    if not own or not (is_outdated or (not columns and not load.fresh)):
        return _Table(is_new=True, existed=bool(columns))
    outdated = frozenset(own) & present
    for name in outdated:
        ledger.forget_loaded(load.connection, source.name, name)
        del known[source.name, name]
    change = f"contract changed: {_contract_change(source, columns)}" if is_outdated else "its table was gone"
    return _Table(is_new=True, outdated=outdated, read_again=change)


def _contract_change(source: Source, before: Mapping[str, str]) -> str:
    """Say how the contract differs from the table that was made by an earlier one."""
    if not before:
        return f"its table is raw.{source.table}"
    now = {column.name: SQL_TYPES[column.type] for column in source.columns}
    changes = [
        *(f"new column {name}" for name in now if name not in before),
        *(f"no column {name} any more" for name in before if name not in now),
        *(f"{name} was {before[name]}, is {now[name]}" for name in now if before.get(name, now[name]) != now[name]),
    ]
    return ", ".join(changes) or "its key, or what its records may hold"


def _load_source(
    load: _Load, source: Source, table: _Table, own: Sequence[Inspection], known: _Known
) -> Iterator[FileLoad]:
    is_loaded = False
    for inspection in own:
        started = time.perf_counter()
        before = known.get((source.name, inspection.file))
        result = _load_file(load, source, table, inspection, before)
        if inspection.file in table.outdated and result.status != LOADED:
            raise DataError(
                f"the rows of '{source.name}' must be read again ({table.read_again}), but: {result.reason}",
                where=inspection.file,
                hint=result.hint if result.status == HELD else _MUST_BE_READ,
            )
        is_loaded = is_loaded or result.status == LOADED
        load.progress.advance(inspection.size_bytes, inspection.file)
        yield replace(result, seconds=round(time.perf_counter() - started, 3))
    seen = {inspection.file for inspection in own}
    gone = [name for owner, name in known if owner == source.name and name not in seen]
    for name in sorted(gone):
        yield _remove_file(load, source, table, name)
    if table.is_new:
        mark_current(load.connection, source)
    if table.is_new and (load.fresh or table.read_again or is_loaded or not table.existed):
        ledger.note_rebuilt(load.connection, load.run_id, source.name)


def _load_file(
    load: _Load, source: Source, table: _Table, inspection: Inspection, before: ledger.LoadedFile | None
) -> FileLoad:
    if not inspection.exists:
        hint = next_step(MISSING, inspection.file)
        return _keep(load, source, inspection, before, MISSING, "the file is not there", "file_not_found", hint)
    if inspection.file in load.refused:
        kind, reason = load.refused[inspection.file]
        return _keep(load, source, inspection, before, REFUSED, reason, kind, next_step(REFUSED, inspection.file))
    if inspection.refusal:
        reason_type = inspection.refusal_type
        return _keep(load, source, inspection, before, REFUSED, inspection.refusal, reason_type, inspection.hint)
    held = ledger.held(load.connection, source.name, inspection.file)
    if before and is_loaded_whole(before, held) and before.sha256 == inspection.sha256 and not load.fresh:
        return FileLoad(
            source.name,
            source.table,
            inspection.file,
            UNCHANGED,
            before.records,
            quarantined=held.total,
            undecided=held.open,
            kept=before.rows_loaded,
        )
    if shrunk := _shrunk(load, source, inspection):
        return _keep(load, source, inspection, before, HELD, shrunk, "partial_file", next_step(HELD, inspection.file))
    return _parse(load, source, table, inspection, before)


def is_loaded_whole(file: ledger.LoadedFile, held: ledger.Held) -> bool:
    """Tell whether the ledger holds all bad records of a file; one of a release without quarantine only counts them."""
    return file.records_quarantined == held.total


def _shrunk(load: _Load, source: Source, inspection: Inspection) -> str | None:
    """Say that a file has lost so many of its records that it may be a part of what was meant."""
    before = load.records_before.get((source.name, inspection.file), 0)
    share = load.limits.shrink_share_of(source)
    if inspection.file in load.limits.accepted or inspection.records >= before * (1 - share):
        return None
    return (
        f"it has {inspection.records:,} records and had {before:,}, {1 - inspection.records / before:.0%} fewer; "
        f"at most {share:.0%} may be lost (`max_shrink_share`)"
    )


def _parse(
    load: _Load, source: Source, table: _Table, inspection: Inspection, before: ledger.LoadedFile | None
) -> FileLoad:
    reading = Reading(load.connection, source, inspection, load.run_id, load.at)
    if table.is_new:
        return _parse_rows(load, reading, before)
    with incoming_rows(reading) as incoming:
        result = _parse_rows(load, incoming, before)
        if result.status == LOADED:
            replace_file(reading)
    return result


def _parse_rows(load: _Load, reading: Reading, before: ledger.LoadedFile | None) -> FileLoad:
    source, inspection = reading.source, reading.inspection
    parsed = parse_into(reading, load.limits.max_bad_share)
    if parsed.refusal:
        hint = next_step(REFUSED, inspection.file)
        kept = _keep(load, source, inspection, before, REFUSED, parsed.refusal, parsed.refusal_type, hint)
        return _with_bad(kept, parsed)
    loaded = FileLoad(source.name, source.table, inspection.file, LOADED, parsed.records, parsed.loaded)
    result = _with_bad(quarantine_bad_records(reading, loaded), parsed)
    ledger.record_loaded(load.connection, _loaded_file(load, source, inspection, result, reading.amounts()))
    return result


def _keep(
    load: _Load,
    source: Source,
    inspection: Inspection,
    before: ledger.LoadedFile | None,
    status: str,
    reason: str,
    reason_type: str | None,
    hint: str | None,
) -> FileLoad:
    """Leave the file's earlier rows in place; into a fresh table they come from the live warehouse."""
    if before and load.fresh and load.has_live:
        table = table_of(source)
        load.connection.execute(
            f"insert into {table} by name select columns(lambda c: c <> '{IS_CURRENT}') from live.{table} "
            "where _source_file = $file",
            {"file": inspection.file},
        )
    return FileLoad(
        source.name,
        source.table,
        inspection.file,
        status,
        inspection.records,
        kept=before.rows_loaded if before else 0,
        reason=reason,
        reason_type=reason_type,
        hint=hint,
    )


def _remove_file(load: _Load, source: Source, table: _Table, file_name: str) -> FileLoad:
    """Take out the rows of a delivery that is no longer there, which brings back what it had covered."""
    if not table.is_new:
        gone = Inspection(source.name, file_name, Path(file_name), exists=False)
        reading = Reading(load.connection, source, gone, load.run_id, load.at)
        with incoming_rows(reading):
            replace_file(reading)
    ledger.forget_loaded(load.connection, source.name, file_name)
    ledger.close_file(load.connection, source.name, file_name)
    return FileLoad(source.name, source.table, file_name, REMOVED, reason="the delivery is no longer there")


def _is_known(audit: ledger.LoadAudit, last: ledger.LoadAudit | None) -> bool:
    """Tell whether a run before has said of the file what this one says."""
    if audit.status == UNCHANGED:
        return True
    if last is None or audit.status not in FAULTY or audit.judged_by is None:
        return False
    return (audit.status, audit.sha256, audit.judged_by) == (last.status, last.sha256, last.judged_by)


def _with_bad(result: FileLoad, parsed: ParsedFile) -> FileLoad:
    return replace(result, bad=parsed.bad, bad_counts=parsed.bad_counts, examples=parsed.examples)


def _loaded_file(
    load: _Load, source: Source, inspection: Inspection, result: FileLoad, amounts: Mapping[str, str]
) -> ledger.LoadedFile:
    assert inspection.modified_at and inspection.sha256  # a file that was read has both
    return ledger.LoadedFile(
        source.name,
        inspection.file,
        inspection.size_bytes,
        inspection.modified_at,
        inspection.sha256,
        source.fingerprint,
        result.records,
        result.loaded,
        result.quarantined,
        load.at,
        load.run_id,
        json.dumps(amounts),
    )


def _audit(load: _Load, source: Source | None, result: FileLoad, sha256: str | None) -> ledger.LoadAudit:
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


def _judged_by(load: _Load, source: Source, result: FileLoad, sha256: str | None) -> str | None:
    """Return what decided about a file; None where it was not its content, so that it must be read again."""
    if sha256 and result.reason_type in (CHANGED_WHILE_READ, UNREADABLE):
        return None
    before = load.records_before.get((source.name, result.file), 0) if result.status == HELD else 0
    return load.limits.fingerprint(source, before)
