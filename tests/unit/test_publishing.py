"""Marts and core as files: releases of Parquet, and single files."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import openpyxl
import pytest

from olistctl import ledger
from olistctl.config import Settings
from olistctl.errors import BusyError, DataError, EnvironmentFault, UsageError
from olistctl.publishing import in_script, is_released, publish_release, write_files, write_html
from olistctl.publishing.tables import Column, SharedTable
from olistctl.publishing.workbook import write_workbook
from olistctl.warehouse import writer_lock
from olistctl.warehouse.published import note_published

BUILD = ledger.Build("run1", "sha", datetime(2026, 1, 2, 3, 4, 5))
MART = '''
create schema core; create schema mart; create schema staging;
create table mart.sales as
    select * from (values
        ('=1+1', 1234.56::decimal(18, 2), 7::bigint, 0.25::double, true, date '2018-01-31',
         timestamp '2018-01-31 10:20:30'),
        ('são "paulo", sp', -0.01, 0, null, false, null, null),
        (null, null, null, null, null, null, null)
    ) as t(city, gmv, orders, share, is_late, day, moment);
create table core."dim ""x""" as select range as id from range(3);
create view core.a_view as select count(*) as n from core."dim ""x""";
create table staging.hidden as select 1 as a;
'''


def fill(settings: Settings, sql: str, build: ledger.Build | None = BUILD) -> None:
    """Run statements in the warehouse as olistctl would: it knows the file afterwards."""
    settings.warehouse.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(settings.warehouse)) as connection:
        ledger.create(connection)
        connection.execute(sql)
        if build:
            ledger.note_built(connection, build)
    note_published(settings.warehouse, settings.state_dir)


@pytest.fixture
def shop(settings: Settings) -> Settings:
    settings.state_dir.mkdir(parents=True)
    fill(settings, MART)
    manifest = {
        "nodes": {
            "model.olist_dw.sales": {
                "resource_type": "model",
                "schema": "mart",
                "alias": "sales",
                "description": "One row per\n  city.",
                "columns": {"gmv": {"description": "Price plus freight."}},
            }
        }
    }
    (settings.dbt_artifacts / "target").mkdir(parents=True)
    (settings.dbt_artifacts / "target" / "manifest.json").write_text(json.dumps(manifest))
    return settings


def folder_of(settings: Settings) -> Path:
    assert settings.parquet_dir
    return settings.parquet_dir


def names(settings: Settings) -> list[str]:
    return sorted(path.name for path in folder_of(settings).iterdir())


def test_a_release_holds_what_the_tables_hold(shop: Settings) -> None:
    release = publish_release(shop)
    assert folder_of(shop) == shop.warehouse.with_name("dw_parquet")
    assert [(table.table, table.rows) for table in release.tables] == [
        ("core.a_view", 1), ('core.dim "x"', 3), ("mart.sales", 3),
    ]  # fmt: skip
    with duckdb.connect(str(shop.warehouse), read_only=True) as connection:
        for schema, name in (("core", "a_view"), ("core", 'dim "x"'), ("mart", "sales")):
            file = release.latest / schema / f"{name}.parquet".replace('"', "%22")
            quoted = name.replace('"', '""')
            ours = connection.execute(f'select * from {schema}."{quoted}"')
            columns = [(column[0], str(column[1])) for column in ours.description or ()]
            rows = ours.fetchall()
            theirs = connection.execute("select * from read_parquet(?)", [str(file)])
            assert [(column[0], str(column[1])) for column in theirs.description or ()] == columns
            assert theirs.fetchall() == rows


def test_a_release_spends_no_time_on_shortening_keys(settings: Settings) -> None:
    settings.state_dir.mkdir(parents=True)
    fill(
        settings,
        "create schema mart; create table mart.sales as select md5(i::varchar) as k, i % 3 as n from range(40000) t(i)",
    )
    file = publish_release(settings).latest / "mart" / "sales.parquet"
    columns = duckdb.execute(
        "select path_in_schema, row_group_num_rows, compression, encodings from parquet_metadata(?) order by all",
        [str(file)],
    ).fetchall()
    assert columns == [
        ("k", 9_280, "UNCOMPRESSED", "PLAIN"), ("k", 30_720, "UNCOMPRESSED", "PLAIN"),
        ("n", 9_280, "UNCOMPRESSED", "PLAIN_DICTIONARY"), ("n", 30_720, "UNCOMPRESSED", "PLAIN_DICTIONARY"),
    ]  # fmt: skip


def test_a_release_says_what_its_columns_mean(shop: Settings) -> None:
    manifest = json.loads((publish_release(shop).latest / "manifest.json").read_text())
    sales = {table["table"]: table for table in manifest["tables"]}["mart.sales"]
    assert (manifest["built_by_run"], sales["rows"], sales["description"]) == ("run1", 3, "One row per city.")
    assert sales["columns"][1] == {"name": "gmv", "type": "DECIMAL(18,2)", "description": "Price plus freight."}


def test_only_another_build_makes_another_release(shop: Settings) -> None:
    first = publish_release(shop)
    assert (first.is_new, publish_release(shop).is_new) == (True, False)
    assert is_released(shop, BUILD)
    fill(shop, "create table etl.noted as select 1 as a", build=None)
    assert publish_release(shop).name == first.name, "the ledger is no part of it"
    later = replace(BUILD, run_id="run2")
    fill(shop, "insert into mart.sales (city) values ('rio')", later)
    assert not is_released(shop, later)
    second = publish_release(shop)
    assert (second.is_new, second.tables[-1].rows) == (True, 4)
    assert (folder_of(shop) / "latest").resolve() == second.folder
    assert is_released(shop, later)


def test_what_another_program_has_changed_is_released_anew(shop: Settings) -> None:
    publish_release(shop)
    with duckdb.connect(str(shop.warehouse)) as connection:
        connection.execute("delete from mart.sales")
    assert publish_release(shop).tables[-1].rows == 0


def test_as_many_earlier_releases_stay_as_versions(shop: Settings) -> None:
    made = []
    for number in range(4):
        fill(shop, "select 1", replace(BUILD, run_id=f"run{number}"))
        made.append(publish_release(replace(shop, keep_versions=2)).name)
    (folder_of(shop) / "notes.txt").write_text("of a user")
    fill(shop, "select 1", replace(BUILD, run_id="last"))
    last = publish_release(replace(shop, keep_versions=0))
    assert made == sorted(made)
    assert names(shop) == sorted([last.name, "latest", "notes.txt"])


def test_earlier_releases_go_one_by_one(shop: Settings) -> None:
    kept = []
    for number in range(4):
        fill(shop, "select 1", replace(BUILD, run_id=f"run{number}"))
        kept.append(publish_release(replace(shop, keep_versions=2)).name)
        assert names(shop) == [*kept[-3:], "latest"]


def test_a_release_that_fails_leaves_the_one_before(shop: Settings, tmp_path: Path) -> None:
    before = publish_release(shop)
    sql = (
        "create view mart.broken as select sum(x) as x from (select 9223372036854775807::hugeint * 1e20::hugeint as x)"
    )
    fill(shop, sql, replace(BUILD, run_id="run2"))
    for write in (publish_release, lambda shop: write_files(shop, ["broken"], "xlsx", tmp_path / "files")):
        with pytest.raises(DataError, match="cannot be read") as caught:
            write(shop)
        assert caught.value.where == "mart.broken"
    assert not list((tmp_path / "files").iterdir())
    assert names(shop) == [before.name, "latest"]
    assert (folder_of(shop) / "latest").resolve() == before.folder


def test_what_a_kill_left_is_cleared_up(shop: Settings) -> None:
    draft = folder_of(shop) / ".20260101T000000.000000Z.draft"
    (draft / "core").mkdir(parents=True)
    (folder_of(shop) / ".latest.draft").symlink_to("nowhere")
    release = publish_release(shop)
    assert names(shop) == [release.name, "latest"]


def test_a_folder_named_latest_is_left_alone(shop: Settings) -> None:
    (folder_of(shop) / "latest").mkdir(parents=True)
    (folder_of(shop) / "latest" / "mine.txt").write_text("x")
    release = publish_release(shop)
    assert release.problem and "latest" in release.problem
    assert (folder_of(shop) / "latest" / "mine.txt").exists()


def test_no_folder_no_release(shop: Settings) -> None:
    off = replace(shop, parquet_dir=None)
    assert is_released(off, BUILD)
    with pytest.raises(UsageError, match="'none'"):
        publish_release(off)
    assert publish_release(off, folder=shop.warehouse.with_name("elsewhere")).is_new


def test_a_file_in_the_way_is_named(shop: Settings) -> None:
    folder_of(shop).write_text("")
    with pytest.raises(EnvironmentFault, match="a file lies where the folder") as caught:
        publish_release(shop)
    assert caught.value.where == str(shop.parquet_dir)


def test_releases_wait_for_a_writer(shop: Settings) -> None:
    with writer_lock(shop.state_dir, "run"), pytest.raises(BusyError):
        publish_release(shop)


def test_a_warehouse_without_models_has_nothing_to_release(settings: Settings) -> None:
    with pytest.raises(EnvironmentFault, match="no warehouse"):
        publish_release(settings)
    fill(settings, "create schema core")
    with pytest.raises(DataError, match="not built"):
        publish_release(settings)
    assert names(settings) == []


def test_a_workbook_holds_what_the_table_holds(shop: Settings, tmp_path: Path) -> None:
    (written,) = write_files(shop, ["sales"], "xlsx", tmp_path / "new folder")
    book = openpyxl.load_workbook(written.file)
    rows = [[cell.value for cell in row] for row in book["sales"].iter_rows()]
    assert rows == [
        ["city", "gmv", "orders", "share", "is_late", "day", "moment"],
        ["=1+1", 1234.56, 7, 0.25, True, datetime(2018, 1, 31), datetime(2018, 1, 31, 10, 20, 30)],
        ['são "paulo", sp', -0.01, 0, None, False, None, None],
    ], "the row of NULLs is empty"
    assert book["sales"]["A2"].data_type == "s", "a text and no formula"
    assert (book["sales"]["B2"].number_format, book["sales"]["F2"].number_format) == ("#,##0.00", "yyyy-mm-dd")
    about = [[cell.value for cell in row] for row in book["about the columns"].iter_rows()]
    assert about[0] == ["mart.sales", None, "One row per city."]
    assert ["gmv", "DECIMAL(18,2)", "Price plus freight."] in about


def test_a_csv_holds_what_the_table_holds(shop: Settings, tmp_path: Path) -> None:
    (written,) = write_files(shop, ["mart.sales"], "csv", tmp_path)
    assert written.file.read_text(encoding="utf-8").splitlines() == [
        "city,gmv,orders,share,is_late,day,moment",
        "=1+1,1234.56,7,0.25,true,2018-01-31,2018-01-31 10:20:30",
        '"são ""paulo"", sp",-0.01,0,,false,,',
        ",,,,,,",
    ]


def test_tables_are_written_once_each_and_named_wrongly_not_at_all(shop: Settings, tmp_path: Path) -> None:
    files = write_files(shop, ["sales", "mart.sales", 'dim "x"'], "parquet", tmp_path)
    assert [file.table for file in files] == ["mart.sales", 'core.dim "x"']
    with pytest.raises(UsageError, match="no table 'sale' in") as caught:
        write_files(shop, ["a_view", "sale"], "csv", tmp_path)
    assert "sales" in (caught.value.hint or "")
    with pytest.raises(UsageError, match="no format 'xls'"):
        write_files(shop, ["sales"], "xls", tmp_path)
    assert not list(tmp_path.glob("*.csv"))


def test_no_name_of_a_table_leads_to_another_file(shop: Settings, tmp_path: Path) -> None:
    fill(shop, 'create table mart."../../x" as select 1 as a; create table core.sales as select 1 as a')
    (written,) = write_files(shop, ["../../x"], "csv", tmp_path / "out")
    assert written.file == tmp_path / "out" / "..%2F..%2Fx.csv"
    with pytest.raises(UsageError, match="more than one table"):
        write_files(shop, ["mart.sales"], "csv", tmp_path / "out")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["..%2F..%2Fx.csv"]
    release = publish_release(shop).folder
    assert sorted(file.name for file in release.rglob("*x*.parquet")) == ["..%2F..%2Fx.parquet", "dim %22x%22.parquet"]


def test_what_a_kill_left_of_a_workbook_goes_with_the_next(shop: Settings, tmp_path: Path) -> None:
    spill = tmp_path / "sales.xlsx.tmp.d"
    spill.mkdir()
    (spill / "rows").write_text("left")
    write_files(shop, ["sales"], "xlsx", tmp_path)
    assert [file.name for file in tmp_path.glob("sales*")] == ["sales.xlsx"]


def test_a_file_that_is_there_is_not_replaced_unasked(shop: Settings, tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("mine")
    with pytest.raises(UsageError, match="already there"):
        write_files(shop, ["a_view", "sales"], "csv", tmp_path)
    assert [file.name for file in tmp_path.glob("*.csv")] == ["sales.csv"]
    write_files(shop, ["sales"], "csv", tmp_path, overwrite=True)
    assert (tmp_path / "sales.csv").read_text().startswith("city,")


def test_what_excel_cannot_hold_is_refused(shop: Settings, tmp_path: Path) -> None:
    large = SharedTable("mart", "large", 1_048_576, "", (Column("a", "INTEGER", ""),))
    with duckdb.connect() as connection, pytest.raises(UsageError, match="1,048,575"):
        write_workbook(connection, large, tmp_path / "large.xlsx")
    fill(shop, "create table mart.long as select repeat('x', 32768) as text_of_it")
    with pytest.raises(UsageError, match="32,768 characters"):
        write_files(shop, ["long"], "xlsx", tmp_path)
    assert not list(tmp_path.glob("*xlsx*"))


def test_no_text_ends_the_script_that_it_stands_in() -> None:
    value = {"city": "</script><script>alert(1)</script><!--"}
    assert "<" not in in_script(value)
    assert json.loads(in_script(value)) == value


def test_values_that_excel_has_no_number_for_are_text(shop: Settings, tmp_path: Path) -> None:
    fill(
        shop,
        """
        create table mart."odd: [1]" as select
            9007199254740993::bigint as large, 'nan'::double as none, 'inf'::double as endless,
            timestamptz '2018-01-31 10:00:00+00' as zoned, date '1899-12-31' as old
        """,
    )
    (written,) = write_files(shop, ["odd: [1]"], "xlsx", tmp_path)
    book = openpyxl.load_workbook(written.file)
    values = [cell.value for cell in book.worksheets[0][2]]
    assert values[:3] == ["9007199254740993", "nan", "inf"] and values[4] == "1899-12-31"
    assert isinstance(values[3], str) and values[3].startswith("2018-01-31")


def test_only_ones_own_is_pruned_and_cleared_up(shop: Settings) -> None:
    for name in (".myZ.draft", "99999999T999999.999999Z", "99991231T235959.999999Z"):
        (folder_of(shop) / name).mkdir(parents=True)
    (folder_of(shop) / "99999999T999999.999999Z" / "manifest.json").write_text("{}")
    assert publish_release(shop).is_new
    assert {".myZ.draft", "99999999T999999.999999Z"} <= set(names(shop))


def test_a_page_takes_the_place_of_a_page_alone(tmp_path: Path) -> None:
    other, page, link = tmp_path / "orders.csv", tmp_path / "page.html", tmp_path / "link.html"
    other.write_text("order_id\n")
    link.symlink_to(page)
    for file in (other, tmp_path):
        with pytest.raises(UsageError, match=r"no page|a folder"):
            write_html(file, "<!DOCTYPE html>")
    assert other.read_text() == "order_id\n"
    for text in ("<!DOCTYPE html>1", "<!DOCTYPE html>2"):
        assert write_html(link, text) == page
        assert (page.read_text(), link.is_symlink()) == (text, True)
