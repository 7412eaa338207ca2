"""The checks that need the rows: duplicate keys, foreign keys across the sources, row rules, nulls."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from olistctl.errors import ConfigError
from olistctl.reading import table_of
from olistctl.results import Finding, counted
from olistctl.sources import Contract, ForeignKey, Rule, Source
from olistctl.warehouse import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_EXAMPLES = 5


@dataclass(frozen=True)
class Place:
    """A row of a file."""

    file: str
    line: int


@dataclass(frozen=True)
class Check:
    """One check of one source: how many rows fail it, and where the first of them stand."""

    kind: str  # duplicate_key, foreign_key, rule
    source: str
    name: str
    severity: str
    failing: int | None  # None: it could not be checked
    message: str
    examples: tuple[Place, ...] = ()
    allowed: int = 0  # rows that may fail it, as they do in the public data

    @property
    def is_error(self) -> bool:
        """Tell whether the check makes the delivery wrong."""
        return self.failing is not None and self.failing > self.allowed and self.severity == "error"

    @property
    def is_good(self) -> bool:
        """Tell whether it was checked and found nothing, or no more than is known of the public data."""
        return self.failing is not None and self.failing <= self.allowed

    def finding(self, next_step: str) -> Finding:
        """Say what a failing check found, and where first; `next_step` shows more of the rows."""
        if self.failing is None:
            return Finding(f"not checked: {self.message}", self.source)
        where = f"{self.examples[0].file}:{self.examples[0].line}" if self.examples else self.source
        if self.failing == 1:
            return Finding(f"1 row: {self.message}", where)
        return Finding(f"{counted(self.failing, 'row')}, the first here: {self.message}", where, next_step)


def run_checks(connection: DuckDBPyConnection, contract: Contract, absent: Collection[str]) -> tuple[Check, ...]:
    """Check the loaded tables; what refers to an `absent` source (nothing of it loaded) is not checked.

    Raises:
        ConfigError: a rule of the contract is no SQL condition.
    """
    checks: list[Check] = []
    for source in contract.sources:
        if source.name in absent:
            continue
        if source.key:
            checks.append(_duplicates(connection, source))
        checks.extend(
            _unchecked(source, key) if key.references in absent else _orphans(connection, source, key, contract)
            for key in source.foreign_keys
        )
        checks.extend(_rule(connection, source, rule) for rule in source.rules)
    return tuple(checks)


def null_counts(connection: DuckDBPyConnection, source: Source) -> dict[str, int]:
    """Return the number of empty fields by column, for the columns that have any."""
    counts = ", ".join(f"count(*) - count({quote(name)})" for name in source.column_names)
    row = connection.execute(f"select {counts} from {table_of(source)}").fetchone() or ()
    return {name: count for name, count in zip(source.column_names, row, strict=True) if count}


def _duplicates(connection: DuckDBPyConnection, source: Source) -> Check:
    """A key twice in one file; in two files it is a new version of the row."""
    keys = ", ".join(quote(name) for name in source.key)
    failing = f"""
        from {table_of(source)}
        qualify row_number() over (partition by _source_file, {keys} order by _source_line) > 1
    """
    count, places = _measure(connection, failing)
    name = ", ".join(source.key)
    return Check("duplicate_key", source.name, name, "error", count, f"the key ({name}) is already in the file", places)


def _unchecked(source: Source, key: ForeignKey) -> Check:
    name = ", ".join(key.columns)
    message = f"{name} could not be looked up in {key.references}, of which nothing can be loaded"
    return Check("foreign_key", source.name, name, "warning", None, message)


def _orphans(connection: DuckDBPyConnection, source: Source, key: ForeignKey, contract: Contract) -> Check:
    target = contract.source(key.references)
    same = " and ".join(f"child.{quote(a)} = parent.{quote(b)}" for a, b in zip(key.columns, key.to, strict=True))
    present = " and ".join(f"child.{quote(name)} is not null" for name in key.columns)
    failing = f"""
        from {table_of(source)} as child
        where {present} and not exists (select 1 from {table_of(target)} as parent where {same})
    """
    count, places = _measure(connection, failing)
    name = ", ".join(key.columns)
    return Check("foreign_key", source.name, name, key.severity, count, f"{name} is not in {target.name}", places)


def _rule(connection: DuckDBPyConnection, source: Source, rule: Rule) -> Check:
    import duckdb

    ((rows,),) = connection.execute(f"select count(*) from {table_of(source)}").fetchall()
    try:
        count, places = _measure(connection, f"from {table_of(source)} where not (\n{rule.condition}\n)")
    except duckdb.Error as error:
        message = f"the rule {rule.name} is no valid condition: {str(error).splitlines()[0]}"
        raise ConfigError(
            message, where=rule.where, hint="mend its `condition`, which DuckDB must understand"
        ) from None
    message = f"breaks the rule {rule.name}: {rule.condition}"
    return Check("rule", source.name, rule.name, rule.severity, count, message, places, rule.limit(rows))


def _measure(connection: DuckDBPyConnection, failing: str) -> tuple[int, tuple[Place, ...]]:
    rows = connection.execute(
        f"""
        with failing as (select _source_file, _source_line {failing})
        select _source_file, _source_line, count(*) over () from failing
        order by _source_file, _source_line limit {_EXAMPLES}
        """
    ).fetchall()
    return (rows[0][2] if rows else 0), tuple(Place(file, line) for file, line, _ in rows)
