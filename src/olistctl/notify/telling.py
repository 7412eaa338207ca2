"""What follows a run: decide what to say, send it, and note what was said. Nothing here fails a run."""

from __future__ import annotations

import socket
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from olistctl import interruption, ledger, logs
from olistctl.config import Settings
from olistctl.errors import BusyError, ConfigError, Interrupted, OlistctlError, UsageError
from olistctl.ledger import Ticket
from olistctl.notify.memory import Memory, now, one_at_a_time, recall, remember
from olistctl.notify.messages import (
    Ended,
    Message,
    Place,
    alert,
    completed,
    failure,
    findings_of,
    fingerprint,
    loud,
    still_quiet,
    ticket_messages,
    trial,
    without,
)
from olistctl.notify.sending import Delivery, NotInstalled, send
from olistctl.results import Finding, counted
from olistctl.warehouse import machine_fault, read_only

log = logs.get_logger(__name__)

NOT_INSTALLED = Finding(
    "notify.channels is set, and Apprise is not installed: nothing is sent", hint="pip install 'olistctl[notify]'"
)


@dataclass(frozen=True)
class Trial:
    """How a trial message went; without a `problem` the channel took it."""

    channel: str
    tags: tuple[str, ...]
    problem: str | None


@dataclass(frozen=True)
class _News:
    """What there is to say, and what is to be noted of it when it was said.

    `alerts` are fingerprints, as are those that `found` holds of each ticket by its key; `opens` and `closes` lead
    from a message to its ticket (key and test, key).
    """

    messages: tuple[Message, ...]
    alerts: tuple[str, ...]
    opens: Mapping[Message, tuple[str, str]]
    closes: Mapping[Message, str]
    found: Mapping[str, tuple[str, ...]]


def tell_done(settings: Settings, ended: Ended) -> tuple[Finding, ...]:
    """Tell the channels of a run that got through; return what could not be told."""
    if not settings.notify_channels:
        return ()
    return _safely(lambda: _tell_done(settings, ended))


def tell_failed(settings: Settings, command: str, error: Exception) -> tuple[Finding, ...]:
    """Tell the channels of a run that failed; return what could not be told.

    Whoever stopped it, called it wrongly or came too early knows without a message.
    """
    is_known = isinstance(error, (Interrupted, BusyError)) or type(error) in (UsageError, ConfigError)
    if not settings.notify_channels or is_known or interruption.stopped():
        return ()
    return _safely(lambda: _tell_failed(settings, command, error))


def try_channels(settings: Settings) -> tuple[Trial, ...]:
    """Send a trial message to every channel.

    Raises:
        UsageError: there is no channel, or Apprise is not installed.
    """
    if not settings.notify_channels:
        raise UsageError("notify.channels is empty", where=str(settings.config_file), hint="add a channel's address")
    try:
        deliveries = send([trial(_place(settings))], settings.notify_channels, settings.notify_timeout_seconds)
    except NotInstalled:
        raise UsageError(NOT_INSTALLED.message, hint=NOT_INSTALLED.hint) from None
    return tuple(Trial(one.place, one.channel.tags, one.problem) for one in deliveries)


def _tell_done(settings: Settings, ended: Ended) -> tuple[Finding, ...]:
    if ended.run_id is None and not recall(settings.state_dir).owes:
        return ()
    with one_at_a_time(settings.state_dir, settings.notify_timeout_seconds):
        memory = recall(settings.state_dir)
        news = _news(settings, ended, memory)
        deliveries = send(news.messages, settings.notify_channels, settings.notify_timeout_seconds)
        taken = {message for delivery in deliveries for message in delivery.taken}
        remember(settings.state_dir, _noted(settings, memory, news, taken))
    return _dead(deliveries)


def _news(settings: Settings, ended: Ended, memory: Memory) -> _News:
    """Return what there is to say of a run; of one that had nothing to do, only the tickets that were not told."""
    place = _place(settings)
    tickets = _tickets(settings)
    opens, closes = ticket_messages(tickets, memory.tickets, place) if tickets is not None else ({}, {})
    found = {one.key: tuple(map(fingerprint, findings_of(one))) for one in tickets or ()}
    if ended.run_id is None:
        return _News((*opens, *closes), (), opens, closes, found)
    findings = without(ended.findings, tickets or (), memory.found)
    news = loud(findings, memory.alerts, settings.notify_quiet_minutes, now())
    messages = [completed(ended, place)]
    if news:
        quiet = len(findings) - len(news)
        messages.append(alert(ended, news, quiet, settings.notify_quiet_minutes, place))
    return _News((*messages, *opens, *closes), tuple(map(fingerprint, news)), opens, closes, found)


def _noted(settings: Settings, memory: Memory, news: _News, taken: Collection[Message]) -> Memory:
    """Return the memory with what at least one channel took; the rest is to be told again."""
    told = news.alerts if any(message.tag == "alert" for message in taken) else ()
    closed = {key for message, key in news.closes.items() if message in taken}
    tickets = {key: test for key, test in memory.tickets.items() if key not in closed}
    tickets |= dict(ticket for message, ticket in news.opens.items() if message in taken)
    owes = any(message not in taken for message in (*news.opens, *news.closes))
    opened = {key for message, (key, _) in news.opens.items() if message in taken}
    found = {
        key: tuple(one for one in prints if key in opened or one in (*memory.found.get(key, ()), *told))
        for key, prints in news.found.items()
        if key in tickets
    }
    return replace(_with_alerts(settings, memory, told), tickets=tickets, owes=owes, found=found)


def _tell_failed(settings: Settings, command: str, error: Exception) -> tuple[Finding, ...]:
    finding = _finding(error, settings)
    with one_at_a_time(settings.state_dir, settings.notify_timeout_seconds):
        memory = recall(settings.state_dir)
        if not loud([finding], memory.alerts, settings.notify_quiet_minutes, now()):
            return ()
        message = failure(command, logs.run_id(), finding, _place(settings))
        deliveries = send([message], settings.notify_channels, settings.notify_timeout_seconds)
        if any(delivery.taken for delivery in deliveries):
            remember(settings.state_dir, _with_alerts(settings, memory, [fingerprint(finding)]))
    return _dead(deliveries)


def _finding(error: Exception, settings: Settings) -> Finding:
    known = error if isinstance(error, OlistctlError) else machine_fault(error, settings.warehouse)
    if known:
        return Finding(known.message, known.where, known.hint)
    return Finding(f"a bug in olistctl: {type(error).__name__}: {error}", hint=f"the report is in {settings.log_file}")


def _with_alerts(settings: Settings, memory: Memory, told: Sequence[str]) -> Memory:
    at = now()
    kept = still_quiet(memory.alerts, settings.notify_quiet_minutes, at)
    return replace(memory, alerts=kept | dict.fromkeys(told, at))


def _tickets(settings: Settings) -> tuple[Ticket, ...] | None:
    """Return the open tickets of the published warehouse; None where nobody wants them, or they cannot be read."""
    import duckdb

    if not any("ticket" in channel.tags for channel in settings.notify_channels):
        return None
    with suppress(OlistctlError, OSError, duckdb.Error), read_only(settings.warehouse) as connection:
        return ledger.open_tickets(connection) if ledger.is_current(connection) else None
    return None


def _dead(deliveries: Iterable[Delivery]) -> tuple[Finding, ...]:
    """Return, and log, what is wrong with channels."""
    findings = []
    for delivery in deliveries:
        if delivery.problem:
            lost = len(delivery.messages) - len(delivery.taken)
            log.warning("notifications: %s: %s; %d not sent", delivery.place, delivery.problem, lost)
            message = f"{lost} of {counted(len(delivery.messages), 'notification')} did not go out: {delivery.problem}"
            findings.append(Finding(message, delivery.place, "olistctl status --notify-test"))
        else:
            log.info("notifications: %s: %d sent", delivery.place, len(delivery.taken))
    return tuple(findings)


def _safely(tell: Callable[[], tuple[Finding, ...]]) -> tuple[Finding, ...]:
    """Make a finding of whatever goes wrong; of an error only its name and place, as its text may hold an address."""
    try:
        return tell()
    except KeyboardInterrupt:
        hint = "the run had ended before that; not every channel has heard of it"
        raise interruption.stopped(hint) or Interrupted("interrupted", hint=hint) from None
    except NotInstalled:
        log.warning("notifications: %s", NOT_INSTALLED.message)
        return (NOT_INSTALLED,)
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        bug = f"a bug in olistctl: {type(error).__name__} in {at.filename}:{at.lineno}"
        log.error("notifications: %s", bug)
        return (Finding(f"no notification went out: {bug}"),)


def _place(settings: Settings) -> Place:
    return Place(socket.gethostname(), settings.warehouse)
