"""A changed file is written as a difference, and every key whose current row changed is noted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from olistctl.loading import mark_older_tables
from olistctl.project_files import template_root
from olistctl.sources import load_contract
from tests.delivery import NAMES, SELLERS, plus, with_records, write_delivery
from tests.torture.scale import examples
from tests.unit.conftest import Desk

BASE, LATER = NAMES["sellers"], "olist_sellers_dataset_2018.csv"


@pytest.fixture
def sellers(tmp_path: Path) -> Desk:
    whole = load_contract(template_root() / "config" / "sources.yml")
    folder = tmp_path / "source"
    folder.mkdir()
    return Desk(folder, replace(whole, sources=(whole.source("sellers"),)), tmp_path / "dw.duckdb")


def deliver(desk: Desk, *records: bytes, file: str = BASE) -> None:
    (desk.folder / file).write_bytes(with_records("sellers", *records))


def changed(desk: Desk, source: str = "sellers") -> dict[str, str]:
    """Return what the last load noted: the change of each key."""
    rows = desk.query("select key, change from etl.changed_keys where run_id = ? and source = ?", desk.last_run, source)
    notes = {"/".join(map(str, json.loads(key).values())) if key else "*": change for key, change in rows}
    assert len(notes) == len(rows), "each key once"
    return notes


def standing(desk: Desk) -> dict[str, set[str]]:
    """Return the runs that loaded the rows of each seller."""
    found: dict[str, set[str]] = {}
    for seller, run in desk.query("select seller_id, _run_id from raw.stg_sellers"):
        found.setdefault(seller, set()).add(run)
    return found


def test_the_first_load_of_a_source_notes_no_single_keys(sellers: Desk) -> None:
    deliver(sellers, b"a,01310,x,SP")
    sellers.load()
    assert changed(sellers) == {"*": "rebuilt"}


def test_inserted_changed_and_deleted_keys_are_noted_and_the_rest_stands(sellers: Desk) -> None:
    deliver(sellers, b"a,01310,x,SP", b"b,01310,x,SP", b"c,01310,x,SP")
    sellers.load()
    deliver(sellers, b"a,01310,x,SP", b"b,01310,new town,SP", b"d,01310,x,SP")
    sellers.load()
    assert changed(sellers) == {"b": "changed", "c": "deleted", "d": "inserted"}
    assert standing(sellers) == {"a": {"run-1"}, "b": {"run-2"}, "d": {"run-2"}}


def test_rows_that_only_move_get_their_new_line_and_change_nothing(sellers: Desk) -> None:
    deliver(sellers, b"a,01310,x,SP", b"b,01310,x,SP", b"c,01310,x,SP")
    sellers.load()
    deliver(sellers, b"c,01310,x,SP", b"a,01310,x,SP", b"b,01310,x,SP")
    sellers.load()
    assert changed(sellers) == {}
    assert set(sellers.query("select seller_id, _source_line, _run_id from raw.stg_sellers")) == {
        ("c", 2, "run-1"), ("a", 3, "run-1"), ("b", 4, "run-1"),
    }  # fmt: skip


def test_a_move_among_rows_of_one_key_is_a_change(sellers: Desk) -> None:
    deliver(sellers, b"a,01310,old,SP", b'" A",01310,rival but for case and blank,SP', b"b,01310,x,SP")
    sellers.load()
    deliver(sellers, b'" A",01310,rival but for case and blank,SP', b"a,01310,old,SP", b"b,01310,x,SP")
    sellers.load()
    assert changed(sellers) == {"a": "changed", " A": "changed"}


def test_a_null_and_an_empty_text_are_one_and_the_same_value(sellers: Desk) -> None:
    deliver(sellers, b"a,01310,,", b'b,01310,"",SP')
    sellers.load()
    deliver(sellers, b'a,01310,"",', b"b,01310,,SP")
    sellers.load()
    assert changed(sellers) == {}


def test_a_later_file_changes_the_key_and_its_removal_changes_it_back(sellers: Desk) -> None:
    deliver(sellers, b"a,01310,x,SP", b"b,01310,x,SP")
    sellers.load()
    deliver(sellers, b"a,01310,moved,SP", b"c,01310,x,SP", file=LATER)
    sellers.load()
    assert changed(sellers) == {"a": "changed", "c": "inserted"}
    (sellers.folder / LATER).unlink()
    sellers.load()
    assert changed(sellers) == {"a": "changed", "c": "deleted"}


def test_a_missing_base_file_changes_no_key(sellers: Desk) -> None:
    deliver(sellers, b"a,01310,x,SP")
    sellers.load()
    (sellers.folder / BASE).unlink()
    sellers.load()
    assert changed(sellers) == {}
    deliver(sellers, b"a,01310,x,SP")
    sellers.load()
    assert changed(sellers) == {}


def test_a_key_of_several_columns_and_a_source_without_key(desk: Desk) -> None:
    desk.load()
    items = desk.folder / NAMES["order_items"]
    items.write_bytes(items.read_bytes().replace(b",58.90,", b",58.91,"))
    points = desk.folder / NAMES["geolocation"]
    points.write_bytes(plus("geolocation", b'"01311",-23.5,-46.6,sao paulo,SP').replace(b"69900", b"69901"))
    desk.load()
    assert changed(desk, "order_items") == {"e481f51cbdc54678b7cc49136f2d6af7/1": "changed"}
    assert changed(desk, "geolocation") == {"01311": "inserted", "69900": "deleted", "69901": "inserted"}


def test_one_of_two_equal_rows_can_go(desk: Desk) -> None:
    desk.load()
    point = b'"01310",-23.56199118,-46.65616231,sao paulo,SP\n'
    file = desk.folder / NAMES["geolocation"]
    file.write_bytes(file.read_bytes().replace(point, b"", 1))
    desk.load()
    assert changed(desk, "geolocation") == {"01310": "changed"}
    assert len(desk.rows("geolocation")) == 3


def test_the_current_record_is_of_the_file_that_sorts_last_then_of_the_highest_line(sellers: Desk) -> None:
    deliver(sellers, b"a,01310,first,SP", b"b,01310,only,SP", b'" a ",01310,second,SP')
    for fresh in (True, False):
        sellers.load(fresh=fresh)
        assert sellers.query("select seller_city from raw.stg_sellers where _is_current order by 1") == [
            ("only",), ("second",),
        ]  # fmt: skip
    deliver(sellers, b"a,01310,later,SP", file=LATER)
    sellers.load()
    assert sellers.query("select seller_city from raw.stg_sellers where not _is_current order by 1") == [
        ("first",), ("second",),
    ]  # fmt: skip


def test_tables_of_an_olistctl_that_did_not_mark_are_marked(sellers: Desk) -> None:
    deliver(sellers, b"a,01310,first,SP", b"b,01310,only,SP", b"a,01310,second,SP")
    sellers.load()
    sellers.query("alter table raw.stg_sellers drop _is_current")
    mark_older_tables(sellers.connection, sellers.contract)
    sellers.check_current()
    sellers.query("alter table raw.stg_sellers drop _is_current")
    deliver(sellers, b"b,01310,moved,SP", file=LATER)
    sellers.load()
    assert changed(sellers) == {"b": "changed"}, "nothing else was read again"
    (sellers.folder / BASE).unlink()
    sellers.query("alter table raw.stg_sellers drop _is_current")
    sellers.load(fresh=True)


def test_changes_stay_until_the_models_know_them(sellers: Desk) -> None:
    deliver(sellers, b"a,01310,x,SP")
    sellers.load()
    sellers.query("update etl.changed_keys set is_built = true")
    deliver(sellers, b"a,01310,y,SP")
    sellers.load()
    deliver(sellers, b"a,01310,y,SP", b"b,01310,y,SP")
    sellers.load()
    assert sellers.query("select run_id, key from etl.changed_keys order by all") == [
        ("run-2", '{"seller_id":"a"}'),
        ("run-3", '{"seller_id":"b"}'),
    ]


def test_a_changed_contract_reads_the_source_again_and_says_how_it_changed(desk: Desk) -> None:
    desk.load()
    sellers = desk.contract.source("sellers")
    columns = (replace(sellers.columns[0], required=False), replace(sellers.columns[1], type="text"))
    desk.contract = replace(
        desk.contract, sources=(replace(sellers, columns=(*columns, *sellers.columns[2:])), *desk.contract.sources[:1])
    )
    report = desk.load()
    assert report.read_again == ("sellers (contract changed: its key, or what its records may hold)",)
    assert changed(desk) == {"*": "rebuilt"}
    number = replace(sellers.columns[1], type="integer")
    desk.contract = replace(
        desk.contract, sources=(replace(sellers, columns=(sellers.columns[0], number, *sellers.columns[2:])),)
    )
    report = desk.load()
    assert report.read_again == ("sellers (contract changed: seller_zip_code_prefix was VARCHAR, is INTEGER)",)


# --- any sequence of deliveries ---

RECORDS = st.lists(
    st.builds(
        lambda key, city: b"%s,01310,%s,SP" % (key, city),
        st.sampled_from([b"a", b"b", b"c", b'" a"', b"A"]),
        st.sampled_from([b"x", b"y"]),
    ),
    max_size=6,
)


def current(desk: Desk) -> dict[str, str]:
    """Return the city of each seller in the row that staging takes: the last file by name, the last line."""
    rows = desk.query("select trim(seller_id), seller_city from raw.stg_sellers order by _source_file, _source_line")
    return dict(rows)


@examples(40, 600)
@given(steps=st.lists(st.tuples(st.sampled_from([BASE, LATER]), st.none() | RECORDS), min_size=1, max_size=6))
def test_every_key_whose_current_row_changes_is_noted(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, list[bytes] | None]]
) -> None:
    folder = tmp_path_factory.mktemp("difference")
    whole = load_contract(template_root() / "config" / "sources.yml")
    desk = Desk(folder, replace(whole, sources=(whole.source("sellers"),)), folder / "dw.duckdb")
    deliver(desk, b"a,01310,x,SP", b"z,01310,x,SP")
    desk.load()
    unplaced = "select * exclude (_source_line, _is_current) from raw.stg_sellers"
    try:
        for file, records in steps:
            before, rows = current(desk), desk.query(unplaced)
            if records is None:
                (folder / file).unlink(missing_ok=True)
            else:
                deliver(desk, *records, file=file)
            desk.load()
            noted, after = changed(desk), current(desk)
            different = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
            assert different <= {key.strip() for key in noted}
            in_raw = {seller for (seller,) in desk.query("select seller_id from raw.stg_sellers")}
            assert all((change == "deleted") == (key not in in_raw) for key, change in noted.items())
            new = [row for row in desk.query(unplaced) if row not in rows]
            assert all(run == desk.last_run and seller in noted for seller, *_, run in new)
    finally:
        desk.close()


# --- files that have shrunk ---


def test_a_file_that_lost_many_records_is_held_back_until_it_is_accepted(small: Desk) -> None:
    whole = [b"%d,01310,x,SP" % number for number in range(8)]
    deliver(small, *whole)
    small.load()
    deliver(small, *whole[:5])
    for fresh in (False, True):
        (file,) = [f for f in small.load(fresh=fresh, max_shrink_share=0.25).files if f.source == "sellers"]
        assert (file.status, file.reason_type, file.kept, len(small.rows("sellers"))) == ("held", "partial_file", 8, 8)
        assert "it has 5 records and had 8, 38% fewer" in file.finding().message
        assert file.finding().hint == f"if it is whole: olistctl run --accept {BASE}"
    assert file.is_known
    small.load(max_shrink_share=0.25, accepted=frozenset({BASE}))
    assert len(small.rows("sellers")) == 5
    assert not [f for f in small.load(max_shrink_share=0.25).files if f.status == "held"]


def test_a_file_may_lose_as_many_records_as_the_setting_or_its_source_says(sellers: Desk) -> None:
    whole = [b"%d,01310,x,SP" % number for number in range(8)]
    deliver(sellers, *whole)
    sellers.load()
    deliver(sellers, *whole[:6])
    assert sellers.load(max_shrink_share=0.25).files[0].status == "loaded"
    sellers.contract = replace(sellers.contract, sources=(replace(sellers.contract.sources[0], max_shrink_share=0.1),))
    deliver(sellers, *whole[:5])
    assert sellers.load(max_shrink_share=0.25).files[0].status == "held"
    assert sellers.load(max_shrink_share=0.25, accepted=frozenset({"another.csv"})).files[0].status == "held"


def test_a_header_alone_is_held_back(small: Desk) -> None:
    small.load()
    write_delivery(small.folder, sellers=SELLERS.splitlines(keepends=True)[0])
    (file,) = [f for f in small.load(max_shrink_share=0.25).files if f.source == "sellers"]
    assert (file.status, file.kept) == ("held", 2)
