"""The quarantine folder: refused files and bad records as files, for whoever has to mend or complain.

A place in it follows from the content, so the same damage is kept once however often it is delivered:
`refused/<source>/<hash>/<file>` is the whole file, `records/<source>/<hash>/<file>` its header with its bad records,
each as they are in the file, and `reasons.csv` beside it says where and why. The hash is the first 16 digits of the
file's SHA-256.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl import ledger
from olistctl.drafts import written
from olistctl.loading.report import LOADED, REFUSED, FileLoad, LoadReport
from olistctl.reading import Inspection
from olistctl.sources import sha256_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_REASONS = (
    "quarantine_id", "source", "file", "line", "byte_offset", "column", "error_type", "message", "run_id", "status",
)  # fmt: skip


def keep_evidence(
    connection: DuckDBPyConnection, folder: Path, report: LoadReport, inspections: Sequence[Inspection], run_id: str
) -> LoadReport:
    """Write the bad records and refused files of a load to the quarantine folder; say so in the report."""
    found = {(inspection.source, inspection.file): inspection for inspection in inspections}
    files = []
    for file in report.files:
        place = None
        inspection = found.get((file.source, file.file))
        if inspection and inspection.sha256 and file.status == REFUSED:
            place = _keep_file(folder, file, inspection, run_id)
        elif inspection and file.status == LOADED and file.bad:
            place = _keep_records(connection, folder, file, inspection)
        files.append(replace(file, evidence=place))
    return replace(report, files=tuple(files))


def brings_evidence(report: LoadReport) -> bool:
    """Tell whether a load has found anything that the quarantine folder may not have."""
    return any(not file.is_known and (file.status == REFUSED or file.bad) for file in report.files)


def _keep_file(folder: Path, file: FileLoad, inspection: Inspection, run_id: str) -> Path | None:
    place = _place(folder / "refused", inspection)
    if place.exists():
        return place
    try:
        with written(place) as draft:
            shutil.copyfile(inspection.path, draft)
            if sha256_of(draft) != inspection.sha256:
                raise FileNotFoundError(inspection.path)
    except FileNotFoundError:  # it went meanwhile, or another has taken its place, and with it what could be kept
        return None
    whole = (None, None, None, file.reason_type, file.reason)
    faults = [(e.line, e.offset, e.column, e.error_type, e.message) for e in file.examples]
    with _reasons_of(place) as reasons:
        for row in (whole, *faults):
            reasons((None, file.source, file.file, *row, run_id, file.status))
    return place


def _keep_records(connection: DuckDBPyConnection, folder: Path, file: FileLoad, inspection: Inspection) -> Path:
    place = _place(folder / "records", inspection)
    with written(place) as draft, draft.open("wb") as stream, _reasons_of(place) as reasons:
        stream.write(_ended(inspection.scan.header))
        for record in ledger.records_of_file(connection, file.source, file.file):
            stream.write(_ended(record.raw))
            origin = (record.quarantine_id, record.source, record.file_name, record.line, record.byte_offset)
            for fault in record.faults:
                reasons((*origin, fault.column, fault.error_type, fault.message, record.run_id, record.status))
    return place


def _place(folder: Path, inspection: Inspection) -> Path:
    place = folder / inspection.source / (inspection.sha256 or "")[:16] / inspection.path.name
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


@contextmanager
def _reasons_of(place: Path) -> Iterator[Callable[[tuple[object, ...]], object]]:
    """Give the function that writes a line of the reasons beside a file."""
    file = place.with_name("reasons.csv")
    with written(file) as draft, draft.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(_REASONS)
        yield writer.writerow


def _ended(raw: bytes) -> bytes:
    return raw if raw.endswith(b"\n") else raw + b"\n"
