"""Mended records into `raw`, in the place of the bad ones, and out of it again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl import ledger
from olistctl.config import Settings
from olistctl.errors import DataError
from olistctl.ledger import Fault, LoadAudit, LoadedFile, Mend, Quarantined
from olistctl.loading.accounting import check_accounts
from olistctl.loading.difference import add_rows, incoming_rows, take_out_rows
from olistctl.mending.exported import SURPLUS, Row, fields_of, read_rows
from olistctl.mending.quarantine import chosen
from olistctl.reading import Inspection, Reading, load_mends
from olistctl.results import counted
from olistctl.sources import Contract, Source, load_contract
from olistctl.writing import Outcome, Work, write_warehouse

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class StillBad:
    """A record that was to be replayed and cannot be loaded."""

    quarantine_id: int
    file: str
    line: int
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class ReplayReport:
    """What a replay did: how many records were loaded, which cannot be, how many nobody has touched."""

    replayed: int
    untouched: int
    still_bad: tuple[StillBad, ...]


def replay(settings: Settings, files: Sequence[Path], *, as_is: bool = False) -> ReplayReport:
    """Load the mended records of exported files in the place of the quarantined ones.

    They keep their origin: file and line are those of the record. What is still bad stays in quarantine, and so do
    the rows that nobody has changed, unless `as_is`.

    Raises:
        DataError: a file is not what `export_records` writes, or the contract has changed since the load.
    """
    contract = load_contract(settings.contract_file)
    rows = read_rows(files, contract)
    reports: list[ReplayReport] = []

    def load(work: Work) -> Outcome:
        with work.stage.connection() as connection:
            connection.begin()
            reports.append(_replay(connection, contract, rows, work, as_is=as_is))
            connection.commit()
        work.rows_loaded = reports[0].replayed
        return Outcome(work.rows_loaded, f"{counted(work.rows_loaded, 'record')} replayed")

    write_warehouse(settings, "quarantine replay", {"replay": load})
    return reports[0]


def reopen(settings: Settings, quarantine_ids: Sequence[int]) -> tuple[Quarantined, ...]:
    """Take decisions back: what was loaded in a record's place is taken out, and it waits in quarantine again.

    Raises:
        UsageError: there is no such record; none is reopened.
    """
    contract = load_contract(settings.contract_file)
    reopened: list[Quarantined] = []

    def take_back(work: Work) -> Outcome:
        with work.stage.connection() as connection:
            connection.begin()
            records = chosen(connection, quarantine_ids)
            for (source, file), own in _by_file(records):
                mended = [record for record in own if record.status == ledger.REPLAYED and record.is_present]
                if mended:
                    reading = _reading(connection, contract.source(source), file, work)
                    take_out_rows(reading, [record.line for record in mended])
            ledger.set_status(connection, quarantine_ids, ledger.OPEN, None, work.started_at)
            for (source, file), own in _by_file(records):
                _settle_account(connection, contract.source(source), file, len(own), 0, work)
            check_accounts(connection, contract)
            connection.commit()
            reopened.extend(chosen(connection, quarantine_ids))
        return Outcome(None, f"{counted(len(reopened), 'record')} reopened")

    write_warehouse(settings, "quarantine reopen", {"reopen": take_back})
    return tuple(reopened)


def _replay(
    connection: DuckDBPyConnection, contract: Contract, rows: dict[int, Row], work: Work, *, as_is: bool
) -> ReplayReport:
    records = chosen(connection, list(rows))
    for record in records:
        rows[record.quarantine_id].check_identity(record)
    touched = [r for r in records if _is_touched(r, rows[r.quarantine_id], contract.source(r.source), as_is=as_is)]
    still_bad: list[StillBad] = []
    for (source, file), own in _by_file(touched):
        still_bad += _replay_file(connection, contract.source(source), file, own, rows, work)
    check_accounts(connection, contract)
    return ReplayReport(len(touched) - len(still_bad), len(records) - len(touched), tuple(still_bad))


def _replay_file(
    connection: DuckDBPyConnection,
    source: Source,
    file: str,
    records: list[Quarantined],
    rows: dict[int, Row],
    work: Work,
) -> list[StillBad]:
    account = _account(connection, source, file)
    if account is not None and account.contract_sha256 != source.fingerprint:
        raise DataError("the contract has changed since the file was loaded", where=file, hint="olistctl load")
    wrong: dict[int, tuple[Fault, ...]] = {}
    mends = []
    for record in records:
        row = rows[record.quarantine_id]
        fault = _fault_of(record, row)
        if fault:
            wrong[record.quarantine_id] = (fault,)
        else:
            fields = _mended(row.fields, fields_of(record, source)[0])
            mends.append(Mend(record.quarantine_id, record.line, fields))
    reading = _reading(connection, source, file, work)
    with incoming_rows(reading) as incoming:
        wrong |= load_mends(incoming, mends)
        add_rows(reading)
    loaded = [mend for mend in mends if mend.quarantine_id not in wrong]
    ledger.note_mended(connection, loaded, work.started_at)
    _settle_account(connection, source, file, len(records), len(loaded), work)
    still_bad = [record for record in records if record.quarantine_id in wrong]
    return [StillBad(record.quarantine_id, file, record.line, wrong[record.quarantine_id]) for record in still_bad]


def _is_touched(record: Quarantined, row: Row, source: Source, *, as_is: bool) -> bool:
    """Tell whether somebody has changed a row; what is loaded already is not touched, whatever the options."""
    if record.status == ledger.REPLAYED and record.mended is not None:
        return not _same(row.fields, record.mended)
    fields, surplus = fields_of(record, source)
    return as_is or not _same((*row.fields, row.surplus), (*fields, surplus))


def _same(some: Sequence[str], others: Sequence[str]) -> bool:
    """Compare fields, but for the kind of their line ends: a spreadsheet writes its own."""
    return [_lf(text) for text in some] == [_lf(text) for text in others]


def _mended(fields: Sequence[str], original: Sequence[str]) -> tuple[str, ...]:
    """Return mended fields; one of which only the line ends differ is as it was in the record."""
    return tuple(old if _lf(new) == _lf(old) else new for new, old in zip(fields, original, strict=True))


def _lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _fault_of(record: Quarantined, row: Row) -> Fault | None:
    """Return why a row cannot be loaded, whatever its values are."""
    if not record.is_present:
        return Fault(None, "gone", "its file no longer holds the record")
    if record.status != ledger.OPEN:
        return Fault(
            None, record.status, f"it is {record.status} already; `olistctl quarantine reopen` takes that back"
        )
    if row.surplus:
        return Fault(None, "too_many_columns", f"`{SURPLUS}` is not empty")
    if any(_REPLACEMENT in text for text in row.fields) and not _is_utf8(record.raw):
        return Fault(None, "invalid_encoding", "a character that could not be read is still there")
    return None


def _settle_account(
    connection: DuckDBPyConnection, source: Source, file: str, records: int, loaded: int, work: Work
) -> None:
    """Bring the account of a file up to date, and enter what the run did with it."""
    known = _account(connection, source, file)
    if known is not None:
        held = ledger.held(connection, source.name, file).total
        amounts = json.dumps(_reading(connection, source, file, work).amounts())
        account = replace(known, rows_loaded=known.records - held, records_quarantined=held, amounts=amounts)
        ledger.record_loaded(connection, [account])
    audit = LoadAudit(
        work.run_id, source.name, f"raw.{source.table}", file, work.command.split()[-1], records, loaded,
        records - loaded, None, None, work.started_at, 0.0,
    )  # fmt: skip
    ledger.record_audit(connection, [audit])
    ledger.note_touched(connection, work.run_id, [source.name])


def _account(connection: DuckDBPyConnection, source: Source, file: str) -> LoadedFile | None:
    found = (f for f in ledger.loaded_files(connection) if (f.source, f.file_name) == (source.name, file))
    return next(found, None)


def _reading(connection: DuckDBPyConnection, source: Source, file: str, work: Work) -> Reading:
    return Reading(connection, source, Inspection(source.name, file, Path(file), True), work.run_id, work.started_at)


def _by_file(records: Sequence[Quarantined]) -> list[tuple[tuple[str, str], list[Quarantined]]]:
    def origin(record: Quarantined) -> tuple[str, str]:
        return record.source, record.file_name

    return [(key, list(own)) for key, own in groupby(sorted(records, key=origin), key=origin)]


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
