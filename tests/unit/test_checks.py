"""The checks that need the rows of all sources: keys, references, rules, empty fields."""

from __future__ import annotations

from dataclasses import replace

import pytest

from olistctl.errors import ConfigError, ExitCode
from olistctl.sources import Rule
from olistctl.validation import Check
from olistctl.validation.checks import Place, null_counts, run_checks
from tests.delivery import FILES, NAMES, ORDERS, RECORDS, SELLERS, plus, with_records, write_delivery
from tests.unit.conftest import Desk

SELLER = b"0015a82c2db000af6aaaf3ae2ecb0532,01310,santo andre,SP"


def failing(desk: Desk, *absent: str) -> dict[tuple[str, str], Check]:
    """Return the checks that some row of the delivery fails, by source and name."""
    desk.load(max_bad_share=1)
    checks = run_checks(desk.connection, desk.contract, absent)
    return {(check.source, check.name): check for check in checks if check.failing}


def with_rule(desk: Desk, condition: str) -> None:
    sellers = replace(desk.contract.source("sellers"), rules=(Rule("some_rule", condition, where="rules.yml:7"),))
    desk.contract = replace(
        desk.contract, sources=tuple(sellers if s.name == "sellers" else s for s in desk.contract.sources)
    )


def test_the_tiny_delivery_breaks_nothing(desk: Desk) -> None:
    assert failing(desk) == {}


def test_every_key_reference_and_rule_of_the_contract_is_checked(desk: Desk) -> None:
    desk.load()
    checks = run_checks(desk.connection, desk.contract, ())
    sources = desk.contract.sources
    assert [check.kind for check in checks].count("duplicate_key") == sum(bool(source.key) for source in sources)
    assert [check.kind for check in checks].count("foreign_key") == sum(len(source.foreign_keys) for source in sources)
    assert [check.kind for check in checks].count("rule") == sum(len(source.rules) for source in sources)


def test_a_key_twice_in_a_file_is_told_with_the_line_of_the_second(small: Desk) -> None:
    write_delivery(small.folder, sellers=plus("sellers", SELLER, SELLER, SELLER))
    check = failing(small)["sellers", "seller_id"]
    assert (check.kind, check.severity, check.failing, check.is_error) == ("duplicate_key", "error", 2, True)
    assert check.examples == (Place(NAMES["sellers"], 5), Place(NAMES["sellers"], 6))
    assert check.finding("more").where == f"{NAMES['sellers']}:5"


def test_a_key_of_several_columns_is_a_duplicate_only_as_a_whole(desk: Desk) -> None:
    item = b"e481f51cbdc54678b7cc49136f2d6af7,%d,e5f2d52b802189ee658865ca93d83a8f,dd7ddc04e1b6c2c614352b383efe2d36,,1,1"
    write_delivery(desk.folder, order_items=plus("order_items", item % 3))
    assert failing(desk) == {}
    write_delivery(desk.folder, order_items=plus("order_items", item % 2))
    assert failing(desk)["order_items", "order_id, order_item_id"].failing == 1


def test_a_key_in_two_files_is_a_new_version_and_no_duplicate(small: Desk) -> None:
    (small.folder / "olist_sellers_dataset_2.csv").write_bytes(SELLERS)
    assert failing(small) == {}


def test_a_source_without_a_key_may_repeat_its_rows(desk: Desk) -> None:
    rows = FILES["geolocation"].splitlines()[1:]
    write_delivery(desk.folder, geolocation=plus("geolocation", *rows))
    assert failing(desk) == {}


def test_a_reference_into_nothing_is_told_with_its_line(desk: Desk) -> None:
    write_delivery(desk.folder, order_payments=plus("order_payments", b"nowhere,1,voucher,1,5.00"))
    check = failing(desk)["order_payments", "order_id"]
    assert (check.kind, check.failing, check.is_error) == ("foreign_key", 1, True)
    assert check.examples == (Place(NAMES["order_payments"], 6),)
    assert check.finding("more").message == "1 row: order_id is not in orders"


def test_a_reference_may_be_empty(desk: Desk) -> None:
    assert b"e5f2d52b802189ee658865ca93d83a8f,,,," in FILES["products"]
    assert ("products", "product_category_name") not in failing(desk)


def test_a_reference_that_the_public_data_breaks_is_a_warning(desk: Desk) -> None:
    write_delivery(desk.folder, category_translation=with_records("category_translation", b"x,y"))
    check = failing(desk)["products", "product_category_name"]
    assert (check.severity, check.is_error) == ("warning", False)


def test_a_reference_is_found_in_any_file_of_the_other_source(desk: Desk) -> None:
    first, *others = ORDERS.splitlines()[1:]
    write_delivery(desk.folder, orders=with_records("orders", first))
    (desk.folder / "olist_orders_dataset_2.csv").write_bytes(with_records("orders", *others))
    assert failing(desk) == {}


def test_what_refers_to_an_absent_source_is_not_checked(desk: Desk) -> None:
    write_delivery(desk.folder, orders=None)
    assert {source for source, _ in failing(desk)} == {"order_items", "order_payments", "order_reviews"}
    assert failing(desk, "orders") == {}


BREAKS = [
    ("sellers", SELLER.replace(b",SP", b",Sao Paulo"), "seller_state_is_brazilian", "error"),
    ("orders", b"x,c3f1c2b5a9d84b0db21f8a3d2c6f9e10,lost,2018-01-01 00:00:00,,,,", "order_status_is_known", "error"),
    (
        "orders",
        b"y,c3f1c2b5a9d84b0db21f8a3d2c6f9e10,created,2018-01-02 00:00:00,2018-01-01 00:00:00,,,",
        "approved_after_purchase",
        "error",
    ),
    (
        "orders",
        b"z,c3f1c2b5a9d84b0db21f8a3d2c6f9e10,delivered,2018-01-02 00:00:00,,,,",
        "delivered_has_date",
        "warning",
    ),
    ("order_payments", b'"53cdb2fc8bc7dce0b6741e2150273451",2,voucher,1,-0.01', "payment_is_not_negative", "error"),
    ("order_payments", b'"53cdb2fc8bc7dce0b6741e2150273451",0,voucher,1,1', "payment_number_is_positive", "error"),
    ("order_reviews", b'r,"53cdb2fc8bc7dce0b6741e2150273451",6,,,,', "score_is_one_to_five", "error"),
    ("geolocation", b'"69900",52.5,13.4,berlin,BE', "point_is_in_brazil", "warning"),
    ("products", b"p,,,,,-1,,,", "weight_is_not_negative", "error"),
]


def test_every_row_that_breaks_a_rule_is_told_with_its_line_and_still_loaded(desk: Desk) -> None:
    records: dict[str, list[bytes]] = {}
    expected = {}
    for source, record, rule, severity in BREAKS:
        records.setdefault(source, []).append(record)
        line = plus(source, *records[source]).count(b"\n")
        expected[source, rule] = ("rule", 1, severity, (Place(NAMES[source], line),))
    write_delivery(desk.folder, **{source: plus(source, *added) for source, added in records.items()})
    found = failing(desk)
    assert {name: (c.kind, c.failing, c.severity, c.examples) for name, c in found.items()} == expected
    for source, added in records.items():
        assert len(desk.rows(source)) == RECORDS[source] + len(added)


def test_a_rule_that_cannot_be_decided_counts_as_met(desk: Desk) -> None:
    write_delivery(desk.folder, sellers=plus("sellers", b"x,01310,y,"))
    assert failing(desk) == {}


def test_many_failing_rows_are_counted_and_five_are_named(small: Desk) -> None:
    write_delivery(small.folder, sellers=plus("sellers", *[SELLER] * 12))
    check = failing(small)["sellers", "seller_id"]
    assert check.failing == 11
    assert [place.line for place in check.examples] == [5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    "condition", ["seller_id =", "no_such_column > 1", "sum(1) > 0", "true); drop table raw.stg_sellers; --", "'x'"]
)
def test_a_rule_that_is_no_condition_is_a_configuration_error(small: Desk, condition: str) -> None:
    with_rule(small, condition)
    with pytest.raises(ConfigError) as caught:
        failing(small)
    assert caught.value.where == "rules.yml:7"
    assert caught.value.exit_code == ExitCode.USAGE
    assert len(small.rows("sellers")) == 2


@pytest.mark.parametrize(
    ("known", "rows", "limit"),
    [
        ((8, 99_441), 99_441, 8),  # the public data: exactly what is known of it
        ((8, 99_441), 2_000, 2),  # a part of it: 0.16, and three times 0.4 by chance
        ((1_350, 99_441), 20_000, 316),
        ((8, 99_441), 99_441 + 20_000, 14),  # and 1.6 of what came besides, and three times 1.3 by chance
        ((0, 1), 1_000_000, 0),
    ],
)
def test_as_many_rows_may_break_a_rule_as_in_the_public_data(known: tuple[int, int], rows: int, limit: int) -> None:
    assert Rule("some_rule", "true", "warning", "", *known).limit(rows) == limit


def test_what_is_known_of_the_public_data_is_no_warning(small: Desk) -> None:
    with_rule(small, "seller_id = ''")
    (rule,) = small.contract.source("sellers").rules
    small.load()
    for known, is_good in (2, True), (1, False):
        sellers = replace(small.contract.source("sellers"), rules=(replace(rule, known_count=known, known_of=2),))
        small.contract = replace(small.contract, sources=(sellers,))
        (check,) = (check for check in run_checks(small.connection, small.contract, ()) if check.kind == "rule")
        assert (check.failing, check.allowed, check.is_good) == (2, known, is_good)


def test_a_rule_may_end_in_a_comment(small: Desk) -> None:
    with_rule(small, "seller_id <> '' -- never empty")
    assert failing(small) == {}


def test_empty_fields_are_counted_by_column(small: Desk) -> None:
    small.load()
    assert null_counts(small.connection, small.contract.source("orders")) == {
        "order_approved_at": 1,
        "order_delivered_carrier_date": 1,
        "order_delivered_customer_date": 2,
    }
    assert null_counts(small.connection, small.contract.source("sellers")) == {}
