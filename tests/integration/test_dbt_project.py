"""The dbt project by itself: its unit tests, its descriptions, and the plain `dbt` command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.project import Project, clean_environment

# Every file that the design document lists.
DESIGNED = {
    "stg_orders",
    "stg_customers",
    "stg_order_items",
    "stg_order_payments",
    "stg_order_reviews",
    "stg_products",
    "stg_sellers",
    "stg_geolocation",
    "stg_category_translation",
    "int_order_enriched",
    "int_customer_metrics",
    "int_seller_metrics",
    "int_product_metrics",
    "dim_customer",
    "dim_product",
    "dim_seller",
    "dim_date",
    "dim_geography",
    "dim_category",
    "fact_order_items",
    "fact_orders",
    "fact_payments",
    "fact_reviews",
    "mart_executive_dashboard",
    "mart_customer_analytics",
    "mart_cohort_analysis",
    "mart_product_performance",
    "mart_seller_scorecard",
    "mart_delivery_metrics",
    "mart_geographic_analysis",
    "snapshot_dim_customer",
    "snapshot_dim_product",
    "snapshot_dim_seller",
    "generate_surrogate_key",
    "scd_type_2",
    "custom_tests",
    "assert_positive_order_amounts",
    "assert_valid_date_ranges",
    "assert_referential_integrity",
}


def dbt(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call the plain dbt command in the project's folder, as `cd olist_dw_dbt && dbt …` does."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("dbt")), *arguments],
        cwd=project.folder / "olist_dw_dbt",
        env=clean_environment(DBT_SEND_ANONYMOUS_USAGE_STATS="false"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="session")
def manifest(built: Project) -> dict[str, Any]:
    file = built.artifacts / "target" / "manifest.json"
    loaded: dict[str, Any] = json.loads(file.read_text())
    return loaded


def test_plain_dbt_builds_everything_unit_tests_included(project: Project) -> None:
    """On what `olistctl load` leaves, where no table stands yet, it builds what `olistctl run` does."""
    expected = project.contents("core", "mart")
    project.warehouse.unlink()
    project.ok("load")
    done = dbt(project, "build", "--warn-error-options", '{"error": ["Deprecations"]}')
    assert done.returncode == 0, done.stdout[-3000:]
    results = json.loads((project.folder / "olist_dw_dbt" / "target" / "run_results.json").read_text())["results"]
    kinds = [result["unique_id"].split(".")[0] for result in results]
    assert kinds.count("unit_test") >= 10
    assert {"model", "snapshot", "test"} <= set(kinds)
    done_so = {result["status"] for result in results if not result["unique_id"].startswith("exposure.")}
    assert done_so <= {"success", "pass"}
    found = project.contents("core", "mart")
    assert [table for table in expected if found[table] != expected[table]] == []


def test_marts_have_the_tags_of_the_design(manifest: dict[str, Any]) -> None:
    tags = {node["fqn"][-2]: set(node["tags"]) for node in manifest["nodes"].values() if node["schema"] == "mart"}
    daily = {name: {"daily", name} for name in ("executive", "customer", "product", "seller", "operations")}
    assert tags == daily | {"geographic": {"weekly", "geographic"}}


def test_packages_that_are_not_installed_are_named_with_what_to_type(project: Project) -> None:
    package = project.folder / "ours"
    package.mkdir()
    (package / "dbt_project.yml").write_text("name: ours\nversion: 1.0.0\nconfig-version: 2\n")
    folder = project.folder / "olist_dw_dbt"
    (folder / "packages.yml").write_text("packages:\n  - local: ../ours\n")
    done = project.call("run")
    assert done.returncode == 1
    assert f"next: cd {folder} && dbt deps, then try again; nothing was published" in done.stderr
    installed = dbt(project, "deps")
    assert installed.returncode == 0, installed.stdout
    assert project.json("run")["status"] == "success"


def test_a_seed_has_a_schema_of_its_own(project: Project) -> None:
    seeds = project.folder / "olist_dw_dbt" / "seeds"
    seeds.mkdir()
    (seeds / "holidays.csv").write_text("day,name\n2018-11-23,Black Friday\n")
    assert project.json("run")["status"] == "success"
    assert project.query("from seed.holidays")[0][1] == "Black Friday"


def test_the_designs_files_are_all_there(built: Project) -> None:
    files = {path.stem for path in (built.folder / "olist_dw_dbt").rglob("*.sql")}
    assert files >= DESIGNED


def test_every_model_and_column_is_described_and_every_key_tested(manifest: dict[str, Any], built: Project) -> None:
    models = {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}
    tests = [node for node in manifest["nodes"].values() if node["resource_type"] == "test"]
    for name, model in models.items():
        assert len(model["description"]) > 20, name
        if model["schema"] in ("core", "mart"):
            assert model["config"]["contract"]["enforced"], name
            own = [test for test in tests if test.get("attached_node") == model["unique_id"]]
            kinds = {test["test_metadata"]["name"] for test in own}
            assert any("unique" in kind for kind in kinds), f"{name} has no test of its key"
        if model["config"]["materialized"] == "ephemeral":
            continue
        columns = {row[0] for row in built.query(f'describe "{model["schema"]}"."{name}"')}
        described = {column for column, about in model["columns"].items() if about["description"]}
        assert columns == described, name
