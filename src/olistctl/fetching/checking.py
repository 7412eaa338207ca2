"""Whether the files in a folder are the genuine ones, byte for byte."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from olistctl.fetching.dataset import OLIST, Dataset, Description, KnownFile
from olistctl.sources import sha256_of

GENUINE, MISSING, DIFFERENT = "genuine", "missing", "different"


@dataclass(frozen=True)
class FileReport:
    """How a file of the data set stands; `bytes` and `sha256` are what is known of the genuine one."""

    name: str
    result: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class FolderReport:
    """How the files of a data set stand in a folder."""

    dataset: Description
    folder: Path
    files: tuple[FileReport, ...]

    def having(self, result: str) -> tuple[FileReport, ...]:
        """Return the files of one result."""
        return tuple(file for file in self.files if file.result == result)


def check(folder: Path, dataset: Dataset = OLIST) -> FolderReport:
    """Compare the files in a folder with what is known of them; a folder that is not there has none.

    Raises:
        OSError: a file cannot be read.
    """
    files = (
        FileReport(file.name, standing(folder / file.name, file), file.bytes, file.sha256) for file in dataset.files
    )
    return FolderReport(dataset.description, folder, tuple(files))


def standing(path: Path, known: KnownFile) -> str:
    """Return whether the genuine file, nothing, or something else is at a path.

    Raises:
        OSError: it cannot be read.
    """
    if not os.path.lexists(path):
        return MISSING
    try:
        status = path.stat()
    except FileNotFoundError:  # a link that leads nowhere
        return DIFFERENT
    if not stat.S_ISREG(status.st_mode) or status.st_size != known.bytes:  # opening a FIFO would block for ever
        return DIFFERENT
    return GENUINE if sha256_of(path) == known.sha256 else DIFFERENT
