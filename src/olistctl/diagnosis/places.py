"""The folders that olistctl writes, their disks, and memory. Nothing that is tried out stays."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory

from olistctl.config import Settings
from olistctl.diagnosis.check import PROBLEM, WARNING, Answer
from olistctl.errors import ConfigError, EnvironmentFault
from olistctl.publishing import LATEST
from olistctl.sources import find_files, load_contract
from olistctl.warehouse import refused

_ELSEWHERE = "or name another place in config/olistctl.yml"
# What a full refresh takes beside what is there, with its Parquet release: measured 27 MB for 2.6 MB of files, 97 MB
# for 25 MB and 257 MB for 126 MB (the real size). A release alone takes no more than its files.
_NEEDED_ALWAYS, _NEEDED_PER_BYTE = 25_000_000, 3
_DUCKDBS_SHARE = 0.8  # of the memory that the machine, or its container, has


def warehouse_folder(settings: Settings) -> Answer:
    """Check that a finished warehouse can be put in its place."""
    return _writable(settings.warehouse.parent)


def state_folder(settings: Settings) -> Answer:
    """Check that the state folder can be written, and that one rename leads from there to the warehouse."""
    answer = _writable(settings.state_dir, settings.state_dir / "lock")
    with _trial(settings.state_dir) as here, _trial(settings.warehouse.parent) as there:
        try:
            (here / "file").rename(there / "renamed")
        except OSError as error:
            hint = f"let {settings.state_dir} be a folder on the warehouse's own disk, without link or mount"
            message = f"nothing can be published from there in one rename: {error.strerror}"
            return Answer(message, PROBLEM, str(settings.state_dir), hint)
        try:
            (here / "linked").hardlink_to(there / "renamed")
        except OSError as error:
            hint = "it works all the same; publish.keep_versions: 0 in config/olistctl.yml keeps none"
            message = f"each version that is kept is a whole copy, without hard links: {error.strerror}"
            return Answer(message, WARNING, str(settings.state_dir), hint)
    return answer


def log_folder(settings: Settings) -> Answer:
    """Check that the log can be written."""
    return _writable(settings.log_file.parent, settings.log_file)


def quarantine_folder(settings: Settings) -> Answer:
    """Check that bad records and refused files can be kept."""
    return _writable(settings.quarantine_dir)


def parquet_folder(settings: Settings) -> Answer:
    """Check that releases can be written, and that `latest` can lead to one."""
    folder = settings.parquet_dir
    if folder is None:
        return Answer("none: a run leaves no Parquet files")
    answer = _writable(folder)
    with _trial(folder) as trial:
        try:
            (trial / LATEST).symlink_to("file")
        except OSError as error:
            hint = "read each release by its own name, or set parquet_dir to a disk that knows symbolic links"
            return Answer(f"'{LATEST}' cannot lead to a release: {error.strerror}", WARNING, str(folder), hint)
    return answer


def disk(settings: Settings) -> Answer:
    """Check that there is room for a full refresh, by the size of its files and what that was measured to take."""
    size = _size_of_sources(settings)
    needed = {settings.warehouse.parent: _NEEDED_ALWAYS + _NEEDED_PER_BYTE * size}
    if settings.parquet_dir and not _is_same_disk(settings.parquet_dir, settings.warehouse.parent):
        needed[settings.parquet_dir] = size
    free = {folder: shutil.disk_usage(_nearest(folder)).free for folder in needed}
    copy = settings.warehouse.stat().st_size if settings.warehouse.is_file() else 0
    for folder, bytes_needed in needed.items():
        is_too_small_for_any_run = folder == settings.warehouse.parent and free[folder] < copy
        if free[folder] < bytes_needed or is_too_small_for_any_run:
            found = f"{_amount(free[folder])} free, and a full refresh takes about {_amount(bytes_needed)}"
            if is_too_small_for_any_run:
                found = f"{_amount(free[folder])} free, and a run begins with a copy of {_amount(copy)}"
            status = PROBLEM if is_too_small_for_any_run else WARNING
            return Answer(found, status, str(folder), f"free space on the disk, {_ELSEWHERE}")
    place, bytes_needed = next(iter(needed.items()))
    told = f"{_amount(free[place])} free; a full refresh takes about {_amount(bytes_needed)}"
    return Answer(told, where=str(place))


def memory(settings: Settings) -> Answer:
    """Check that the memory that DuckDB may take is there, by what DuckDB knows of the machine or its container."""
    machine = _memory_limit(None) / _DUCKDBS_SHARE
    allowed = _memory_limit(settings.memory_limit)
    told = f"DuckDB may take {_amount(allowed)} of {_amount(machine)}"
    if allowed <= machine:
        return Answer(told)
    hint = "memory_limit: auto in config/olistctl.yml takes 80 % of what there is"
    return Answer(told, WARNING, settings.origins["memory_limit"], hint)


def _writable(folder: Path, file: Path | None = None) -> Answer:
    """Check that a folder can be written, or made; and that a file in it can, where it is there."""
    with _trial(folder):
        pass
    if file and file.exists() and not file.is_file():
        hint = f"move it away, {_ELSEWHERE}"
        raise EnvironmentFault("something else lies where the file should be", where=str(file), hint=hint)
    if file and file.exists() and not os.access(file, os.W_OK):
        hint = f"it may be of another user (ls -l {quote(str(file))}): let this one write it, {_ELSEWHERE}"
        raise EnvironmentFault("no permission to write the file", where=str(file), hint=hint)
    return Answer("can be written" if folder.exists() else "is not there yet, and can be made", where=str(folder))


@contextmanager
def _trial(folder: Path) -> Iterator[Path]:
    """Give a new folder, with a file in it, in a folder or in the nearest one that is there; it goes again.

    Raises:
        EnvironmentFault: nothing can be written there.
    """
    place = _nearest(folder)
    try:
        made = TemporaryDirectory(prefix=".olistctl-doctor-", dir=place)
    except OSError as error:
        raise refused("it cannot be written", error, place) from None
    with made as name:
        try:
            (Path(name) / "file").write_bytes(bytes(4096))
        except OSError as error:
            raise refused("it cannot be written", error, place) from None
        yield Path(name)


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest above it that is there."""
    place = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not place.is_dir():
        what = "a link leads nowhere" if place.is_symlink() else "a file lies"
        raise EnvironmentFault(f"{what} where a folder should be", where=str(place), hint=f"move it away, {_ELSEWHERE}")
    return place


def _is_same_disk(one: Path, other: Path) -> bool:
    return _nearest(one).stat().st_dev == _nearest(other).stat().st_dev


def _size_of_sources(settings: Settings) -> int:
    with suppress(ConfigError):  # another check says that
        files = find_files(load_contract(settings.contract_file), settings.source_dir)
        return sum(file.path.stat().st_size for file in files if file.path.is_file())
    return 0


def _memory_limit(given: str | None) -> int:
    """Return how many bytes DuckDB takes at most with a limit, or of itself."""
    import duckdb

    with duckdb.connect(config={"memory_limit": given} if given else {}) as connection:
        ((limit,),) = connection.execute("select parse_formatted_bytes(current_setting('memory_limit'))").fetchall()
    return int(limit)


def _amount(size: float) -> str:
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"
