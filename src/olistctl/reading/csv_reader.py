"""DuckDB's CSV reader, called so that it hides nothing."""

from __future__ import annotations

from typing import Any

from olistctl.reading.inspection import Inspection
from olistctl.reading.raw_table import Reading
from olistctl.sources import Source

# No sniffing, no tolerance: each of those would hide broken records. A longer record is rejected.
READ_CSV = """
    read_csv($path, columns = $columns, header = true, auto_detect = false, delim = ',', quote = '"', escape = '"',
             strict_mode = true, hive_partitioning = false, max_line_size = 16000000, store_rejects = true,
             rejects_table = 'csv_rejects', rejects_scan = 'csv_rejects_scan')
"""


def csv_parameters(source: Source, inspection: Inspection) -> dict[str, Any]:
    """Return the parameters of `READ_CSV` for a file."""
    # The reader takes a path as a pattern.
    path = "".join(f"[{char}]" if char in "*?[" else char for char in str(inspection.path))
    return {"path": path, "columns": {column.name: "VARCHAR" for column in source.columns}}


def has_rejects(reading: Reading) -> bool:
    """Tell whether the last read rejected records."""
    return bool(reading.execute("select 1 from csv_rejects limit 1"))


def drop_rejects(reading: Reading) -> None:
    """Forget what the last read rejected."""
    reading.execute("drop table csv_rejects")
    reading.execute("drop table csv_rejects_scan")
