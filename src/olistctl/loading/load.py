"""Load the nine sources in one transaction, with their audit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl import ledger
from olistctl.errors import DataError
from olistctl.loading.accounting import check_accounts, quarantine_bad_records
from olistctl.loading.evidence import keep_evidence
from olistctl.loading.report import LOADED, MISSING, REFUSED, REMOVED, UNCHANGED, FileLoad, LoadReport
from olistctl.reading import (
    Inspection,
    ParsedFile,
    Reading,
    UnreadableFile,
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
    max_bad_share: float
    fresh: bool  # the tables are new, and rows that stay come from the attached `live`
    has_live: bool
    refused: dict[str, str]  # files that the CSV reader gave up on in an earlier attempt
    progress: Progress


def load_files(
    connection: DuckDBPyConnection,
    contract: Contract,
    inspections: Sequence[Inspection],
    *,
    run_id: str,
    at: datetime,
    max_bad_share: float,
    fresh: bool,
    has_live: bool = False,
    evidence_dir: Path | None = None,
    progress: Progress | None = None,
) -> LoadReport:
    """Bring the tables of `raw` to what the inspected files say, in one transaction with the audit.

    `fresh`: the tables are empty, so every file is read again, and the rows of a file that is missing or
    refused are taken from the attached database `live` (if `has_live`). Otherwise files whose content the
    ledger knows are left alone. `evidence_dir`: where to put copies of refused files and bad records.

    Raises:
        DataError: the records of a file are not the rows loaded and the records quarantined.
    """
    refused: dict[str, str] = {}
    progress = progress or NoProgress()
    while True:
        load = _Load(connection, run_id, at, max_bad_share, fresh, has_live, refused, progress)
        progress.start("Loading", sum(inspection.size_bytes for inspection in inspections))
        connection.begin()
        try:
            report = _load_all(load, contract, inspections)
            connection.commit()
        except UnreadableFile as unreadable:
            connection.rollback()
            refused[unreadable.file] = unreadable.message
        except BaseException:
            with suppress(Exception):  # what went wrong may have ended the transaction, and is what must be heard
                connection.rollback()
            raise
        else:
            return keep_evidence(connection, evidence_dir, report, inspections, run_id) if evidence_dir else report
        finally:
            progress.finish()


def _load_all(load: _Load, contract: Contract, inspections: Sequence[Inspection]) -> LoadReport:
    _forget_sources_but(load, contract)
    known = {(file.source, file.file_name): file for file in ledger.loaded_files(load.connection)}
    results: list[FileLoad] = []
    for source in contract.sources:
        own = [inspection for inspection in inspections if inspection.source == source.name]
        results.extend(_load_source(load, source, own, known))
    ledger.record_audit(load.connection, [_audit(load, result, inspections) for result in results])
    check_accounts(load.connection, contract)
    return LoadReport(tuple(results))


def _forget_sources_but(load: _Load, contract: Contract) -> None:
    """Forget what was loaded of sources that have left the contract, with their tables."""
    for source, table in ledger.loaded_tables(load.connection):
        if contract.find(source) is None:
            load.connection.execute(f"drop table if exists raw.{quote(table)}")
            ledger.forget_source(load.connection, source)


_Known = dict[tuple[str, str], ledger.LoadedFile]


def _load_source(load: _Load, source: Source, own: Sequence[Inspection], known: _Known) -> list[FileLoad]:
    outdated = _prepare_table(load, source, known)
    results = []
    for inspection in own:
        started = time.perf_counter()
        result = _load_file(load, source, inspection, known.get((source.name, inspection.file)))
        if inspection.file in outdated and result.status != LOADED:
            raise DataError(
                f"the contract of '{source.name}' has changed, so its rows must be read again, but: {result.reason}",
                where=inspection.file,
                hint="deliver the file as the new contract says, or take the change of config/sources.yml back",
            )
        results.append(replace(result, seconds=round(time.perf_counter() - started, 3)))
        load.progress.advance(inspection.size_bytes, inspection.file)
    seen = {inspection.file for inspection in own}
    gone = [name for owner, name in known if owner == source.name and name not in seen]
    return results + [_remove_file(load, source, name) for name in sorted(gone)]


def _prepare_table(load: _Load, source: Source, known: _Known) -> set[str]:
    """Make the table; return the files whose loaded rows are not of today's contract and count as unknown."""
    own = {name: file for (owner, name), file in known.items() if owner == source.name}
    outdated = any(file.contract_sha256 != source.fingerprint for file in own.values())
    if own and not outdated and not load.fresh:
        return set()
    create_raw_table(load.connection, source)
    if not outdated:
        return set()
    for name in own:
        ledger.forget_loaded(load.connection, source.name, name)
        del known[source.name, name]
    return set(own)


def _load_file(load: _Load, source: Source, inspection: Inspection, before: ledger.LoadedFile | None) -> FileLoad:
    if not inspection.exists:
        reason = "the file is not there"
        return _keep(load, source, inspection, before, MISSING, reason, "file_not_found", "deliver it and run again")
    refusal = load.refused.get(inspection.file)
    if refusal:
        return _keep(load, source, inspection, before, REFUSED, refusal, "unreadable_csv", None)
    if inspection.refusal:
        kind = inspection.refusal_type
        return _keep(load, source, inspection, before, REFUSED, inspection.refusal, kind, inspection.hint)
    held = ledger.held(load.connection, source.name, inspection.file)
    # A ledger of a release without quarantine knows how many records were bad, but not which.
    is_accounted_for = before is not None and before.records_quarantined == held.total
    if before and is_accounted_for and before.sha256 == inspection.sha256 and not load.fresh:
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
    return _parse(load, source, inspection, before)


def _parse(load: _Load, source: Source, inspection: Inspection, before: ledger.LoadedFile | None) -> FileLoad:
    reading = Reading(load.connection, source, inspection, load.run_id, load.at)
    # The file's earlier rows stand aside until it is sure that the new ones may take their place.
    reading.execute(
        f"create or replace temp table earlier as from {table_of(source)} where _source_file = $file",
        {"file": inspection.file},
    )
    reading.delete_loaded()
    parsed = parse_into(reading, load.max_bad_share)
    if parsed.refusal:
        reading.execute(f"insert into {table_of(source)} from earlier")
    reading.execute("drop table earlier")
    if parsed.refusal:
        hint = "mend the file, or deliver it again"
        kept = _keep(load, source, inspection, before, REFUSED, parsed.refusal, parsed.refusal_type, hint)
        return _with_bad(kept, parsed)
    loaded = FileLoad(source.name, source.table, inspection.file, LOADED, parsed.records, parsed.loaded)
    result = _with_bad(quarantine_bad_records(reading, loaded), parsed)
    ledger.record_loaded(load.connection, _loaded_file(load, source, inspection, result))
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
            f"insert into {table} by name from live.{table} where _source_file = $file",
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


def _remove_file(load: _Load, source: Source, file_name: str) -> FileLoad:
    """Take out the rows of a delivery that is no longer there, which brings back what it had covered."""
    load.connection.execute(f"delete from {table_of(source)} where _source_file = $file", {"file": file_name})
    ledger.forget_loaded(load.connection, source.name, file_name)
    ledger.close_file(load.connection, source.name, file_name)
    return FileLoad(source.name, source.table, file_name, REMOVED, reason="the delivery is no longer there")


def _with_bad(result: FileLoad, parsed: ParsedFile) -> FileLoad:
    return replace(result, bad=parsed.bad, bad_counts=parsed.bad_counts, examples=parsed.examples)


def _loaded_file(load: _Load, source: Source, inspection: Inspection, result: FileLoad) -> ledger.LoadedFile:
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
    )


def _audit(load: _Load, result: FileLoad, inspections: Sequence[Inspection]) -> ledger.LoadAudit:
    hashes = {(inspection.source, inspection.file): inspection.sha256 for inspection in inspections}
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
        sha256=hashes.get((result.source, result.file)),
        loaded_at=load.at,
        seconds=result.seconds,
    )
