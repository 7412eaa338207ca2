"""Real places for notifications on loopback: an SMTP server and an HTTP server that keep what arrives."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"


class Hook:
    """A web hook: the JSON bodies by path, in the order in which they came; it answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.bodies: list[tuple[str, dict[str, Any]]] = []
        self._server = ThreadingHTTPServer((HOST, 0), self._handler())
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, path: str) -> str:
        return f"json://{HOST}:{self.port}/{path}"

    def at(self, path: str) -> list[dict[str, Any]]:
        return [body for place, body in self.bodies if place == f"/{path}"]

    def titles(self, path: str) -> list[str]:
        return [body["title"] for body in self.at(path)]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if hook.status == 200:
                    hook.bodies.append((self.path, body))
                self.send_response(hook.status)
                self.end_headers()

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                return

        return Handler


class Mailbox:
    """A mail server that keeps every message."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.port = free_port()
        self._controller = Controller(self, hostname=HOST, port=self.port)
        self._controller.start()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"

    @property
    def url(self) -> str:
        return f"mailto://{HOST}:{self.port}?from=olist@example.org&to=desk@example.org"

    def close(self) -> None:
        self._controller.stop()


@contextmanager
def silent_server() -> Iterator[int]:
    """Give the port of a server that takes a connection and never says a word."""
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])


def text_of(mail: EmailMessage) -> str:
    """Return what a reader of a mail sees."""
    part = mail.get_body(preferencelist=("plain", "html"))
    assert part
    return str(part.get_content())
