"""Loading: what the files say becomes what the tables hold, whole or not at all, with its audit."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from olistctl import ledger
from olistctl.errors import DataError
from olistctl.loading import FileLoad
from olistctl.results import NoProgress
from olistctl.sources import Column, Contract, Source
from tests.delivery import (
    FILES,
    NAMES,
    ORDER_ITEMS,
    ORDER_REVIEWS,
    ORDERS,
    RECORDS,
    SELLERS,
    header_of,
    plus,
    with_records,
    write_delivery,
)
from tests.unit.conftest import AT, Desk, of

SELLER = b"0015a82c2db000af6aaaf3ae2ecb0532,09080,santo andre,SP"
SHORT = b"a,b"
FRESH = pytest.mark.parametrize("fresh", [False, True], ids=["incremental", "full refresh"])
# What makes a file refused, before it is parsed, while it is parsed, and by DuckDB itself.
REFUSALS = {
    "header": b'"seller_id","zip","city","state"\n' + SELLER + b"\n",
    "empty": b"",
    "html": b"<!DOCTYPE html>",
    "open quote": SELLERS + b'"',
    "too many bad": with_records("sellers", SELLER, SHORT),
    "two readers": with_records("sellers", b'a"b,01310,x,SP', SELLER, b'c"d,01310,x,SP'),
    "bare CR": SELLERS + SELLER + b"\r" + SELLER + b"\n",
}


def statuses(files: Sequence[FileLoad]) -> dict[str, str]:
    return {file.file: file.status for file in files}


def audit(desk: Desk, run_id: str) -> dict[str, tuple[str, int, int, int]]:
    rows = desk.query(
        "select file_name, status, records, rows_loaded, records_quarantined from etl.load_audit where run_id = ?",
        run_id,
    )
    return {name: (status, records, loaded, bad) for name, status, records, loaded, bad in rows}


# --- what loads ---


@FRESH
def test_a_whole_delivery_loads_with_every_record(desk: Desk, fresh: bool) -> None:
    report = desk.load(fresh=fresh)
    assert {file.source: file.loaded for file in report.files} == RECORDS
    assert {file.source: len(desk.rows(file.source)) for file in report.files} == RECORDS
    assert (report.rows_loaded, report.records_quarantined, report.faulty) == (26, 0, ())
    assert {change.source for change in report.changes if change.rebuilt} == RECORDS.keys()


def test_a_row_carries_file_line_time_and_run(desk: Desk) -> None:
    desk.load()
    found = desk.query("select _source_file, _source_line, _loaded_at, _run_id from raw.stg_order_reviews order by 2")
    assert found == [(NAMES["order_reviews"], line, AT, "run-1") for line in (2, 3, 6)]


def test_the_tables_are_typed_by_the_contract(desk: Desk) -> None:
    desk.load()
    types = dict(
        desk.query(
            "select column_name, data_type from information_schema.columns "
            "where table_schema = 'raw' and table_name = 'stg_order_items'"
        )
    )
    assert types["order_item_id"] == "INTEGER"
    assert types["price"] == "DECIMAL(12,2)"
    assert types["shipping_limit_date"] == "TIMESTAMP"
    assert types["order_id"] == "VARCHAR"


def test_money_and_leading_zeros_arrive_as_they_were_written(desk: Desk) -> None:
    desk.load()
    assert desk.query("select sum(price)::varchar, sum(freight_value)::varchar from raw.stg_order_items") == [
        ("417.50", "33.22")
    ]
    assert desk.query("select distinct seller_zip_code_prefix from raw.stg_sellers order by 1") == [
        ("01310",),
        ("14409",),
    ]


def test_a_text_keeps_its_line_ends_and_quotes(desk: Desk) -> None:
    desk.load()
    rows = desk.query("select review_comment_message from raw.stg_order_reviews where _source_line = 3")
    assert rows == [('Comprei "dois".\r\n\r\nNão chegou.',)]


# --- what is left alone ---


def test_a_file_that_is_loaded_is_not_loaded_again(desk: Desk) -> None:
    desk.load()
    report = desk.load()
    assert set(statuses(report.files).values()) == {"unchanged"}
    assert not report.changes
    assert desk.query("select distinct _run_id from raw.stg_orders") == [("run-1",)]
    assert of(report, "orders").kept == 3


def test_a_touch_changes_nothing(small: Desk) -> None:
    small.load()
    os.utime(small.folder / NAMES["orders"], (1, 1))
    assert of(small.load(), "orders").status == "unchanged"


def test_a_change_of_content_under_the_same_time_and_size_is_seen(small: Desk) -> None:
    small.load()
    file = small.folder / NAMES["sellers"]
    before = file.stat()
    file.write_bytes(SELLERS.replace(b"franca", b"fransa"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert of(small.load(), "sellers").status == "loaded"


def test_of_a_changed_file_only_the_rows_that_differ_are_written(small: Desk) -> None:
    (small.folder / "olist_sellers_dataset_2.csv").write_bytes(with_records("sellers", SELLER))
    small.load()
    (small.folder / NAMES["sellers"]).write_bytes(plus("sellers", SELLER))
    report = small.load()
    assert [name for name, status in statuses(report.files).items() if status == "loaded"] == [NAMES["sellers"]]
    assert small.query("select _source_file, _run_id, count(*) from raw.stg_sellers group by all order by all") == [
        ("olist_sellers_dataset.csv", "run-1", 2),
        ("olist_sellers_dataset.csv", "run-2", 1),
        ("olist_sellers_dataset_2.csv", "run-1", 1),
    ]


def test_a_full_refresh_reads_every_file_again(desk: Desk) -> None:
    desk.load()
    report = desk.load(fresh=True)
    assert set(statuses(report.files).values()) == {"loaded"}
    assert desk.query("select distinct _run_id from raw.stg_orders") == [("run-2",)]


# --- what goes missing, is refused, or is taken away ---


@FRESH
def test_the_rows_of_a_base_file_that_goes_missing_stay(small: Desk, fresh: bool) -> None:
    small.load()
    before = small.everything()
    write_delivery(small.folder, orders=None)
    file = of(small.load(fresh=fresh), "orders")
    assert (file.status, file.kept, file.loaded) == ("missing", 3, 0)
    assert small.everything() == before
    assert file.finding().message == "missing: the file is not there; its 3 loaded rows stay"


@FRESH
def test_a_base_file_that_was_never_there_is_an_empty_table(small: Desk, fresh: bool) -> None:
    write_delivery(small.folder, orders=None)
    file = of(small.load(fresh=fresh), "orders")
    assert (file.status, file.kept) == ("missing", 0)
    assert small.rows("orders") == []
    assert file.finding().message == "missing: the file is not there; raw.stg_orders gets no rows from it"


@FRESH
def test_rows_that_stayed_once_stay_as_long_as_the_file_is_away(small: Desk, fresh: bool) -> None:
    small.load()
    before = small.everything()
    write_delivery(small.folder, orders=None, sellers=b"")
    for _ in range(3):
        small.load(fresh=fresh)
    assert small.everything() == before
    assert small.query("select distinct _run_id from raw.stg_orders") == [("run-1",)]


@FRESH
@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refused_file_leaves_its_earlier_rows(small: Desk, kind: str, fresh: bool) -> None:
    small.load()
    before = small.everything()
    write_delivery(small.folder, sellers=REFUSALS[kind])
    report = small.load(fresh=fresh)
    file = of(report, "sellers")
    assert (file.status, file.loaded, file.kept) == ("refused", 0, 2)
    assert file.reason
    assert small.everything() == before
    assert [other.file for other in report.faulty] == [NAMES["sellers"]]


@FRESH
@pytest.mark.parametrize("kind", REFUSALS)
def test_nothing_of_a_refused_file_is_loaded_and_the_others_are(small: Desk, kind: str, fresh: bool) -> None:
    write_delivery(small.folder, sellers=REFUSALS[kind])
    report = small.load(fresh=fresh)
    assert of(report, "sellers").status == "refused"
    assert small.rows("sellers") == []
    assert of(report, "orders").status == "loaded"
    assert (len(report.files), report.rows_loaded) == (2, 3)
    assert "raw.stg_sellers gets no rows from it" in of(report, "sellers").finding().message


def test_a_refused_file_loads_once_it_is_mended(small: Desk) -> None:
    small.load()
    write_delivery(small.folder, sellers=REFUSALS["too many bad"])
    small.load()
    write_delivery(small.folder, sellers=plus("sellers", SELLER))
    assert of(small.load(), "sellers").loaded == 3


def test_a_refused_file_that_goes_back_to_what_it_was_is_unchanged(small: Desk) -> None:
    small.load()
    write_delivery(small.folder, sellers=b"")
    small.load()
    write_delivery(small.folder)
    assert of(small.load(), "sellers").status == "unchanged"


def test_several_files_that_duckdb_gives_up_on_are_refused_each(desk: Desk) -> None:
    broken = {
        source: content + content.splitlines()[1] + b"\rx\n" for source, content in FILES.items() if source[0] == "o"
    }
    write_delivery(desk.folder, **broken)
    report = desk.load()
    refused = {file.source: file.reason_type for file in report.files if file.status == "refused"}
    assert refused.keys() == broken.keys()
    assert {file.source for file in report.files if file.status == "loaded"} == FILES.keys() - broken.keys()


@FRESH
def test_a_delivery_that_duckdb_gives_up_on_is_refused_and_its_base_file_loads(small: Desk, fresh: bool) -> None:
    extra = small.folder / "olist_sellers_dataset_2.csv"
    extra.write_bytes(SELLERS + b"\r\n" + SELLER + b"\n")
    told: list[list[float]] = []  # of each attempt

    class Told(NoProgress):
        def start(self, label: str, total: float | None = None) -> None:
            told.append([])

        def advance(self, amount: float = 1, doing: str | None = None) -> None:
            told[-1].append(amount)

    report = small.load(fresh=fresh, progress=Told())
    assert statuses(report.files) == {NAMES["orders"]: "loaded", NAMES["sellers"]: "loaded", extra.name: "refused"}
    assert of(report, extra.name).reason_type == "unreadable_csv"
    assert small.lines("sellers") == [2, 3]
    assert [sum(amounts) for amounts in told] == [len(ORDERS) + len(SELLERS), len(SELLERS) + extra.stat().st_size]


@FRESH
def test_the_rows_of_a_delivery_that_is_taken_away_go(small: Desk, fresh: bool) -> None:
    small.load()
    base = small.everything()
    extra = small.folder / "olist_sellers_dataset_2.csv"
    extra.write_bytes(with_records("sellers", SELLER))
    small.load()
    assert len(small.rows("sellers")) == 3
    extra.unlink()
    report = small.load(fresh=fresh)
    assert of(report, extra.name).status == "removed"
    assert [change.source for change in report.changes if change.rebuilt or change.deleted == 1]
    assert small.everything() == base
    assert extra.name not in [name for (name,) in small.query("select file_name from etl.source_files")]
    assert extra.name not in statuses(small.load().files)


@FRESH
def test_a_delivery_stays_when_its_base_file_goes_missing(small: Desk, fresh: bool) -> None:
    (small.folder / "olist_sellers_dataset_2.csv").write_bytes(with_records("sellers", SELLER))
    small.load()
    before = small.everything()
    write_delivery(small.folder, sellers=None)
    small.load(fresh=fresh)
    assert small.everything() == before


def test_a_full_refresh_over_nothing_published_needs_no_live_warehouse(small: Desk) -> None:
    write_delivery(small.folder, orders=None, sellers=b"")
    assert small.load(fresh=True).rows_loaded == 0


def test_step_by_step_gives_the_rows_of_one_full_refresh(small: Desk, tmp_path: Path) -> None:
    second = small.folder / "olist_sellers_dataset_2.csv"
    third = small.folder / "olist_sellers_dataset_3.csv"
    small.load()
    second.write_bytes(with_records("sellers", SELLER))
    small.load()
    write_delivery(small.folder, orders=with_records("orders", *ORDERS.splitlines()[1:3]), sellers=SELLERS)
    third.write_bytes(with_records("sellers", SELLER.replace(b"09080", b"09081")))
    small.load()
    second.unlink()
    small.load()
    once = Desk(small.folder, small.contract, tmp_path / "once.duckdb")
    once.load(fresh=True)
    assert small.everything() == once.everything()
    once.close()


# --- bad records ---


@FRESH
def test_bad_records_are_counted_by_reason_and_the_good_ones_load(small: Desk, fresh: bool) -> None:
    bad_zip = SELLER.replace(b"09080", b"9080")
    write_delivery(small.folder, sellers=with_records("sellers", SELLER, bad_zip, SHORT, SELLER, bad_zip))
    file = of(small.load(fresh=fresh, max_bad_share=0.6), "sellers")
    assert (file.status, file.records, file.loaded, file.bad) == ("loaded", 5, 2, 3)
    assert small.lines("sellers") == [2, 5]
    assert {(c.error_type, c.column, c.records) for c in file.bad_counts} == {
        ("bad_zip", "seller_zip_code_prefix", 2),
        ("missing_columns", "seller_city", 1),
    }
    assert [example.line for example in file.examples] == [3, 4, 6]
    assert file.finding().message == (
        "3 of 5 records are bad, the first in line 3: 2 bad_zip in seller_zip_code_prefix, "
        "1 missing_columns in seller_city"
    )


def test_a_bad_record_in_a_file_of_crlf_and_long_messages_refuses_nothing(desk: Desk) -> None:
    """The bytes of the reviews: CRLF between records and inside quotes."""
    write_delivery(desk.folder, order_reviews=plus("order_reviews", b"short", *ORDER_REVIEWS.splitlines()[1:2]))
    file = of(desk.load(max_bad_share=0.5), "order_reviews")
    assert (file.status, file.records, file.loaded, file.bad) == ("loaded", 5, 4, 1)
    assert [example.line for example in file.examples] == [7]
    assert desk.lines("order_reviews") == [2, 3, 6, 8]


@FRESH
def test_records_are_loaded_plus_bad_in_every_line_of_the_audit(desk: Desk, fresh: bool) -> None:
    write_delivery(
        desk.folder,
        sellers=plus("sellers", SHORT),
        orders=plus("orders", b"x"),
        products=plus("products", b'"p",c,1.5,,,,,,'),
        geolocation=with_records("geolocation"),
    )
    desk.load(fresh=fresh, max_bad_share=0.5)
    entries = audit(desk, "run-1")
    assert len(entries) == 9
    assert all(records == loaded + bad for _, records, loaded, bad in entries.values())
    assert entries[NAMES["orders"]] == ("loaded", 4, 3, 1)
    assert entries[NAMES["geolocation"]] == ("loaded", 0, 0, 0)


def test_too_many_bad_records_refuse_the_file_and_tell_the_share(small: Desk) -> None:
    write_delivery(small.folder, sellers=plus("sellers", SHORT))
    file = of(small.load(max_bad_share=0.33), "sellers")
    assert (file.status, file.reason_type, file.bad, file.loaded) == ("refused", "too_many_bad_records", 1, 0)
    assert "1 of 3 records are bad (33.3%)" in file.finding().message
    assert [example.line for example in file.examples] == [4]
    assert of(small.load(max_bad_share=0.34), "sellers").loaded == 2


# --- the audit and the transaction ---


def test_the_ledger_tells_of_each_file_what_was_loaded(desk: Desk) -> None:
    found = {inspection.source: inspection for inspection in desk.inspect()}
    desk.load()
    files = {file.source: file for file in ledger.loaded_files(desk.connection)}
    assert files.keys() == FILES.keys()
    for source, file in files.items():
        assert (file.sha256, file.size_bytes) == (found[source].sha256, len(FILES[source]))
        assert (file.modified_at, file.run_id, file.loaded_at) == (found[source].modified_at, "run-1", AT)
        assert (file.records, file.rows_loaded, file.records_quarantined) == (RECORDS[source], RECORDS[source], 0)


def test_every_run_is_audited_file_by_file(desk: Desk) -> None:
    desk.load()
    extra = desk.folder / "olist_sellers_dataset_2.csv"
    extra.write_bytes(with_records("sellers", SELLER))
    desk.load()
    extra.unlink()
    write_delivery(desk.folder, orders=None, products=b"", geolocation=plus("geolocation", b'"01310",-23.5,-46.6,x,SP'))
    desk.load()
    entries = {name: entry[0] for name, entry in audit(desk, "run-3").items()}
    assert entries == {
        NAMES["customers"]: "unchanged",
        NAMES["orders"]: "missing",
        NAMES["order_items"]: "unchanged",
        NAMES["order_payments"]: "unchanged",
        NAMES["order_reviews"]: "unchanged",
        NAMES["products"]: "refused",
        NAMES["sellers"]: "unchanged",
        extra.name: "removed",
        NAMES["geolocation"]: "loaded",
        NAMES["category_translation"]: "unchanged",
    }
    assert desk.query("select reason from etl.load_audit where run_id = 'run-3' and status = 'refused'") == [
        ("it is empty",)
    ]


def test_a_full_refresh_keeps_the_audit_of_earlier_runs(desk: Desk) -> None:
    desk.load()
    desk.load(fresh=True)
    assert len(audit(desk, "run-1")) == len(audit(desk, "run-2")) == 9


def test_rows_ledger_and_audit_stand_or_fall_together(desk: Desk) -> None:
    desk.load(run_id="again")
    before = desk.everything()
    write_delivery(desk.folder, sellers=plus("sellers", SELLER), orders=plus("orders", ORDERS.splitlines()[1]))
    (desk.folder / "olist_sellers_dataset_2.csv").write_bytes(with_records("sellers", SELLER))
    with pytest.raises(duckdb.ConstraintException):  # the audit has this run already
        desk.load(run_id="again")
    assert desk.everything() == before
    assert desk.query("select count(*), max(rows_loaded) from etl.source_files") == [(9, 4)]
    assert of(desk.load(run_id="next"), "sellers").loaded == 3


@pytest.mark.parametrize("at", [1, 5, 9])
def test_an_interruption_between_files_leaves_everything_as_it_was(desk: Desk, at: int) -> None:
    class Stop(NoProgress):
        calls = 0

        def advance(self, amount: float = 1, doing: str | None = None) -> None:
            self.calls += 1
            if self.calls == at:
                raise KeyboardInterrupt

    desk.load()
    before = desk.everything()
    write_delivery(desk.folder, customers=plus("customers", b"a,b,01310,c,SP"), sellers=plus("sellers", SELLER))
    with pytest.raises(KeyboardInterrupt):
        desk.load(progress=Stop())
    assert desk.everything() == before
    assert audit(desk, "run-2") == {}
    assert of(desk.load(), "customers").loaded == 4


@pytest.mark.parametrize("loaded_before", [False, True], ids=["new tables", "nothing new"])
def test_progress_is_told_in_bytes_and_adds_up(desk: Desk, loaded_before: bool) -> None:
    class Told(NoProgress):
        total = 0.0
        done = 0.0
        names: tuple[str, ...] = ()

        def start(self, label: str, total: float | None = None) -> None:
            self.total = total or 0

        def advance(self, amount: float = 1, doing: str | None = None) -> None:
            self.done += amount
            self.names += (doing,) if doing else ()

    told = Told()
    if loaded_before:
        desk.load()
        for file in desk.folder.iterdir():
            os.utime(file)
    desk.load(progress=told)
    assert told.done == told.total == sum(map(len, FILES.values()))
    assert sorted(told.names) == sorted(NAMES.values())


def test_a_file_that_changed_since_it_was_inspected_keeps_its_earlier_rows(small: Desk) -> None:
    small.load()
    before = small.everything()
    write_delivery(small.folder, sellers=plus("sellers", SELLER))
    found = small.inspect()
    write_delivery(small.folder, sellers=plus("sellers", SELLER, SELLER))
    file = of(small.load(inspections=found), "sellers")
    assert (file.status, file.reason_type, file.kept) == ("refused", "changed_while_read", 2)
    assert small.everything() == before
    assert of(small.load(), "sellers").loaded == 4


def test_the_time_of_a_file_is_that_of_reading_it(small: Desk) -> None:
    write_delivery(small.folder, orders=with_records("orders", *ORDERS.splitlines()[1:] * 30_000))
    report = small.load(fresh=True)
    assert of(report, "orders").seconds > 5 * of(report, "sellers").seconds > 0


def test_a_file_that_changes_after_its_records_are_in_the_table_keeps_its_earlier_rows(small: Desk) -> None:
    class ChangeOnceAllAreRead(NoProgress):
        read = 0

        def advance(self, amount: float = 1, doing: str | None = None) -> None:
            self.read += amount > 0
            if amount and self.read == 2:
                (small.folder / NAMES["sellers"]).write_bytes(plus("sellers", SELLER))

    small.load()
    before = small.everything()
    report = small.load(fresh=True, progress=ChangeOnceAllAreRead())
    file = of(report, "sellers")
    assert (file.status, file.reason_type, file.kept) == ("refused", "changed_while_read", 2)
    assert of(report, "orders").status == "loaded"
    assert small.everything() == before
    assert of(small.load(), "sellers").loaded == 3


def test_an_interruption_of_a_full_refresh_leaves_the_live_warehouse(small: Desk) -> None:
    class StopOnce(NoProgress):
        calls = 0

        def advance(self, amount: float = 1, doing: str | None = None) -> None:
            if amount:  # a file has been read
                self.calls += 1
                if self.calls == 1:
                    raise KeyboardInterrupt

    small.load()
    before = small.everything()
    write_delivery(small.folder, sellers=plus("sellers", SELLER))
    with pytest.raises(KeyboardInterrupt):
        small.load(fresh=True, progress=StopOnce())
    assert small.everything() == before


def test_a_file_that_vanished_since_it_was_inspected_keeps_its_earlier_rows(small: Desk) -> None:
    small.load()
    before = small.everything()
    write_delivery(small.folder, sellers=plus("sellers", SELLER))
    found = small.inspect()
    write_delivery(small.folder, sellers=None)
    assert of(small.load(inspections=found), "sellers").status == "refused"
    assert small.everything() == before


# --- names ---


@FRESH
def test_a_delivery_of_any_name_loads_stays_and_goes(small: Desk, fresh: bool) -> None:
    parts = ["'", '"', "*", "?", "[1]", "\n", "\\", " é", "'; drop table raw.stg_sellers; --", "1", "x"]
    extras = {small.folder / f"olist_sellers_dataset{part}.csv" for part in parts}
    odd = {path for path in extras if path.name[-5] not in "1x"}
    for path in extras:  # those of a plain name would be read twice if an odd one were a pattern
        path.write_bytes(with_records("sellers", *[SELLER] * (1 if path in odd else 2)))
    report = small.load(fresh=fresh)
    assert [of(report, path.name).loaded for path in odd] == [1] * len(odd)
    assert all(small.lines("sellers", path.name) == [2] for path in odd)
    for path in odd:
        path.write_bytes(b"")
    report = small.load(fresh=fresh)
    assert [of(report, path.name).kept for path in odd] == [1] * len(odd)
    assert len(small.rows("sellers")) == 2 + len(odd) + 4
    for path in odd:
        path.unlink()
    report = small.load(fresh=fresh)
    assert {of(report, path.name).status for path in odd} == {"removed"}
    assert {row[0] for row in small.rows("sellers")} == {NAMES["sellers"], *(path.name for path in extras - odd)}


def test_a_file_whose_name_is_not_utf8_is_refused_and_the_others_load(small: Desk) -> None:
    (small.folder / os.fsdecode(b"olist_sellers_dataset_\xff.csv")).write_bytes(SELLERS)
    for fresh in (False, True):
        report = small.load(fresh=fresh)
        assert statuses(report.files)["olist_sellers_dataset_\\xff.csv (not UTF-8)"] == "refused"
        assert (len(small.rows("orders")), len(small.rows("sellers"))) == (3, 2)


# --- a contract that changed ---


def changed(contract: Contract, name: str, **changes: object) -> Contract:
    def apply(source: Source) -> Source:
        return replace(source, **changes) if source.name == name else source  # type: ignore[arg-type]

    return replace(contract, sources=tuple(map(apply, contract.sources)))


def test_a_renamed_column_makes_the_table_anew_and_loads_its_files_again(small: Desk) -> None:
    small.load()
    columns = small.contract.source("sellers").columns
    small.contract = changed(small.contract, "sellers", columns=(*columns[:3], Column("uf", "text")), rules=())
    write_delivery(small.folder, sellers=SELLERS.replace(b'"seller_state"', b'"uf"'))
    assert of(small.load(), "sellers").loaded == 2
    assert small.query("select uf from raw.stg_sellers") == [("SP",), ("SP",)]


@FRESH
def test_a_column_that_the_contract_no_longer_has_goes_from_the_table(small: Desk, fresh: bool) -> None:
    small.load()
    columns = small.contract.source("sellers").columns
    small.contract = changed(small.contract, "sellers", columns=columns[:3], rules=())
    content = b"\n".join(line.rsplit(b",", 1)[0] for line in SELLERS.splitlines()) + b"\n"
    write_delivery(small.folder, sellers=content)
    assert of(small.load(fresh=fresh), "sellers").loaded == 2
    found = [row[0] for row in small.query("describe raw.stg_sellers")]
    assert found[:4] == [*(column.name for column in columns[:3]), "_source_file"]


@FRESH
def test_a_changed_contract_stops_the_load_when_a_loaded_file_cannot_be_read_again(small: Desk, fresh: bool) -> None:
    small.load()
    before = small.everything()
    shipped = small.contract
    small.contract = changed(shipped, "sellers", columns=shipped.source("sellers").columns[:3], rules=())
    write_delivery(small.folder, sellers=None)
    with pytest.raises(DataError) as caught:
        small.load(fresh=fresh)
    assert caught.value.where == NAMES["sellers"]
    small.contract = shipped
    assert small.everything() == before
    assert of(small.load(), "sellers").kept == 2


def test_columns_that_change_places_in_the_contract_keep_their_values(small: Desk) -> None:
    """The table is filled by position, so its order is part of the contract, too."""
    small.load()
    one, two, city, state = small.contract.source("sellers").columns
    small.contract = changed(small.contract, "sellers", columns=(one, two, state, city), rules=())
    write_delivery(
        small.folder,
        sellers=b"seller_id,seller_zip_code_prefix,seller_state,seller_city\na,01310,SP,franca\n",
    )
    small.load()
    assert small.query("select seller_city, seller_state from raw.stg_sellers") == [("franca", "SP")]


def test_a_changed_type_makes_the_table_anew_so_that_no_value_is_rounded(desk: Desk) -> None:
    items = desk.contract.source("order_items")
    whole = tuple(replace(column, type="integer") if column.name == "price" else column for column in items.columns)
    first = with_records("order_items", b"o,1,p,s,2017-10-06 11:07:15,58,1.00")
    write_delivery(desk.folder, order_items=first)
    money = desk.contract
    desk.contract = changed(money, "order_items", columns=whole)
    desk.load()
    desk.contract = money
    write_delivery(desk.folder, order_items=first + b"o,2,p,s,2017-10-06 11:07:15,58.90,1.00\n")
    desk.load()
    assert desk.query("select price::varchar from raw.stg_order_items order by 1") == [("58.00",), ("58.90",)]


@pytest.mark.parametrize("change", [{"required": True}, {"type": "zip"}], ids=str)
def test_a_file_is_judged_by_todays_contract_also_when_it_did_not_change(desk: Desk, change: dict[str, object]) -> None:
    """Incremental equals full: the rows are a function of files and contract."""
    desk.load()
    columns = tuple(
        replace(column, **change) if column.name == "product_category_name" else column  # type: ignore[arg-type]
        for column in desk.contract.source("products").columns
    )
    desk.contract = changed(desk.contract, "products", columns=columns)
    desk.load(max_bad_share=1)
    step_by_step = desk.everything()
    desk.load(fresh=True, max_bad_share=1)
    assert step_by_step == desk.everything()


def test_the_header_of_the_tiny_delivery_is_the_contracts(contract: Contract) -> None:
    for source in contract.sources:
        names = header_of(source.name).decode("utf-8-sig").replace('"', "").strip().split(",")
        assert tuple(names) == source.column_names


def test_what_the_rows_of_a_file_add_up_to_is_noted_when_they_are_read(desk: Desk) -> None:
    desk.load()
    (amounts,) = desk.query("select amounts from etl.source_files where source = 'order_items'")[0]
    assert json.loads(amounts) == {"price": "417.50", "freight_value": "33.22"}
    write_delivery(desk.folder, order_items=with_records("order_items", *ORDER_ITEMS.splitlines()[1:2]))
    desk.load()
    (amounts,) = desk.query("select amounts from etl.source_files where source = 'order_items'")[0]
    assert json.loads(amounts) == {"price": "58.90", "freight_value": "13.29"}, "of the file as it is now"
    assert desk.query("select amounts from etl.source_files where source = 'sellers'") == [("{}",)]


def test_what_became_of_a_file_is_told_in_one_word_everywhere() -> None:
    loaded = FileLoad("orders", "stg_orders", "o.csv", "loaded", records=5, loaded=5)
    assert loaded.result == "loaded"
    assert replace(loaded, loaded=4, quarantined=1, undecided=1).result == "bad records"
    assert replace(loaded, records=0, loaded=0).result == "no records"
    assert replace(loaded, status="held").result == "held back"
