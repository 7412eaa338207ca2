"""Fields that take the place of bad records: judged by the same guards as those of a file."""

from __future__ import annotations

from collections.abc import Sequence

from olistctl.ledger import Fault, Mend
from olistctl.reading.faults import create_faults, take_bad_values
from olistctl.reading.raw_table import Reading
from olistctl.warehouse import quote


def load_mends(reading: Reading, mends: Sequence[Mend]) -> dict[int, tuple[Fault, ...]]:
    """Load mended records as rows of their file and line; return what is still wrong with the others, by id."""
    if not mends:
        return {}
    columns = reading.source.columns
    wrong: dict[int, list[Fault]] = {}
    for mend in mends:
        if fault := _fault_of_shape(mend, len(columns)):
            wrong[mend.quarantine_id] = [fault]
    whole = [mend for mend in mends if mend.quarantine_id not in wrong]
    fields = ", ".join(f"nullif(unnest($f{i}::varchar[]), '') as {quote(c.name)}" for i, c in enumerate(columns))
    reading.execute(
        "create or replace temp table mended_records as "
        f"select unnest($ids::bigint[]) as _record, unnest($lines::bigint[]) as _line, {fields}",
        {
            "ids": [mend.quarantine_id for mend in whole],
            "lines": [mend.line for mend in whole],
            **{f"f{i}": [mend.fields[i] for mend in whole] for i in range(len(columns))},
        },
    )
    create_faults(reading)
    take_bad_values(reading, "mended_records")
    for number, column, kind, message in reading.execute(
        "select record, column_name, error_type, message from faults order by record, rank"
    ):
        wrong.setdefault(number, []).append(Fault(column, kind, message))
    reading.insert_good("(from mended_records where _record not in (select record from faults))", line="_line")
    reading.execute("drop table mended_records")
    reading.execute("drop table faults")
    return {number: tuple(faults) for number, faults in wrong.items()}


def _fault_of_shape(mend: Mend, columns: int) -> Fault | None:
    if len(mend.fields) != columns:
        return Fault(None, "field_count", f"{len(mend.fields)} fields instead of {columns}")
    if any("\0" in text for text in mend.fields):
        return Fault(None, "nul_bytes", "a field holds a NUL byte")
    return None
