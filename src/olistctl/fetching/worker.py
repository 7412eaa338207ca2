"""What `fetch` asks for, served in a process of its own: the only place that knows the Kaggle client."""

from __future__ import annotations

import os
import shutil
import threading
import time
from concurrent.futures import Future, wait
from contextlib import suppress
from pathlib import Path

from olistctl.errors import DataError, EnvironmentFault
from olistctl.fetching.checking import GENUINE, standing
from olistctl.fetching.dataset import Dataset, KnownFile
from olistctl.fetching.faults import AGAIN, by_browser, fault_of, is_connection_lost, unreadable_credentials
from olistctl.results import Progress
from olistctl.sources import sha256_of
from olistctl.workers import serve

_TICK_SECONDS = 0.1


def bring(
    dataset: Dataset, files: tuple[KnownFile, ...], place: Path, stalled_seconds: float, progress: Progress
) -> None:
    """Put files of a data set into `place`, each once its sum is right; what is there already is used.

    Raises:
        DataError: what came is not the genuine file.
        EnvironmentFault: Kaggle cannot be reached or refuses, its client is not installed, the disk is full.
    """
    _prepare_client()
    progress.start("Fetching", sum(file.bytes for file in files))
    for file in files:
        try:
            _Fetched(dataset, file, place, stalled_seconds, progress).bring()
        except OSError as error:
            raise fault_of(error, dataset, place.parent) from None
    progress.finish()


class _Fetched:
    """One file on its way: the client writes into a folder of its own (`.part`), from which it is taken when whole."""

    def __init__(
        self, dataset: Dataset, file: KnownFile, place: Path, stalled_seconds: float, progress: Progress
    ) -> None:
        self._dataset = dataset
        self._file = file
        self._folder = place.parent
        self._whole = place / file.name
        self._part = place / f"{file.name}.part"
        self._stalled_seconds = stalled_seconds
        self._progress = progress
        self._told = 0  # bytes, of which the progress knows

    def bring(self) -> None:
        if standing(self._whole, self._file) != GENUINE:
            self._fetch()
        self._tell(self._file.bytes)

    def _fetch(self) -> None:
        """Fetch the file; when what was there before does not fit the rest, once more from its beginning."""
        goes_on = _size(self._part) > 0
        came = self._download()
        if (came is None or standing(came, self._file) != GENUINE) and goes_on:
            shutil.rmtree(self._part)
            came = self._download()
        if came is None:
            raise EnvironmentFault("it arrived damaged", where=self._file.name, hint="run it again")
        if standing(came, self._file) != GENUINE:
            found = sha256_of(came)
            shutil.rmtree(self._part)
            raise self._not_genuine(found)
        came.replace(self._whole)
        shutil.rmtree(self._part)

    def _download(self) -> Path | None:
        """Let the client download; go on for as long as each new connection brings bytes. None: it arrived damaged."""
        from kagglehub.exceptions import DataCorruptionError

        most = _size(self._part)
        while True:
            try:
                return self._connect()
            except DataCorruptionError:
                return None
            except Exception as error:
                brought = _size(self._part)
                if is_connection_lost(error) and brought > most:
                    most = brought
                    continue
                raise fault_of(error, self._dataset, self._folder) from None

    def _connect(self) -> Path:
        """Call the client once, and tell how much it has written meanwhile.

        Raises:
            EnvironmentFault: nothing has come for too long; the client's thread is left to end with the process.
        """
        came: Future[Path] = Future()
        threading.Thread(target=self._call_client, args=(came,), daemon=True).start()
        size, since = _size(self._part), time.monotonic()
        while not wait([came], timeout=_TICK_SECONDS).done:
            now = _size(self._part)
            if now != size:
                size, since = now, time.monotonic()
                self._tell(size)
            elif time.monotonic() - since > self._stalled_seconds:
                raise EnvironmentFault(
                    f"Kaggle has sent nothing for {self._stalled_seconds:g} seconds",
                    where=self._file.name,
                    hint=f"{AGAIN}; or {by_browser(self._dataset, self._folder)}",
                )
        return came.result()

    def _call_client(self, came: Future[Path]) -> None:
        from kagglehub import dataset_download

        os.environ["KAGGLEHUB_CACHE"] = str(self._part)
        try:
            came.set_result(Path(dataset_download(self._dataset.handle, path=self._file.name)))
        except Exception as error:
            came.set_exception(error)

    def _tell(self, size: int) -> None:
        size = min(size, self._file.bytes)  # Kaggle may send an archive, which the client unpacks beside it
        if size > self._told:
            self._progress.advance(size - self._told, self._file.name)
            self._told = size

    def _not_genuine(self, found: str) -> DataError:
        return DataError(
            f"what Kaggle sent is not the genuine file: its SHA-256 is {found}, and {self._file.sha256} is known",
            where=self._file.name,
            hint=f"nothing was put in place. Is something between you and Kaggle changing files? "
            f"Look at {self._dataset.description.page}, or upgrade: pip install --upgrade olistctl",
        )


def _prepare_client() -> None:
    """Import the client; what notebooks have mounted is not asked for.

    Raises:
        EnvironmentFault: it is not installed, or cannot read its credentials.
    """
    os.environ |= {"DISABLE_KAGGLE_CACHE": "true", "DISABLE_COLAB_CACHE": "true"}
    try:
        from kagglehub.config import get_kaggle_credentials
    except ImportError as error:
        if error.name != "kagglehub":
            message = f"the Kaggle client cannot be imported: {error}"
            raise EnvironmentFault(message, hint="pip install --upgrade 'olistctl[kaggle]'") from None
        raise EnvironmentFault(
            "fetching needs the Kaggle client, which is not installed", hint="pip install 'olistctl[kaggle]'"
        ) from None
    except RuntimeError:  # the client looks for a home folder when it is imported
        hint = "name any folder that can be written: HOME=/tmp olistctl fetch"
        raise EnvironmentFault("this user has no home folder, which the Kaggle client needs", hint=hint) from None
    try:
        get_kaggle_credentials()
    except Exception:
        raise unreadable_credentials() from None


def _size(folder: Path) -> int:
    """Return the bytes of all files in a folder; what goes away meanwhile does not count."""
    size = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            size += path.stat().st_size if path.is_file() else 0
    return size


def main() -> None:
    """Fetch as long as somebody asks."""
    serve({"bring": bring}, shows_progress=("bring",))


if __name__ == "__main__":
    main()
