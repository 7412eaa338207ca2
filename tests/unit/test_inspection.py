"""What is said of a file before any of it is loaded; nothing that is wrong with one raises."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import signal
import socket
import sys
import threading
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest

from olistctl.reading import Inspection, inspect_file
from olistctl.results import NoProgress
from olistctl.sources import Column, Contract, Source, SourceFile
from olistctl.validation import inspect_all, inspecting
from tests.delivery import CATEGORY_TRANSLATION, FILES, NAMES, ORDER_REVIEWS, RECORDS, SELLERS, header_of
from tests.unit.oracle import line_of

SOURCE = Source(
    "things",
    "",
    "stg_things",
    "things.csv",
    "things*.csv",
    (Column("id", "text"), Column("amount", "money"), Column("note", "text")),
    (),
    (),
    (),
)
HEADER = b"id,amount,note"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "things.csv"


def inspect(file: Path, data: bytes | None = None, source: Source = SOURCE) -> Inspection:
    if data is not None:
        file.write_bytes(data)
    return inspect_file(SourceFile(source, file))


@pytest.mark.parametrize("source", FILES)
def test_the_files_of_a_delivery_can_be_loaded(contract: Contract, delivery: Path, source: str) -> None:
    found = inspect_file(SourceFile(contract.source(source), delivery / NAMES[source]))
    assert found.can_load, found.refusal
    assert found.records == RECORDS[source]
    assert found.header == contract.source(source).column_names


def test_identity_and_bytes_of_a_file_are_told(contract: Contract, delivery: Path) -> None:
    path = delivery / NAMES["category_translation"]
    os.utime(path, (1_500_000_000, 1_500_000_000.25))
    found = inspect_file(SourceFile(contract.source("category_translation"), path))
    assert found.sha256 == hashlib.sha256(CATEGORY_TRANSLATION).hexdigest()
    assert found.size_bytes == len(CATEGORY_TRANSLATION)
    assert found.modified_at == datetime.fromtimestamp(1_500_000_000.25, UTC).replace(tzinfo=None)
    assert (found.encoding, found.has_bom, found.line_ends, found.delimiter) == ("UTF-8", True, "CRLF", ",")


def test_a_missing_file_is_not_refused_but_cannot_be_loaded(file: Path) -> None:
    found = inspect_file(SourceFile(SOURCE, file, exists=False))
    assert (found.exists, found.refusal, found.can_load) == (False, None, False)


@pytest.mark.parametrize(
    ("data", "line_ends", "has_bom"),
    [
        (HEADER + b"\n", "LF", False),
        (HEADER, "LF", False),
        (HEADER + b"\r\n", "CRLF", False),
        (b"\xef\xbb\xbf" + HEADER + b"\na,1,b", "LF", True),
        (b'"id","amount","note"\na,1,b\n', "LF", False),
        (b'\xef\xbb\xbf"id","amount","note"\r\n', "CRLF", True),
    ],
)
def test_files_of_either_line_end_with_or_without_bom_and_final_newline_are_good(
    file: Path, data: bytes, line_ends: str, has_bom: bool
) -> None:
    found = inspect(file, data)
    assert found.can_load, found.refusal
    assert (found.line_ends, found.has_bom) == (line_ends, has_bom)


def zipped() -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("things.csv", HEADER)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (gzip.compress(HEADER, mtime=0), "not_csv", "gzip"),
        (zipped(), "not_csv", "zip archive"),
        (bz2.compress(HEADER), "not_csv", "bzip2"),
        (lzma.compress(HEADER), "not_csv", "xz"),
        (b"PAR1\x15\x04", "not_csv", "Parquet"),
        (b"%PDF-1.4", "not_csv", "PDF"),
        (b"SQLite format 3\0", "not_csv", "SQLite"),
        (b"<!doctype html><html>404</html>", "not_csv", "HTML"),
        (b"<HTML>\n<body>", "not_csv", "HTML"),
        (HEADER.decode().encode("utf-16"), "not_csv", "UTF-16"),
        (b"\xfe\xff" + HEADER.decode().encode("utf-16-be"), "not_csv", "UTF-16"),
        ((HEADER + b"\na,1,b\n").decode().encode("utf-16-le"), "nul_bytes", "line 1 holds a NUL byte"),
        (HEADER + b"\na,1,b\na,1,\0\n", "nul_bytes", "line 3 holds a NUL byte"),
        (b"", "empty", "it is empty"),
        (b"\n \r\n", "empty", "it is empty"),
        (HEADER + b'\na,1,"b\nc,2,d\n', "open_quote", "line 2"),
        (b'"id,amount,note\na,1,b\n', "schema_mismatch", "header"),
        (HEADER + b"\r\na,1,b\n", "line_ends", "1 records end in CRLF and 1 in LF"),
        (b"id;amount;note\na;1;b\n", "delimiter", "semicolon"),
        (b"id\tamount\tnote\na\t1\tb\n", "delimiter", "tab"),
        (b"id|amount|note\n", "delimiter", "pipe"),
        (b"\xef\xbb\xbf", "schema_mismatch", "header is missing"),
        (b"\n" + HEADER + b"\na,1,b\n", "schema_mismatch", "header is missing"),
    ],
)
def test_a_file_that_would_be_read_wrongly_is_refused_with_the_reason(
    file: Path, data: bytes, kind: str, words: str
) -> None:
    found = inspect(file, data)
    assert found.refusal_type == kind
    assert words in (found.refusal or "")
    assert not found.can_load


@pytest.mark.parametrize(
    "data",
    [
        b"\r".join([HEADER, b"a,1,b", b"c,2,d"]),
        b"\r".join([HEADER, b"a,1,b", b""]),
        b"\r".join([HEADER, b"a,1,b"]),
        b"id,amo\runt,note\na,1,b\n",
    ],
)
def test_bare_carriage_returns_for_line_ends_are_refused(file: Path, data: bytes) -> None:
    found = inspect(file, data)
    assert not found.can_load
    assert found.refusal


@pytest.mark.parametrize(
    "data", [b"x" * 200_000, b'"' + b"x" * 200_000, b'{"rows": "' + b"x" * 200_000 + b'"}', b'"' + b"a\n" * 200_000]
)
def test_a_first_line_without_end_is_refused(file: Path, data: bytes) -> None:
    assert inspect(file, data).refusal_type


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("id,amount", "missing columns: note"),
        ("id,amount,note,extra", "unexpected columns: extra"),
        ("id,note,amount", "the columns stand in another order"),
        ("id,amonut,note", "column 'amount' is called 'amonut'"),
        ("id,Amount,note", "column 'amount' is called 'Amount'"),
        ("id, amount,note", "column 'amount' is called ' amount'"),
        ("id,amount,note,note", "columns twice: note"),
        ("id,id,note", "missing columns: amount; columns twice: id"),
        ("id,amount,note,", "columns without a name: 4"),
        ("Unnamed: 0,id,amount,note", "columns without a name: 1"),
        ("id,,note", "missing columns: amount; columns without a name: 2"),
        ("id,zzz,note", "missing columns: amount; unexpected columns: zzz"),
        ("a,1,b", "the header is missing: the first line names none of the columns"),
        ("id,amount,note\u00a0", "column 'note' is called 'note\u00a0'"),
    ],
)
def test_a_header_that_differs_from_the_contract_is_refused_with_the_difference(
    file: Path, header: str, problem: str
) -> None:
    found = inspect(file, header.encode() + b"\na,1,b\n")
    assert (found.refusal_type, found.refusal) == ("schema_mismatch", problem)
    assert found.hint == "the contract's header is id,amount,note"


def test_a_file_that_lost_its_header_is_refused(contract: Contract, file: Path) -> None:
    found = inspect(file, SELLERS.split(b"\n", 1)[1], contract.source("sellers"))
    assert found.refusal_type == "schema_mismatch"


def test_the_files_of_two_sources_are_not_taken_for_each_other(contract: Contract, file: Path) -> None:
    assert inspect(file, SELLERS, contract.source("customers")).refusal_type == "schema_mismatch"


def test_bytes_that_are_not_utf8_refuse_no_file_but_are_told(file: Path) -> None:
    found = inspect(file, HEADER + b"\na,1,b\nc,2,S\xe3o\n")
    assert found.can_load
    assert found.encoding == "not UTF-8 (line 3)"


def test_a_header_that_is_not_utf8_is_refused(file: Path) -> None:
    assert inspect(file, b"id,amount,n\xf3te\n").refusal_type == "schema_mismatch"


@pytest.mark.parametrize(("kind", "words"), [("fifo", "a FIFO"), ("folder", "a folder"), ("socket", "a socket")])
def test_what_is_no_regular_file_is_refused_without_opening_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    file = Path("things.csv")
    holder = None
    if kind == "fifo":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        holder = socket.socket(socket.AF_UNIX)
        holder.bind(str(file))
    results: list[Inspection] = []
    reader = threading.Thread(target=lambda: results.append(inspect(file)), daemon=True)
    reader.start()
    reader.join(10)
    if holder:
        holder.close()
    assert results, "it was opened, which blocks for ever"
    assert (results[0].refusal_type, results[0].can_load) == ("not_a_file", False)
    assert words in (results[0].refusal or "")


def test_a_device_is_refused(tmp_path: Path) -> None:
    (tmp_path / "things.csv").symlink_to("/dev/null")
    assert inspect(tmp_path / "things.csv").refusal_type == "not_a_file"


@pytest.mark.parametrize("target", ["nowhere", "things.csv"])
def test_a_link_that_leads_nowhere_is_refused(file: Path, target: str) -> None:
    file.symlink_to(target)
    assert inspect(file).refusal_type == "unreadable"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(file: Path) -> None:
    file.write_bytes(HEADER)
    file.chmod(0)
    assert inspect(file).refusal_type == "unreadable"


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that opens and cannot be read")
def test_a_file_that_fails_while_it_is_read_is_refused() -> None:
    found = inspect(Path("/proc/self/mem"))
    assert found.refusal_type == "unreadable"
    assert "permissions" in (found.hint or "")


@pytest.mark.parametrize("outside", ["../other.csv", "/etc/hostname"])
def test_a_link_that_leaves_the_source_folder_is_refused_and_not_read(tmp_path: Path, outside: str) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    (tmp_path / "other.csv").write_bytes(HEADER)
    (folder / "things.csv").symlink_to(outside)
    found = inspect(folder / "things.csv")
    assert (found.refusal_type, found.sha256) == ("link_outside", None)


def test_a_file_in_a_source_folder_that_is_itself_a_link_is_good(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "things.csv").write_bytes(HEADER)
    (tmp_path / "here").symlink_to("there")
    assert inspect(tmp_path / "here" / "things.csv").can_load


def test_a_file_whose_name_is_not_utf8_is_refused(tmp_path: Path) -> None:
    found = inspect(tmp_path / os.fsdecode(b"things_\xff.csv"), HEADER)
    assert found.refusal_type == "file_name"


def test_a_link_to_a_good_file_is_good(file: Path, tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_bytes(HEADER + b"\na,1,b\n")
    file.symlink_to("real.csv")
    assert inspect(file).records == 1


def test_blank_lines_are_counted_and_harm_nothing(file: Path) -> None:
    found = inspect(file, HEADER + b"\n\na,1,b\n\n")
    assert (found.can_load, found.records, found.blank_lines) == (True, 1, 2)


def test_a_file_that_changed_since_is_not_the_same(file: Path) -> None:
    found = inspect(file, HEADER + b"\na,1,b\n")
    assert found.is_still_the_same()
    file.write_bytes(HEADER + b"\na,1,bb\n")
    assert not found.is_still_the_same()
    file.unlink()
    assert not found.is_still_the_same()


def test_a_file_of_the_same_size_and_another_time_is_not_the_same(file: Path) -> None:
    found = inspect(file, HEADER)
    os.utime(file, (1, 1))
    assert not found.is_still_the_same()


def test_many_files_are_inspected_in_their_order(contract: Contract, delivery: Path) -> None:
    files = [SourceFile(contract.source(source), delivery / NAMES[source]) for source in FILES]
    assert [found.file for found in inspect_all(files)] == list(NAMES.values())


def test_large_files_are_inspected_in_two_processes_as_each_by_itself_would_be(
    contract: Contract, delivery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspected_here: list[str] = []

    def noted(file: SourceFile, on_bytes: Callable[[int], None] | None = None) -> Inspection:
        inspected_here.append(file.name)
        return inspect_file(file, on_bytes)

    monkeypatch.setattr(inspecting, "inspect_file", noted)
    for source in ("customers", "order_reviews", "sellers"):
        records = FILES[source].removeprefix(header_of(source))
        (delivery / NAMES[source]).write_bytes(header_of(source) + records * (8_000_000 // len(records)))
    files = [SourceFile(contract.source(source), delivery / NAMES[source]) for source in FILES]
    files.append(SourceFile(contract.source("orders"), delivery / "not there.csv", exists=False))
    assert list(inspect_all(files)) == [inspect_file(file) for file in files]
    assert 0 < len(inspected_here) < len(files)


def test_files_are_inspected_without_a_process_beside_where_none_can_be_started(
    contract: Contract, delivery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(delivery / "no python"))
    for source in ("customers", "sellers"):
        (delivery / NAMES[source]).write_bytes(header_of(source) + FILES[source] * 50_000)
    files = [SourceFile(contract.source(source), delivery / NAMES[source]) for source in FILES]
    assert list(inspect_all(files)) == [inspect_file(file) for file in files]


def _children() -> set[int]:
    listed = (task.read_text() for task in Path("/proc/self/task").glob("*/children"))
    return {int(number) for numbers in listed for number in numbers.split()}


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs a system that tells which processes there are")
def test_files_are_inspected_without_the_process_beside_when_it_is_ended(contract: Contract, delivery: Path) -> None:
    class EndTheOther(NoProgress):
        ended = 0
        told = 0.0

        def advance(self, amount: float = 1, doing: str | None = None) -> None:
            self.told += amount
            for child in _children() - before:
                os.kill(child, signal.SIGKILL)
                self.ended += 1

    before = _children()
    for source in ("customers", "sellers"):
        (delivery / NAMES[source]).write_bytes(header_of(source) + FILES[source] * 50_000)
    files = [SourceFile(contract.source(source), delivery / NAMES[source]) for source in FILES]
    progress = EndTheOther()
    assert list(inspect_all(files, progress)) == [inspect_file(file) for file in files]
    assert progress.ended
    assert progress.told == sum(found.size_bytes for found in inspect_all(files))


def test_reviews_keep_the_line_ends_inside_their_messages(contract: Contract, file: Path) -> None:
    found = inspect(file, ORDER_REVIEWS, contract.source("order_reviews"))
    assert (found.records, found.line_ends, found.blank_lines) == (3, "CRLF", 0)
    assert [line_of(found.scan, number) for number in (1, 2, 3)] == [2, 3, 6]
