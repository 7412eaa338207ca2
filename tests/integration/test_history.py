"""docs/history.md, word for word, on a seller who moved, was gone, and came back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.project import Project

PAGE = Path(__file__).resolve().parents[2] / "docs" / "history.md"


def queries() -> list[str]:
    """Return the SQL of the page, block by block."""
    return re.findall(r"^```sql\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def moved(project: Project) -> tuple[Project, str]:
    """The project after three more runs, and the seller of most of its items, whom they are about."""
    seller = project.value("select mode(seller_id) from core.fact_order_items")
    file = project.source_dir / "olist_sellers_dataset.csv"
    lines = file.read_bytes().splitlines(keepends=True)
    others = [line for line in lines if seller.encode() not in line]
    line = f'{seller},"80010",curitiba,PR\n'.encode()
    for delivered in ([*others, line], others, [*others, line]):
        file.write_bytes(b"".join(delivered))
        project.ok("load")
        project.ok("transform")
    return project, seller


def test_the_readme_tells_the_history_of_a_member(moved: tuple[Project, str]) -> None:
    project, seller = moved
    today, versions, absences, then_and_now = (project.query(sql) for sql in queries())

    ((city, state),) = project.query(
        "select seller_city, seller_state from raw.stg_sellers where seller_id = ?", seller
    )
    assert (city, state) == ("curitiba", "PR")
    assert sum(count for _, count in today) == project.value("select count(*) from raw.stg_sellers")

    assert {row[0] for row in versions} == {seller[:8]}, "the others have one version"
    assert [row[3] for row in versions] == [False, False, True]
    assert [row[1] for row in versions[1:]] == [row[2] for row in versions[:-1]], "without a gap"
    first, second, third = (row[4] for row in versions)
    assert (first, third) == ("first seen", "back again, as before")
    assert re.fullmatch(r"zip \d{5} > 80010, city .+ > curitiba, state \w\w > PR", second)

    ((who, gone, back),) = absences
    assert who == seller
    assert versions[1][1] < gone < back == versions[2][1]

    items = project.value("select count(*) from core.fact_order_items")
    assert sum(count for *_, count in then_and_now) == items
    sold = project.query("select count(*) from core.fact_order_items where seller_id = ?", seller)[0][0]
    before = re.findall(r"state (\w\w) > PR", second)[0]
    assert [count for then, now, count in then_and_now if (then, now) == (before, "PR")] == [sold]


def test_every_fact_points_at_the_version_in_force(moved: tuple[Project, str]) -> None:
    project, _ = moved
    assert project.query(
        """
        select count(*) from core.fact_order_items as item
        inner join core.fact_orders as orders using (order_id)
        inner join core.dim_seller as seller using (seller_key)
        where seller.seller_key <> '-1' and not (
            orders.order_purchase_timestamp >= seller.effective_from
            and (seller.effective_to is null or orders.order_purchase_timestamp < seller.effective_to)
        )
        """
    ) == [(0,)]


def test_a_member_whose_record_is_bad_is_gone_only_when_the_record_is_given_up(project: Project) -> None:
    file = project.source_dir / "olist_sellers_dataset.csv"
    header, first, *others = file.read_bytes().splitlines(keepends=True)
    seller = first.split(b",")[0].decode().strip('"')
    before = project.query("select * from core.dim_seller where seller_id = ?", seller)
    file.write_bytes(header + first.rstrip(b"\n") + b",one field too many\n" + b"".join(others))
    project.ok("run")
    assert project.query("select seller_id from staging.stg_sellers where seller_id = ?", seller) == []
    assert project.query("select * from core.dim_seller where seller_id = ?", seller) == before
    assert project.json("verify")["is_equal"]
    project.ok("quarantine", "discard", "1", "--reason", "closed down")
    project.ok("run")
    assert project.query("select is_current from core.dim_seller where seller_id = ?", seller) == [(False,)]
