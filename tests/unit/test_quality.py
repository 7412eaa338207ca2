"""What tests found: kept in the warehouse, shown to people and to CI; and the account from file to mart."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import pytest

from olistctl.quality import FailingTest, keep_failing_rows, read_reconciliation, write_junit
from olistctl.quality.reconciliation import Reason
from olistctl.transform import NodeResult

Connection = duckdb.DuckDBPyConnection


def node(name: str, status: str = "fail", sql: str | None = None, **more: Any) -> NodeResult:
    defaults = {"model": "fact_orders", "column": "order_id", "owner": "data engineering"}
    file = "models/core/facts/_facts.yml"
    return NodeResult(name, "test", status, 0.25, file, sql=sql, **{**defaults, **more})


def failing(connection: Connection, *nodes: NodeResult, everything: bool = False) -> tuple[FailingTest, ...]:
    return keep_failing_rows(connection, nodes, everything=everything)


def kept(connection: Connection) -> set[str]:
    rows = connection.execute("select table_name from duckdb_tables() where schema_name = 'dbt_test__audit'").fetchall()
    return {name for (name,) in rows}


def test_the_rows_that_fail_are_kept_whole_and_five_are_shown(connection: Connection) -> None:
    sql = "select range as order_id, repeat('é', 200) as comment, null as gone from range(12)"
    (test,) = failing(connection, node("unique_order", sql=sql, failures=12))
    (failure,) = test.failures
    assert failure.sample
    assert failure.sample.columns == ("order_id", "comment", "gone")
    assert failure.sample.rows == tuple((str(number), "é" * 79 + "…", None) for number in range(5))
    assert len(connection.execute(failure.sample.query).fetchall()) == 12
    (finding,) = test.findings
    assert finding.where == "fact_orders.order_id"
    assert finding.message == "test unique_order fails: 12 rows (owner: data engineering)"
    assert finding.hint == "`olistctl test` shows some rows, `select * from dbt_test__audit.unique_order` all"


def test_a_test_of_any_name_is_kept(connection: Connection) -> None:
    name = "expression_is_true_gmv__> 0; \"drop\" 'x'"
    (test,) = failing(connection, node(name, sql="select 1 as one", failures=1))
    assert kept(connection) == {name}
    assert test.failures[0].sample
    assert connection.execute(test.failures[0].sample.query).fetchall() == [(1,)]


def test_rows_that_speak_are_told_one_by_one_with_their_owners(connection: Connection) -> None:
    sql = "select 'broken ' || range as message, case when range = 1 then 'finance' end as owner from range(25)"
    (test,) = failing(connection, node("rules", "warn", sql, failures=25))
    messages = [finding.message for finding in test.findings]
    assert len(messages) == 21
    assert messages[:2] == ["broken 0 (owner: data engineering)", "broken 1 (owner: finance)"]
    assert messages[-1] == "rules: 5 more (owner: data engineering)"


def test_a_row_may_name_where_its_records_are_listed(connection: Connection) -> None:
    connection.execute(
        "create schema quality; create table quality.\"odd'; name\" as select 'it''s' as rule, 7 as line"
    )
    sql = "select 'one row' as message, 'quality.odd''; name' as listed_in, 'rule' as listed_by, 'it''s' as listed_as"
    (test,) = failing(connection, node("rules", sql=sql, failures=1))
    sample = test.failures[0].sample
    assert sample
    assert (sample.columns, sample.rows) == (("rule", "line"), (("it's", "7"),))
    assert sample.query == "select * from quality.\"odd'; name\" where rule = 'it''s'"


def test_a_test_that_passes_again_leaves_nothing_and_one_that_did_not_run_stays(connection: Connection) -> None:
    failing(connection, *(node(name, sql="select 1 as one", failures=1) for name in ("first", "second")))
    failing(connection, node("first", "pass"), node("third", "warn", "select 3 as three", failures=1))
    assert kept(connection) == {"second", "third"}
    failing(connection, node("first", "pass"), everything=True)
    assert kept(connection) == set(), "all tests ran, and one that is no longer there has failed nothing"


def test_two_tests_may_have_one_name(connection: Connection) -> None:
    nodes = [node(name, sql=f"select '{name}' as one", failures=1) for name in ("it_is_there", "It_is_there")]
    for everything in (True, False):
        failing(connection, *nodes, everything=everything)
        assert connection.execute("select one from dbt_test__audit.it_is_there").fetchall() == [("It_is_there",)]
    failing(connection, node("it_is_there", "pass"), node("it_is_there", "pass"))
    assert kept(connection) == set()


def test_a_test_that_cannot_run_says_why(connection: Connection) -> None:
    (test,) = failing(connection, node("broken", "error", message="Catalog Error: no such table", column=None))
    (finding,) = test.findings
    assert finding.message == "test broken cannot run: Catalog Error: no such table (owner: data engineering)"
    assert (finding.where, finding.hint) == ("fact_orders", "read models/core/facts/_facts.yml")


def junit(tmp_path: Path, nodes: list[NodeResult], tests: tuple[FailingTest, ...]) -> ElementTree.Element:
    write_junit(tmp_path / "results.xml", nodes, tests)
    return ElementTree.parse(tmp_path / "results.xml").getroot()


def test_ci_reads_the_results_as_junit_xml(connection: Connection, tmp_path: Path) -> None:
    nodes = [
        node("good", "pass"),
        node("warned", "warn", "select 'a' as one", failures=1),
        node("failed", "fail", "select 'x\x0b<&]]>' as one", failures=1),
        node("broken", "error", message="no such table\nat line 7", model=None, column=None),
    ]
    suite = junit(tmp_path, nodes, failing(connection, *nodes))
    counts = {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped", "time")}
    assert counts == {"tests": "4", "failures": "1", "errors": "1", "skipped": "0", "time": "1.000"}
    cases = {case.get("name"): case for case in suite}
    assert not list(cases["good"])
    assert "test warned warns: 1 row" in (cases["warned"].findtext("system-out") or "")
    failure = cases["failed"].find("failure")
    assert failure is not None
    assert failure.get("message") == "1 row"
    assert "x\\x0b<&]]>" in (failure.text or "")
    assert "all rows: select * from dbt_test__audit.failed" in (failure.text or "")
    error = cases["broken"].find("error")
    assert error is not None
    assert error.get("message") == "test broken cannot run: no such table"
    assert cases["broken"].get("classname") == "project"


def test_results_that_cannot_be_written_leave_no_half_file(tmp_path: Path) -> None:
    (tmp_path / "results.xml").mkdir()
    with pytest.raises(OSError, match=r"results\.xml"):
        write_junit(tmp_path / "results.xml", [node("good", "pass")], ())
    assert [file.name for file in tmp_path.iterdir()] == ["results.xml"]


def test_a_warehouse_without_the_account_has_none(connection: Connection) -> None:
    assert read_reconciliation(connection) == ()


def test_the_account_follows_each_flow_through_its_layers(connection: Connection) -> None:
    connection.execute("create schema quality")
    connection.execute(
        "create table quality.dq_reconciliation "
        "(step integer, line integer, flow varchar, unit varchar, kind varchar, entry varchar, amount decimal(18, 2))"
    )
    entries = [
        (1, 1, "items", "rows", "opening", "files", 10),
        (1, 2, "items", "rows", "reason", "records in quarantine", -2),
        (1, 3, "items", "rows", "reason", "records discarded", 0),
        (1, 4, "items", "rows", "closing", "raw.stg_items", 8),
        (1, 5, "items", "rows", "unexplained", "unexplained", 0),
        (2, 1, "items", "rows", "opening", "raw.stg_items", 8),
        (2, 2, "items", "rows", "closing", "staging.stg_items", 9),
        (2, 3, "items", "rows", "unexplained", "unexplained", 1),
        (3, 1, "items", "rows", "opening", "staging.stg_items", 9),
        (3, 2, "items", "rows", "closing", "core.fact_items", 8),
        (3, 3, "items", "rows", "unexplained", "unexplained", -1),
    ]
    connection.executemany("insert into quality.dq_reconciliation values (?, ?, ?, ?, ?, ?, ?)", entries)
    (flow,) = read_reconciliation(connection)
    assert flow.amounts == {"files": 10, "raw": 8, "staging": 9, "core": 8}
    assert flow.reasons == (Reason("records in quarantine", Decimal(-2)),)
    assert flow.unexplained == 2, "what is lost in one step and added in another is not made good by it"
