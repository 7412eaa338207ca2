"""Stores that a cluster and this machine share, as real servers on loopback: HDFS, and one of S3's protocol."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.channels import HOST, free_port
from tests.spark.cluster import listens, spark_home
from tests.spark.maven import HDFS, jar
from tests.waiting import wait_for


@dataclass(frozen=True)
class Store:
    """A store by the URL that each side has for it, and what Spark must be told."""

    here: str
    there: str
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def s3(folder: Path) -> Iterator[Store]:
    """Start a server of S3's protocol that has an empty bucket."""
    port = free_port()
    url = f"http://{HOST}:{port}"
    program = [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)]
    with _running(program, folder / "s3.log"):
        wait_for(lambda: listens(port), "the store")
        with urllib.request.urlopen(urllib.request.Request(f"{url}/olist", method="PUT")):
            pass
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        settings = {
            "spark.hadoop.fs.s3a.endpoint": url,
            "spark.hadoop.fs.s3a.path.style.access": "true",
            "spark.hadoop.fs.s3a.access.key": "test",
            "spark.hadoop.fs.s3a.secret.key": "test",
        }
        yield Store("s3://olist/landing", "s3a://olist/landing", {"AWS_ENDPOINT_URL": url} | keys, settings)


@contextmanager
def hdfs(folder: Path) -> Iterator[Store]:
    """Start a name node and a data node."""
    web, port = free_port(), free_port()
    properties = {
        "fs.defaultFS": f"hdfs://{HOST}:{port}",
        "dfs.namenode.http-address": f"{HOST}:{web}",
        "dfs.namenode.name.dir": f"file://{folder}/name",
        "dfs.datanode.data.dir": f"file://{folder}/data",
        "dfs.datanode.address": f"{HOST}:0",
        "dfs.datanode.http.address": f"{HOST}:0",
        "dfs.datanode.ipc.address": f"{HOST}:0",
        "dfs.datanode.hostname": HOST,
        "dfs.replication": "1",
        "dfs.permissions.enabled": "false",
    }
    content = "".join(
        f"<property><name>{name}</name><value>{value}</value></property>" for name, value in properties.items()
    )
    for name in ("core-site.xml", "hdfs-site.xml"):
        (folder / name).write_text(f"<configuration>{content}</configuration>")
    class_path = [str(folder), *(str(jar(artifact)) for artifact in HDFS), f"{spark_home()}/jars/*"]
    java = ["java", "-cp", ":".join(class_path)]
    server = "org.apache.hadoop.hdfs.server"
    name_node = [*java, f"{server}.namenode.NameNode"]
    subprocess.run([*name_node, "-format", "-nonInteractive"], check=True, capture_output=True)
    with ExitStack() as running:
        running.enter_context(_running(name_node, folder / "namenode.log"))
        running.enter_context(_running([*java, f"{server}.datanode.DataNode"], folder / "datanode.log"))
        wait_for(lambda: _data_nodes(web) == 1, "HDFS")
        yield Store(f"webhdfs://olist@{HOST}:{web}/landing", f"hdfs://{HOST}:{port}/landing")


def _data_nodes(web: int) -> int:
    """Return how many data nodes the name node sees; none while it does not answer."""
    query = "jmx?qry=Hadoop:service=NameNode,name=FSNamesystem"
    try:
        with urllib.request.urlopen(f"http://{HOST}:{web}/{query}", timeout=10) as answer:
            (bean,) = json.load(answer)["beans"]
    except (OSError, ValueError):
        return 0
    return int(bean["NumLiveDataNodes"])


@contextmanager
def _running(program: Sequence[str], log: Path) -> Iterator[None]:
    with log.open("ab") as out:
        process = subprocess.Popen(program, stdout=out, stderr=out)
    try:
        yield
    finally:
        process.kill()
        process.wait()
