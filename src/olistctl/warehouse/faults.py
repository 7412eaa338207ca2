"""What the machine can refuse, recognised in the words of DuckDB, dbt and the operating system."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from olistctl.errors import EnvironmentFault


class DamagedWarehouse(EnvironmentFault):
    """A warehouse file that no DuckDB of this installation can read: damaged, foreign, or of a newer DuckDB."""


@dataclass(frozen=True)
class _Fault:
    """One thing that can go wrong: how it shows, and what is said of it."""

    signs: re.Pattern[str]
    message: Callable[[str, str], str]  # from the error's text and the place
    hint: str
    error: type[EnvironmentFault] = EnvironmentFault


# Only lines that DuckDB or the system themselves began: a message can also quote the text of a customer.
_OURS = re.compile(
    r"^\s*(IO Error|Out of Memory Error|Permission Error|TransactionContext Error|FATAL Error|INTERNAL Error"
    r"|Serialization Error|Invalid Input Error: Unsupported Storage Version"
    r"|Corrupt database file|\[Errno \d+\]|\[WinError \d+\]|MemoryError|std::bad_alloc)",
    re.MULTILINE,
)
_PATH = re.compile(r"file \"([^\"\n]+)\"|\[Errno \d+\][^\n]*: '([^'\n]+)'")


def _says(sentence: str) -> Callable[[str, str], str]:
    return lambda text, where: sentence


def _full(text: str, where: str) -> str:
    return "the disk is full: no space is left" + (f" on {_disk_of(where)}" if where else "")


def _no_spill(text: str, where: str) -> str:
    there = f" on {_disk_of(where)}" if where else ""
    return f"the disk is full: no room{there} for what does not fit into memory"


def _no_memory(text: str, where: str) -> str:
    allowed = re.search(r"/([\d.]+ [KMGT]?i?B) used\)", text)
    return f"the memory is not enough: DuckDB may use {allowed[1]}" if allowed else "the memory is not enough"


def _newer(text: str, where: str) -> str:
    found = re.search(r"version number (\d+), but we can only read[^\d\n]*(\d+)(?: and (\d+))?", text)
    if not found:
        return "a newer DuckDB wrote the file"
    return f"a newer DuckDB wrote the file: it has storage version {found[1]}, and this one reads up to " + (
        found[3] or found[2]
    )


# The first that fits is it. What a user can do about it is in the hint.
_FAULTS = (
    _Fault(
        re.compile(r"failed to offload data block|max_temp_directory_size' setting", re.IGNORECASE),
        _no_spill,
        "free space on it, or raise `memory_limit` in config/olistctl.yml, and run again",
    ),
    _Fault(
        re.compile(
            r"No space left on device|Disk quota exceeded|not enough space on the disk|disk is full"
            rf"|\[Errno ({errno.ENOSPC}|{errno.EDQUOT})\]",
            re.IGNORECASE,
        ),
        _full,
        "free space on it and run again",
    ),
    _Fault(
        re.compile(rf"Out of Memory|MemoryError|std::bad_alloc|Cannot allocate memory|\[Errno {errno.ENOMEM}\]"),
        _no_memory,
        "raise `memory_limit` in config/olistctl.yml, or free memory, or space on the warehouse's disk for spilling",
    ),
    _Fault(
        re.compile(rf"Read-only file system|\[Errno {errno.EROFS}\]"),
        _says("the file system can only be read"),
        "make it writable, or name another place in config/olistctl.yml",
    ),
    _Fault(
        re.compile(rf"Too many open files|\[Errno ({errno.EMFILE}|{errno.ENFILE})\]"),
        _says("too many files are open"),
        "raise the limit (`ulimit -n 4096`, say) and run again",
    ),
    _Fault(
        re.compile(r"Permission denied|Operation not permitted|Access is denied|\[Errno (1|13)\]|\[WinError (5|32)\]"),
        _says("no permission"),
        "give this user the right to it, or name another place in config/olistctl.yml",
    ),
    _Fault(
        re.compile(r"but we can only read|created with a newer version|Unsupported Storage Version"),
        _newer,
        "upgrade: pip install --upgrade olistctl duckdb",
        DamagedWarehouse,
    ),
    _Fault(
        re.compile(r"not a valid DuckDB database file|sqlite_scanner|Extension \"sqlite\""),
        _says("it is not a DuckDB file"),
        "point `warehouse` in config/olistctl.yml at another file",
        DamagedWarehouse,
    ),
    _Fault(
        re.compile(
            r"Corrupt database file|computed checksum|Could not read enough bytes|replaying WAL|Serialization Error"
        ),
        _says("the file is damaged"),
        "restore it from a backup, or move it away and run `olistctl run --full-refresh`",
        DamagedWarehouse,
    ),
    _Fault(
        re.compile(
            r"Input/output error|Stale file handle|Transport endpoint|No such device"
            rf"|\[Errno ({errno.EIO}|{errno.ENODEV}|{errno.ENXIO}|{errno.ESTALE}|{errno.ETIMEDOUT})\]",
            re.IGNORECASE,
        ),
        _says("the disk fails to read or write"),
        "check the disk or the network share, and run again",
    ),
)


def machine_fault(error: BaseException | str, where: Path | str | None = None) -> EnvironmentFault | None:
    """Return what the machine refuses, if that is what an error (or the text of one) says; None otherwise.

    An error that came up while another was being handled, as a rollback after a full disk, says what that one says.
    `where` is named when the error names no file of its own.
    """
    link: BaseException | str | None = error
    while link is not None:
        if fault := _fault_of(link, where):
            return fault
        link = None if isinstance(link, str) else link.__cause__ or link.__context__
    return None


def refused(what: str, error: Exception, where: Path) -> EnvironmentFault:
    """Return the error of a file or folder that cannot be written: what became of it, and why."""
    fault = machine_fault(error, where)
    reason = fault.message if fault else getattr(error, "strerror", None) or str(error).splitlines()[0]
    hint = fault.hint if fault else "check that the folder is there and can be written"
    return EnvironmentFault(f"{what}: {reason}", where=str(where), hint=hint)


def _fault_of(error: BaseException | str, where: Path | str | None) -> EnvironmentFault | None:
    text = _text_of(error)
    if not _OURS.search(text):
        return None
    place = _place_in(error, text) or (str(where) if where else None)
    for fault in _FAULTS:
        if fault.signs.search(text):
            return fault.error(fault.message(text, place or ""), where=place, hint=fault.hint)
    return None


def _text_of(error: BaseException | str) -> str:
    if isinstance(error, str):
        return error
    if isinstance(error, MemoryError):
        return "MemoryError"
    if isinstance(error, OSError) and error.errno is not None:  # a number says the same in every language
        return f"[Errno {error.errno}] {error.strerror}"
    return str(error)


def _place_in(error: BaseException | str, text: str) -> str | None:
    if isinstance(error, OSError) and error.filename:
        return os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else None
    found = _PATH.search(text)
    return (found[1] or found[2]) if found else None


def _disk_of(where: str) -> str:
    """Return the mount point of the disk that a path, existing or not, is on."""
    path = Path(os.path.realpath(where))
    while not path.is_mount() and path != path.parent:
        path = path.parent
    return f"the disk at {path}"
