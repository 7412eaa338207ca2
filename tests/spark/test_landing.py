"""The landing, where it is a store: a real server of S3's protocol on loopback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import duckdb
import pytest

from olistctl.spark import Landing
from tests.channels import free_port
from tests.spark.cluster import listens
from tests.waiting import wait_for

pytestmark = pytest.mark.xdist_group("spark")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    try:
        wait_for(lambda: listens(port), "the store")
        import fsspec

        fsspec.filesystem("s3").mkdir("olist")
        yield "s3://olist/landing"
    finally:
        server.kill()
        server.wait()


def test_rows_go_to_a_store_and_come_back(store: str) -> None:
    import fsspec

    landing = Landing(store, "s3a://olist/landing", "run1")
    with duckdb.connect() as connection:
        there = landing.put(connection, "raw/it's", "select range as n, 'São Paulo' as city from range(100000)")
        assert there == "parquet.`s3a://olist/landing/run1/raw/it's`"
        landing.fetch(connection, "raw/it's", "back")
        found = connection.execute("select count(*), sum(n), min(city) from back").fetchone()
        assert found == (100_000, 4_999_950_000, "São Paulo")
        landing.put(connection, "raw/none", "select 1 as n where false")
        landing.fetch(connection, "raw/none", "back")
        assert connection.execute("select count(*) from back").fetchone() == (0,)
    files = fsspec.filesystem("s3")
    assert files.find("olist/landing/run1")
    landing.clear()
    assert not files.find("olist/landing/run1", refresh=True)
