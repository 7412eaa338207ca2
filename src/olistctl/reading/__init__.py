"""How a CSV becomes typed rows: one mechanism for `validate` and `load`."""

from olistctl.reading.inspection import Inspection, inspect_file
from olistctl.reading.mending import load_mends
from olistctl.reading.outcome import BadCount, BadRecord, ParsedFile, UnreadableFile
from olistctl.reading.parsing import parse_into
from olistctl.reading.raw_table import Reading, create_raw_table, table_of

__all__ = [
    "BadCount",
    "BadRecord",
    "Inspection",
    "ParsedFile",
    "Reading",
    "UnreadableFile",
    "create_raw_table",
    "inspect_file",
    "load_mends",
    "parse_into",
    "table_of",
]
