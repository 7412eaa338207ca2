"""Jars of Maven Central, which are no part of the package registry: for the Spark of constraints-spark.txt."""

from __future__ import annotations

import hashlib
import shutil
import urllib.request
from dataclasses import dataclass
from pathlib import Path

_CENTRAL = "https://repo1.maven.org/maven2"
_FOLDER = Path(__file__).resolve().parents[2] / ".cache" / "jars"


@dataclass(frozen=True)
class Artifact:
    """A jar: what Maven calls it, and its checksum."""

    group: str
    name: str
    version: str
    sha1: str

    @property
    def file(self) -> str:
        return f"{self.name}-{self.version}.jar"

    @property
    def url(self) -> str:
        return f"{_CENTRAL}/{self.group.replace('.', '/')}/{self.name}/{self.version}/{self.file}"


ICEBERG = Artifact(
    "org.apache.iceberg", "iceberg-spark-runtime-4.0_2.13", "1.10.1", "aa296e2a410cac2270e4d4130de0e7bfde714e11"
)
# HDFS's servers, and what they miss in a Java newer than 8.
HDFS = (
    Artifact("org.apache.hadoop", "hadoop-client-minicluster", "3.4.1", "280b1307396459b61079e80c5fc67a5ff1738287"),
    Artifact("javax.xml.bind", "jaxb-api", "2.3.1", "8531ad5ac454cc2deb9d4d32c40c4d7451939b5d"),
)
# What lets Spark read and write s3a://… URLs: half a gigabyte.
S3A = (
    Artifact("org.apache.hadoop", "hadoop-aws", "3.4.1", "641d8fe1d7683cdcc05cc3a794c0374553f6bd6a"),
    Artifact("software.amazon.awssdk", "bundle", "2.24.6", "242317b028d951dbbf6a142241e041b684696a3b"),
)


def jar(artifact: Artifact) -> Path:
    """Return the file, downloaded once."""
    file = _FOLDER / artifact.file
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".part")
        with urllib.request.urlopen(artifact.url, timeout=300) as answer, draft.open("wb") as out:
            shutil.copyfileobj(answer, out)
        with draft.open("rb") as content:
            found = hashlib.file_digest(content, "sha1").hexdigest()
        assert found == artifact.sha1, f"{artifact.url} has changed: SHA-1 {found}"
        draft.replace(file)
    return file
