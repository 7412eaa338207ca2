"""Whatever is delivered, taken away, mended and discarded in whatever order: the result is that of a full refresh."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from olistctl import ledger
from olistctl.ledger import Mend
from olistctl.project_files import template_root
from olistctl.sources import load_contract
from tests.delivery import NAMES, with_records
from tests.torture.scale import examples
from tests.unit.conftest import AT, Desk

BASE, LATER = NAMES["sellers"], "olist_sellers_dataset_2018.csv"
# Three good records, two bad ones, and one that is bad in another way.
POOL = (
    b"a,01310,x,SP",
    b"b,01310,y,SP",
    b"c,01310,z,RJ",
    b"d,1310,bad zip,SP",
    b"e,bad,bad zip,SP",
    b"f,01310,one too many,SP,x",
)
RECORDS = st.lists(st.sampled_from(POOL), max_size=7)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([BASE, LATER]), RECORDS),
        st.tuples(st.just("remove"), st.just(LATER)),
        st.tuples(st.sampled_from(["mend", "discard", "reopen"]), st.integers(1, 5)),
        st.tuples(st.just("load"), st.booleans()),
    ),
    min_size=3,
    max_size=14,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def decide(desk: Desk, what: str, number: int) -> None:
    """Decide of a record as the commands do: only open ones are mended or discarded."""
    ledger.create(desk.connection)
    for record in ledger.quarantined(desk.connection, quarantine_ids=[number], is_present=True):
        if what == "reopen":
            ledger.set_status(desk.connection, [number], ledger.OPEN, None, AT)
        elif record.status == ledger.OPEN and what == "discard":
            ledger.set_status(desk.connection, [number], ledger.DISCARDED, "a test", AT)
        elif record.status == ledger.OPEN:
            fields = (f"mended {number}", "01310", "town", "SP")
            ledger.note_mended(desk.connection, [Mend(number, record.line, fields)], AT)


def take(desk: Desk, step: tuple[str, object]) -> None:
    what, value = step
    if what == "load":
        desk.load(max_bad_share=1, fresh=bool(value))
    elif what == "remove":
        (desk.folder / LATER).unlink(missing_ok=True)
    elif isinstance(value, int):
        decide(desk, what, value)
    elif isinstance(value, list):
        (desk.folder / what).write_bytes(with_records("sellers", *value))


@examples(24, 300)
@given(steps=STEPS)
def test_any_order_of_deliveries_and_decisions_ends_as_a_full_refresh_does(
    folder: Path, steps: list[tuple[str, object]]
) -> None:
    whole = load_contract(template_root() / "config" / "sources.yml")
    source = folder / "source"
    source.mkdir(exist_ok=True)
    for old in [*source.iterdir(), *folder.glob("*.duckdb*")]:
        old.unlink()
    desk = Desk(source, replace(whole, sources=(whole.source("sellers"),)), folder / "dw.duckdb")
    (source / BASE).write_bytes(with_records("sellers", *POOL))
    try:
        desk.load(max_bad_share=1)
        for step in steps:
            take(desk, step)
        desk.load(max_bad_share=1)
        rows, decided = desk.everything(), desk.query("from etl.quarantine order by all")
        desk.load(max_bad_share=1, fresh=True)
        assert desk.everything() == rows
        assert desk.query("from etl.quarantine order by all") == decided
        present = sum(len(file.read_bytes().splitlines()) - 1 for file in source.iterdir())
        held = desk.query("select count(*) from etl.quarantine where is_present and status <> 'replayed'")
        assert len(rows["sellers"]) + held[0][0] == present
    finally:
        desk.close()
