"""`fetch`: bring the files that lack into a hidden folder beside their places, then put all of them in place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from olistctl import interruption
from olistctl.errors import BusyError, DataError, EnvironmentFault, Interrupted
from olistctl.fetching.checking import DIFFERENT, GENUINE, FolderReport, check
from olistctl.fetching.dataset import OLIST, Dataset, KnownFile
from olistctl.fetching.faults import AGAIN
from olistctl.results import NoProgress, Progress
from olistctl.warehouse import refused
from olistctl.workers import Worker, WorkerEnded

FETCHED = "fetched"
WORKPLACE = ".olistctl_fetch"  # in the folder itself, so that a file takes its place in one rename
STALLED_SECONDS = 60.0


def fetch(
    folder: Path,
    dataset: Dataset = OLIST,
    *,
    force: bool = False,
    progress: Progress | None = None,
    stalled_seconds: float = STALLED_SECONDS,
) -> FolderReport:
    """Fetch the files of a data set that are not in a folder yet; return how they stand, with the new ones as fetched.

    The files appear under their names when all of them are there with the right sums, each in one rename. What a call
    that was stopped has brought is kept beside them, and the next one goes on from there. A file that differs is
    replaced with `force` alone. No byte for `stalled_seconds` is an error.

    Raises:
        DataError: a file in the folder differs, or one that was fetched is not the genuine one.
        EnvironmentFault: Kaggle cannot be reached or refuses, its client is missing, the folder cannot be written.
        BusyError: another call is fetching into this folder.
        Interrupted: the call was stopped.
    """
    report = check(folder, dataset)
    _refuse_different(report, force)
    lacking = tuple(known for known, file in zip(dataset.files, report.files, strict=True) if file.result != GENUINE)
    if not lacking:
        return report
    try:
        with _workplace(folder) as place:
            _bring(dataset, lacking, place, stalled_seconds, progress or NoProgress())
            _refuse_different(check(folder, dataset), force)  # what came meanwhile is not overwritten either
            with interruption.held():  # a watcher takes them for one delivery
                for file in lacking:
                    (place / file.name).replace(folder / file.name)
    except BrokenPipeError:  # of the progress
        raise
    except OSError as error:
        raise refused("the files cannot be written", error, Path(error.filename2 or error.filename or folder)) from None
    except KeyboardInterrupt:
        raise Interrupted("interrupted", hint=AGAIN) from None
    brought = {file.name for file in lacking}
    files = (replace(file, result=FETCHED if file.name in brought else file.result) for file in report.files)
    return replace(report, files=tuple(files))


def _refuse_different(report: FolderReport, force: bool) -> None:
    folders = [file.name for file in report.files if (report.folder / file.name).is_dir()]
    if folders:  # a file does not take the place of one
        message = f"a folder lies where the file goes: {', '.join(folders)}"
        raise EnvironmentFault(message, where=str(report.folder), hint="move it away, then try again")
    different = report.having(DIFFERENT)
    if different and not force:
        raise DataError(
            f"not the genuine files, and nothing is overwritten: {', '.join(file.name for file in different)}",
            where=str(report.folder),
            hint="`--force` replaces them; `--out FOLDER` fetches into another folder",
        )


@contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    """Give the folder in which files are gathered, for this process alone; after an error what it holds is kept."""
    from filelock import FileLock, Timeout

    place = folder / WORKPLACE
    place.mkdir(parents=True, exist_ok=True)
    lock_file = place / "lock"
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BusyError(
            "another olistctl is fetching into this folder", where=str(folder), hint="wait for it to end"
        ) from None
    is_done = False
    try:
        yield place
        is_done = True
    finally:
        if is_done or not any(path.is_file() for path in place.rglob("*") if path.name != lock_file.name):
            shutil.rmtree(place, ignore_errors=True)  # under the lock, or it would be another call's by now
        lock.release()


def _bring(
    dataset: Dataset, files: tuple[KnownFile, ...], place: Path, stalled_seconds: float, progress: Progress
) -> None:
    """Let the client work in a process of its own, which can be ended at any time and prints nothing here."""
    worker = Worker("olistctl.fetching.worker", is_silent=True)
    try:
        worker.send("bring", (dataset, files, place, stalled_seconds), {})
        kind, content = worker.answer(progress)
    except WorkerEnded as ended:
        raise EnvironmentFault(f"the Kaggle client ended {ended}", hint=AGAIN) from None
    finally:
        worker.close()
    if kind == "failed":
        raise content
