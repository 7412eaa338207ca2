"""One check: a function that looks and answers. What keeps it from looking is an answer, too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from olistctl import interruption
from olistctl.errors import OlistctlError
from olistctl.warehouse import machine_fault

OK, WARNING, PROBLEM = "ok", "warning", "problem"
_MEND = "mend it there, and look again: olistctl doctor"


@dataclass(frozen=True)
class Answer:
    """What a look found: whether that is right, where it is, and what to do next."""

    found: str
    status: str = OK
    where: str | None = None
    next: str | None = None


@dataclass(frozen=True)
class Check:
    """What was checked, with the answer; `status`: ok, warning (it works, but …), problem (it does not)."""

    name: str
    status: str
    found: str
    where: str | None
    next: str | None


def ask(name: str, look: Callable[[], Answer]) -> Check:
    """Check something; whatever error the look raises is a problem that it found."""
    try:
        answer = look()
    except Exception as error:
        if stop := interruption.stopped():  # DuckDB makes an error of its own of it
            raise stop from None
        answer = answer_of(error)
    return Check(name, **vars(answer))


def answer_of(error: Exception) -> Answer:
    """Return an error as the problem that it is, with what to do about it."""
    known = error if isinstance(error, OlistctlError) else machine_fault(error)
    if known:
        return Answer(known.message, PROBLEM, known.where, known.hint or _MEND)
    if isinstance(error, OSError):
        return Answer(error.strerror or str(error), PROBLEM, str(error.filename or "") or None, _MEND)
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, ImportError):
        return Answer(f"a package cannot be imported: {text}", PROBLEM, next="see `packages`, and install it anew")
    hint = "this is a bug in olistctl: please report it"
    return Answer(f"the check itself fails: {type(error).__name__}: {text}", PROBLEM, next=hint)
