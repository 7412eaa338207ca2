"""Sessions of a Spark cluster's Thrift server, and what it says when it refuses."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from olistctl.config import Settings
from olistctl.errors import ConfigError, EnvironmentFault, TransformError
from olistctl.warehouse import share_out

Item = TypeVar("Item")
Done = TypeVar("Done")
# Times are those of a clock on a wall, as in the files: no session's zone shifts them. Casts fail as they do on DuckDB.
SESSION = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.sources.partitionOverwriteMode": "static",  # a table is overwritten as a whole
}
# The branch of each table that a session of Iceberg reads and writes, where the table has it or is written.
BRANCH = "spark.wap.branch"
# A server that has just been started takes a while for its first session.
_SECONDS_TO_ANSWER, _SECONDS_TO_OPEN = 10, 60


class StatementFailed(TransformError):
    """Spark cannot run a statement, for the `reason`."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Spark refuses: {reason}", hint="nothing was published")
        self.reason = reason


@dataclass(frozen=True)
class Server:
    """Where a Thrift server listens, and as whom it is spoken to."""

    host: str
    port: int
    user: str

    @classmethod
    def of(cls, settings: Settings) -> Server:
        """Return the server of the settings' target.

        Raises:
            ConfigError: the target names none.
        """
        if settings.spark_host is None:
            hint = "name the machine of the cluster's Thrift server: spark_host: spark.example.org"
            raise ConfigError("spark_host is not set", where=target_of(settings), hint=hint)
        return cls(settings.spark_host, settings.spark_port, settings.spark_user)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"

    def answers(self) -> bool:
        """Tell whether something listens there."""
        try:
            with socket.create_connection((self.host, self.port), timeout=_SECONDS_TO_ANSWER):
                return True
        except OSError:
            return False

    def is_gone(self) -> EnvironmentFault:
        """Return the error that says so."""
        hint = "see to the Thrift server, then run again: nothing was published"
        return EnvironmentFault("Spark's Thrift server does not answer", where=self.address, hint=hint)


class Session:
    """One session, for one thread."""

    def __init__(self, server: Server, branch: str | None = None) -> None:
        self._server = server
        self._socket, connect = _client(server)
        if not server.answers():
            raise server.is_gone()
        self._socket.setTimeout(1000 * _SECONDS_TO_OPEN)  # what listens there may be no Thrift server
        with self._said():
            self._connection = connect()
        self._socket.setTimeout(None)
        for name, value in SESSION.items():
            self.run(f"set {name}={value}")
        if branch:
            self.run(f"set {BRANCH}={branch}")

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows.

        Raises:
            StatementFailed: Spark cannot run it.
            EnvironmentFault: the server has gone.
        """
        with self._said():
            cursor = self._connection.cursor()
            cursor.execute(sql)
            rows = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
            cursor.close()
            return rows

    def close(self) -> None:
        """End the session; the server may be gone."""
        with suppress(Exception):
            self._connection.close()

    def abort(self) -> None:
        """Hang up in the middle of a statement, which another thread may be waiting for."""
        with suppress(Exception):
            self._socket.handle.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Turn what the client raises into what happened."""
        from pyhive.exc import Error
        from thrift.Thrift import TException
        from thrift.transport.TTransport import TTransportException

        try:
            yield
        except Error as error:
            raise StatementFailed(reason_of(_text_of(error))) from None
        except (TTransportException, OSError, EOFError):
            raise self._server.is_gone() from None
        except TException as error:
            raise StatementFailed(reason_of(str(error))) from None


@contextmanager
def session(server: Server, branch: str | None = None) -> Iterator[Session]:
    """Open a session for a while."""
    opened = Session(server, branch)
    try:
        yield opened
    except BaseException:
        opened.abort()  # an interruption does not wait for a statement
        raise
    opened.close()


def in_sessions(
    server: Server,
    work: Callable[[Session, Item], Done],
    items: Iterable[Item],
    *,
    threads: int,
    branch: str | None = None,
) -> list[Done]:
    """Do a work for each item, as many at a time as `threads`, each in a session that no other uses then.

    See `warehouse.share_out`; what runs when one fails goes on there, and nobody waits for it.
    """
    todo = list(items)
    with ExitStack() as stack:
        sessions = [stack.enter_context(session(server, branch)) for _ in range(min(threads, len(todo)))]
        return share_out(sessions, work, todo, interrupt=Session.abort)


def reason_of(text: str) -> str:
    """Return what Spark says, of a text that repeats it in Java's words: `[CODE] what is wrong`."""
    text = text.split("Error running query: ")[-1]
    text = re.sub(r"^(\[[A-Z_.]+\] )?([a-z]\w*\.)+\w*(Exception|Error): ", "", text.strip())
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return re.sub(r"\s*SQLSTATE: \w+.*$", "", lines[0]) if lines else "no reason given"


def literal(text: str) -> str:
    """Return a text as a literal of Spark's SQL, where a backslash escapes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def name_of(*parts: str) -> str:
    """Return a quoted name."""
    return ".".join("`" + part.replace("`", "``") + "`" for part in parts)


def without_extra() -> EnvironmentFault:
    """Return the error that says that the extra is not installed."""
    hint = "pip install 'olistctl[spark]'"
    return EnvironmentFault("a target with engine spark needs olistctl's extra 'spark'", hint=hint)


def target_of(settings: Settings) -> str:
    """Return where the target's settings stand."""
    return f"{settings.config_file}, target {settings.target}"


def _client(server: Server) -> tuple[Any, Callable[[], Any]]:
    """Return the socket to a server, and what opens a session through it."""
    try:
        from pyhive import hive
        from thrift.transport.TSocket import TSocket
        from thrift_sasl import TSaslClientTransport
    except ImportError:
        raise without_extra() from None
    # Any password: the server takes the user without one.
    credentials = {"host": server.host, "sasl_auth": "PLAIN", "username": server.user, "password": "x"}
    wire = TSocket(server.host, server.port, socket_keepalive=True)
    transport = TSaslClientTransport(lambda: hive.get_installed_sasl(**credentials), "PLAIN", wire)
    return wire, lambda: hive.Connection(username=server.user, thrift_transport=transport)


def _text_of(error: Exception) -> str:
    """Return the message in an error of the client, which keeps the server's answer as an object."""
    answer = error.args[0] if error.args else error
    status = getattr(answer, "status", None)
    return str(getattr(status, "errorMessage", None) or answer)
