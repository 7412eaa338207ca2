"""How a CSV becomes typed rows: one mechanism for `validate` and `load`."""

from olistctl.reading.faults import clear_bad_records
from olistctl.reading.guards import SQL_TYPES
from olistctl.reading.inspection import CHANGED_WHILE_READ, UNREADABLE, Inspection, inspect_file, link_outside
from olistctl.reading.mending import load_mends
from olistctl.reading.outcome import BadCount, BadRecord, ParsedFile, UnreadableFile
from olistctl.reading.parsing import confirmed, parse_good, parse_into
from olistctl.reading.raw_table import (
    ADDED_COLUMNS,
    INCOMING,
    IS_CURRENT,
    Reading,
    columns_in_raw,
    create_incoming_table,
    create_raw_table,
    table_of,
    tables_in_raw,
)

__all__ = [
    "ADDED_COLUMNS",
    "CHANGED_WHILE_READ",
    "INCOMING",
    "IS_CURRENT",
    "SQL_TYPES",
    "UNREADABLE",
    "BadCount",
    "BadRecord",
    "Inspection",
    "ParsedFile",
    "Reading",
    "UnreadableFile",
    "clear_bad_records",
    "columns_in_raw",
    "confirmed",
    "create_incoming_table",
    "create_raw_table",
    "inspect_file",
    "link_outside",
    "load_mends",
    "parse_good",
    "parse_into",
    "table_of",
    "tables_in_raw",
]
