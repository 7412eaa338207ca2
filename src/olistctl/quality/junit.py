"""Test results as JUnit XML, which CI systems read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from olistctl.drafts import written
from olistctl.quality.failures import FailingTest
from olistctl.results import counted, printable
from olistctl.transform import NodeResult


def write_junit(file: Path, nodes: Sequence[NodeResult], failing: Sequence[FailingTest]) -> None:
    """Write the tests as one suite; a warning is a test that passed, with what it warns of as its output.

    Raises:
        OSError: the file cannot be written.
    """
    by_name = {test.test: test for test in failing}
    count = {status: sum(node.status == status for node in nodes) for status in ("fail", "error", "skipped")}
    suite = ElementTree.Element(
        "testsuite",
        name="olistctl test",
        tests=str(len(nodes)),
        failures=str(count["fail"]),
        errors=str(count["error"]),
        skipped=str(count["skipped"]),
        time=f"{sum(node.seconds for node in nodes):.3f}",
    )
    for node in nodes:
        place = {"classname": node.model or "project", "name": node.name, "file": node.file}
        case = ElementTree.SubElement(suite, "testcase", place, time=f"{node.seconds:.3f}")
        if test := by_name.get(node.name):
            _tell(case, test)
    with written(file) as draft:
        ElementTree.ElementTree(suite).write(draft, encoding="utf-8", xml_declaration=True)


def _tell(case: ElementTree.Element, test: FailingTest) -> None:
    lines: list[str] = []
    for failure, finding in zip(test.failures, test.findings, strict=True):
        lines.append(finding.message)
        if failure.sample:
            lines.append(" | ".join(failure.sample.columns))
            lines += [" | ".join(cell or "" for cell in row) for row in failure.sample.rows]
            lines.append(f"all rows: {failure.sample.query}")
    text = printable("\n".join(lines))
    tag = {"fail": "failure", "error": "error"}.get(test.status)
    if tag:
        message = counted(test.rows, "row") if test.rows else lines[0].splitlines()[0]
        ElementTree.SubElement(case, tag, message=printable(message)).text = text
    else:
        ElementTree.SubElement(case, "system-out").text = text
