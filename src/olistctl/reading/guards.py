"""Which texts a type of the contract holds exactly; every other text is a bad value, not a guess."""

from __future__ import annotations

from olistctl.sources import Column
from olistctl.warehouse import quote

SQL_TYPES = {
    "text": "VARCHAR",
    "zip": "VARCHAR",
    "integer": "INTEGER",
    "money": "DECIMAL(12,2)",
    "coordinate": "DOUBLE",
    "timestamp": "TIMESTAMP",
}
# The calendar of a timestamp is checked by the cast.
_SHAPES = {
    "zip": "[0-9]{5}",
    "integer": "-?[0-9]{1,9}",
    "money": "-?[0-9]{1,10}([.][0-9]{1,2})?",
    "coordinate": "-?[0-9]{1,3}([.][0-9]+)?",
    "timestamp": "[1-9][0-9]{3}-[0-9]{2}-[0-9]{2} ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]",
}
_EXPECTED = {
    "zip": "five digits, leading zeros kept",
    "integer": "a whole number",
    "money": "an amount with at most two decimals",
    "coordinate": "degrees as a decimal number",
    "timestamp": "YYYY-MM-DD HH:MM:SS",
}


def typed(column: Column) -> str:
    """Return the SQL that makes a good text the value of a column."""
    name = quote(column.name)
    return name if column.type in ("text", "zip") else f"try_cast({name} as {SQL_TYPES[column.type]})"


def is_good(column: Column) -> str:
    """Return an SQL condition, true or false but never NULL, that a text holds exactly a value of its type."""
    name = quote(column.name)
    checks = []
    if column.type in _SHAPES:
        checks.append(f"regexp_full_match({name}, '{_SHAPES[column.type]}')")
    if column.type == "timestamp":
        checks.append(f"try_cast({name} as TIMESTAMP) is not null")
    if column.required:
        return " and ".join([f"{name} is not null", *checks])
    return f"({name} is null or ({' and '.join(checks)}))" if checks else "true"


def fault_of(column: Column) -> tuple[str, str]:
    """Return type and message of the fault that a bad value of a column is."""
    return f"bad_{column.type}", f"expected {_EXPECTED[column.type]}" if column.type in _EXPECTED else "bad value"


MISSING_VALUE = ("missing_value", "a required value is missing")
