"""Marts and core as files, by the command line: the last stage of a run, and `olistctl publish`."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import openpyxl
import pytest

from tests.project import Project

SHARED = "table_schema in ('core', 'mart')"


def test_a_run_leaves_marts_and_core_as_parquet(built: Project) -> None:
    latest = built.folder / "data" / "olist_dw_parquet" / "latest"
    tables = built.query(f"select table_schema, table_name from information_schema.tables where {SHARED} order by all")
    assert sorted(str(file.relative_to(latest)) for file in latest.glob("*/*")) == [
        f"{schema}/{table}.parquet" for schema, table in tables
    ]
    with duckdb.connect(str(built.warehouse), read_only=True) as connection:
        for schema, table in tables:
            ours, theirs = f"{schema}.{table}", f"read_parquet('{latest / schema / table}.parquet')"
            for one, other in ((ours, theirs), (theirs, ours)):
                assert connection.execute(f"select * from {one} except all select * from {other}").fetchall() == []
    described = json.loads((latest / "manifest.json").read_text())["tables"]
    assert all(table["description"] and all(c["description"] for c in table["columns"]) for table in described)
    stages = json.loads((built.folder / "run.json").read_text())["stages"]
    assert [stage["stage"] for stage in stages][-2:] == ["publish", "export"]


def test_a_release_that_cannot_be_written_is_a_warning_and_comes_with_the_next_run(project: Project) -> None:
    folder = project.folder / "data" / "elsewhere"
    folder.write_text("in the way")
    there = {"OLISTCTL_PARQUET_DIR": str(folder)}
    done = project.ok("run", **there)
    assert "warning" in done.stderr and "a file lies where the folder" in done.stderr
    folder.unlink()
    done = project.ok("run", **there)
    assert f"export: 20 tables, {folder / 'latest'}" in done.stdout
    assert (folder / "latest" / "mart" / "mart_executive_monthly.parquet").is_file()
    assert "export" not in project.ok("run", **there).stdout
    assert "nothing has changed since" in project.ok("publish", **there).stdout


def test_a_release_shares_the_files_of_what_has_not_changed(project: Project) -> None:
    latest = project.folder / "data" / "olist_dw_parquet" / "latest"
    sellers = project.folder / "data" / "source" / "olist_sellers_dataset.csv"
    header, first, *others = sellers.read_text(encoding="utf-8").splitlines(keepends=True)

    def files() -> dict[str, int]:
        return {file.name: file.stat().st_ino for file in latest.glob("*/*.parquet")}

    def shared(town: str) -> set[str]:
        before = files()
        seller, zip_code, _, state = first.split(",")
        sellers.write_text("".join([header, f"{seller},{zip_code},{town},{state}", *others]), encoding="utf-8")
        project.ok("run")
        with duckdb.connect(str(project.warehouse), read_only=True) as connection:
            for file in latest.glob("*/*.parquet"):
                table = f"{file.parent.name}.{file.stem}"
                assert connection.execute(f"from {table} except all from read_parquet('{file}')").fetchall() == []
                assert connection.execute(f"from read_parquet('{file}') except all from {table}").fetchall() == []
        return {name for name, inode in files().items() if before.get(name) == inode}

    once = shared("town one")
    assert {"fact_orders.parquet", "fact_payments.parquet", "mart_customer_analytics.parquet"} <= once
    assert {"fact_order_items.parquet", "mart_product_performance.parquet"} <= once, "built, and as they were"
    assert not once & {"dim_seller.parquet", "mart_seller_scorecard.parquet"}

    damaged = latest / "core" / "fact_orders.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert shared("town two") == once - {damaged.name}

    project.ok("transform", "--full-refresh")  # no run that leaves a release
    assert not shared("town three"), "the release is not of the build before"


def test_releases_can_be_switched_off(project: Project) -> None:
    off = {"OLISTCTL_PARQUET_DIR": "none"}
    done = project.ok("run", "--full-refresh", "--json", **off)
    assert [stage["stage"] for stage in json.loads(done.stdout)["stages"]][-1] == "publish"
    refused = project.call("publish", **off)
    assert (refused.returncode, "--out DIR" in refused.stderr) == (2, True)
    made = json.loads(project.ok("publish", "--out", "release", "--json", **off).stdout)
    assert len(made["tables"]) == 20 and (project.folder / "release" / "latest" / "core").is_dir()


def test_a_mart_becomes_a_workbook_with_its_definitions(built: Project, tmp_path: Path) -> None:
    (written,) = built.json("publish", "--mart", "mart_seller_scorecard", "--format", "xlsx", "--out", str(tmp_path))
    book = openpyxl.load_workbook(written["file"])
    head, *rows = book["mart_seller_scorecard"].iter_rows(values_only=True)
    gmv = [float(str(row[head.index("gmv")])) for row in rows]
    assert sum(round(value * 100) for value in gmv) == built.value(
        "select sum(gmv) * 100 from mart.mart_seller_scorecard"
    )
    assert len(list(book["about the columns"].iter_rows())) == 3 + book["mart_seller_scorecard"].max_column
    again = built.call("publish", "--mart", "mart_seller_scorecard", "--format", "xlsx", "--out", str(tmp_path))
    assert (again.returncode, "--overwrite" in again.stderr) == (2, True)


@pytest.mark.parametrize("version", ["v1.2.0", "v1.5.0"])
def test_the_warehouse_has_the_storage_version_of_the_settings(project: Project, version: str) -> None:
    project.ok("run", "--full-refresh", OLISTCTL_PUBLISH_STORAGE_VERSION=version)
    tags = "select tags['storage_version'] from duckdb_databases() where database_name = 'olist_dw'"
    assert project.value(tags) == f"{version}+"
