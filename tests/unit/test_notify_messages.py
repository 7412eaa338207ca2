"""What is said of a run: grouped, cut, quiet for a while, and never a second time of the same ticket."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from olistctl.ledger import Ticket
from olistctl.notify.messages import (
    BODY_LENGTH,
    TEXT_LENGTH,
    Ended,
    Place,
    alert,
    clipped,
    closed,
    completed,
    failure,
    fingerprint,
    loud,
    opened,
    still_quiet,
    ticket_messages,
    without,
)
from olistctl.results import Finding
from olistctl.runs import StageResult

PLACE = Place("desk-1", Path("/data/dw.duckdb"))
HOUR = 60.0
NOW = 1_700_000_000.0
MISSING = Finding("missing: the file is not there", "olist_sellers_dataset.csv", "deliver it and run again")
BAD = Finding("2 of 2,253 records are bad", "olist_orders_dataset.csv:12", "olistctl quarantine list")
STAGES = (StageResult("load", "warnings", 31_241, 0.22, "31,241 records"), StageResult("publish", "ok", None, 0.1, "x"))
ENDED = Ended("run", "run-1", "warnings", 31_241, 9.04, STAGES, (MISSING, BAD))
TICKET = Ticket(
    3, "unique_orders", "test unique_orders fails: 2 rows", "orders.id", "olistctl test", datetime(2018, 9, 1), "run-1"
)


def test_the_summary() -> None:
    message = completed(ENDED, PLACE)
    assert (message.tag, message.title, message.kind) == ("completed", "olistctl run: warnings", "warning")
    assert message.body == (
        "run-1: 31,241 rows loaded, 2 warnings, 9.0 s\n"
        "\n"
        "load: warnings, 0.22 s (31,241 records)\n"
        "\n"
        "Warehouse: /data/dw.duckdb on desk-1"
    )
    tested = completed(replace(ENDED, command="test", status="success", rows_loaded=None, findings=()), PLACE)
    assert (tested.title, tested.kind) == ("olistctl test: success", "success")
    assert tested.body.startswith("run-1: 9.0 s\n")


def test_an_alert_says_what_where_and_what_next_and_groups_what_is_alike() -> None:
    other = replace(BAD, message="17 of 2,253 records are bad", where="olist_orders_dataset.csv:99")
    message = alert(ENDED, [MISSING, BAD, other], 4, HOUR, PLACE)
    assert (message.tag, message.title) == ("alert", "olistctl run: 3 warnings")
    assert message.body == (
        "run-1:\n"
        "- olist_sellers_dataset.csv: missing: the file is not there\n"
        "  next: deliver it and run again\n"
        "- olist_orders_dataset.csv:12: 2 of 2,253 records are bad (and 1 alike)\n"
        "  next: olistctl quarantine list\n"
        "\n"
        "4 more said in the last 60 minutes, and still so.\n"
        "\n"
        "Warehouse: /data/dw.duckdb on desk-1"
    )


def test_an_alert_has_an_end() -> None:
    findings = [Finding("x" * 1000, f"file_{letter}.csv", "y" * 1000) for letter in "abcdefghijklmnopqrstuvwxyz"]
    body = alert(ENDED, findings, 0, HOUR, PLACE).body
    assert len(body) <= BODY_LENGTH
    shown = body.count("next: ")
    assert 0 < shown < 10
    assert f"- and {26 - shown} more: olistctl errors list" in body
    assert body.endswith("on desk-1")
    short = [Finding("held back", f"file_{letter}.csv") for letter in "abcdefghijklmnopqrstuvwxyz"]
    assert "- and 6 more: olistctl errors list" in alert(ENDED, short, 0, HOUR, PLACE).body


def test_foreign_text_is_cut_and_its_control_characters_are_shown() -> None:
    assert clipped("a\nb\x1b[31m\u202e") == "a\\nb\\x1b[31m\\u202e"
    assert clipped("é" * TEXT_LENGTH) == "é" * TEXT_LENGTH
    cut = clipped("é" * 100_000)
    assert len(cut) == TEXT_LENGTH
    assert cut.endswith("…")
    message = failure("run", None, Finding("Could not convert 'João\r\nda Silva' " * 50, "x"), PLACE)
    assert len(message.body.splitlines()[0]) < TEXT_LENGTH + 10
    assert "\r" not in message.body
    message.body.encode()
    assert clipped("\udcff") == "\\udcff"


def test_what_is_alike_differs_in_numbers_alone() -> None:
    assert fingerprint(BAD) == fingerprint(replace(BAD, message="9,999 of 1.5 records are bad"))
    assert fingerprint(BAD) == fingerprint(replace(BAD, where="olist_orders_dataset.csv:1999"))
    assert fingerprint(BAD) == fingerprint(replace(BAD, hint=None))
    assert fingerprint(BAD) != fingerprint(replace(BAD, where="olist_orders_dataset_2018-11-01.csv:12"))
    assert fingerprint(replace(BAD, where="d_1.csv")) != fingerprint(replace(BAD, where="d_2.csv"))
    assert fingerprint(BAD) != fingerprint(replace(BAD, message="2 of 2,253 records are good"))


def test_an_alert_is_quiet_for_a_while() -> None:
    def sent(minutes_ago: float) -> dict[str, float]:
        return {fingerprint(BAD): NOW - 60 * minutes_ago}

    assert loud([MISSING, BAD], sent(59), HOUR, NOW) == (MISSING,)
    assert loud([MISSING, BAD], sent(60), HOUR, NOW) == (MISSING, BAD)
    assert loud([BAD], sent(0), 0, NOW) == (BAD,), "nothing is quiet"
    assert loud([BAD], sent(-5), HOUR, NOW) == (BAD,), "the clock was set back"
    assert still_quiet(sent(59) | {"old": 0.0}, HOUR, NOW) == sent(59)


def test_what_has_a_ticket_is_no_alert() -> None:
    test = Finding(TICKET.message, TICKET.place, TICKET.hint)
    assert without([MISSING, test], [TICKET], {}) == (MISSING,), "the ticket opens now"
    assert without([MISSING, test], [TICKET], {TICKET.key: [fingerprint(test)]}) == (MISSING,), "it has told so"
    assert without([MISSING, test], [], {}) == (MISSING, test)


def test_what_a_test_finds_besides_while_its_ticket_is_open_is_news() -> None:
    first, more = Finding("gmv of 2018-08-01 is 9,000", "dq"), Finding("gmv of 2018-08-02 is 8,000", "dq")
    ticket = replace(TICKET, place="dq", message=f"{first.message}\n{more.message}")
    assert without([first, more], [ticket], {ticket.key: [fingerprint(first)]}) == (more,)
    again = Finding("gmv of 2018-08-01 is 9,500", "dq")
    ticket = replace(ticket, message=again.message)
    assert without([again], [ticket], {ticket.key: [fingerprint(first)]}) == (), "only its numbers have changed"


def test_a_ticket_is_told_when_it_opens_and_when_it_closes() -> None:
    assert ticket_messages([TICKET], {}, PLACE) == ({opened(TICKET, PLACE): (TICKET.key, TICKET.test)}, {})
    told = {TICKET.key: TICKET.test}
    assert ticket_messages([TICKET], told, PLACE) == ({}, {})
    assert ticket_messages([], told, PLACE) == ({}, {closed(TICKET.key, TICKET.test, PLACE): TICKET.key})
    again = replace(TICKET, opened_by_run="run-9")  # after a rollback took the first one's row away
    opens, closes = ticket_messages([again], told, PLACE)
    assert (list(opens.values()), list(closes.values())) == ([(again.key, again.test)], [TICKET.key])
    assert opened(TICKET, PLACE).title == "olistctl ticket 3 opened: unique_orders"
    assert opened(TICKET, PLACE).body.startswith(
        "- orders.id: test unique_orders fails: 2 rows\n  next: olistctl test\n\nTicket 3, opened by run-1."
    )
    assert closed(TICKET.key, TICKET.test, PLACE).title == "olistctl ticket 3 closed: unique_orders"
