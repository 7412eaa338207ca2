"""Where every record went: loaded, in quarantine, mended, discarded; and that it stays so."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from olistctl import ledger
from olistctl.errors import DataError
from olistctl.ledger import Mend
from olistctl.loading import evidence
from olistctl.loading.report import LOADED, REFUSED
from olistctl.reading.records import around, field_spans
from tests.delivery import NAMES, header_of, with_records, write_delivery
from tests.unit.conftest import AT, Desk, of

SELLER = b'"48436dade18ac8b2bce089ec2a041202","01310",sao paulo,SP'
SHORT_ZIP = b"dd7ddc04e1b6c2c614352b383efe2d36,1310,franca,SP"
TOO_LONG = b'"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","01310","x",SP,extra'


def write(desk: Desk, *records: bytes) -> bytes:
    data = with_records("sellers", *records)
    write_delivery(desk.folder, sellers=data)
    return data


def held(desk: Desk, columns: str = "line, error_type, status") -> list[tuple[Any, ...]]:
    return desk.query(f"select {columns} from etl.quarantine order by quarantine_id")


def accounts(desk: Desk) -> tuple[int, int, int]:
    """Return records, rows loaded and records quarantined of the sellers, as the ledger has them."""
    (row,) = desk.query(
        "select records, rows_loaded, records_quarantined from etl.source_files where source = 'sellers'"
    )
    return row[0], row[1], row[2]


def mend(desk: Desk, *fields: str) -> None:
    ledger.note_mended(desk.connection, [Mend(1, 3, fields)], AT)


# --- what enters ---


def test_a_bad_record_is_kept_with_its_bytes_place_and_reason(small: Desk) -> None:
    data = write(small, SELLER, SHORT_ZIP, TOO_LONG)
    small.load(max_bad_share=1)
    rows = held(small, "source, file_name, line, byte_offset, raw, column_name, error_type, status, run_id")
    assert rows == [
        ("sellers", NAMES["sellers"], 3, data.index(SHORT_ZIP), SHORT_ZIP + b"\n", "seller_zip_code_prefix", "bad_zip",
         "open", "run-1"),
        ("sellers", NAMES["sellers"], 4, data.index(TOO_LONG), TOO_LONG + b"\n", None, "too_many_columns", "open",
         "run-1"),
    ]  # fmt: skip
    assert accounts(small) == (3, 1, 2)


def test_records_are_loaded_plus_quarantined_in_the_report_and_its_summary(small: Desk) -> None:
    write(small, SELLER, SHORT_ZIP)
    report = small.load(max_bad_share=1)
    sellers = of(report, "sellers")
    assert (sellers.records, sellers.loaded, sellers.quarantined, sellers.undecided) == (2, 1, 1, 1)
    assert report.summary.startswith("5 records = 4 loaded + 1 quarantined; ")


def test_of_a_refused_file_no_record_enters(small: Desk) -> None:
    write(small, SHORT_ZIP, TOO_LONG)
    assert of(small.load(max_bad_share=0.5), "sellers").status == REFUSED
    assert held(small) == []


@pytest.mark.parametrize("share", [0.4, 0.6])
def test_a_source_may_have_a_share_of_its_own(small: Desk, share: float) -> None:
    own = [replace(s, max_bad_share=share if s.name == "sellers" else None) for s in small.contract.sources]
    small.contract = replace(small.contract, sources=tuple(own))
    write(small, SELLER, SHORT_ZIP)
    sellers = of(small.load(max_bad_share=1), "sellers")
    assert (sellers.status == LOADED) is (share == 0.6)
    assert "of sellers in the contract" in (sellers.reason or "of sellers in the contract")


def test_thousands_of_bad_records_are_kept_each_with_its_own_bytes(small: Desk) -> None:
    bad = [b"seller%d,%d,town,SP" % (number, number) for number in range(9_000)]
    write(small, SELLER, *bad)
    small.load(max_bad_share=1)
    assert [raw for (raw,) in held(small, "raw")] == [record + b"\n" for record in bad]


# --- what stays ---


@pytest.mark.parametrize("fresh", [False, True], ids=["incremental", "full refresh"])
def test_the_same_bad_record_of_a_changed_file_keeps_its_number_and_what_was_decided(small: Desk, fresh: bool) -> None:
    write(small, SELLER, SHORT_ZIP, TOO_LONG)
    small.load(max_bad_share=1)
    ledger.set_status(small.connection, [2], "discarded", "a test", AT)
    data = write(small, SHORT_ZIP, b'"bbbb","1",x,SP', SELLER, TOO_LONG)
    small.load(max_bad_share=1, fresh=fresh)
    assert held(small, "quarantine_id, line, byte_offset, status") == [
        (1, 2, data.index(SHORT_ZIP), "open"),
        (2, 5, data.index(TOO_LONG), "discarded"),
        (3, 3, data.index(b'"bbbb"'), "open"),
    ]


def test_equal_bad_records_of_one_file_are_records_of_their_own(small: Desk) -> None:
    write(small, SHORT_ZIP, SELLER, SHORT_ZIP)
    small.load(max_bad_share=1)
    write(small, SELLER, SHORT_ZIP, SHORT_ZIP, SHORT_ZIP)
    small.load(max_bad_share=1)
    assert held(small, "quarantine_id, line, status") == [(1, 3, "open"), (2, 4, "open"), (3, 5, "open")]


def test_a_record_that_its_file_no_longer_holds_is_gone(small: Desk) -> None:
    write(small, SELLER, SHORT_ZIP)
    small.load(max_bad_share=1)
    write(small, SELLER)
    report = small.load()
    assert held(small, "line, error_type, status, is_present") == [(3, "bad_zip", "open", False)]
    assert of(report, "sellers").is_whole


def test_the_records_of_a_delivery_that_is_removed_are_gone(small: Desk) -> None:
    later = small.folder / "olist_sellers_dataset_2018.csv"
    later.write_bytes(with_records("sellers", SELLER, SHORT_ZIP))
    small.load(max_bad_share=1)
    later.unlink()
    small.load()
    assert held(small, "file_name, status, is_present") == [(later.name, "open", False)]


@pytest.mark.parametrize("fresh", [False, True], ids=["incremental", "full refresh"])
def test_what_was_decided_holds_when_a_delivery_comes_back(small: Desk, fresh: bool) -> None:
    later = small.folder / "olist_sellers_dataset_2018.csv"
    later.write_bytes(with_records("sellers", SELLER, SHORT_ZIP, TOO_LONG))
    small.load(max_bad_share=1)
    mend(small, "dd7d", "01310", "franca", "SP")
    ledger.set_status(small.connection, [2], "discarded", "a test", AT)
    small.load(max_bad_share=1, fresh=True)
    loaded, decided = small.everything(), held(small)
    content = later.read_bytes()
    later.unlink()
    small.load(max_bad_share=1)
    later.write_bytes(content)
    small.load(max_bad_share=1, fresh=fresh)
    assert (small.everything(), held(small)) == (loaded, decided)


def test_a_decision_belongs_to_the_record_without_its_line_end(small: Desk) -> None:
    data = with_records("sellers", SELLER, SHORT_ZIP)
    write_delivery(small.folder, sellers=data[:-1])
    small.load(max_bad_share=1)
    ledger.set_status(small.connection, [1], "discarded", "a test", AT)
    write_delivery(small.folder, sellers=data + SELLER.replace(b"4843", b"ffff") + b"\n")
    small.load(max_bad_share=1)
    assert held(small) == [(3, "bad_zip", "discarded")]
    write_delivery(small.folder, sellers=data.replace(b"\n", b"\r\n"))
    small.load(max_bad_share=1)
    assert held(small) == [(3, "bad_zip", "discarded")]


def test_a_file_of_a_ledger_that_knows_the_number_of_bad_records_alone_is_read_again(small: Desk) -> None:
    write(small, SELLER, SHORT_ZIP)
    small.load(max_bad_share=1)
    small.connection.execute("delete from etl.quarantine")
    assert ledger.lacks_records(small.connection)
    assert of(small.load(max_bad_share=1), "sellers").status == LOADED
    assert not ledger.lacks_records(small.connection)
    assert held(small) == [(3, "bad_zip", "open")]


def test_a_source_that_leaves_the_contract_is_forgotten_and_may_come_back(small: Desk) -> None:
    write(small, SELLER, SHORT_ZIP)
    small.load(max_bad_share=1)
    whole = small.contract
    small.contract = replace(whole, sources=tuple(s for s in whole.sources if s.name != "sellers"))
    small.load(max_bad_share=1)
    assert small.query("select table_name from duckdb_tables() where schema_name = 'raw'") == [("stg_orders",)]
    assert held(small, "is_present") == [(False,)]
    small.load(max_bad_share=1, fresh=True)
    small.contract = whole
    assert of(small.load(max_bad_share=1), "sellers").loaded == 1


@pytest.mark.parametrize("fresh", [False, True], ids=["incremental", "full refresh"])
def test_an_undecided_record_warns_on_every_load_and_a_discarded_one_no_more(small: Desk, fresh: bool) -> None:
    write(small, SELLER, SHORT_ZIP)
    small.load(max_bad_share=1)
    assert not of(small.load(max_bad_share=1, fresh=fresh), "sellers").is_whole
    ledger.set_status(small.connection, [1], "discarded", "a test", AT)
    sellers = of(small.load(max_bad_share=1, fresh=fresh), "sellers")
    assert sellers.is_whole
    assert sellers.quarantined == 1


# --- what is mended ---


@pytest.mark.parametrize("fresh", [False, True], ids=["incremental", "full refresh"])
def test_a_mended_record_is_loaded_again_in_its_place_whenever_its_file_is_read(small: Desk, fresh: bool) -> None:
    write(small, SELLER, SHORT_ZIP)
    small.load(max_bad_share=1)
    mend(small, "dd7ddc04e1b6c2c614352b383efe2d36", "01310", "franca", "")
    write(small, SELLER, SELLER, SHORT_ZIP)
    sellers = of(small.load(max_bad_share=1, fresh=fresh), "sellers")
    assert (sellers.records, sellers.loaded, sellers.quarantined) == (3, 3, 0)
    mended = [row for row in small.rows("sellers") if row[1] == 4]
    assert [row[:6] for row in mended] == [
        (NAMES["sellers"], 4, "dd7ddc04e1b6c2c614352b383efe2d36", "01310", "franca", None)
    ]
    assert held(small) == [(4, "bad_zip", "replayed")]
    assert sellers.is_whole


def test_a_mend_that_is_no_longer_good_opens_its_record_again(small: Desk) -> None:
    write(small, SELLER, SHORT_ZIP)
    small.load(max_bad_share=1)
    mend(small, "dd7d", "1310", "franca", "SP")
    sellers = of(small.load(max_bad_share=1, fresh=True), "sellers")
    assert (sellers.loaded, sellers.quarantined, held(small)) == (1, 1, [(3, "bad_zip", "open")])


# --- that it is checked ---


@pytest.mark.parametrize(
    "tampering",
    [
        "delete from raw.stg_sellers where _source_line = 2",
        "insert into raw.stg_sellers from raw.stg_sellers limit 1",
        "insert into raw.stg_sellers select * replace ('ghost.csv' as _source_file) from raw.stg_sellers",
        "insert into raw.stg_sellers select * replace (null as _source_file) from raw.stg_sellers",
        "update etl.source_files set records = records + 1 where source = 'sellers'",
    ],
)
def test_rows_that_do_not_add_up_to_the_records_read_fail_the_load(small: Desk, tampering: str) -> None:
    write(small, SELLER, SHORT_ZIP)
    small.load(max_bad_share=1)
    small.connection.execute(tampering)
    before = small.rows("sellers")
    with pytest.raises(DataError, match="records were read"):
        small.load(max_bad_share=1)
    assert small.rows("sellers") == before


# --- the quarantine folder ---


def load_with_evidence(desk: Desk, folder: Path, share: float = 1) -> Any:
    ledger.create(desk.connection)
    inspections = desk.inspect()
    report = desk.load(inspections=inspections, max_bad_share=share)
    return evidence.keep_evidence(desk.connection, folder, report, inspections, "run-1")


def test_bad_records_lie_in_the_folder_as_they_are_in_the_file_with_reasons(small: Desk, tmp_path: Path) -> None:
    write(small, SELLER, SHORT_ZIP, TOO_LONG)
    sellers = of(load_with_evidence(small, tmp_path / "q"), "sellers")
    assert sellers.evidence
    assert sellers.evidence.read_bytes() == header_of("sellers") + SHORT_ZIP + b"\n" + TOO_LONG + b"\n"
    with (sellers.evidence.parent / "reasons.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["quarantine_id"], row["line"], row["error_type"]) for row in rows] == [
        ("1", "3", "bad_zip"),
        ("2", "4", "too_many_columns"),
    ]
    assert {(row["source"], row["file"], row["run_id"], row["status"]) for row in rows} == {
        ("sellers", NAMES["sellers"], "run-1", "open")
    }


def test_a_refused_file_lies_in_the_folder_whole(small: Desk, tmp_path: Path) -> None:
    data = b"PK\x03\x04" + bytes(range(256))
    write_delivery(small.folder, sellers=data)
    place = of(load_with_evidence(small, tmp_path / "q"), "sellers").evidence
    assert place
    assert place.read_bytes() == data
    assert "not_csv" in (place.parent / "reasons.csv").read_text()


def test_the_same_damage_is_kept_once_and_a_whole_delivery_leaves_no_folder(small: Desk, tmp_path: Path) -> None:
    load_with_evidence(small, tmp_path / "q")
    assert not (tmp_path / "q").exists()
    write(small, SELLER, SHORT_ZIP)
    for _ in range(2):
        load_with_evidence(small, tmp_path / "q")
    assert len([file for file in (tmp_path / "q").rglob("*") if file.is_file()]) == 2


# --- the parts of a view ---


def test_neighbours_stand_around_the_record_at_an_offset(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b'h\n1\n2\n\n"3\n3"\n4\n5\n')
    assert [(p.line, p.raw) for p in around(file, 7, 2)] == [
        (2, b"1\n"), (3, b"2\n"), (5, b'"3\n3"\n'), (7, b"4\n"), (8, b"5\n"),
    ]  # fmt: skip
    assert [p.raw for p in around(file, 2, 1)] == [b"h\n", b"1\n", b"2\n"]
    assert around(file, 99, 2) == []


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("a,b", ["a", "b"]),
        ('"a,b",c', ['"a,b"', "c"]),
        ('"a""b",,', ['"a""b"', "", ""]),
        ('"two\nlines",x\r\n', ['"two\nlines"', "x"]),
        ('a"b,"c" ,d', ['a"b', '"c" ', "d"]),
        ("", [""]),
    ],
)
def test_the_places_of_fields_are_those_between_the_commas(text: str, fields: list[str]) -> None:
    assert [text[start:end] for start, end in field_spans(text)] == fields
