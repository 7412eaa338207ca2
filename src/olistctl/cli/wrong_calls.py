"""What Typer says of a call that it cannot parse, as an error like any other."""

from __future__ import annotations

import re
from typing import Any

from olistctl.errors import UsageError

# What Typer says, and what is said instead.
_WORDS = (
    (r"a valid (int|float)( range)?\b", "a number"),
    (r"not in the range (\S+)<=x<=(\S+)", r"not from \1 to \2"),
    (r"not in the range x>=(\S+)", r"less than \1"),
    (r"not in the range x<=(\S+)", r"more than \1"),
)


def usage_error(complaint: Any) -> UsageError | None:
    """Return a complaint of Typer as an error; None for one that is the help, since nothing was asked for."""
    text = complaint.format_message()
    context = getattr(complaint, "ctx", None)
    if context and text == context.get_help():
        return None
    message, _, near = text.partition(" Did you mean ")
    if options := getattr(complaint, "possibilities", None):
        message, near = complaint.message, " or ".join(f"'{option}'" for option in options) + "?"
    command = context.command_path if context else "olistctl"
    hint = f"did you mean {near}" if near else f"{command} --help"
    return UsageError(_plain(message), hint=hint)


def _plain(sentence: str) -> str:
    """Write a sentence as the other errors are written: no capital, no full stop, no words of programmers."""
    for pattern, words in _WORDS:
        sentence = re.sub(pattern, words, sentence)
    return sentence[:1].lower() + sentence[1:].removesuffix(".")
