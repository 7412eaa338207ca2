"""What must hold of every load, whatever the files are."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from functools import cache
from typing import Any

from olistctl.loading import FileLoad
from olistctl.project_files import template_root
from olistctl.sources import Contract, Source, load_contract
from tests.torture.oracle import Verdict, judge
from tests.torture.scale import LONG
from tests.unit.conftest import Desk

TOLD = 100  # bad records of a file that are told in detail
NEIGHBOURS = ("category_translation", "sellers")  # one stands beside the damaged source: all nine take too long


@cache
def shipped_contract() -> Contract:
    """Return the contract of the nine sources."""
    return load_contract(template_root() / "config" / "sources.yml")


def contract_for(source: str) -> Contract:
    """Return a contract of the damaged source and a neighbour; of all nine in the long version."""
    contract = shipped_contract()
    if LONG:
        return contract
    kept = (source, next(name for name in NEIGHBOURS if name != source))
    return replace(contract, sources=tuple(replace(contract.source(name), foreign_keys=()) for name in kept))


def shown(file: str) -> str:
    """Return the name by which the reports call a file."""
    name = os.fsencode(file).decode("utf-8", "backslashreplace")
    return name if name == file else f"{name} (not UTF-8)"


def table_rows(desk: Desk, source: Source, file: str) -> list[tuple[Any, ...]]:
    """Return the rows of a file in `raw`: the line, and the values as text (None: NULL)."""
    rows = desk.query(
        "select _source_line, * exclude (_source_file, _source_line, _loaded_at, _run_id, _is_current) "
        f"from raw.{source.table} where _source_file = ? order by _source_line",
        file,
    )
    return [(row[0], *(None if value is None else str(value) for value in row[1:])) for row in rows]


def reads_as_the_oracle(desk: Desk, source: Source, result: FileLoad, data: bytes) -> Verdict:
    """Assert that exactly the records that the oracle calls good are in the table, and the others told as bad."""
    verdict = judge(data, source)
    rows = table_rows(desk, source, result.file)
    loaded = {row[0] for row in rows}
    good = [(one.line, *one.values) for one in verdict.good]
    assert rows == good
    assert result.records == len(verdict.places) == len(good) + result.bad
    assert len(rows) == result.loaded
    bad = sorted({one.line for one in verdict.places} - loaded)
    assert sorted({example.line for example in result.examples}) == bad[: len({e.line for e in result.examples})]
    assert len(result.examples) >= min(len(bad), TOLD)
    for example in result.examples[:10]:
        assert data[: example.offset].count(b"\n") == example.line - 1
    return verdict


def quarantined(desk: Desk, source: Source, file: str) -> list[tuple[Any, ...]]:
    """Return line, offset, bytes, hash, status and reason of the quarantined records of a file."""
    return desk.query(
        "select line, byte_offset, raw, file_sha256, status, error_type, error_message, run_id, faults "
        "from etl.quarantine where source = ? and file_name = ? order by byte_offset",
        source.name,
        file,
    )


def quarantine_is_true(desk: Desk, source: Source, result: FileLoad, data: bytes) -> None:
    """Assert that every record counted as bad lies in `etl.quarantine` once, with bytes that stand where it says."""
    kept = quarantined(desk, source, result.file)
    assert len(kept) == result.bad == result.records - result.loaded
    digest, run = hashlib.sha256(data).hexdigest(), f"run-{desk.runs}"
    for line, offset, raw, sha256, status, kind, message, run_id, faults in kept:
        assert data[offset : offset + len(raw)] == bytes(raw)
        assert data[:offset].count(b"\n") == line - 1
        assert bytes(raw).endswith(b"\n") or offset + len(raw) == len(data)
        assert (sha256, status, run_id) == (digest, "open", run)
        assert kind
        assert message
        assert json.loads(faults)


def quarantine_holds(desk: Desk, source: Source, result: FileLoad, data: bytes) -> None:
    """Assert that the quarantine holds exactly the records that the oracle reads and that did not load."""
    quarantine_is_true(desk, source, result, data)
    loaded = {row[0] for row in table_rows(desk, source, result.file)}
    expected = sorted((one.offset, one.line, one.raw) for one in judge(data, source).places if one.line not in loaded)
    kept = quarantined(desk, source, result.file)
    assert [(offset, line, bytes(raw)) for line, offset, raw, *_ in kept] == expected
