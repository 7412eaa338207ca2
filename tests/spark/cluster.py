"""A real Spark cluster on loopback: a master, two workers and a Thrift server, with Iceberg."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

from olistctl.spark import Server, Session
from tests.channels import free_port
from tests.waiting import wait_for

# Iceberg's jar for the Spark of constraints-spark.txt, from Maven Central, with its checksum.
JAR = "iceberg-spark-runtime-4.0_2.13-1.10.1.jar"
JAR_URL = f"https://repo1.maven.org/maven2/org/apache/iceberg/iceberg-spark-runtime-4.0_2.13/1.10.1/{JAR}"
JAR_SHA1 = "aa296e2a410cac2270e4d4130de0e7bfde714e11"
JARS = Path(__file__).resolve().parents[2] / ".cache" / "jars"
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

    def __init__(self, folder: Path, jar: Path, *, for_many_rows: bool = False) -> None:
        import pyspark

        self.folder = folder
        self._jar = jar
        self._settings = _SETTINGS | (_FOR_MANY_ROWS if for_many_rows else _FOR_FEW_ROWS)
        self._home = Path(pyspark.__file__).parent
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
            "spark.driver.extraClassPath": str(self._jar),
            "spark.executor.extraClassPath": str(self._jar),
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


def iceberg_jar() -> Path:
    """Return Iceberg's jar, downloaded once."""
    file = JARS / JAR
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".part")
        with urllib.request.urlopen(JAR_URL, timeout=300) as answer, draft.open("wb") as out:
            shutil.copyfileobj(answer, out)
        found = hashlib.sha1(draft.read_bytes()).hexdigest()
        assert found == JAR_SHA1, f"{JAR_URL} has changed: SHA-1 {found}"
        draft.replace(file)
    return file


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
