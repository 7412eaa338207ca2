"""One cluster for all tests, and one project that meets the same files on DuckDB and on Spark."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from olistctl.config.settings import variable_of
from tests.comparison import differences
from tests.project import Project, clean_environment, new_project
from tests.spark.cluster import Cluster

_SECONDS = 1800
# Of a member's versions: when a run saw it, which two engines do not share, and the key that is made of it.
_VERSIONED = {
    "core.dim_customer": ("customer_id", "customer_key", "effective_from", "effective_to"),
    "core.dim_product": ("product_id", "product_key", "effective_from", "effective_to"),
    "core.dim_seller": ("seller_id", "seller_key", "effective_from", "effective_to"),
    "snapshots.snapshot_dim_customer": ("customer_id", "dbt_scd_id", "dbt_valid_from", "dbt_valid_to"),
    "snapshots.snapshot_dim_product": ("product_id", "dbt_scd_id", "dbt_valid_from", "dbt_valid_to"),
    "snapshots.snapshot_dim_seller": ("seller_id", "dbt_scd_id", "dbt_valid_from", "dbt_valid_to"),
}
# Each engine estimates it in its own way.
_ESTIMATED = {"quality.dq_file_profiles": "distinct_count"}
SCHEMAS = ("staging", "snapshots", "core", "mart", "quality")


@dataclass(frozen=True)
class Desk:
    """A project whose files are loaded into both warehouses."""

    project: Project
    cluster: Cluster

    @property
    def environment(self) -> dict[str, str]:
        return {variable_of(key): value for key, value in self.cluster.target.items()}

    @property
    def warehouse(self) -> Path:
        return self.project.folder / "data" / "olist_dw_spark.duckdb"

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.project.command(*arguments, "--target", "spark"),
            cwd=self.project.folder,
            env=clean_environment(**(self.environment | environment)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **environment)
        return ended(process)

    def ok(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = self.call(*arguments)
        assert done.returncode == 0, f"{arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self.ok(*arguments, "--json").stdout)

    def differences(self) -> str:
        """Say how the cluster's tables differ from those of DuckDB's warehouse, which has loaded the same files."""
        folder = self.cluster.folder / "compared"
        folder.mkdir(exist_ok=True)
        one, other = folder / "duckdb.duckdb", folder / "spark.duckdb"
        for file in (one, other):
            file.unlink(missing_ok=True)
        tables = [
            f"{schema}.{name}"
            for schema, name in self.project.query(
                "select table_schema, table_name from information_schema.tables "
                f"where table_schema in {SCHEMAS} order by all"
            )
        ]
        with duckdb.connect(str(one)) as connection:
            connection.execute(f"attach '{self.project.warehouse}' as live (read_only)")
            for table in tables:
                _copy(connection, table, f"live.{table}")
        session = self.cluster.session()
        with duckdb.connect(str(other)) as connection:
            for table in tables:
                session.run(f"insert overwrite directory '{folder}/{table}' using parquet select * from {table}")
                _copy(connection, table, f"read_parquet('{folder}/{table}/*.parquet')")
        session.close()
        return differences(one, other, SCHEMAS, names=("on DuckDB", "on Spark"))


def _copy(connection: duckdb.DuckDBPyConnection, table: str, rows: str) -> None:
    connection.execute(f"create schema if not exists {table.split('.')[0]}")
    if table in _VERSIONED:
        member, key, since, until = _VERSIONED[table]
        rows = (
            f"(select * exclude ({key}, {since}, {until}), {until} is null as is_open, "
            f"row_number() over (partition by {member} order by {since}) as version from {rows})"
        )
    if table in _ESTIMATED:
        rows = f"(select * exclude ({_ESTIMATED[table]}) from {rows})"
    connection.execute(f"create table {table} as from {rows}")


def ended(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    out, err = process.communicate(timeout=_SECONDS)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster") / "spark")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def desk(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    project = new_project(tmp_path_factory.mktemp("desk") / "project")
    project.ok("sample", "--orders", "300", "--seed", "7", "--out", "data/source")
    return Desk(project, cluster)
