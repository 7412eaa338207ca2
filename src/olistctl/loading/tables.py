"""The tables of `raw` before a load writes to them: made, made anew, or dropped with their source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from olistctl import ledger
from olistctl.loading.attempt import Known, Load
from olistctl.loading.report import REMOVED, FileLoad
from olistctl.reading import ADDED_COLUMNS, SQL_TYPES, create_raw_table
from olistctl.sources import Contract, Source
from olistctl.warehouse import quote


@dataclass(frozen=True)
class Table:
    """The table of a source as the load finds it, or makes it.

    `is_new`: it holds no row yet, and what comes in is no difference to anything. `outdated`: files whose rows were
    there and must be read again, for the reason in `read_again`.
    """

    is_new: bool
    existed: bool = True
    outdated: frozenset[str] = frozenset()
    read_again: str | None = None


def prepare_table(load: Load, source: Source, columns: Mapping[str, str], known: Known, present: Set[str]) -> Table:
    """Make the table where there is none, or where its rows are not of today's contract.

    `columns` are those that it has, with their SQL types; `present` the files that are there, or ought to be: those
    that are not are still known afterwards.
    """
    own = {name: file for (owner, name), file in known.items() if owner == source.name}
    is_outdated = any(file.contract_sha256 != source.fingerprint for file in own.values())
    if own and columns and not is_outdated and not load.fresh:
        return Table(is_new=False)
    if load.filled is None:
        create_raw_table(load.connection, source)
    if not own or not (is_outdated or (not columns and not load.fresh)):
        return Table(is_new=True, existed=bool(columns))
    outdated = frozenset(own) & present
    for name in outdated:
        ledger.forget_loaded(load.connection, source.name, name)
        del known[source.name, name]
    change = f"contract changed: {_contract_change(source, columns)}" if is_outdated else "its table was gone"
    return Table(is_new=True, outdated=outdated, read_again=change)


def _contract_change(source: Source, before: Mapping[str, str]) -> str:
    """Say how the contract differs from the table that was made by an earlier one."""
    if not before:
        return f"its table is raw.{source.table}"
    now = {column.name: SQL_TYPES[column.type] for column in source.columns}
    changes = [
        *(f"new column {name}" for name in now if name not in before),
        *(f"no column {name} any more" for name in before if name not in now.keys() | ADDED_COLUMNS),
        *(f"{name} was {before[name]}, is {now[name]}" for name in now if before.get(name, now[name]) != now[name]),
    ]
    return ", ".join(changes) or "its key, or what its records may hold"


def forget_sources_but(load: Load, contract: Contract) -> Iterator[FileLoad]:
    """Forget what was loaded of sources that have left the contract, and drop the tables that no source has now."""
    tables = {source.table for source in contract.sources}
    for source, table in ledger.loaded_tables(load.connection):
        if table not in tables:
            load.connection.execute(f"drop table if exists raw.{quote(table)}")
        if contract.find(source) is None:
            for file in ledger.loaded_files(load.connection):
                if file.source == source:
                    reason = "its source is no longer in the contract"
                    yield FileLoad(source, table, file.file_name, REMOVED, reason=reason)
            ledger.forget_source(load.connection, source)
            ledger.forget_build(load.connection)  # what the models make of it cannot stay
