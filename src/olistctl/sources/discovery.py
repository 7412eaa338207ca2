"""Which files of the source folder feed which source."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from olistctl.errors import ConfigError
from olistctl.sources.contract import Contract, Source


@dataclass(frozen=True)
class SourceFile:
    """A file that feeds a source; `exists` is False only for a base file that is not there."""

    source: Source
    path: Path
    exists: bool = True

    @property
    def name(self) -> str:
        """The name of the file, by which the ledger knows it; bytes that are no UTF-8 are shown as escapes."""
        name = os.fsencode(self.path.name)
        try:
            return name.decode("utf-8")
        except UnicodeDecodeError:  # the addition parts it from a file that has these escapes for its name
            return name.decode("utf-8", errors="backslashreplace") + " (not UTF-8)"


NO_FILES = (
    "name the folder with the nine CSVs with --source-dir, or get them with `olistctl fetch`, "
    "or make a sample with `olistctl sample`"
)


def find_files(contract: Contract, source_dir: Path) -> tuple[SourceFile, ...]:
    """Return every file of the folder that feeds a source, and a missing base file as not existing.

    The files of a source are sorted by name: within a key the last one wins.

    Raises:
        ConfigError: the folder is missing or cannot be read.
    """
    try:
        names = sorted(os.listdir(source_dir))  # noqa: PTH208 - names only, whatever kind of entry they are
    except OSError as error:
        raise ConfigError(
            f"the source folder cannot be read: {error.strerror}",
            where=str(source_dir),
            hint=NO_FILES,
        ) from None
    found: list[SourceFile] = []
    for source in contract.sources:
        own = [name for name in names if source.owns(name)]
        if source.file not in own:
            found.append(SourceFile(source, source_dir / source.file, exists=False))
        found.extend(SourceFile(source, source_dir / name) for name in own)
    return tuple(found)


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's content, by which the ledger knows it.

    Raises:
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
