"""What is said of a run, and to whom: logic alone, nothing is sent here.

Findings may quote what a file holds, so every text of theirs is cut, and its control characters are shown as escapes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from olistctl.ledger import Ticket
from olistctl.results import Finding, counted, printable
from olistctl.runs import StageResult

TEXT_LENGTH = 300  # characters of one message, place or next step
BODY_LENGTH = 3500  # characters; the shortest limit of the usual channels is 4,096
_SHOWN = 20  # findings


@dataclass(frozen=True)
class Ended:
    """A run that got through, as it is told."""

    command: str
    run_id: str | None  # None: it had nothing to do
    status: str
    rows_loaded: int | None  # None: nothing was to be loaded
    seconds: float
    stages: tuple[StageResult, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Place:
    """Where a run is at home: what a reader far away must know."""

    host: str
    warehouse: Path

    def __str__(self) -> str:
        return f"Warehouse: {clipped(str(self.warehouse))} on {self.host}"


@dataclass(frozen=True)
class Message:
    """One message; `tag` says which channels it is for (None: all), `kind` is Apprise's word for how grave it is."""

    tag: str | None
    title: str
    body: str
    kind: str = "info"  # info, success, warning, failure


def completed(ended: Ended, place: Place) -> Message:
    """Sum a run up."""
    facts = [] if ended.rows_loaded is None else [f"{counted(ended.rows_loaded, 'row')} loaded"]
    facts += [counted(len(ended.findings), "warning")] if ended.findings else []
    lines = [f"{ended.run_id}: {', '.join([*facts, f'{ended.seconds:.1f} s'])}", ""]
    lines += [
        f"{stage.stage}: {stage.result}, {stage.seconds:.2f} s{f' ({clipped(stage.note)})' if stage.note else ''}"
        for stage in ended.stages
        if stage.stage != "publish"
    ]
    kind = "warning" if ended.findings else "success"
    return Message("completed", f"olistctl {ended.command}: {ended.status}", _body([*lines, "", str(place)]), kind)


def alert(ended: Ended, findings: Sequence[Finding], quiet: int, quiet_minutes: float, place: Place) -> Message:
    """Say what a run warns of, in one message; `quiet` findings were told less than `quiet_minutes` ago."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(fingerprint(finding), []).append(finding)
    lines = [f"{ended.run_id}:", *_entries(list(groups.values()))]
    if quiet:
        lines += ["", f"{quiet:,} more said in the last {quiet_minutes:g} minutes, and still so."]
    title = f"olistctl {ended.command}: {counted(len(findings), 'warning')}"
    return Message("alert", title, _body([*lines, "", str(place)]), "warning")


def failure(command: str, run_id: str | None, finding: Finding, place: Place) -> Message:
    """Say that a run failed."""
    begin = [f"{run_id}:"] if run_id else []
    return Message("alert", f"olistctl {command} failed", _body([*begin, *_entry(finding), "", str(place)]), "failure")


def opened(ticket: Ticket, place: Place) -> Message:
    """Say that a test has begun to fail."""
    since = f"Ticket {ticket.ticket_id}, opened by {ticket.opened_by_run}. It is closed when the test passes."
    title = f"olistctl ticket {ticket.ticket_id} opened: {clipped(ticket.test, 120)}"
    lines = _entries([[finding] for finding in findings_of(ticket)])
    lines += [f"  next: {clipped(ticket.hint)}"] if ticket.hint else []
    return Message("ticket", title, _body([*lines, "", since, str(place)]), "warning")


def closed(key: str, test: str, place: Place) -> Message:
    """Say that the test of a ticket passes again."""
    number = key.split()[0]
    lines = [f"The test {clipped(test)} passes again.", "", str(place)]
    return Message("ticket", f"olistctl ticket {number} closed: {clipped(test, 120)}", _body(lines), "success")


def trial(place: Place) -> Message:
    """Return what a user sends to try the channels."""
    body = _body(["This is a trial: notifications from here arrive.", "", str(place)])
    return Message(None, "olistctl: a trial message", body)


def ticket_messages(
    open_now: Iterable[Ticket], told: Mapping[str, str], place: Place
) -> tuple[dict[Message, tuple[str, str]], dict[Message, str]]:
    """Return what opens (with key and test) and what closes (with the key), seen from what was told."""
    tickets = {ticket.key: ticket for ticket in open_now}
    opens = {opened(one, place): (key, one.test) for key, one in tickets.items() if key not in told}
    closes = {closed(key, test, place): key for key, test in told.items() if key not in tickets}
    return opens, closes


def loud(
    findings: Iterable[Finding], sent: Mapping[str, float], quiet_minutes: float, now: float
) -> tuple[Finding, ...]:
    """Return the findings that were not alerted in the last `quiet_minutes`; `sent` holds POSIX seconds."""
    recent = set(still_quiet(sent, quiet_minutes, now))
    return tuple(finding for finding in findings if fingerprint(finding) not in recent)


def still_quiet(sent: Mapping[str, float], quiet_minutes: float, now: float) -> dict[str, float]:
    """Return the alerts that are not to be sent again yet; one of the future comes from a clock that was wrong."""
    return {key: at for key, at in sent.items() if 0 <= now - at < quiet_minutes * 60}


def without(
    findings: Iterable[Finding], tickets: Collection[Ticket], told: Mapping[str, Collection[str]]
) -> tuple[Finding, ...]:
    """Return the findings that no ticket tells: not one that opens now, nor one that has `told` them (by its key).

    What a test finds besides while its ticket is open is news, and nobody would hear of it.
    """
    known = {
        (finding.message, finding.where)
        for ticket in tickets
        for finding in findings_of(ticket)
        if ticket.key not in told or fingerprint(finding) in told[ticket.key]
    }
    return tuple(finding for finding in findings if (finding.message, finding.where) not in known)


def findings_of(ticket: Ticket) -> tuple[Finding, ...]:
    """Return what the test of a ticket has found, one thing a line of its message."""
    return tuple(Finding(message, ticket.place) for message in ticket.message.split("\n"))


def fingerprint(finding: Finding) -> str:
    """Return what findings have in common that say the same of the same place, with other numbers.

    Numbers within a name or a date count: by these deliveries and days are told apart.
    """
    message = re.sub(r"(?<![\w.-])\d+(?:[.,]\d+)*(?![\w-])", "#", finding.message)
    where = re.sub(r":\d+$", "", finding.where or "")
    return hashlib.sha256(f"{where}\n{message}".encode("utf-8", "backslashreplace")).hexdigest()[:16]


def clipped(text: str, length: int = TEXT_LENGTH) -> str:
    """Return a text in one line, its control characters as escapes, and no longer than `length` characters."""
    line = printable(text[: length + 1]).replace("\n", "\\n")
    return line if len(line) <= length else line[: length - 1] + "…"


def _entries(groups: Sequence[Sequence[Finding]]) -> list[str]:
    """Return as many findings as a message has room for, and how many there are besides."""
    lines: list[str] = []
    shown = 0
    for group in groups[:_SHOWN]:
        entry = _entry(group[0], alike=len(group) - 1)
        if sum(map(len, (*lines, *entry))) > BODY_LENGTH - 2 * TEXT_LENGTH:
            break
        lines += entry
        shown += len(group)
    left = sum(map(len, groups)) - shown
    return [*lines, f"- and {left:,} more: olistctl errors list"] if left else lines


def _entry(finding: Finding, alike: int = 0) -> list[str]:
    where = f"{clipped(finding.where)}: " if finding.where else ""
    besides = f" (and {alike:,} alike)" if alike else ""
    entry = [f"- {where}{clipped(finding.message)}{besides}"]
    return [*entry, f"  next: {clipped(finding.hint)}"] if finding.hint else entry


def _body(lines: Iterable[str]) -> str:
    body = "\n".join(lines)
    return body if len(body) <= BODY_LENGTH else body[: BODY_LENGTH - 1] + "…"
