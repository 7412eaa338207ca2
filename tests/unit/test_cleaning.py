"""The quick ways in which staging cleans a text on DuckDB give what the slow ones give, whatever the text."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from olistctl.loading.currency import trimmed

MACROS = Path(__file__).resolve().parents[2] / "olist_dw_dbt" / "macros" / "cleaning.sql"
BLANKS = " \t\n\v\f\r\x1c\x85\xa0\u1680\u2000\u200b\u2028\u202f\u3000"
letters = st.one_of(st.sampled_from(BLANKS), st.sampled_from("aBÇã1'%"), st.characters(exclude_categories=["Cs"]))
texts = st.text(letters)


def rendered(macro: str, column: str) -> str:
    """Return the SQL that a macro gives where dbt is on DuckDB, or that of the loader for the same."""
    if macro == "loading.currency.trimmed":
        return trimmed(column)
    environment = jinja2.Environment(extensions=["jinja2.ext.do"])

    def dispatch(name: str) -> Any:
        return getattr(module, f"duckdb__{name}", None) or getattr(module, f"default__{name}")

    environment.globals |= {"return": lambda value: value, "adapter": SimpleNamespace(dispatch=dispatch)}
    module = environment.from_string(MACROS.read_text(encoding="utf-8")).module
    return str(getattr(module, macro)(column))


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


@pytest.mark.parametrize(
    ("macro", "slow"),
    [
        ("trimmed", "trim(x)"),
        ("loading.currency.trimmed", "trim(x)"),
        ("clean_text", "nullif(trim(x), '')"),
        ("clean_city", "nullif(trim(regexp_replace(lower(x), '[[:space:]]+', ' ', 'g')), '')"),
    ],
)
@given(values=st.lists(st.one_of(st.none(), texts), min_size=1, max_size=20))
def test_the_quick_way_is_the_slow_one(
    connection: duckdb.DuckDBPyConnection, macro: str, slow: str, values: list[str | None]
) -> None:
    query = f"select x, {rendered(macro, 'x')}, {slow} from (select unnest(?::varchar[]) as x)"
    for text, quick, expected in connection.execute(query, [values]).fetchall():
        assert quick == expected, repr(text)


def test_a_blank_that_is_no_byte_is_removed_too(connection: duckdb.DuckDBPyConnection) -> None:
    query = f"select {rendered('clean_city', 'x')} from (select ? as x)"
    assert connection.execute(query, ["\u00a0 S\u00e3o\t Paulo\u3000"]).fetchone() == ("s\u00e3o paulo",)
