"""What stands in the source folder at one moment, and whether a file there may still be half of what is meant."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from olistctl.errors import ConfigError
from olistctl.sources import Contract, Source, find_files

_BLOCK = 1 << 20

# What a file system tells of a file without reading it: inode, size, and when, in nanoseconds, its content and its
# metadata were changed last.
Mark = tuple[int, int, int, int]


@dataclass(frozen=True)
class Listing:
    """The files that feed a source, by name, and the marker file."""

    files: Mapping[str, Mark]
    marker: Mark | None = None


@dataclass
class Folder:
    """The source folder; what a look at the end of a file has shown is remembered as long as the file stays."""

    path: Path
    contract: Contract
    marker: str | None = None
    _unfinished: dict[str, tuple[Mark, str | None]] = field(default_factory=dict)

    def look(self) -> Listing | None:
        """Return what stands there; None when there is no folder, or none that can be read."""
        try:
            found = find_files(self.contract, self.path)
        except ConfigError:
            return None
        marks = {file.name: mark for file in found if file.exists and (mark := _mark(file.path))}
        return Listing(marks, _mark(self.path / self.marker) if self.marker else None)

    def unfinished(self, name: str, mark: Mark) -> str | None:
        """Say why a file looks as if more of it were to come; None when it does not."""
        if name not in self._unfinished or self._unfinished[name][0] != mark:
            self._unfinished[name] = mark, _why_unfinished(self.path / name, self._source_of(name))
        return self._unfinished[name][1]

    def forget_all_but(self, names: Mapping[str, Mark]) -> None:
        """Forget what was seen of files that are gone."""
        self._unfinished = {name: seen for name, seen in self._unfinished.items() if name in names}

    def _source_of(self, name: str) -> Source | None:
        return next((source for source in self.contract.sources if source.owns(name)), None)


def _mark(path: Path) -> Mark | None:
    try:
        status = path.stat()
    except OSError:  # it went away just now, or its name leads nowhere
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _why_unfinished(path: Path, source: Source | None) -> str | None:
    """A copy that pauses looks like a file that is done, but for its last record."""
    try:
        if source is None or not stat.S_ISREG(path.stat().st_mode):  # opening a FIFO would block for ever
            return None
        quotes, last = 0, b""
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                quotes += block.count(b'"')
                last = block[-1:]
    except OSError:
        return None  # the run will say what is wrong with it
    if not last:
        return "it is empty"
    if quotes % 2:
        return "a quote in it is still open"
    if last not in (b"\n", b"\r") and not source.may_end_open:
        return "its last record has no line end"
    return None


def folder_identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a folder from one of the same name that was made later; None when it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
