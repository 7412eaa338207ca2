"""`quality.dq_reconciliation`, read back: what each layer holds, and what becomes of the difference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LAYERS = ("files", "raw", "staging", "core", "mart")


@dataclass(frozen=True)
class Reason:
    """Rows or reais that are set aside (or added, above 0) on the way to the next layer, and why."""

    reason: str
    amount: Decimal


@dataclass(frozen=True)
class Flow:
    """One thing that is followed through the layers; `unexplained` is what no reason accounts for."""

    flow: str
    unit: str  # rows, reais
    amounts: dict[str, Decimal]  # by layer
    reasons: tuple[Reason, ...]
    unexplained: Decimal


def read_reconciliation(connection: DuckDBPyConnection) -> tuple[Flow, ...]:
    """Return the account of the last build; nothing where the models have not built it."""
    built = "select 1 from duckdb_tables() where schema_name = 'quality' and table_name = 'dq_reconciliation'"
    if not connection.execute(built).fetchone():
        return ()
    rows = connection.execute(
        "select flow, unit, kind, entry, amount from quality.dq_reconciliation order by step, line"
    ).fetchall()
    flows: dict[str, list[tuple[str, str, str, Decimal]]] = {}
    for flow, *entry in rows:
        flows.setdefault(flow, []).append(tuple(entry))
    return tuple(_flow(name, entries) for name, entries in flows.items())


def _flow(name: str, entries: Iterable[tuple[str, str, str, Decimal]]) -> Flow:
    amounts: dict[str, Decimal] = {}
    reasons: list[Reason] = []
    unexplained = Decimal(0)
    unit = ""
    for unit, kind, entry, amount in entries:  # noqa: B007
        if kind in ("opening", "closing"):
            amounts[entry.split(".")[0]] = amount
        elif kind == "reason" and amount:
            reasons.append(Reason(entry, amount))
        elif kind == "unexplained":
            unexplained += abs(amount)
    return Flow(name, unit, amounts, tuple(reasons), unexplained)
