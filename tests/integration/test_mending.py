"""Quarantine and errors through the command line, on a damaged sample."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.project import Project, new_project

ITEMS = "olist_order_items_dataset.csv"


@pytest.fixture(scope="module")
def damaged_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a loaded sample of which two order items are bad and the sellers are refused."""
    project = new_project(tmp_path_factory.mktemp("damaged") / "project")
    project.ok("sample", "--orders", "300", "--seed", "3", "--out", "data/source")
    items = project.source_dir / ITEMS
    lines = items.read_bytes().split(b"\n")
    lines[9] += b",surplus"
    lines[19] = lines[19].rsplit(b",", 2)[0] + b",12.345,1.00"
    items.write_bytes(b"\n".join(lines))
    sellers = project.source_dir / "olist_sellers_dataset.csv"
    sellers.write_bytes(sellers.read_bytes().replace(b"seller_city", b"city"))
    project.ok("load")
    return project


@pytest.fixture
def damaged(damaged_once: Project, tmp_path: Path) -> Project:
    shutil.copytree(damaged_once.folder, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


def mend(project: Project, **changes: dict[str, str]) -> Path:
    """Export, change the rows with these numbers (`r1`, `r2`) and return the file."""
    project.ok("quarantine", "export", "--out", "mend")
    file = project.folder / "mend" / "order_items.csv"
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        row |= changes.get("r" + row["_quarantine_id"], {})
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return file


def statuses(project: Project) -> dict[str, int]:
    report = project.json("quarantine", "list", "--status", "all")
    result: dict[str, int] = {}
    for count in report["counts"]:
        result[count["status"]] = result.get(count["status"], 0) + count["records"]
    return result


def test_the_summary_accounts_for_every_record(damaged: Project) -> None:
    done = damaged.ok("load", "--full-refresh")
    assert "= " in done.stdout
    assert "+ 2 quarantined" in done.stdout
    assert "olistctl quarantine list" in done.stderr


def test_status_says_how_many_records_wait_for_a_decision(damaged: Project) -> None:
    assert "2 records in quarantine" in damaged.ok("status").stdout
    assert damaged.json("status")["records_in_quarantine"] == 2


def test_show_points_at_the_fault_between_the_neighbours(damaged: Project) -> None:
    lines = damaged.ok("quarantine", "show", "2").stdout.splitlines()
    at = next(index for index, line in enumerate(lines) if line.strip().startswith("|"))
    value = lines[at - 1]
    start, end = lines[at].index("^"), lines[at].rindex("^") + 1
    assert value[start:end] == "12.345"
    assert [line.split("|")[0].strip() for line in lines[1 : at + 3]] == ["18", "19", "20", "", "21", "22"]


def test_show_clips_a_long_line_around_its_fault(damaged: Project) -> None:
    reviews = damaged.source_dir / "olist_order_reviews_dataset.csv"
    long = b'"r","o",5,,"' + b"x" * 3000 + b'",2018-01-01 00:00:00,2018-01-32 00:00:00\r\n'
    reviews.write_bytes(reviews.read_bytes() + long)
    damaged.ok("load")
    lines = damaged.ok("quarantine", "show", "3").stdout.splitlines()
    at = next(index for index, line in enumerate(lines) if line.strip().startswith("|"))
    assert lines[at - 1][lines[at].index("^") :].startswith("2018-01-32 00:00:00")
    assert max(map(len, lines)) < 300


def test_show_says_so_where_the_file_is_no_longer_the_one_that_was_read(damaged: Project) -> None:
    (damaged.source_dir / ITEMS).unlink()
    shown = damaged.ok("quarantine", "show", "2").stdout
    assert "not the file that was read" in shown
    assert "12.345" in shown


def test_mended_records_are_loaded_with_their_origin_and_outlive_a_full_refresh(damaged: Project) -> None:
    file = mend(damaged, r1={"_surplus": ""}, r2={"price": "12.34"})
    done = damaged.ok("quarantine", "replay", str(file))
    assert "2 records loaded" in done.stdout
    rows = "select _source_line, price::varchar from raw.stg_order_items where _source_line in (10, 20) order by 1"
    before = damaged.query(rows)
    assert [line for line, _ in before] == [10, 20]
    assert before[1][1] == "12.34"
    assert statuses(damaged) == {"replayed": 2}
    damaged.ok("load", "--full-refresh")
    assert damaged.query(rows) == before
    assert statuses(damaged) == {"replayed": 2}


def test_what_is_still_bad_or_not_touched_stays_and_leaves_with_1(damaged: Project) -> None:
    file = mend(damaged, r2={"price": "twelve"})
    done = damaged.call("quarantine", "replay", str(file))
    assert done.returncode == 1
    assert f"{ITEMS}:20: record 2 is still bad: price: expected an amount" in done.stderr
    assert "1 not touched" in done.stdout
    assert statuses(damaged) == {"open": 2}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a,b\n1,2\n",
        b"_quarantine_id,_record,_source\n1,x,order_items\n",
        b"_quarantine_id,_record,_source\nx'; drop table raw.stg_orders,x,order_items\n",
        b"_quarantine_id,_record,_source\n99999999999999999999,x,order_items\n",
        b"_quarantine_id,_record,_source,_source\n1,x,sellers,sellers\n",
        b"\xff\xfe",
    ],
)
def test_a_file_that_is_no_export_changes_nothing(damaged: Project, content: bytes) -> None:
    file = damaged.folder / "mended.csv"
    file.write_bytes(content)
    before = damaged.warehouse.read_bytes()
    done = damaged.call("quarantine", "replay", str(file))
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert damaged.warehouse.read_bytes() == before


def rewritten(file: Path, change: Callable[[list[list[str]]], object]) -> Path:
    """Change the lines of an exported file as somebody might with a spreadsheet."""
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    change(rows)
    with file.open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream, delimiter=";").writerows(rows)
    return file


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[2].pop(), "fewer fields"),
        (lambda rows: rows[2].append("x"), "more or fewer"),
        (lambda rows: rows.append(rows[2]), "stands here again"),
        (lambda rows: rows[1].__setitem__(0, "2") or rows.pop(2), "is not of record 2"),
        (lambda rows: rows[2].__setitem__(2, "orders"), "are missing"),
        (lambda rows: [row.pop(9) for row in rows], "columns of order_items are missing"),
    ],
    ids=["a field less", "a field more", "a record twice", "another number", "another source", "a column less"],
)
def test_a_file_that_was_damaged_in_the_mending_changes_nothing(
    damaged: Project, change: Callable[[list[list[str]]], object], words: str
) -> None:
    before = damaged.contents("raw")
    done = damaged.call("quarantine", "replay", str(rewritten(mend(damaged, r2={"price": "12.34"}), change)))
    assert (done.returncode, words in done.stderr) == (1, True), done.stderr
    assert damaged.contents("raw") == before


def test_columns_in_another_order_blank_lines_and_missing_rows_do_no_harm(damaged: Project) -> None:
    def change(rows: list[list[str]]) -> None:
        for row in rows:
            row.reverse()
        del rows[1]
        rows.append([""] * len(rows[0]))

    file = rewritten(mend(damaged, r2={"price": "12.34"}), change)
    assert "1 record loaded." in damaged.ok("quarantine", "replay", str(file)).stdout


def test_line_ends_in_a_field_stay_as_they_were_in_the_record(damaged: Project) -> None:
    reviews = damaged.source_dir / "olist_order_reviews_dataset.csv"
    bad = b'"r1","o1",five,,"uno\r\ndos",2018-01-01 00:00:00,2018-01-02 00:00:00\r\n'
    reviews.write_bytes(reviews.read_bytes() + bad)
    damaged.ok("load")
    damaged.ok("quarantine", "export", "--out", "mend")
    file = damaged.folder / "mend" / "order_reviews.csv"
    file.write_bytes(file.read_bytes().replace(b"uno\r\ndos", b"uno\ndos"))
    assert "0 records loaded, 1 not touched" in damaged.ok("quarantine", "replay", str(file)).stdout
    file.write_bytes(file.read_bytes().replace(b",five,", b",5,"))
    damaged.ok("quarantine", "replay", str(file))
    assert damaged.query("select review_comment_message from raw.stg_order_reviews where review_id = 'r1'") == [
        ("uno\r\ndos",)
    ]


def test_a_decision_can_be_taken_back_and_is_not_overruled_by_another(damaged: Project) -> None:
    before = damaged.contents("raw")
    file = mend(damaged, r1={"_surplus": ""}, r2={"price": "12.34"})
    damaged.ok("quarantine", "discard", "1", "--reason", "a test")
    done = damaged.call("quarantine", "replay", str(file))
    assert (done.returncode, "record 1 is still bad: it is discarded already" in done.stderr) == (1, True)
    damaged.ok("quarantine", "reopen", "1", "2")
    assert damaged.contents("raw") == before
    assert statuses(damaged) == {"open": 2}
    assert "2 records loaded" in damaged.ok("quarantine", "replay", str(file)).stdout


def test_a_replay_waits_for_the_load_that_a_changed_contract_needs(damaged: Project) -> None:
    file = mend(damaged, r2={"price": "12.34"})
    contract = damaged.folder / "config" / "sources.yml"
    text = contract.read_text()
    assert "{name: freight_value, type: money, required: true}" in text
    contract.write_text(
        text.replace("{name: freight_value, type: money, required: true}", "{name: freight_value, type: text}")
    )
    done = damaged.call("quarantine", "replay", str(file))
    assert (done.returncode, "the contract has changed" in done.stderr) == (1, True), done.stderr


def test_a_very_long_record_can_be_mended(damaged: Project) -> None:
    reviews = damaged.source_dir / "olist_order_reviews_dataset.csv"
    bad = b'"r1","o1",five,,"' + b"x" * 200_000 + b'",2018-01-01 00:00:00,2018-01-02 00:00:00\r\n'
    reviews.write_bytes(reviews.read_bytes() + bad)
    damaged.ok("load")
    damaged.ok("quarantine", "export", "--out", "mend")
    file = damaged.folder / "mend" / "order_reviews.csv"
    file.write_bytes(file.read_bytes().replace(b",five,", b",5,"))
    assert "1 record loaded" in damaged.ok("quarantine", "replay", str(file)).stdout


def test_an_export_that_cannot_be_written_whole_writes_nothing(damaged: Project) -> None:
    orders = damaged.source_dir / "olist_orders_dataset.csv"
    orders.write_bytes(orders.read_bytes() + b"x\n")
    damaged.ok("load")
    mend_dir = damaged.folder / "mend"
    mend_dir.mkdir()
    (mend_dir / "order_items.csv").touch()
    assert damaged.call("quarantine", "export", "--out", "mend").returncode == 2
    assert [file.name for file in mend_dir.iterdir()] == ["order_items.csv"]


def test_a_discarded_record_keeps_its_reason_and_warns_no_more(damaged: Project) -> None:
    reason = "a [red]test[/red]; drop table etl.quarantine --"
    damaged.ok("quarantine", "discard", "1", "2", "--reason", reason)
    assert damaged.query("select distinct status, reason from etl.quarantine") == [("discarded", reason)]
    assert reason in damaged.ok("quarantine", "show", "1").stdout
    again = damaged.ok("load", "--full-refresh")
    assert ITEMS not in again.stderr
    assert "There are no open records" in damaged.ok("quarantine", "export", "--out", "mend").stdout
    validated = json.loads(damaged.call("validate", "--json").stdout)
    assert validated["problems"] == 1, "the refused sellers alone: validate knows what was decided of the records"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("quarantine", "show", "99"), "no record 99 in quarantine"),
        (("quarantine", "discard", "99", "--reason", "x"), "no record 99 in quarantine"),
        (("quarantine", "discard", "1", "--reason", " "), "a reason is needed"),
        (("quarantine", "discard", "--file", "none.csv", "--reason", "x"), "no open record to discard"),
        (("quarantine", "list", "--status", "opne"), "did you mean 'open'?"),
        (("quarantine", "list", "--source", "order"), "did you mean 'orders'?"),
        (("quarantine", "reopen", "99"), "no record 99 in quarantine"),
        (("quarantine", "show", "99999999999999999999"), "99999999999999999999 is more than"),
        (("quarantine", "replay", "none.csv"), "the file is not there"),
        (("errors", "show", "99"), "no error 99"),
        (("errors", "resolve", "1", "99"), "no error 99"),
        (("errors", "list", "--status", "x"), "no status 'x'"),
    ],
)
def test_what_is_not_there_is_a_wrong_call_that_changes_nothing(
    damaged: Project, arguments: tuple[str, ...], words: str
) -> None:
    before = damaged.warehouse.read_bytes()
    done = damaged.call(*arguments)
    assert (done.returncode, damaged.warehouse.read_bytes() == before) == (2, True), done.stderr
    assert words in done.stderr
    assert list((damaged.warehouse.parent / ".olist_dw" / "journal").glob("*")) == [], "a wrong call is no failed run"


def test_an_export_replaces_no_file_unasked(damaged: Project) -> None:
    mend(damaged)
    assert damaged.call("quarantine", "export", "--out", "mend").returncode == 2
    damaged.ok("quarantine", "export", "--out", "mend", "--overwrite")


def test_errors_of_a_load_are_open_until_somebody_settles_them(damaged: Project) -> None:
    entries: list[dict[str, Any]] = damaged.json("errors", "list")["errors"]
    assert {(e["error_type"], e["details"]["where"]) for e in entries} == {
        ("bad_money", ITEMS),
        ("schema_mismatch", "olist_sellers_dataset.csv"),
    }
    first, second = sorted(e["error_id"] for e in entries)
    damaged.ok("errors", "resolve", str(first), "--reason", "delivered again")
    damaged.ok("errors", "ignore", str(second))
    assert damaged.json("errors", "list")["errors"] == []
    assert damaged.query("select resolution_status from etl.error_log order by error_id") == [
        ("RESOLVED",),
        ("IGNORED",),
    ]
    assert "delivered again" in damaged.ok("errors", "show", str(first)).stdout


def test_an_error_of_a_run_that_published_nothing_is_listed_at_once_and_entered_by_the_next(damaged: Project) -> None:
    failed = damaged.call("load", "--source-dir", "nowhere")
    assert failed.returncode == 2
    entries = damaged.json("errors", "list")["errors"]
    assert (entries[0]["error_id"], entries[0]["error_type"]) == (None, "ConfigError")
    damaged.ok("load")
    assert damaged.query("select count(*) from etl.error_log where error_type = 'ConfigError'") == [(1,)]


def test_validate_says_what_load_does(damaged: Project) -> None:
    validated = json.loads(damaged.call("validate", "--json").stdout)["files"]
    loaded = damaged.json("load", "--full-refresh")["load"]["files"]
    for said, done in zip(validated, loaded, strict=True):
        for key in (
            "file",
            "status",
            "records",
            "loaded",
            "quarantined",
            "bad",
            "bad_counts",
            "examples",
            "reason_type",
        ):
            assert said["load"][key] == done[key], key
