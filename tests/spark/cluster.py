"""A real Spark cluster on loopback: a master, two workers and a Thrift server, with Iceberg."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from olistctl.spark import Server, Session
from tests.channels import free_port
from tests.spark.maven import ICEBERG, jar
from tests.waiting import wait_for

SECONDS = 300
_SETTINGS = {
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    "spark.sql.catalog.spark_catalog": "org.apache.iceberg.spark.SparkSessionCatalog",
    "spark.sql.catalog.spark_catalog.type": "hive",
    "spark.sql.catalog.spark_catalog.cache-enabled": "false",
    "spark.hadoop.iceberg.engine.hive.lock-enabled": "false",  # the embedded metastore has no table for locks
    "spark.hadoop.datanucleus.schema.autoCreateAll": "true",
    "spark.hadoop.hive.metastore.schema.verification": "false",
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "3g",
    "spark.executor.memory": "1500m",
}
# Of few rows a statement's time is what Spark spends on planning it, compiling it, and starting tasks.
_FOR_FEW_ROWS = {
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}
_FOR_MANY_ROWS = {"spark.sql.shuffle.partitions": "2"}
_LOGGING = """\
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n%ex
"""


class Cluster:
    """The cluster's processes; `folder` holds all that they write."""

    def __init__(
        self, folder: Path, *, for_many_rows: bool = False, jars: Sequence[Path] = (), settings: Mapping[str, str] = {}
    ) -> None:
        self.folder = folder
        self._class_path = ":".join(map(str, (jar(ICEBERG), *jars)))
        self._settings = _SETTINGS | (_FOR_MANY_ROWS if for_many_rows else _FOR_FEW_ROWS) | dict(settings)
        self._home = spark_home()
        self._master_port, self.port = free_port(), free_port()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.landing.mkdir(parents=True)
        (self.folder / "log4j2.properties").write_text(_LOGGING)

    @property
    def landing(self) -> Path:
        return self.folder / "landing"

    @property
    def target(self) -> dict[str, str]:
        """The settings of a target on it, by key."""
        return {
            "spark_host": "127.0.0.1",
            "spark_port": str(self.port),
            "spark_table_format": "iceberg",
            "spark_landing": str(self.landing),
            "spark_poll_seconds": "0",
        }

    @property
    def server(self) -> Server:
        return Server("127.0.0.1", self.port, "tester")

    def start(self) -> None:
        deploy = "org.apache.spark.deploy"
        self._spawn("master", "spark-class", f"{deploy}.master.Master", "--port", str(self._master_port))
        wait_for(lambda: listens(self._master_port), "the master", SECONDS)
        for name in ("worker-1", "worker-2"):
            self.start_worker(name)
        self.start_server()

    def start_worker(self, name: str) -> None:
        memory = ("--cores", "1", "--memory", "2g", "--work-dir", str(self.folder / name))
        worker = "org.apache.spark.deploy.worker.Worker"
        self._spawn(name, "spark-class", worker, *memory, f"spark://127.0.0.1:{self._master_port}")

    def start_server(self, without: str = "") -> None:
        """Start the Thrift server, maybe without one of its settings, and wait until it answers."""
        metastore = self.folder / "metastore"
        paths = {
            "spark.driver.extraClassPath": self._class_path,
            "spark.executor.extraClassPath": self._class_path,
            "spark.sql.warehouse.dir": str(self.folder / "warehouse"),
            "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile=file:{self.folder}/log4j2.properties",
            "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={metastore};create=true",
        }
        chosen = {name: value for name, value in (self._settings | paths).items() if name != without}
        settings = [part for name, value in chosen.items() for part in ("--conf", f"{name}={value}")]
        self._spawn(
            "server",
            "spark-submit",
            *("--master", f"spark://127.0.0.1:{self._master_port}", *settings),
            *("--class", "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2", "spark-internal"),
            *("--hiveconf", "hive.server2.thrift.bind.host=127.0.0.1"),
            *("--hiveconf", f"hive.server2.thrift.port={self.port}"),
        )
        wait_for(lambda: listens(self.port), "the Thrift server", SECONDS)

    def kill(self, name: str) -> None:
        """Kill a process, with what it has started, as a machine that fails does."""
        process = self._processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for name in [*self._processes]:
            self.kill(name)

    def session(self) -> Session:
        return Session(self.server)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        session = self.session()
        try:
            return session.run(sql)
        finally:
            session.close()

    def _spawn(self, name: str, program: str, *arguments: str) -> None:
        environment = {**os.environ, "SPARK_HOME": str(self._home), "SPARK_LOCAL_IP": "127.0.0.1"}
        environment["SPARK_MASTER_HOST"] = "127.0.0.1"
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [str(self._home / "bin" / program), *arguments],
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def spark_home() -> Path:
    """Return the folder of Spark's programs and jars, from the `pyspark` wheel."""
    import pyspark

    return Path(pyspark.__file__).parent


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
