"""Every kind of damage of the corpus: it ends in time, it is told, and nothing is lost, changed or guessed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest

from olistctl.loading import FileLoad
from olistctl.reading import Inspection
from tests.delivery import FILES, NAMES, RECORDS, write_delivery
from tests.project import clean_environment
from tests.torture.checks import contract_for, quarantine_holds, quarantined, reads_as_the_oracle, shown, table_rows
from tests.torture.damage import KINDS, Bad, Damage, Expect, Fine, Missing, OneOf, Refused
from tests.torture.scale import LONG
from tests.unit.conftest import Desk

SECONDS = 60  # what a hang looks like; the slowest kind takes some seconds


class TooSlow(Exception):
    """A kind did not end in time."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise `TooSlow` in what blocks for ever, such as the opening of a FIFO."""

    def ring(*_: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 2}) as connection:
        yield connection


@pytest.fixture
def desk(tmp_path: Path, database: duckdb.DuckDBPyConnection) -> Desk:
    """A desk for sellers and a neighbour, on an emptied database: to open a new one takes longer than most kinds."""
    for schema in ("raw", "etl"):
        database.execute(f"drop schema if exists {schema} cascade")
    return deliver(Desk(tmp_path / "source", contract_for("sellers"), tmp_path / "dw.duckdb", _connection=database))


def deliver(desk: Desk) -> Desk:
    """Write the clean files that the contract of the desk asks for."""
    desk.folder.mkdir(exist_ok=True)
    for source in desk.contract.sources:
        (desk.folder / source.file).write_bytes(FILES[source.name])
    return desk


@pytest.mark.parametrize("damage", KINDS, ids=[ascii(kind.name)[1:-1] for kind in KINDS])
def test_a_damaged_file_is_refused_or_read_record_by_record(desk: Desk, damage: Damage) -> None:
    if damage.source != "sellers":
        desk.contract = contract_for(damage.source)
        deliver(desk)
    damage.make(desk.folder)
    with at_most(SECONDS):
        report = desk.load(max_bad_share=damage.max_bad_share)
    results = {(file.source, file.file): file for file in report.files}
    result = results.pop((damage.source, shown(damage.file_name if damage.expect != Missing() else "")), None)
    if damage.expect == Missing():
        result = results.pop((damage.source, NAMES[damage.source]))
    assert result is not None, f"nobody saw the file: {sorted(results)}"
    meets(result, damage.expect)
    source = desk.contract.source(damage.source)
    if result.status == "loaded":
        data = (desk.folder / damage.file_name).read_bytes()
        reads_as_the_oracle(desk, source, result, data)
        quarantine_holds(desk, source, result, data)
    else:
        assert not table_rows(desk, source, result.file)
        assert result.reason_type == "too_many_bad_records" or not quarantined(desk, source, result.file)
    for (name, file), other in results.items():
        assert (file, other.status, other.bad) == (NAMES[name], "loaded", 0)
        assert other.loaded == RECORDS[name]
        reads_as_the_oracle(desk, desk.contract.source(name), other, FILES[name])


# --- what must hold ---


def meets(result: FileLoad, expect: Expect) -> None:
    """Assert that a result is what a kind expects."""
    if isinstance(expect, OneOf):
        told = [_failure(result, choice) for choice in expect.choices]
        assert None in told, told
        return
    if isinstance(expect, Missing):
        assert (result.status, result.reason_type) == ("missing", "file_not_found")
        return
    assert (failure := _failure(result, expect)) is None, failure


def _failure(result: FileLoad, expect: Refused | Bad | Fine) -> str | None:
    """Say how a result differs from what is expected."""
    said = (
        f"{result.status} {result.reason_type}: {result.reason}; {result.records} = {result.loaded} + {result.bad} bad"
    )
    if isinstance(expect, Refused):
        is_so = result.status == "refused" and result.reason_type in expect.error_types and bool(result.reason)
        return None if is_so and not result.loaded else f"{said}; expected a refusal for {expect.error_types}"
    said += f"; {[(e.line, e.error_type, e.column) for e in result.examples[:5]]}; expected {expect}"
    if result.status != "loaded" or result.records != result.loaded + result.bad:
        return said
    if isinstance(expect, Fine):
        is_so = not result.bad and expect.records in (None, result.loaded)
        return None if is_so else said
    return None if result.bad == expect.records and _tells(result, expect) else said


def _tells(result: FileLoad, expect: Bad) -> bool:
    """Tell whether every fault is told, and nothing else."""
    if not expect.faults:
        return bool(result.examples)
    told = [(e.line, e.error_type, e.column) for e in result.examples]

    def fits(fault: Any, example: tuple[int, str, str | None]) -> bool:
        line, kind, column = example
        return line == fault.line and kind in fault.error_types and (not fault.columns or column in fault.columns)

    return all(any(fits(fault, example) for example in told) for fault in expect.faults) and all(
        any(fits(fault, example) for fault in expect.faults) for example in told
    )


# --- what happens between inspection and load ---


def swap_for_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def swap_for_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def swap_for_other_bytes(file: Path) -> None:
    """Other bytes of the same size and time, as a copy that keeps times may bring."""
    status = file.stat()
    data = file.read_bytes()
    file.write_bytes(data.replace(b"franca", b"santos"))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def swap_for_link(file: Path) -> None:
    other = file.parent.parent / "outside.csv"
    file.rename(other)
    file.symlink_to(other)


CHANGES: dict[str, Callable[[Path], object]] = {
    "vanishes": lambda file: file.unlink(),
    "becomes empty": lambda file: file.write_bytes(b""),
    "is cut": lambda file: os.truncate(file, file.stat().st_size - 20),
    "grows": lambda file: file.write_bytes(file.read_bytes() + b"zzzz,01310,x,SP\n"),
    "becomes a FIFO": swap_for_fifo,
    "becomes a folder": swap_for_folder,
    "becomes a link to outside": swap_for_link,
    "gets other bytes of the same size and time": swap_for_other_bytes,
}


@contextmanager
def nobody_waits_for(file: Path) -> Iterator[list[str]]:
    """Note whoever opens a FIFO, and let him go: he would wait for ever."""
    opened: list[str] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            with suppress(OSError):
                os.close(os.open(file, os.O_WRONLY | os.O_NONBLOCK))
                opened.append(file.name)

    watcher = threading.Thread(target=watch, daemon=True)
    if file.is_fifo():
        watcher.start()
    try:
        yield opened
    finally:
        done.set()
        if watcher.is_alive():
            watcher.join()


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_after_its_inspection_is_refused_and_the_others_load(desk: Desk, change: str) -> None:
    inspections: list[Inspection] = desk.inspect()
    file = desk.folder / NAMES["sellers"]
    CHANGES[change](file)
    with at_most(SECONDS), nobody_waits_for(file) as waiting:
        report = desk.load(inspections=inspections)
    assert not waiting, "it was opened, which blocks for ever"
    results = {result.source: result for result in report.files}
    sellers = results.pop("sellers")
    rows = table_rows(desk, desk.contract.source("sellers"), NAMES["sellers"])
    if change == "becomes a link to outside" and sellers.status == "loaded":
        assert len(rows) == RECORDS["sellers"]  # the same bytes, seen through a link: nothing is wrong with them
    else:
        assert (sellers.status, rows) == ("refused", [])
        assert sellers.reason
    assert {result.status for result in results.values()} == {"loaded"}


def test_a_source_folder_that_is_a_link_is_a_source_folder(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "door").symlink_to(desk.folder)
    desk.folder = tmp_path / "door"
    assert {file.status for file in desk.load().files} == {"loaded"}


@pytest.mark.parametrize("folder", ["a'b", "a*b", "a[b]", "a?b", "sellers=1", "a\nb", "[red]", "%s", "\U0001f381", "~"])
def test_the_name_of_the_source_folder_means_nothing(desk: Desk, tmp_path: Path, folder: str) -> None:
    desk.folder = write_delivery(tmp_path / folder, sellers=FILES["sellers"] + b"x\n")
    results = {file.source: file for file in desk.load(max_bad_share=1.0).files}
    assert (results["sellers"].loaded, results["sellers"].bad) == (2, 1)


# --- text that looks like records, across the pieces that the reader works on ---

PIECE = 8_000_000  # DuckDB's threads take a file in pieces of about this size
LOOKALIKES = {
    "records": b"zzzz,01310,x,SP\n",
    "records of CRLF": b"zzzz,01310,x,SP\r\n",
    "quoted records": b'""zzzz"",""01310"",x,SP\n',
    "blank lines": b"\n",
    "ends of quotes": b'x"",01310,y,SP\n',
}


@pytest.mark.skipif(not LONG, reason="files of many megabytes take long")
@pytest.mark.parametrize("text", LOOKALIKES)
@pytest.mark.parametrize("threads", [1, 4])
def test_lines_of_a_long_text_are_never_taken_for_records(tmp_path: Path, text: str, threads: int) -> None:
    """A thread that starts in the middle of a file may start in the middle of a text."""
    line = LOOKALIKES[text]
    before = b"".join(b"s%07d,01310,sao paulo,SP\n" % number for number in range(PIECE // 27 - 1000))
    long = b'aaaa,01310,"' + line * (200_000 // len(line)) + b'",SP\n'
    after = b"".join(b"t%07d,01310,sao paulo,SP\n" % number for number in range(1000))
    data = FILES["sellers"] + before + long + after + b"x\n"
    folder = write_delivery(tmp_path / "source", sellers=data)
    with duckdb.connect(config={"threads": threads}) as connection:
        desk = Desk(folder, contract_for("sellers"), tmp_path / "dw.duckdb", _connection=connection)
        result = next(file for file in desk.load().files if file.source == "sellers")
        if result.status == "refused":
            pytest.fail(f"good text is refused: {result.reason}")
        reads_as_the_oracle(desk, desk.contract.source("sellers"), result, data)


# --- through the command line ---

# Of these one stands on each source, or beside it as a delivery, so that two calls see them all.
NASTY = (
    "cut in a number, which is shorter now", "a quote open in the middle", "quotes: blank after the closing one",
    "a FIFO", "a link to a file outside", "name: escape, of a refused file", "name: not UTF-8",
    "name: newline, of a file with a bad record", "name: markup, of a refused file", "not UTF-8: in quotes", "gzip",
    "UTF-16 LE", "CR alone", "header again in the middle", "bad_money: '1.23456'", "text: '\\x1b[31mred\\x1b[0m'",
    "100,000 bad records", "a record of more than 16 MB", "NUL bytes at the end, as after a power cut", "all bad",
    "a CR in an unquoted field", "a CR after an empty field between a bad and a good record", "file missing",
    "header alone", "bad_timestamp: 'infinity'",
)  # fmt: skip


def olistctl(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "olistctl", *arguments]
    environment = clean_environment(OLISTCTL_LOAD_MAX_BAD_SHARE="1.0")
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=SECONDS, check=False)


def laid_out(folder: Path) -> Path:
    """Write a configuration beside a clean delivery."""
    write_delivery(folder / "source")
    (folder / "config").mkdir()
    for name in ("config/sources.yml", "olist_dw_dbt/models/quality/_rules.yml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((Path(__file__).resolve().parents[2] / name).read_bytes())
    (folder / "config" / "olistctl.yml").write_text("version: 1\nsource_dir: ../source\n")
    return folder


def heap(folder: Path) -> None:
    """Put the nasty kinds side by side: those that need their place in it, the others as deliveries."""
    kinds = {kind.name: kind for kind in KINDS}
    for number, name in enumerate(NASTY):
        kind = kinds[name]
        if kind.file:
            kind.make(folder)
            continue
        alone = write_delivery(folder.parent / f"kind-{number}" / "source")
        kind.make(alone)
        file = alone / kind.file_name
        if os.path.lexists(file):
            file.rename(folder / f"{Path(kind.file_name).stem}_{number:02}.csv")
        else:
            (folder / kind.file_name).unlink()
    outside = folder.parent / "outside.csv"
    outside.write_bytes(FILES["sellers"])


def said_by_file(files: list[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """Return what is said of each file, in the parts that validate and load share."""
    keys = ("status", "records", "loaded", "bad", "reason", "reason_type", "bad_counts", "examples")
    return {file["file"]: tuple(json.dumps(file[key]) for key in keys) for file in files}


def is_clean(done: subprocess.CompletedProcess[bytes]) -> None:
    """Assert that a call told what it had to tell in the way that people and scripts count on."""
    assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")[-2000:]
    assert b"\x1b" not in done.stderr
    assert b"\x07" not in done.stderr
    done.stderr.decode("utf-8")


def test_the_command_line_says_the_same_of_every_file_whether_it_validates_or_loads(tmp_path: Path) -> None:
    folder = laid_out(tmp_path)
    heap(folder / "source")
    started = time.monotonic()
    checked = olistctl(folder, "validate", "--json")
    loaded = olistctl(folder, "load", "--json")
    assert time.monotonic() - started < SECONDS
    for done, code in ((checked, 1), (loaded, 0)):
        is_clean(done)
        assert done.returncode == code, done.stderr.decode(errors="replace")[-2000:]
    first = said_by_file([file["load"] for file in json.loads(checked.stdout)["files"]])
    second = said_by_file(json.loads(loaded.stdout)["load"]["files"])
    assert first == second
    assert len(first) == len(FILES) + len(NASTY) - 1  # the missing one takes the place of its base file


@pytest.mark.parametrize("arguments", [["validate", "--verbose"], ["load", "--strict", "--verbose"]][: 1 + LONG])
def test_people_are_told_in_plain_text(tmp_path: Path, arguments: list[str]) -> None:
    folder = laid_out(tmp_path)
    heap(folder / "source")
    done = olistctl(folder, *arguments)
    is_clean(done)
    assert b"\x1b" not in done.stdout
    assert done.returncode == 1
    assert not list(folder.glob("data/*.duckdb"))


@pytest.mark.skipif(not LONG, reason="two calls a kind take long")
@pytest.mark.parametrize("name", NASTY)
def test_every_nasty_kind_alone_leaves_the_right_exit_code(tmp_path: Path, name: str) -> None:
    folder = laid_out(tmp_path)
    kind = next(kind for kind in KINDS if kind.name == name)
    kind.make(folder / "source")
    checked, loaded = olistctl(folder, "validate", "--json"), olistctl(folder, "load", "--json")
    for done in (checked, loaded):
        is_clean(done)
    first = said_by_file([file["load"] for file in json.loads(checked.stdout)["files"]])
    assert first == said_by_file(json.loads(loaded.stdout)["load"]["files"])
    is_harmless = isinstance(kind.expect, Fine) and kind.expect.records != 0
    # Good records may still lack what other files refer to, which validate calls a problem of its own.
    problems = json.loads(checked.stdout)["problems"]
    assert problems or is_harmless
    assert (checked.returncode, loaded.returncode) == (1 if problems else 0, 0)
    strict = olistctl(folder, "load", "--full-refresh", "--strict", "--json")
    is_clean(strict)
    assert strict.returncode == (0 if is_harmless else 1)
    json.loads(strict.stdout)
