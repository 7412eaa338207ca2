"""One page, served to this machine alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from olistctl.errors import EnvironmentFault

_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Server:
    """A server that listens already; `run` answers until the process is interrupted."""

    url: str
    _server: ThreadingHTTPServer

    def run(self) -> None:
        """Answer requests, until an interruption."""
        self._server.serve_forever(poll_interval=0.2)

    def stop(self) -> None:
        """Let `run` return, called from another thread."""
        self._server.shutdown()


@contextmanager
def serve_page(file: Path, port: int) -> Iterator[Server]:
    """Listen on a port of the loopback interface (0: any that is free) and serve a page there, read at each request.

    Raises:
        EnvironmentFault: the port is taken, or not allowed.
    """
    try:
        server = ThreadingHTTPServer((_HOST, port), partial(_Handler, file))
    except OSError as error:
        reason = error.strerror or str(error)
        raise EnvironmentFault(
            f"nothing can be served on port {port}: {reason}", where=_HOST, hint="--port 0 takes any that is free"
        ) from None
    server.daemon_threads = True
    try:
        yield Server(f"http://{_HOST}:{server.server_address[1]}/", server)
    finally:
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Gives the one page, and only to who asks for this host: a page from elsewhere must not read it by a name."""

    def __init__(self, file: Path, *args: Any) -> None:
        self._file = file
        super().__init__(*args)

    def do_GET(self) -> None:
        """Answer with the page."""
        port = self.connection.getsockname()[1]
        if self.headers.get("Host") not in (f"{_HOST}:{port}", f"localhost:{port}"):
            self.send_error(HTTPStatus.FORBIDDEN)
        elif self.path.split("?")[0] not in ("/", "/index.html"):
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            page = self._file.read_bytes()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its name upstream)
        """Say nothing: a request is no news."""
