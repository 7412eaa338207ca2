"""Chosen tables as single files: CSV, Excel or Parquet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl.config import Settings
from olistctl.config.strict_yaml import nearest_hint
from olistctl.drafts import written
from olistctl.errors import UsageError
from olistctl.publishing.tables import CSV, PARQUET, SharedTable, reading, shared_tables, writing
from olistctl.publishing.workbook import write_workbook
from olistctl.results import NoProgress, Progress

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class WrittenFile:
    """A table that was written to a file of its own."""

    table: str
    file: Path
    rows: int


_Writer = Callable[["DuckDBPyConnection", SharedTable, Path], None]


def _copying(options: str) -> _Writer:
    return lambda connection, table, file: table.copy_to(connection, file, options)


_WRITERS: dict[str, _Writer] = {"csv": _copying(CSV), "xlsx": write_workbook, "parquet": _copying(PARQUET)}
FORMATS = tuple(_WRITERS)


def write_files(
    settings: Settings,
    names: Sequence[str],
    file_format: str,
    folder: Path,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> tuple[WrittenFile, ...]:
    """Write tables of the published warehouse to `<folder>/<table>.<format>`, each file whole or not at all.

    Raises:
        UsageError: there is no such table or format, it does not fit into the format, or a file is already there and
            must not be overwritten; nothing is written.
        EnvironmentFault: there is no warehouse, or the folder cannot be written.
    """
    if file_format not in _WRITERS:
        raise UsageError(f"there is no format '{file_format}'", hint=nearest_hint(file_format, FORMATS))
    given = progress or NoProgress()
    with reading(settings) as connection:
        tables = _chosen(shared_tables(connection, settings.dbt_artifacts), names)
        files = [folder / f"{table.file_stem}.{file_format}" for table in tables]
        for file in files:
            if file.exists() and not overwrite:
                raise UsageError("the file is already there", where=str(file), hint="--overwrite replaces it")
        given.start("Writing", sum(table.rows for table in tables))
        for table, file in zip(tables, files, strict=True):
            given.advance(0, table.name)
            _write(connection, table, file, _WRITERS[file_format])
            given.advance(table.rows)
        given.finish()
    return tuple(
        WrittenFile(f"{table.schema}.{table.name}", file, table.rows) for table, file in zip(tables, files, strict=True)
    )


def _chosen(tables: Sequence[SharedTable], names: Sequence[str]) -> list[SharedTable]:
    """Return the named tables, in the order of the names, each once."""
    by_name = {table.name: table for table in tables} | {f"{table.schema}.{table.name}": table for table in tables}
    for name in names:
        if name not in by_name:
            known = [table.name for table in tables]
            raise UsageError(f"there is no table '{name}' in core or mart", hint=nearest_hint(name, known))
    chosen = list(dict.fromkeys(by_name[name] for name in names))
    stems = Counter(table.file_stem for table in tables)
    for table in chosen:
        if stems[table.file_stem] > 1:
            hint = "`olistctl publish` writes each schema to a folder of its own"
            raise UsageError(f"more than one table of core and mart would be '{table.file_stem}'", hint=hint)
    return chosen


def _write(connection: DuckDBPyConnection, table: SharedTable, file: Path, writer: _Writer) -> None:
    with writing(table, file):
        file.parent.mkdir(parents=True, exist_ok=True)
        with written(file) as draft:
            writer(connection, table, draft)
