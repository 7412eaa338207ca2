"""What becomes of one file: loaded, left alone, kept as it was, or taken out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from olistctl import ledger
from olistctl.loading.accounting import quarantine_bad_records
from olistctl.loading.attempt import Load
from olistctl.loading.difference import incoming_rows, replace_file
from olistctl.loading.report import HELD, LOADED, MISSING, REFUSED, REMOVED, UNCHANGED, FileLoad, next_step
from olistctl.loading.tables import Table
from olistctl.reading import IS_CURRENT, Inspection, ParsedFile, Reading, confirmed, parse_into, table_of
from olistctl.sources import Source


def load_file(
    load: Load,
    source: Source,
    table: Table,
    inspection: Inspection,
    before: ledger.LoadedFile | None,
    held: ledger.Held,
) -> FileLoad:
    """Bring a file's rows into its table; the earlier ones stay where it cannot be read, should not be, or is no news.

    `before` is what the ledger knows of it, `held` how many of its records are not loaded.

    Raises:
        UnreadableFile: the CSV reader has given up, and the transaction with it.
    """
    left = judge_file(load, source, inspection, before, held)
    if left is None:
        return _parse(load, source, table, inspection, before)
    if left.status != UNCHANGED:
        _bring_over(load, source, inspection, before)
    return left


def judge_file(
    load: Load, source: Source, inspection: Inspection, before: ledger.LoadedFile | None, held: ledger.Held
) -> FileLoad | None:
    """Say what becomes of a file that is not read; None: it is."""
    if not inspection.exists:
        hint = next_step(MISSING, inspection.file)
        return _kept(source, inspection, before, MISSING, "the file is not there", "file_not_found", hint)
    if inspection.file in load.refused:
        kind, reason = load.refused[inspection.file]
        return _kept(source, inspection, before, REFUSED, reason, kind, next_step(REFUSED, inspection.file))
    if inspection.refusal:
        return _kept(source, inspection, before, REFUSED, inspection.refusal, inspection.refusal_type, inspection.hint)
    if before and _is_loaded_whole(before, held) and before.sha256 == inspection.sha256 and not load.fresh:
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
        return _kept(source, inspection, before, HELD, shrunk, "partial_file", next_step(HELD, inspection.file))
    return None


def remove_file(load: Load, source: Source, table: Table, file_name: str) -> FileLoad:
    """Take out the rows of a delivery that is no longer there, which brings back what it had covered."""
    if not table.is_new:
        gone = Inspection(source.name, file_name, Path(file_name), exists=False)
        reading = Reading(load.connection, source, gone, load.run_id, load.at)
        with incoming_rows(reading):
            replace_file(reading)
    ledger.forget_loaded(load.connection, source.name, file_name)
    ledger.close_file(load.connection, source.name, file_name)
    return FileLoad(source.name, source.table, file_name, REMOVED, reason="the delivery is no longer there")


def _is_loaded_whole(file: ledger.LoadedFile, held: ledger.Held) -> bool:
    """Tell whether the ledger holds all bad records of a file; one of a release without quarantine only counts them."""
    return file.records_quarantined == held.total


def _shrunk(load: Load, source: Source, inspection: Inspection) -> str | None:
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
    load: Load, source: Source, table: Table, inspection: Inspection, before: ledger.LoadedFile | None
) -> FileLoad:
    reading = Reading(load.connection, source, inspection, load.run_id, load.at)
    if table.is_new:
        return _parse_rows(load, reading, before)
    with incoming_rows(reading) as incoming:
        result = _parse_rows(load, incoming, before)
        if result.status == LOADED:
            replace_file(reading)
    return result


def _parse_rows(load: Load, reading: Reading, before: ledger.LoadedFile | None) -> FileLoad:
    source, inspection = reading.source, reading.inspection
    filled = load.filled_by(source.name, inspection.file)
    if filled and filled.parsed:
        parsed = confirmed(reading, filled.parsed)
    else:
        parsed = parse_into(reading, load.limits.max_bad_share, may_be_good=filled is None)
    if parsed.refusal:
        hint = next_step(REFUSED, inspection.file)
        _bring_over(load, source, inspection, before)
        kept = _kept(source, inspection, before, REFUSED, parsed.refusal, parsed.refusal_type, hint)
        return _with_bad(kept, parsed)
    loaded = FileLoad(source.name, source.table, inspection.file, LOADED, parsed.records, parsed.loaded)
    in_quarantine = (source.name, inspection.file) in load.in_quarantine
    result = quarantine_bad_records(reading, _with_bad(loaded, parsed), in_quarantine=in_quarantine)
    load.read.append(_loaded_file(load, source, inspection, result, reading.amounts()))
    return result


def _bring_over(load: Load, source: Source, inspection: Inspection, before: ledger.LoadedFile | None) -> None:
    """Bring the file's earlier rows into a fresh table from the live warehouse; in any other they are."""
    if before and load.fresh and load.has_live:
        table = table_of(source)
        load.connection.execute(
            f"insert into {table} by name select columns(lambda c: c <> '{IS_CURRENT}') from live.{table} "
            "where _source_file = $file",
            {"file": inspection.file},
        )


def _kept(
    source: Source,
    inspection: Inspection,
    before: ledger.LoadedFile | None,
    status: str,
    reason: str,
    reason_type: str | None,
    hint: str | None,
) -> FileLoad:
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


def _with_bad(result: FileLoad, parsed: ParsedFile) -> FileLoad:
    return replace(result, bad=parsed.bad, bad_counts=parsed.bad_counts, examples=parsed.examples)


def _loaded_file(
    load: Load, source: Source, inspection: Inspection, result: FileLoad, amounts: Mapping[str, str]
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
