"""How a CSV becomes typed rows: one mechanism for `validate` and `load`."""

from olistctl.reading.inspection import Inspection, inspect_file
from olistctl.reading.parsing import (
    BadCount,
    BadRecord,
    ParsedFile,
    UnreadableFile,
    create_raw_table,
    delete_file,
    parse_into,
    table_of,
)

__all__ = [
    "BadCount",
    "BadRecord",
    "Inspection",
    "ParsedFile",
    "UnreadableFile",
    "create_raw_table",
    "delete_file",
    "inspect_file",
    "parse_into",
    "table_of",
]
