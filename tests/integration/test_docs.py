"""`olistctl docs`: dbt's documentation with what the warehouse holds."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from threading import Thread
from typing import Any

import duckdb
import pytest

from olistctl.errors import EnvironmentFault
from olistctl.publishing.serving import serve_page
from tests.project import Project


def data_of(page: str, schema: str) -> dict[str, Any]:
    """Return the JSON that stands in the page, as its script reads it."""
    begin = page.index('{"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/' + schema)
    data: dict[str, Any] = json.JSONDecoder().raw_decode(page[begin:])[0]
    return data


@pytest.fixture(scope="module")
def page(built: Project) -> str:
    made = built.json("docs")
    assert made["file"] == str(built.folder / "data" / "olist_dw_docs.html")
    return Path(made["file"]).read_text(encoding="utf-8")


def test_the_catalog_shows_rows_columns_and_freshness(built: Project, page: str) -> None:
    catalog = data_of(page, "catalog")
    tables = "select table_schema, table_name from information_schema.tables where table_schema in ('core', 'quality')"
    for schema, table in built.query(tables):
        shown = catalog["nodes"][f"model.olist_dw.{table}"]
        assert shown["stats"]["rows"]["value"] == f"{built.value(f'select count(*) from {schema}.{table}'):,}"
        columns = built.query(
            "select column_name, data_type from information_schema.columns where table_schema = ? and table_name = ? "
            "order by ordinal_position", schema, table,
        )  # fmt: skip
        assert [(column["name"], column["type"]) for column in shown["columns"].values()] == columns
        assert shown["stats"]["built_at"]["value"] == str(built.value("select built_at from etl.builds"))[:19]
    orders = catalog["sources"]["source.olist_dw.raw.stg_orders"]
    assert orders["stats"]["loaded_at"]["value"] == str(built.value("select max(_loaded_at) from raw.stg_orders"))[:19]


def test_the_catalog_has_lineage_descriptions_tests_and_consumers(built: Project, page: str) -> None:
    manifest = data_of(page, "manifest")
    mart = manifest["nodes"]["model.olist_dw.mart_seller_scorecard"]
    assert mart["description"] and all(column["description"] for column in mart["columns"].values())
    assert "test.olist_dw.unique_mart_seller_scorecard_seller_id" in " ".join(manifest["nodes"])
    marts = {key for key, node in manifest["nodes"].items() if node["schema"] in ("core", "mart")}
    released = set(manifest["exposures"]["exposure.olist_dw.parquet_release"]["depends_on"]["nodes"])
    models = {key for key in marts if key.startswith("model.")}
    assert released == models, "the exposure names every table of core and mart"
    assert str(built.folder) not in page, "no path of the machine that made it"


def test_the_catalog_knows_a_changed_project_and_failing_tests(project: Project) -> None:
    model = project.folder / "olist_dw_dbt" / "models" / "exposures.yml"
    model.write_text(model.read_text().replace("Parquet release", "Files </script><b>of</b> ours"))
    with duckdb.connect(str(project.warehouse)) as connection:
        connection.execute("update etl.builds set failed_tests = ?", [json.dumps([FAILED])])
    project.ok("docs", "--out", "docs/page.html")
    text = (project.folder / "docs" / "page.html").read_text(encoding="utf-8")
    assert "</script><b>of</b>" not in text
    label = data_of(text, "manifest")["exposures"]["exposure.olist_dw.parquet_release"]["label"]
    assert label == "Files </script><b>of</b> ours"
    stats = data_of(text, "catalog")["nodes"]["model.olist_dw.dim_seller"]["stats"]
    assert stats["failing"]["value"] == FAILED["test"]


def test_the_catalog_needs_nothing_that_dbt_has_left(project: Project) -> None:
    artifacts = project.artifacts
    for gone in (artifacts / "target" / "manifest.json", artifacts):
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
        assert project.json("docs")["models"] > 40


def test_a_project_that_does_not_parse_is_named(project: Project) -> None:
    model = project.folder / "olist_dw_dbt" / "models" / "marts" / "mart_broken.sql"
    model.write_text("select * from {{ ref('nowhere') }}")
    done = project.call("docs")
    assert done.returncode == 1
    assert "nowhere" in done.stderr and "mend the project" in done.stderr


FAILED = {"test": "unique_dim_seller_seller_key", "message": "2 rows", "where": "dim_seller", "hint": None}


def test_the_page_is_served_to_this_machine_alone(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("<p>été</p>", encoding="utf-8")
    with serve_page(file, 0) as server:
        thread = Thread(target=server.run)
        thread.start()
        try:
            with urllib.request.urlopen(server.url) as answer:
                assert answer.read().decode() == "<p>été</p>"
            for url, host, code in ((server.url + "other", None, 404), (server.url, "evil.example", 403)):
                request = urllib.request.Request(url, headers={"Host": host} if host else {})
                with pytest.raises(urllib.error.HTTPError) as caught:
                    urllib.request.urlopen(request)
                assert caught.value.code == code
                caught.value.close()
            with pytest.raises(EnvironmentFault, match="nothing can be served"), serve_page(file, _port(server.url)):
                pass
        finally:
            server.stop()
            thread.join()


def _port(url: str) -> int:
    return int(url.rsplit(":", 1)[1].strip("/"))


def test_without_a_warehouse_there_is_no_catalog(project: Project) -> None:
    project.warehouse.unlink()
    done = project.call("docs")
    assert (done.returncode, "there is no warehouse yet" in done.stderr) == (2, True)
