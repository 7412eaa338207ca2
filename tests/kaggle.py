"""Kaggle on loopback: what its client asks of the API and of the storage that this leads to, behind a proxy.

The client has no setting for its address, so the tests stand where a company's proxy would: the client opens a tunnel
to api.kaggle.com, and what answers has a certificate of an authority that the environment tells it to trust.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import random
import re
import socket
import ssl
import threading
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trustme

from olistctl.fetching import OLIST, Dataset, KnownFile

HOST = "127.0.0.1"
API, STORAGE = "api.kaggle.com", "storage.googleapis.com"
SIGNATURE = "signature-that-nobody-may-see"
MEGABYTE = 1 << 20  # the client writes so many bytes at once


def made_up(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def dataset_of(contents: Mapping[str, bytes]) -> Dataset:
    """Return a data set like Olist's, with the sums of other files."""
    files = (KnownFile(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in contents.items())
    return Dataset(OLIST.description, OLIST.handle, tuple(files))


# The nine names with contents of their own; the first file is so long that it can be cut in its middle.
CONTENTS = {
    known.name: made_up(7 * MEGABYTE // 2 if number == 0 else 1000 + number, seed=number)
    for number, known in enumerate(OLIST.files)
}
MADE_UP = dataset_of(CONTENTS)
LARGE = MADE_UP.files[0].name


@dataclass(frozen=True)
class Asked:
    """A request that came through the tunnel."""

    host: str
    path: str
    range: str | None
    authorization: str | None
    body: dict[str, object]


@dataclass
class Kaggle:
    """Serves `contents`; how it misbehaves can be set between requests."""

    folder: Path
    contents: dict[str, bytes] = field(default_factory=lambda: dict(CONTENTS))
    refusal: int | None = None  # what the API answers instead
    retry_after: str | None = None
    storage_refusal: int | None = None
    zipped: set[str] = field(default_factory=set)  # sent as an archive
    cuts: list[int] = field(default_factory=list)  # bytes after which the next answers of the storage end
    has_ranges: bool = True
    holds_after: int | None = None  # bytes after which nothing comes any more
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        authority = trustme.CA()
        self._bundle = self.folder / "authority.pem"
        authority.cert_pem.write_to_path(str(self._bundle))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(API, STORAGE).configure_cert(self.tls)
        self.closing = threading.Event()
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        """What leads a client here: variables that replace those of the same names."""
        return {
            "https_proxy": f"http://{HOST}:{self._server.server_port}",
            "no_proxy": "",
            "REQUESTS_CA_BUNDLE": str(self._bundle),
            "HOME": str(self.folder),  # without anybody's credentials
        }

    @property
    def ranges(self) -> list[str | None]:
        """The parts that were asked of the storage, in their order."""
        return [asked.range for asked in self.asked if asked.host == STORAGE]

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, kaggle: Kaggle) -> None:
        super().__init__((HOST, 0), _Handler)
        self.kaggle = kaggle

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that is killed, or does not trust the certificate, is no error of this server."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    host = ""

    @property
    def _kaggle(self) -> Kaggle:
        assert isinstance(self.server, _Server)
        return self.server.kaggle

    def do_CONNECT(self) -> None:
        self.host = self.path.split(":")[0]
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        self.connection = self._kaggle.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb")
        self.close_connection = False

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._note(body)
        name = str(body.get("fileName"))
        if self._kaggle.refusal or name not in self._kaggle.contents:
            self._refuse(self._kaggle.refusal or 404)
            return
        suffix = ".zip" if name in self._kaggle.zipped else ""
        self.send_response(302)
        self.send_header("Location", f"https://{STORAGE}/data/{name}{suffix}?X-Goog-Signature={SIGNATURE}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self._note({})
        if self._kaggle.storage_refusal:
            self._refuse(self._kaggle.storage_refusal)
            return
        name = self.path.split("?")[0].removeprefix("/data/")
        data = self._kaggle.contents[name.removesuffix(".zip")]
        data = _zipped(name.removesuffix(".zip"), data) if name.endswith(".zip") else data
        first = 0
        if self._kaggle.has_ranges and (asked := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))):
            first = int(asked[1])
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(data) - first))
        if self._kaggle.has_ranges:
            self.send_header("Accept-Ranges", "bytes")
        self.send_header("x-goog-hash", f"md5={base64.b64encode(hashlib.md5(data).digest()).decode()}")
        self.end_headers()
        self._send(data[first:])

    def _send(self, data: bytes) -> None:
        cut, hold = self._cut(len(data)), self._kaggle.holds_after
        self.wfile.write(data[: hold if cut is None else cut])
        self.wfile.flush()
        if cut is not None:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        elif hold is not None and hold < len(data):
            self._kaggle.closing.wait()
            self.close_connection = True

    def _cut(self, size: int) -> int | None:
        """Return the bytes after which this answer ends.

        A client that goes on asks for the whole first, and leaves it unread: that one is not cut.
        """
        cuts, path = self._kaggle.cuts, self.path
        is_first = len([asked for asked in self._kaggle.asked if asked.path == path]) == 1
        return cuts.pop(0) if cuts and cuts[0] < size and (is_first or self.headers.get("Range")) else None

    def _refuse(self, code: int) -> None:
        body = json.dumps({"code": code, "message": "no"}).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self._kaggle.retry_after:
            self.send_header("Retry-After", self._kaggle.retry_after)
        self.end_headers()
        self.wfile.write(body)

    def _note(self, body: dict[str, object]) -> None:
        head = self.headers
        self._kaggle.asked.append(Asked(self.host, self.path, head.get("Range"), head.get("Authorization"), body))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        return


def _zipped(name: str, data: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(zipfile.ZipInfo(name), data)  # without a time of its own: the same bytes every time
    return archive.getvalue()


def visible(folder: Path) -> Iterable[str]:
    """Return the names in a folder that are not hidden."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
