"""What Dagster is told of a run: rows, times, quarantine and the account of each asset, and how its checks ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dagster import AssetCheckResult, AssetCheckSeverity, AssetCheckSpec, AssetKey, MetadataValue, TableRecord

from olistctl.ledger import Build, FailedTest
from olistctl.loading import FileLoad
from olistctl.orchestration.graph import Graph, files_key
from olistctl.publishing import Relation
from olistctl.quality import Flow
from olistctl.results import Finding
from olistctl.runs import RunReport

_ACCOUNT = ("quality", "dq_reconciliation")
_LEDGER = "etl"
_ROWS = "dagster/row_count"

Metadata = dict[str, Any]
_EARLIER: Metadata = {"built": "by an earlier run"}


@dataclass(frozen=True)
class Outcomes:
    """The metadata of every asset after a run, in the order of the graph; which were made; how the tests ended."""

    assets: Mapping[AssetKey, Metadata]
    built: frozenset[AssetKey]
    checks: tuple[AssetCheckResult, ...]


def outcomes_of(
    report: RunReport, graph: Graph, relations: Mapping[tuple[str, str], Relation], build: Build | None
) -> Outcomes:
    """Return what to tell of a run; `relations` are published now, `build` is what the ledger says of the models."""
    told = dict(_of_files(report.load.files if report.load else ())) | dict(_of_nodes(report))
    if report.load:
        told |= {relation: {} for relation in graph.relations.values() if relation[0] == _LEDGER}
    assets: dict[AssetKey, Metadata] = {}
    built = set()
    for spec in graph.assets:
        relation = graph.relations.get(spec.key)
        metadata: Metadata = {"run_id": report.run_id or "none: nothing has changed"}
        if relation and relation in relations:
            metadata[_ROWS] = relations[relation].rows
        metadata |= told.get(relation or spec.key, _EARLIER)
        if not _EARLIER.items() <= metadata.items():
            built.add(spec.key)
        assets[spec.key] = metadata
    return Outcomes(assets, frozenset(built), tuple(_checks(report, graph, build)))


def _of_files(files: Iterable[FileLoad]) -> Iterator[tuple[AssetKey | tuple[str, str], Metadata]]:
    """Tell of the files of each source, and of the table that they became."""
    by_source: dict[tuple[str, str], list[FileLoad]] = {}
    for file in files:
        by_source.setdefault((file.source, file.table), []).append(file)
    for (source, table), fed_by in by_source.items():
        sums = {name: sum(getattr(file, name) for file in fed_by) for name in ("records", "loaded", "quarantined")}
        account: Metadata = {
            "records_read": sums["records"],
            "rows_loaded": sums["loaded"],
            "records_quarantined": sums["quarantined"],
            "seconds": round(sum(file.seconds for file in fed_by), 3),
        }
        if all(file.status == "unchanged" for file in fed_by):
            account |= _EARLIER
        yield files_key(source), account | {"files": _table(map(_file_row, fed_by))}
        yield ("raw", table), account


def _file_row(file: FileLoad) -> Metadata:
    return {
        "file": file.file,
        "status": file.status,
        "records": file.records,
        "loaded": file.loaded,
        "quarantined": file.quarantined,
        "reason": file.reason or "",
    }


def _of_nodes(report: RunReport) -> Iterator[tuple[AssetKey | tuple[str, str], Metadata]]:
    """Tell of the models and snapshots that the run built."""
    for node in report.transform.built if report.transform else ():
        if node.relation:
            account = {"account": _table(map(_flow_row, report.reconciliation))} if node.relation == _ACCOUNT else {}
            yield node.relation, {"seconds": round(node.seconds, 3)} | account


def _flow_row(flow: Flow) -> Metadata:
    layers = {layer: str(amount) for layer, amount in flow.amounts.items()}
    amounts = ", ".join(f"{layer} {amount}" for layer, amount in layers.items())
    return {"flow": flow.flow, "unit": flow.unit, "amounts": amounts, "unexplained": str(flow.unexplained)}


def _table(rows: Iterable[Metadata]) -> MetadataValue:
    return MetadataValue.table([TableRecord(row) for row in rows])


def _checks(report: RunReport, graph: Graph, build: Build | None) -> Iterator[AssetCheckResult]:
    """Tell how the tests ended; of those that had no reason to run again, how they ended when they last did."""
    ran = {node.name: node for node in report.tests.nodes} if report.tests else {}
    found = {test.test: test.findings for test in report.failing}
    stand = {test.test: test for test in build.failed_tests} if build else {}
    for check in graph.checks:
        if node := ran.get(check.name):
            account: Metadata = {"seconds": round(node.seconds, 3)} | _findings(found.get(node.name, ()))
            if node.failures is not None:
                account["failing_rows"] = node.failures
            yield _result(check, node.status == "pass", account, is_warning=node.status == "warn")
        elif build and build.is_tested:
            known = stand.get(check.name)
            account = {"tested": "by an earlier run"} | _findings((known,) if known else ())
            yield _result(check, known is None, account)


def _findings(findings: Iterable[Finding | FailedTest]) -> Metadata:
    told: Metadata = {}
    for number, finding in enumerate(findings, start=1):
        told[f"finding_{number}"] = finding.message
        if finding.hint:
            told[f"finding_{number}_next"] = finding.hint
    return told


def _result(check: AssetCheckSpec, passed: bool, metadata: Metadata, *, is_warning: bool = False) -> AssetCheckResult:
    is_warning = is_warning or check.metadata["severity"] == "warn"
    return AssetCheckResult(
        asset_key=check.asset_key,
        check_name=check.name,
        passed=passed,
        severity=AssetCheckSeverity.WARN if is_warning else AssetCheckSeverity.ERROR,
        metadata=metadata,
    )
