"""Load the nine sources in one transaction, with their audit."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from olistctl import ledger
from olistctl.errors import DataError
from olistctl.reading import (
    BadCount,
    BadRecord,
    Inspection,
    ParsedFile,
    UnreadableFile,
    create_raw_table,
    delete_file,
    parse_into,
    table_of,
)
from olistctl.results import Finding, NoProgress, Progress, counted
from olistctl.sources import Contract, Source

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# What a load can do with a file.
LOADED, UNCHANGED, MISSING, REFUSED, REMOVED = "loaded", "unchanged", "missing", "refused", "removed"


@dataclass(frozen=True)
class FileLoad:
    """What became of one file; `kept` counts its earlier rows that stay in place."""

    source: str
    table: str
    file: str
    status: str
    records: int = 0
    loaded: int = 0
    bad: int = 0
    kept: int = 0
    seconds: float = 0.0
    reason: str | None = None
    reason_type: str | None = None
    hint: str | None = None
    bad_counts: tuple[BadCount, ...] = ()
    examples: tuple[BadRecord, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Tell whether the file is there and nothing of it is missing from its table."""
        return not self.bad and self.status not in (MISSING, REFUSED) and not self.has_no_records

    @property
    def has_no_records(self) -> bool:
        """Tell whether the file holds a header alone, as an export that failed leaves it."""
        return self.status in (LOADED, UNCHANGED) and not self.records

    def fault_type(self) -> str:
        """Return in one word what is wrong with a file that is not whole."""
        if self.has_no_records:
            return "no_records"
        return self.reason_type or (self.bad_counts[0].error_type if self.bad_counts else "bad_records")

    def finding(self) -> Finding:
        """Say what became of a file that is not whole."""
        if self.has_no_records:
            return Finding(f"it has a header and no records; raw.{self.table} gets no rows from it", self.file)
        if self.status == UNCHANGED:
            message = f"{self.bad:,} of its {self.records:,} records were bad when it was loaded"
            return Finding(message, self.file, "olistctl validate --verbose")
        if self.status == LOADED:
            reasons = ", ".join(
                f"{count.records:,} {count.error_type}" + (f" in {count.column}" if count.column else "")
                for count in self.bad_counts[:3]
            )
            first = f", the first in line {self.examples[0].line:,}" if self.examples else ""
            message = f"{self.bad:,} of {self.records:,} records are bad{first}: {reasons}"
            return Finding(message, self.file, "olistctl validate --verbose")
        stays = f"its {self.kept:,} loaded rows stay" if self.kept else f"raw.{self.table} gets no rows from it"
        return Finding(f"{self.status}: {self.reason}; {stays}", self.file, self.hint)


@dataclass(frozen=True)
class LoadReport:
    """What a load did, file by file."""

    files: tuple[FileLoad, ...]

    @property
    def rows_loaded(self) -> int:
        """The number of rows written."""
        return sum(file.loaded for file in self.files)

    @property
    def records_bad(self) -> int:
        """The number of records that this load left out because they are bad."""
        return sum(file.bad for file in self.files if file.status != UNCHANGED)

    @property
    def summary(self) -> str:
        """How many files met which fate, in words."""
        fates = Counter(file.status for file in self.files)
        words = [f"{fates[fate]} {fate}" for fate in (LOADED, UNCHANGED, MISSING, REFUSED, REMOVED) if fates[fate]]
        bad = f"; {counted(self.records_bad, 'bad record')}" if self.records_bad else ""
        return f"files: {', '.join(words)}{bad}"

    @property
    def changed(self) -> bool:
        """Tell whether any table of `raw` has other rows than before."""
        return any(file.status in (LOADED, REMOVED) for file in self.files)

    @property
    def faulty(self) -> tuple[FileLoad, ...]:
        """The files that did not load whole."""
        return tuple(file for file in self.files if not file.is_whole)


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
    progress: Progress | None = None,
) -> LoadReport:
    """Bring the tables of `raw` to what the inspected files say, in one transaction with the audit.

    `fresh`: the tables are empty, so every file is read again, and the rows of a file that is missing or
    refused are taken from the attached database `live` (if `has_live`). Otherwise files whose content the
    ledger knows are left alone.
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
            return report
        except UnreadableFile as unreadable:
            connection.rollback()
            refused[unreadable.file] = unreadable.message
        except BaseException:
            connection.rollback()
            raise
        finally:
            progress.finish()


def _load_all(load: _Load, contract: Contract, inspections: Sequence[Inspection]) -> LoadReport:
    known = {(file.source, file.file_name): file for file in ledger.loaded_files(load.connection)}
    results: list[FileLoad] = []
    for source in contract.sources:
        own = [inspection for inspection in inspections if inspection.source == source.name]
        results.extend(_load_source(load, source, own, known))
    ledger.record_audit(load.connection, [_audit(load, result, inspections) for result in results])
    return LoadReport(tuple(results))


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
    if before and before.sha256 == inspection.sha256 and not load.fresh:
        return FileLoad(
            source.name,
            source.table,
            inspection.file,
            UNCHANGED,
            before.records,
            bad=before.records_bad,
            kept=before.rows_loaded,
        )
    return _parse(load, source, inspection, before)


def _parse(load: _Load, source: Source, inspection: Inspection, before: ledger.LoadedFile | None) -> FileLoad:
    connection, file = load.connection, inspection.file
    # The file's earlier rows stand aside until it is sure that the new ones may take their place.
    connection.execute(
        f"create or replace temp table earlier as from {table_of(source)} where _source_file = $file",
        {"file": file},
    )
    delete_file(connection, source, file)
    parsed = parse_into(
        connection,
        source,
        inspection,
        run_id=load.run_id,
        loaded_at=load.at,
        max_bad_share=load.max_bad_share,
    )
    if parsed.refusal:
        connection.execute(f"insert into {table_of(source)} from earlier")
    connection.execute("drop table earlier")
    if parsed.refusal:
        kept = _keep(
            load,
            source,
            inspection,
            before,
            REFUSED,
            parsed.refusal,
            parsed.refusal_type,
            "mend the file, or deliver it again",
        )
        return _with_bad(kept, parsed)
    ledger.record_loaded(connection, _loaded_file(load, source, inspection, parsed))
    result = FileLoad(source.name, source.table, file, LOADED, parsed.records, parsed.loaded)
    return _with_bad(result, parsed)


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
    delete_file(load.connection, source, file_name)
    ledger.forget_loaded(load.connection, source.name, file_name)
    return FileLoad(source.name, source.table, file_name, REMOVED, reason="the delivery is no longer there")


def _with_bad(result: FileLoad, parsed: ParsedFile) -> FileLoad:
    return replace(result, bad=parsed.bad, bad_counts=parsed.bad_counts, examples=parsed.examples)


def _loaded_file(load: _Load, source: Source, inspection: Inspection, parsed: ParsedFile) -> ledger.LoadedFile:
    assert inspection.modified_at and inspection.sha256  # a file that was read has both
    return ledger.LoadedFile(
        source.name,
        inspection.file,
        inspection.size_bytes,
        inspection.modified_at,
        inspection.sha256,
        source.fingerprint,
        parsed.records,
        parsed.loaded,
        parsed.bad,
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
        records_bad=result.bad,
        reason=result.reason,
        sha256=hashes.get((result.source, result.file)),
        loaded_at=load.at,
        seconds=result.seconds,
    )
