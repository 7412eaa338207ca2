"""Which files are not as they were loaded: by content, with their metadata as the shortcut."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from olistctl import ledger
from olistctl.loading.limits import Limits
from olistctl.loading.report import FAULTY, HELD, MISSING, REFUSED, REMOVED, UNCHANGED, FileLoad, next_step
from olistctl.reading import Inspection, link_outside, tables_in_raw
from olistctl.sources import Fingerprints, SourceFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# States of a file beside those that a load gives it.
NEW, CHANGED = "new", "changed"


@dataclass(frozen=True)
class FileState:
    """A file as it is now beside what the ledger knows of it.

    `state`: new, changed, unchanged, missing, removed; refused or held, when it is still the file that was. `is_news`:
    a load would do something, or say something that no run has said yet.
    """

    source: str
    table: str
    file: str
    state: str
    is_news: bool
    loaded: ledger.LoadedFile | None
    held: ledger.Held
    sha256: str | None = None
    reason: str | None = None

    def as_load(self) -> FileLoad:
        """Return what a load would say of a file that is no news."""
        is_loaded = self.state == UNCHANGED
        return FileLoad(
            self.source,
            self.table,
            self.file,
            self.state,
            self.loaded.records if self.loaded else 0,
            quarantined=self.held.total if is_loaded else 0,
            undecided=self.held.open if is_loaded else 0,
            kept=self.loaded.rows_loaded if self.loaded else 0,
            reason=self.reason,
            hint=next_step(self.state, self.file),
            is_known=True,
        )


def file_states(
    connection: DuckDBPyConnection, files: Sequence[SourceFile], limits: Limits, fingerprints: Fingerprints
) -> tuple[FileState, ...]:
    """Compare the files of the source folder with the ledger of a warehouse."""
    known = {(file.source, file.file_name): file for file in ledger.loaded_files(connection)}
    audits = ledger.last_audits(connection)
    held = ledger.held_by_file(connection)
    tables = tables_in_raw(connection)
    states = []
    for file in files:
        key = file.source.name, file.name
        state = _state(file, known.pop(key, None), held[key], audits.get(key), limits, fingerprints)
        if state.state == UNCHANGED and file.source.table not in tables:  # dropped by hand
            state = replace(state, state=CHANGED, is_news=True)
        states.append(state)
    for (source, name), loaded in known.items():
        states.append(FileState(source, "", name, REMOVED, is_news=True, loaded=loaded, held=held[source, name]))
    return tuple(states)


def unread(file: SourceFile, state: FileState) -> Inspection:
    """Return the inspection of an unchanged file, which does not have to be read for it."""
    assert state.loaded
    return Inspection(
        file.source.name,
        file.name,
        file.path,
        exists=True,
        size_bytes=state.loaded.size_bytes,
        modified_at=state.loaded.modified_at,
        sha256=state.sha256,
        records=state.loaded.records,
    )


def _state(
    file: SourceFile,
    loaded: ledger.LoadedFile | None,
    held: ledger.Held,
    audit: ledger.LoadAudit | None,
    limits: Limits,
    fingerprints: Fingerprints,
) -> FileState:
    sha256 = _sha256(file, fingerprints) if file.exists else None

    def state(name: str, *, is_news: bool) -> FileState:
        reason = audit.reason if audit and not is_news else None
        return FileState(file.source.name, file.source.table, file.name, name, is_news, loaded, held, sha256, reason)

    was = audit.status if audit else None
    if not file.exists:
        return state(MISSING, is_news=was != MISSING)
    if loaded and loaded.sha256 == sha256 and _stands(file, loaded, held):
        return state(UNCHANGED, is_news=was in FAULTY)  # that it is well again is worth a word
    if audit and was in (REFUSED, HELD) and audit.sha256 == sha256:
        before = loaded.records if loaded and was == HELD else 0
        if audit.judged_by == limits.fingerprint(file.source, before):
            return state(str(was), is_news=was == HELD and file.name in limits.accepted)
    return state(CHANGED if loaded else NEW, is_news=True)


def _stands(file: SourceFile, loaded: ledger.LoadedFile, held: ledger.Held) -> bool:
    """Tell whether the loaded rows of a file are what reading it again would give."""
    return loaded.contract_sha256 == file.source.fingerprint and loaded.records_quarantined == held.total


def _sha256(file: SourceFile, fingerprints: Fingerprints) -> str | None:
    """Return the hash of a file; None of what a load refuses without reading it."""
    try:
        if not stat.S_ISREG(file.path.stat().st_mode) or link_outside(file.path):
            return None
        return fingerprints.sha256_of(file.path)
    except OSError:
        return None
