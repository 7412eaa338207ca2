"""Two warehouse files compared: what counts as a difference, and how it is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from olistctl.config import Settings
from olistctl.errors import BusyError, EnvironmentFault
from olistctl.verifying import ColumnDifference, TableComparison, compare_warehouses
from olistctl.verifying.scratch import scratch_of
from olistctl.warehouse import writer_lock

ORDERS = (
    "create table core.fact_orders as "
    "from (values ('k1', 'o1', 10.00), ('k2', 'o2', null)) t(order_key, order_id, amount)"
)
Compare = Callable[..., dict[str, TableComparison]]


def write(file: Path, *statements: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(file)) as connection:
        for schema in ("raw", "staging", "core", "mart"):
            connection.execute(f"create schema {schema}")
        for statement in statements:
            connection.execute(statement)
    return file


@pytest.fixture
def compare(tmp_path: Path) -> Compare:
    def run(live: list[str], fresh: list[str], rows: int = 5) -> dict[str, TableComparison]:
        files = [write(tmp_path / side / "dw.duckdb", *sql) for side, sql in (("live", live), ("fresh", fresh))]
        return {table.name: table for table in compare_warehouses(*files, rows=rows, threads=2)}

    return run


def only(tables: dict[str, TableComparison]) -> TableComparison:
    (table,) = tables.values()
    return table


def differs(left: str, right: str, compare: Compare) -> bool:
    """Tell whether two lists of values of one column differ."""
    sql = "create table core.t as select v from (values {}) t(v)"
    table = only(compare([sql.format(left)], [sql.format(right)]))
    assert table.is_equal == (not table.only_live and not table.only_fresh) == (not table.examples)
    return not table.is_equal


def test_the_same_rows_are_equal(compare: Compare) -> None:
    table = only(compare([ORDERS], [ORDERS]))
    assert (table.is_equal, table.rows_live, table.rows_fresh, table.examples) == (True, 2, 2, ())


def test_a_cell_that_differs_is_shown_on_both_sides_with_the_natural_key(compare: Compare) -> None:
    table = only(compare([ORDERS, "update core.fact_orders set amount = 99 where order_id = 'o1'"], [ORDERS]))
    assert (table.is_equal, table.only_live, table.only_fresh) == (False, 1, 1)
    assert (table.key, table.differing) == (("order_id",), ("amount",))
    assert [(e.side, e.times, e.values) for e in table.examples] == [
        ("warehouse", 1, {"order_key": "k1", "order_id": "o1", "amount": "99.00"}),
        ("full refresh", 1, {"order_key": "k1", "order_id": "o1", "amount": "10.00"}),
    ]
    assert table.what == "1 row only in the warehouse, 1 only in a full refresh"


def test_a_lost_row_and_one_too_many(compare: Compare) -> None:
    lost = only(compare([ORDERS, "delete from core.fact_orders where order_id = 'o2'"], [ORDERS]))
    assert (lost.rows_live, lost.rows_fresh, lost.only_live, lost.only_fresh) == (1, 2, 0, 1)
    assert lost.examples[0].values == {"order_key": "k2", "order_id": "o2", "amount": None}


def test_how_often_a_row_is_there_counts(compare: Compare) -> None:
    sql = "create table core.t as select v from (values {}) t(v)"
    table = only(compare([sql.format("('a'), ('a'), ('a'), ('b')")], [sql.format("('a'), ('b'), ('b')")]))
    assert (table.only_live, table.only_fresh) == (2, 1)
    assert [(e.side, e.times, e.values["v"]) for e in table.examples] == [
        ("warehouse", 2, "a"),
        ("full refresh", 1, "b"),
    ]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("(null), ('a')", "('a'), (null)", False),
        ("(null::varchar)", "('')", True),
        ("(null::int)", "(null::int), (null)", True),
        ("('a')", "('a ')", True),
        ("('a')", "('A')", True),
        ("(0.1::double + 0.2::double)", "(0.3::double)", True),
        ("('nan'::double)", "('nan'::double)", False),
        ("([1, null])", "([null, 1])", True),
    ],
)
def test_what_is_the_same_value(left: str, right: str, expected: bool, compare: Compare) -> None:
    assert differs(left, right, compare) is expected


def test_when_and_by_which_run_a_row_was_loaded_does_not_count(compare: Compare) -> None:
    noted = ("_loaded_at", "_run_id", "created_at", "updated_at", "dbt_updated_at")
    sql = "create table raw.t as select 1 as id, " + ", ".join(f"'{{0}}' as {column}" for column in noted)
    bare = "create table raw.u as select '{0}' as _run_id"
    tables = compare([sql.format("x"), bare.format("x")], [sql.format("y"), bare.format("y")])
    assert [table.is_equal for table in tables.values()] == [True, True]


def test_the_order_of_rows_and_columns_does_not_count(compare: Compare) -> None:
    turned = "create table core.fact_orders as select amount, order_id, order_key from ({}) order by order_id desc"
    values = ORDERS.removeprefix("create table core.fact_orders as ")
    assert only(compare([ORDERS], [turned.format(values)])).is_equal


def test_a_column_more_or_less_or_of_another_type_is_a_difference(compare: Compare) -> None:
    live = "create table core.t as select 1 as id, 'x' as note, '01' as number"
    fresh = "create table core.t as select 1 as id, 1 as number, 2 as extra"
    table = only(compare([live], [fresh]))
    assert table.columns == (
        ColumnDifference("note", "VARCHAR", None),
        ColumnDifference("number", "VARCHAR", "INTEGER"),
        ColumnDifference("extra", None, "INTEGER"),
    )
    assert (table.is_equal, table.only_live, table.only_fresh) == (False, 0, 0), "the column that both have is the same"
    for word in ("note only in the warehouse", "extra only in a full refresh", "number is VARCHAR"):
        assert word in table.what


def test_tables_without_a_column_in_common_still_count_their_rows(compare: Compare) -> None:
    table = only(compare(["create table core.t as from range(3) r(a)"], ["create table core.t as from range(2) r(b)"]))
    assert (table.rows_live, table.rows_fresh, table.is_equal) == (3, 2, False)


def test_a_table_that_one_side_lacks(compare: Compare) -> None:
    tables = compare([ORDERS], ["create table mart.m as from range(3)"])
    here, there = tables["core.fact_orders"], tables["mart.m"]
    assert (here.rows_live, here.rows_fresh, here.only_live, here.what) == (
        2, None, 2, "a full refresh does not have it",
    )  # fmt: skip
    assert (there.rows_live, there.rows_fresh, there.only_fresh, there.what) == (
        None, 3, 3, "only a full refresh has it",
    )  # fmt: skip
    assert not here.is_equal
    assert not there.is_equal


def test_names_and_values_are_never_sql(compare: Compare) -> None:
    odd = '''create table core."t""; drop table x; --" as select 'a' as "id'; --", 'b''"[red]' as "c ""0""" '''
    (name, table) = next(iter(compare([odd], [odd.replace("'a'", "'z'")]).items()))
    assert name == 'core.t"; drop table x; --'
    assert (table.key, table.only_live, table.only_fresh) == (("id'; --",), 1, 1)
    assert table.examples[0].values == {"id'; --": "a", 'c "0"': "b'\"[red]"}


# The first as DuckDB 2 keeps a view; in the second the database stays named, as in all views of DuckDB 1.
VIEWS = (
    "create view staging.v as select * from dw.raw.t",
    "create view staging.v as select * from query('from dw.raw.t')",
)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_reads_the_tables_of_its_own_file(compare: Compare, view: str) -> None:
    tables = compare(["create table raw.t as select 1 as id", view], ["create table raw.t as select 2 as id", view])
    for name in ("raw.t", "staging.v"):
        assert (tables[name].only_live, tables[name].only_fresh) == (1, 1)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("broken", ["live", "fresh"])
def test_a_view_that_cannot_be_read_is_a_difference(compare: Compare, broken: str, view: str) -> None:
    good = ["create table raw.t as select 1 as id", view]
    bad = [*good, "drop table raw.t"]
    table = compare(*((bad, good) if broken == "live" else (good, bad)))["staging.v"]
    assert not table.is_equal
    assert "cannot be read" in table.what


def test_examples_are_of_the_same_keys_and_no_more_than_asked_for(compare: Compare) -> None:
    sql = "create table core.t as select 'k' || -i as t_key, i as id, i * {} as v from range(20) r(i)"
    table = only(compare([sql.format(2)], [sql.format(3)], rows=2))
    assert (table.only_live, table.only_fresh, table.differing) == (19, 19, ("v",))
    assert [e.values["id"] for e in table.examples] == ["1", "2", "1", "2"]


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        ("'k' || i as t_key, i as id", ("id",)),
        ("i // 2 as id, i as effective_from", ("id", "effective_from")),
        ("i // 2 as id, i % 2 as n, i as v", ("id", "n")),
        ("i as t_key", ("t_key",)),
        ("1 as a, 2 as b, 3 as c, 4 as d, 5 as e", ("a", "b", "c", "d")),
    ],
)
def test_the_key_is_what_tells_rows_apart(compare: Compare, columns: str, key: tuple[str, ...]) -> None:
    sql = f"create table core.t as select {columns} from range(8) r(i)"
    assert only(compare([sql, "delete from core.t where rowid = 0"], [sql])).key == key


def test_the_ledger_and_other_schemas_are_not_compared(compare: Compare) -> None:
    own = [
        "create schema etl",
        "create table etl.t as select 1",
        "create schema mine",
        "create table mine.t as select 1",
    ]
    assert compare(own, []) == {}


# --- the scratch ---


@pytest.fixture
def live(settings: Settings) -> Path:
    return write(settings.warehouse, ORDERS)


def test_the_scratch_is_a_copy_that_goes_away(settings: Settings, live: Path) -> None:
    before = live.read_bytes()
    with scratch_of(settings) as scratch:
        place = scratch.live.parents[1]
        assert scratch.live.read_bytes() == before
        assert scratch.settings.warehouse.read_bytes() == before
        assert {scratch.live.name, scratch.settings.warehouse.name} == {live.name}
        for path in (scratch.settings.state_dir, scratch.settings.quarantine_dir, scratch.settings.journal_dir):
            assert path.is_relative_to(place)
    assert not place.exists()
    assert live.read_bytes() == before


def test_the_scratch_goes_away_after_an_error_and_clears_what_a_killed_one_left(settings: Settings, live: Path) -> None:
    left = settings.state_dir / "verify" / "scratch" / "live"
    left.mkdir(parents=True)
    (left / "olist_dw.duckdb.wal").write_bytes(b"of another time")
    with pytest.raises(ZeroDivisionError), scratch_of(settings) as scratch:
        assert [file.name for file in left.iterdir()] == [scratch.live.name]
        raise ZeroDivisionError
    assert not left.parent.exists()


def test_what_a_foreign_writer_left_in_its_log_is_copied_too(settings: Settings, live: Path) -> None:
    with duckdb.connect(str(live)) as connection:
        connection.execute("pragma disable_checkpoint_on_shutdown")
        connection.execute("delete from core.fact_orders")
    log = live.with_name(live.name + ".wal")
    assert log.exists()
    with scratch_of(settings) as scratch:
        for file in (scratch.live, scratch.settings.warehouse):
            with duckdb.connect(str(file), read_only=True) as connection:
                assert connection.execute("select count(*) from core.fact_orders").fetchall() == [(0,)]
    assert log.exists()


def test_a_writer_is_not_waited_for_but_a_second_verification_is_refused(settings: Settings, live: Path) -> None:
    with (
        writer_lock(settings.state_dir, "run"),
        scratch_of(settings),
        pytest.raises(BusyError, match="olistctl verify"),
        scratch_of(settings),
    ):
        pass


def test_without_a_warehouse_there_is_nothing_to_verify(settings: Settings) -> None:
    with pytest.raises(EnvironmentFault, match="no warehouse"), scratch_of(settings):
        pass
    assert not (settings.state_dir / "verify" / "scratch").exists()
