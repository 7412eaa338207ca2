"""The versions: the published files that publications have replaced, kept for going back to.

A version lies in `<state folder>/versions` under the time at which it was replaced. It is a hard link to the
replaced file, so keeping it costs neither time nor space until the live file is another one; where the file
system knows no links it is a copy, which gets its name only when it is whole.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

_NAME = "%Y%m%dT%H%M%S.%fZ"
_FILE = re.compile(r"\d{8}T\d{6}\.\d{6}Z\.duckdb")
_DRAFT = ".draft"


@dataclass(frozen=True)
class Version:
    """A file that was the live warehouse until `kept_at` (UTC)."""

    name: str
    file: Path
    size_bytes: int
    kept_at: datetime


def versions_folder(state_dir: Path) -> Path:
    """Return where the versions of the warehouse of a state folder lie."""
    return state_dir / "versions"


def versions_beside(warehouse: Path) -> tuple[Version, ...]:
    """Return the versions of a warehouse of which only the file is known, the newest first."""
    return list_versions(versions_folder(warehouse.parent / f".{warehouse.stem}"))  # as Settings.state_dir


def list_versions(folder: Path) -> tuple[Version, ...]:
    """Return the versions in a folder, the newest first; anything else that lies there is passed over."""
    found = []
    with suppress(OSError):  # no folder, no versions
        for file in folder.iterdir():
            with suppress(ValueError):  # the digits of no date
                if _FILE.fullmatch(file.name) and file.is_file():
                    found.append(_version(file))
    return tuple(sorted(found, key=lambda version: version.name, reverse=True))


def keep_version(live: Path, folder: Path) -> Version:
    """Keep the live file, which is about to be replaced, as the newest version.

    Raises:
        OSError: neither a link nor a copy could be made; no part of one stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / _next_name(folder)
    try:
        os.link(live, file)
    except OSError:  # the file system knows no links, or not across this border
        _copy(live, file)
    return _version(file)


def prune_versions(folder: Path, keep: int) -> None:
    """Remove all but the newest `keep` versions; one that cannot be removed now goes another time."""
    for version in list_versions(folder)[keep:]:
        with suppress(OSError):
            version.file.unlink()


def clean_versions(folder: Path, live: Path) -> None:
    """Remove what a killed publication left: half a copy, or a link to a file that was not replaced after all."""
    for draft in folder.glob(f"*{_DRAFT}") if folder.is_dir() else ():
        with suppress(OSError):
            draft.unlink()
    for version in list_versions(folder):
        with suppress(OSError):
            if version.file.samefile(live):
                version.file.unlink()


def _next_name(folder: Path) -> str:
    """Return a name later than any there, also after the clock was set back: the order decides what is pruned."""
    moment = datetime.now(UTC).replace(tzinfo=None)
    versions = list_versions(folder)
    if versions:
        moment = max(moment, versions[0].kept_at + timedelta(microseconds=1))
    return f"{moment:{_NAME}}.duckdb"


def _version(file: Path) -> Version:
    name = file.name.removesuffix(".duckdb")
    return Version(name, file, file.stat().st_size, datetime.strptime(name, _NAME))


def _copy(source: Path, target: Path) -> None:
    draft = target.with_name(target.name + _DRAFT)
    try:
        shutil.copyfile(source, draft)
        flush(draft)
        draft.replace(target)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise


def flush(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
