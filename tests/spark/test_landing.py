"""The landing, where it is a store: real servers on loopback, and a cluster that reads and writes them, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from olistctl.errors import EnvironmentFault
from olistctl.spark import Landing
from tests.channels import HOST, free_port
from tests.spark.cluster import Cluster
from tests.spark.maven import S3A, jar
from tests.spark.stores import Store, hdfs, s3
from tests.torture.scale import LONG

pytestmark = pytest.mark.xdist_group("spark")
_ROWS = 300_000
_QUERY = f"select range as n, md5(range::varchar) as noise, 'São Paulo' as city from range({_ROWS})"
_FOUND = (_ROWS, _ROWS * (_ROWS - 1) // 2, "São Paulo")
_STORES = {"hdfs": hdfs, "s3": s3}


@pytest.fixture(params=["hdfs", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with _STORES[request.param](tmp_path) as store:
        _set(store, monkeypatch)
        yield store


def test_rows_go_to_a_store_in_parts_and_come_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("olistctl.spark.landing._PART", "1MB")
    landing = Landing(store.here, store.there, "run1")
    with duckdb.connect() as connection:
        there = landing.put(connection, "raw/it's", _QUERY)
        assert there == f"parquet.`{store.there}/run1/raw/it's`"
        landing.fetch(connection, "raw/it's", "back")
        assert connection.execute("select count(*), sum(n), min(city) from back").fetchone() == _FOUND
        landing.put(connection, "raw/none", "select 1 as n where false")
        landing.fetch(connection, "raw/none", "back")
        assert connection.execute("select count(*) from back").fetchone() == (0,)
    assert len(_files(store, "run1/raw/it's")) > 1
    landing.clear()
    assert _files(store, "run1") == []


def test_a_store_that_does_not_answer_is_one_sentence() -> None:
    store = f"webhdfs://{HOST}:{free_port()}/olist"
    with (
        duckdb.connect() as connection,
        pytest.raises(EnvironmentFault, match=r"cannot be written: ConnectionError: .*refused") as caught,
    ):
        Landing(store, store, "run1").put(connection, "raw/none", "select 1 as n")
    assert "Traceback" not in caught.value.message
    assert "\n" not in caught.value.message


def test_a_cluster_reads_and_writes_hdfs(cluster: Cluster, tmp_path: Path) -> None:
    with hdfs(tmp_path) as store:
        _exchange(store, cluster)


@pytest.mark.skipif(not LONG, reason="downloads half a gigabyte: TORTURE=1 runs it")
def test_a_cluster_reads_and_writes_s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3(tmp_path) as store, _cluster_for(store, tmp_path / "spark") as cluster:
        _set(store, monkeypatch)
        _exchange(store, cluster)


def _exchange(store: Store, cluster: Cluster) -> None:
    """Send rows to the cluster, let it send them back, and remove what is left."""
    landing = Landing(store.here, store.there, "run2")
    session = cluster.session()
    try:
        with duckdb.connect() as connection:
            there = landing.put(connection, "raw/it's", _QUERY)
            assert session.run(f"select count(*), sum(n), min(city) from {there}") == [_FOUND]
            landing.ask_for(session, "mart/back", f"select * from {there}")
            landing.fetch(connection, "mart/back", "back")
            assert connection.execute("select count(*), sum(n), min(city) from back").fetchone() == _FOUND
    finally:
        session.close()
    landing.clear()
    assert _files(store, "run2") == []


@contextmanager
def _cluster_for(store: Store, folder: Path) -> Iterator[Cluster]:
    cluster = Cluster(folder, jars=[jar(artifact) for artifact in S3A], settings=store.settings)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def _set(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec import get_filesystem_class

    get_filesystem_class(store.here.partition("://")[0]).clear_instance_cache()  # it knows another test's server
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)


def _files(store: Store, name: str) -> list[str]:
    from fsspec.core import url_to_fs

    files, path = url_to_fs(store.here)
    files.invalidate_cache()
    return list(files.find(f"{path}/{name}"))
