"""Which files a run looks at: those that are not as they were loaded, and those of which no run has spoken yet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from olistctl.loading import FileState, Limits, file_states
from olistctl.sources import Fingerprints, find_files
from tests.delivery import NAMES, SELLERS, plus, with_records, write_delivery
from tests.unit.conftest import Desk
from tests.unit.test_load import SELLER, changed

WHOLE = [b"%d,01310,x,SP" % number for number in range(8)]


def state(desk: Desk) -> FileState:
    """Return how the base file of the sellers stands."""
    limits = Limits(0.05, 0.25)
    fingerprints = Fingerprints(Path("nowhere"))
    states = file_states(desk.connection, find_files(desk.contract, desk.folder), limits, fingerprints)
    return next(found for found in states if found.file == NAMES["sellers"])


def what(desk: Desk) -> tuple[str, bool]:
    found = state(desk)
    return found.state, found.is_news


def test_what_was_loaded_is_no_news(small: Desk) -> None:
    small.load()
    assert what(small) == ("unchanged", False)
    write_delivery(small.folder, sellers=plus("sellers", SELLER))
    assert what(small) == ("changed", True)


def test_a_file_that_changed_while_it_was_read_is_read_again(small: Desk) -> None:
    small.load()
    write_delivery(small.folder, sellers=plus("sellers", SELLER))
    found = small.inspect()
    write_delivery(small.folder, sellers=SELLERS)
    small.load(inspections=found)
    write_delivery(small.folder, sellers=plus("sellers", SELLER))
    assert what(small) == ("changed", True), "it is now the very content that was refused"
    assert [file.status for file in small.load().files if file.source == "sellers"] == ["loaded"]


@pytest.mark.parametrize("twice", ["missing", "refused"])
def test_a_file_that_is_well_again_is_news_once_and_so_is_its_second_fault(small: Desk, twice: str) -> None:
    fault = None if twice == "missing" else b"<!DOCTYPE html>"
    small.load()
    for _ in range(2):
        write_delivery(small.folder, sellers=fault)
        assert state(small).is_news
        (file,) = [file for file in small.load(max_shrink_share=0.25).files if file.source == "sellers"]
        assert (file.status, file.is_known) == (twice, False)
        assert what(small) == (twice, False)
        write_delivery(small.folder, sellers=SELLERS)
        assert what(small) == ("unchanged", True)
        small.load()
        assert what(small) == ("unchanged", False)


def test_a_file_held_back_is_judged_again_when_other_records_are_loaded(small: Desk) -> None:
    """A rollback brings earlier rows back, and keeps what was said of the files since."""
    small.connection.execute("create schema kept")
    write_delivery(small.folder, sellers=with_records("sellers", *WHOLE[:5]))
    small.load()
    small.connection.execute("create table kept.files as from etl.source_files")
    write_delivery(small.folder, sellers=with_records("sellers", *WHOLE))
    small.load()
    write_delivery(small.folder, sellers=with_records("sellers", *WHOLE[:4]))
    small.load(max_shrink_share=0.25)
    assert what(small) == ("held", False)
    small.connection.execute("delete from etl.source_files; insert into etl.source_files from kept.files")
    assert what(small) == ("changed", True), "4 of 5 is not 4 of 8"


def test_a_table_that_was_dropped_by_hand_is_filled_again(small: Desk) -> None:
    small.load()
    before = small.everything()
    small.connection.execute("drop table raw.stg_sellers")
    assert what(small) == ("changed", True)
    assert small.load().read_again == ("sellers (its table was gone)",)
    assert small.everything() == before
    assert what(small) == ("unchanged", False)


@pytest.mark.parametrize("part", [{"may_end_open": True}, {"key": ("seller_city",)}, {"table": "stg_shops"}], ids=str)
def test_any_part_of_the_contract_that_decides_the_rows_is_seen(small: Desk, part: dict[str, object]) -> None:
    small.load()
    small.contract = changed(small.contract, "sellers", **part)
    assert what(small) == ("changed", True)
    (change,) = small.load().changes
    assert (change.source, change.rebuilt) == ("sellers", True)
    assert what(small) == ("unchanged", False)
    assert len(small.rows("sellers")) == 2
    assert small.query("select count(*) from duckdb_tables() where schema_name = 'raw'") == [(2,)]


def test_a_source_that_left_the_contract_takes_its_rows_along_and_says_so(small: Desk) -> None:
    small.load()
    small.contract = replace(small.contract, sources=small.contract.sources[:1])
    assert what(small) == ("removed", True)
    (file,) = [file for file in small.load().files if file.source == "sellers"]
    assert (file.status, file.reason) == ("removed", "its source is no longer in the contract")
    assert small.query("select status from etl.load_audit where source = 'sellers' order by run_id") == [
        ("loaded",), ("removed",),
    ]  # fmt: skip
    assert small.query("select table_name from duckdb_tables() where schema_name = 'raw'") == [("stg_orders",)]


def test_a_delivery_with_bad_records_goes_while_the_contract_changes(small: Desk) -> None:
    later = small.folder / "olist_sellers_dataset_2.csv"
    later.write_bytes(with_records("sellers", SELLER, b"a,b"))
    small.load(max_bad_share=1)
    later.unlink()
    columns = small.contract.source("sellers").columns
    small.contract = changed(small.contract, "sellers", columns=(*columns[:3], replace(columns[3], required=True)))
    report = small.load()
    assert {file.file: file.status for file in report.files if file.source == "sellers"} == {
        NAMES["sellers"]: "loaded", later.name: "removed",
    }  # fmt: skip
    assert small.query("select is_present from etl.quarantine") == [(False,)]
    assert len(small.rows("sellers")) == 2
