"""Sends messages by Apprise, each channel in a thread of its own, for a bounded time.

What Apprise says of a failure may quote an address, so nothing of its words is passed on, only what is known in them.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from olistctl.config.channels import Channel
from olistctl.notify.messages import Message

if TYPE_CHECKING:
    from apprise import Apprise, AppriseResult

_LOGGERS = ("apprise", "urllib3", "requests", "requests_oauthlib")


class NotInstalled(Exception):
    """Apprise is not there."""


@dataclass
class Delivery:
    """What a channel took of the messages that are for it, and what went wrong first."""

    number: int
    channel: Channel
    messages: tuple[Message, ...]
    taken: list[Message] = field(default_factory=list)
    problem: str | None = None
    is_done: bool = False

    @property
    def place(self) -> str:
        """The channel as it may be shown."""
        return f"channel {self.number} ({self.channel.name})"


def send(messages: Sequence[Message], channels: Sequence[Channel], timeout_seconds: float) -> tuple[Delivery, ...]:
    """Send each message to the channels of its tag; return when all is done, or the time is over.

    Raises:
        NotInstalled: Apprise cannot be imported.
    """
    deliveries = []
    for number, channel in enumerate(channels, 1):
        chosen = tuple(message for message in messages if message.tag in (None, *channel.tags))
        if chosen:
            deliveries.append(Delivery(number, channel, chosen))
    if not deliveries:
        return ()
    _mute()
    try:
        import apprise  # noqa: F401  # here, not in a thread that nobody would hear
    except ImportError:
        raise NotInstalled from None
    ended = threading.Event()
    ends_at = time.monotonic() + timeout_seconds
    # A daemon: a server that never answers must not keep the process from ending.
    threads = [
        threading.Thread(target=_deliver, args=(delivery, timeout_seconds, ended), daemon=True)
        for delivery in deliveries
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, ends_at - time.monotonic()))
    ended.set()
    return tuple(_as_it_stands(delivery, timeout_seconds) for delivery in deliveries)


def _as_it_stands(delivery: Delivery, timeout_seconds: float) -> Delivery:
    """Return a copy that a late thread no longer changes."""
    problem = delivery.problem
    if not delivery.is_done:
        problem = problem or f"no answer within {timeout_seconds:g} s"
    return Delivery(delivery.number, delivery.channel, delivery.messages, list(delivery.taken), problem, True)


def _deliver(delivery: Delivery, timeout_seconds: float, ended: threading.Event) -> None:
    for message in delivery.messages:
        if ended.is_set():
            return
        try:
            problem = _problem_of(message, delivery.channel, timeout_seconds)
        except Exception as error:  # a plugin's bug; its text may hold the address
            problem = f"Apprise failed with {type(error).__name__}"
        if problem:
            delivery.problem = delivery.problem or problem
        else:
            delivery.taken.append(message)
    delivery.is_done = True


def _problem_of(message: Message, channel: Channel, timeout_seconds: float) -> str | None:
    """Send a message; return what went wrong."""
    from apprise import NotifyFormat

    box = _box(channel, timeout_seconds)
    if box is None:
        return "Apprise knows no such address"
    result = box.notify(body=message.body, title=message.title, notify_type=message.kind, body_format=NotifyFormat.TEXT)
    return None if result else _reason(result)


def _box(channel: Channel, timeout_seconds: float) -> Apprise | None:
    """Return Apprise with one channel alone, made anew each time: it pauses between two messages of the same one."""
    from apprise import Apprise, AppriseAsset

    # Without a time limit of its own it sends in this thread; its pool's would keep the process from ending.
    asset = AppriseAsset(app_id="olistctl", app_desc="olistctl", app_url="", service_timeout=0, async_mode=False)
    service = Apprise.instantiate(channel.url, asset=asset)
    if service is None:
        return None
    for name in ("socket_connect_timeout", "socket_read_timeout"):
        if getattr(service, name) == getattr(type(service), name):  # the address does not say otherwise
            setattr(service, name, timeout_seconds)
    box = Apprise(asset=asset)
    box.add(service)
    return box


def _reason(result: AppriseResult) -> str:
    words = " ".join(entry.message for entry in result.logs())
    if status := re.search(r"error=(\d{3})\b", words):
        return f"the server answered {status[1]}"
    return "no connection" if "onnection error" in words else "the message was not taken"


def _mute() -> None:
    """Let nothing that the libraries log reach anybody's handler: addresses and tokens are in it, even in errors.

    It stays so: a thread that is given up may still speak later.
    """
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.setLevel(logging.WARNING)
