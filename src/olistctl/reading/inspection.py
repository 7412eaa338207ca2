"""What can be said of a file before any of it is loaded: kind, identity, bytes, header, record count."""

from __future__ import annotations

import csv
import difflib
import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from olistctl.identities import Identity, identity_of
from olistctl.reading.records import MAX_RECORD_BYTES, UTF8_BOM, RecordScan, Suspicion, scan_records
from olistctl.results import utc_time
from olistctl.sources import Source, SourceFile

# First bytes of what is often found under a .csv name and is none.
_OTHER_FORMATS = (
    (b"\x1f\x8b", "gzip-compressed data"),
    (b"PK\x03\x04", "a zip archive or Excel workbook"),
    (b"BZh", "bzip2-compressed data"),
    (b"\xfd7zXZ", "xz-compressed data"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed data"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"<!DOCTYPE", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
)
# Refusals that say nothing about the content of a file: the next reading may go well.
UNREADABLE, CHANGED_WHILE_READ = "unreadable", "changed_while_read"
_BLOCK = 1 << 20
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}


@dataclass(frozen=True)
class Inspection:
    """A file as it was found; `refusal` says why nothing of it can be loaded."""

    source: str
    file: str
    path: Path
    exists: bool
    kind: str = "file"
    size_bytes: int = 0
    modified_at: datetime | None = None
    sha256: str | None = None
    encoding: str | None = None
    has_bom: bool = False
    line_ends: str | None = None
    delimiter: str | None = None
    header: tuple[str, ...] = ()
    records: int = 0
    blank_lines: int = 0
    refusal: str | None = None
    refusal_type: str | None = None
    hint: str | None = None
    _scan: RecordScan | None = None
    _identity: Identity = ()

    @property
    def identity(self) -> Identity:
        """What tells the file, with the content of which the hash was taken, from any other."""
        return self._identity

    @property
    def scan(self) -> RecordScan:
        """The record scan; only a file that is not refused is sure to have one."""
        return self._scan or RecordScan()

    @property
    def can_load(self) -> bool:
        """Tell whether the file exists and nothing speaks against reading it."""
        return self.exists and self.refusal is None

    def is_still_the_same(self) -> bool:
        """Tell whether it is still the file, with the content, of which the hash was taken."""
        try:
            return identity_of(self.path.stat()) == self._identity
        except OSError:
            return False


def inspect_file(file: SourceFile, on_bytes: Callable[[int], None] | None = None) -> Inspection:
    """Look at a whole file; never raises for what is wrong with it, but says so in the result."""
    base = Inspection(file.source.name, file.name, file.path, exists=file.exists)
    if not file.exists:
        return base
    if not _is_text(file.path.name):
        return _refused(base, "file_name", "its name is not UTF-8", hint="rename it")
    try:
        status = file.path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a FIFO would block for ever
            kind = _kind_of(status.st_mode)
            return _refused(base, "not_a_file", f"it is {kind}, not a regular file", kind=kind)
        if outside := link_outside(file.path):
            message = f"it is a link to {outside}, outside the source folder"
            return _refused(base, "link_outside", message, kind="a link", hint="copy the file here")
        return _inspect_regular(file, status, base, on_bytes)
    except OSError as error:
        return _refused(base, UNREADABLE, f"it cannot be read: {error.strerror}", hint="check its permissions")


def _inspect_regular(
    file: SourceFile, status: os.stat_result, base: Inspection, on_bytes: Callable[[int], None] | None
) -> Inspection:
    head, sha256, suspicion = _look_at_bytes(file.path, on_bytes)
    known = replace(
        base,
        size_bytes=status.st_size,
        modified_at=utc_time(status.st_mtime),
        sha256=sha256,
        has_bom=head.startswith(UTF8_BOM),
        _identity=identity_of(status),
    )
    if not head.strip():
        return _refused(known, "empty", "it is empty", hint="deliver it again; a table without rows still has a header")
    for magic, name in _OTHER_FORMATS:
        if head.lower().startswith(magic.lower()):
            return _refused(known, "not_csv", f"it is {name}, not CSV", hint="unpack or export it as UTF-8 CSV")
    scan = scan_records(file.path, on_bytes, may_end_open=file.source.may_end_open, suspicion=suspicion)
    return _judge(known, file.source, scan)


def _look_at_bytes(path: Path, on_bytes: Callable[[int], None] | None) -> tuple[bytes, str, Suspicion]:
    """Return the first bytes, the SHA-256, and what to look for in the records; a block at a time."""
    digest = hashlib.sha256()
    nul = carriage_return = blank_beside_quote = repeated_header = False
    with path.open("rb") as stream:
        head = before = stream.read(_BLOCK)
        header = head[: head.find(b"\n") + 1].removeprefix(UTF8_BOM)
        block, before = head, b""
        while block:
            if on_bytes:
                on_bytes(0)  # nothing is counted yet, but whoever listens may want to stop
            digest.update(block)
            both = before + block  # what is looked for may lie across two blocks
            nul = nul or b"\0" in block
            carriage_return = carriage_return or b"\r" in block
            blank_beside_quote = blank_beside_quote or b'" ' in both or b' "' in both
            again = both.find(header, 0 if before else len(header)) >= 0
            repeated_header = repeated_header or not header or again
            before = block[-max(1, len(header)) :]
            block = stream.read(_BLOCK)
    suspicion = Suspicion(nul, carriage_return, blank_beside_quote, repeated_header)
    return head[:4096], digest.hexdigest(), suspicion


def _judge(known: Inspection, source: Source, scan: RecordScan) -> Inspection:
    """Add what the scan says, and refuse what would be read wrongly."""
    header_text = scan.header.removeprefix(UTF8_BOM).decode("utf-8", errors="replace").rstrip("\r\n")
    delimiter = _delimiter(header_text)
    header = _fields(header_text, delimiter)
    result = replace(
        known,
        encoding="UTF-8" if scan.bad_utf8_line is None else f"not UTF-8 (line {scan.bad_utf8_line})",
        line_ends=_line_ends(scan),
        delimiter=delimiter,
        header=header,
        records=scan.records,
        blank_lines=scan.blank_lines,
        _scan=scan,
    )
    if scan.nul_line is not None:
        return _refused(result, "nul_bytes", f"line {scan.nul_line} holds a NUL byte", hint="deliver it again")
    if scan.too_long_line is not None and scan.open_quote_line is None:
        message = f"the record in line {scan.too_long_line} has more than {MAX_RECORD_BYTES:,} bytes"
        return _refused(result, "record_too_long", message, hint="a quote may be missing there: deliver it again")
    if "\r" in header_text:
        return _refused(result, "line_ends", "its lines end in a bare CR", hint="save it with LF or CRLF line ends")
    if delimiter != ",":
        name = _DELIMITERS[delimiter]
        message = f"its fields are separated by {name}, not comma"
        return _refused(result, "delimiter", message, hint="save it with commas between the fields")
    if problem := _header_problem(header, source.column_names):
        expected = ",".join(source.column_names)
        return _refused(result, "schema_mismatch", problem, hint=f"the contract's header is {expected}")
    if scan.open_quote_line is not None:
        message = f"the quote opened in line {scan.open_quote_line} or before is never closed"
        return _refused(result, "open_quote", message, hint="the file may be cut off: deliver it again")
    if scan.bare_cr_line is not None:
        message = f"a bare CR stands in the record of line {scan.bare_cr_line:,}"
        return _refused(result, "line_ends", message, hint="deliver it with one kind of line end, CR only in quotes")
    if scan.has_mixed_line_ends():
        message = f"{scan.crlf_ends:,} records end in CRLF and {scan.lf_ends:,} in LF"
        return _refused(result, "line_ends", message, hint="save it with one kind of line end")
    return result


def link_outside(path: Path) -> Path | None:
    """Return where a link leads that leaves its folder: the source folder alone says what is delivered."""
    if not path.is_symlink():
        return None
    target = path.resolve()
    return None if target.is_relative_to(path.parent.resolve()) else target


def _header_problem(found: tuple[str, ...], expected: tuple[str, ...]) -> str | None:
    """Say how a header differs from the contract; columns load by position, so any difference counts."""
    if found == expected:
        return None
    missing = [name for name in expected if name not in found]
    extra = [name for name in found if name not in expected]
    if len(missing) == len(expected):
        return "the header is missing: the first line names none of the columns"
    problems = []
    twice = sorted({name for name in found if name and found.count(name) > 1})
    unnamed = [str(number) for number, name in enumerate(found, 1) if not name.strip() or "Unnamed" in name]
    for name in list(missing):
        near = difflib.get_close_matches(name, extra, n=1, cutoff=0.5)
        if near:
            problems.append(f"column '{name}' is called '{near[0]}'")
            missing.remove(name)
            extra.remove(near[0])
    extra = [name for name in extra if name.strip() and "Unnamed" not in name]
    for label, names in (
        ("missing columns", missing),
        ("unexpected columns", extra),
        ("columns twice", twice),
        ("columns without a name", unnamed),
    ):
        if names:
            problems.append(f"{label}: {', '.join(names)}")
    return "; ".join(problems) or "the columns stand in another order"


def _fields(header: str, delimiter: str) -> tuple[str, ...]:
    try:
        return tuple(next(csv.reader([header], delimiter=delimiter), []))
    except csv.Error:  # a line without end, or a bare CR: no header, whatever else it is
        return ()


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=lambda mark: (header.count(mark), mark == ","))


def _line_ends(scan: RecordScan) -> str:
    if scan.has_mixed_line_ends():
        return "mixed"
    return "CRLF" if scan.crlf_ends else "LF"


def _kind_of(mode: int) -> str:
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"))
    return next((name for test, name in kinds if test(mode)), "a device")


def _refused(
    base: Inspection, kind_of_refusal: str, message: str, *, hint: str | None = None, kind: str = "file"
) -> Inspection:
    return replace(base, refusal=message, refusal_type=kind_of_refusal, hint=hint, kind=kind)
