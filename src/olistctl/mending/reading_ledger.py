"""The ledger of the published warehouse, opened for reading."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from olistctl import ledger
from olistctl.config import Settings
from olistctl.errors import DataError
from olistctl.warehouse import read_only

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@contextmanager
def published_ledger(settings: Settings) -> Iterator[DuckDBPyConnection]:
    """Open the published warehouse for reading.

    Raises:
        EnvironmentFault: there is none, or it cannot be opened.
        DataError: its ledger is of an older release.
    """
    with read_only(settings.warehouse) as connection:
        if not ledger.is_current(connection) or ledger.lacks_records(connection):
            raise DataError(
                "the ledger of the warehouse is of an older release",
                where=str(settings.warehouse),
                hint="`olistctl load` brings it up to date",
            )
        yield connection
