"""Sending to real servers on loopback: bounded in time, and silent about addresses."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections.abc import Iterator

import pytest

from olistctl.config.channels import channel
from olistctl.notify.messages import Message
from olistctl.notify.sending import Delivery, send
from tests.channels import HOST, Hook, Mailbox, free_port, silent_server, text_of

# Apprise imports all of its plugins, and one of them an old module of Python.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
SECRET = "hunter2-geheim"
ALERT = Message("alert", "Título <b>", "Körper & <script>\nzweite Zeile 😀 *x* _y_ \\n :smile:", "warning")
TICKET = Message("ticket", "a ticket", "its text")


@pytest.fixture(autouse=True)
def without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", HOST)


@pytest.fixture
def root_log() -> Iterator[io.StringIO]:
    """What a program hears that listens to every logger, at every level."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(1)
    yield stream
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.close()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    yield mailbox
    mailbox.close()


def outcome(deliveries: tuple[Delivery, ...]) -> list[tuple[int, int, str | None]]:
    return [(one.number, len(one.taken), one.problem) for one in deliveries]


def test_each_channel_gets_the_messages_of_its_tags_as_they_are(hook: Hook, mailbox: Mailbox) -> None:
    channels = [channel(hook.url("all")), channel(hook.url("none"), ["completed"]), channel(mailbox.url, ["alert"])]
    assert outcome(send([ALERT, TICKET], channels, 10)) == [(1, 2, None), (3, 1, None)]
    assert [(body["title"], body["message"], body["type"]) for body in hook.at("all")] == [
        (ALERT.title, ALERT.body, "warning"),
        (TICKET.title, TICKET.body, "info"),
    ]
    (mail,) = mailbox.mails
    assert (mail["Subject"], mail["From"], mail["To"]) == (
        ALERT.title,
        "olist@example.org",
        "desk@example.org",
    )
    assert text_of(mail).replace("\r\n", "\n").strip() == ALERT.body


def test_nothing_to_say_is_said_to_nobody() -> None:
    assert send([TICKET], [channel("json://nowhere.invalid", ["alert"])], 10) == ()


def test_what_is_dead_is_named_in_time_and_no_log_hears_an_address(
    hook: Hook, root_log: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    hook.status = 401
    with silent_server() as silent:
        urls = [
            f"json://user:{SECRET}@{HOST}:{free_port()}/{SECRET}?+X-Key={SECRET}",
            f"json://user:{SECRET}@{HOST}:{silent}/{SECRET}?-key={SECRET}",
            f"mailto://user:{SECRET}@example.org:{silent}?smtp={HOST}&to=desk@example.org",
            f"mailto://user:{SECRET}@example.org:{free_port()}?smtp={HOST}&to=desk@example.org",
            hook.url(SECRET),
            f"nosuch://{SECRET}",
            f"tgram://{SECRET}",
        ]
        started = time.monotonic()
        deliveries = send([ALERT, TICKET], [channel(url) for url in urls], 2)
        assert time.monotonic() - started < 8, "one time limit for all, and the import of Apprise"
    assert outcome(deliveries) == [
        (1, 0, "no connection"),
        (2, 0, "no answer within 2 s"),
        (3, 0, "no answer within 2 s"),
        (4, 0, "no connection"),
        (5, 0, "the server answered 401"),
        (6, 0, "Apprise knows no such address"),
        (7, 0, "Apprise knows no such address"),
    ]
    for thread in threading.enumerate():
        if "_deliver" in thread.name:  # given up, and now cut off by its server
            assert thread.daemon
            thread.join(10)
            assert not thread.is_alive()
    said = root_log.getvalue() + "".join(capfd.readouterr())
    assert SECRET not in said + "".join(one.place + (one.problem or "") for one in deliveries)
