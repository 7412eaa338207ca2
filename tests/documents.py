"""The parts of the documentation that the code knows: `make docs` writes them, a test holds them to it.

A part of a page stands between two remarks, of which the first names it; a page that is one part is written whole.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import typer

from olistctl.cli.app import app
from olistctl.config import load_settings
from olistctl.reporting.kpis import KINDS, MART
from olistctl.transform import Described, read_descriptions
from tests.project import clean_environment

ROOT = Path(__file__).resolve().parents[1]
_SCHEMAS = {
    "core": "Dimensions and facts. A version of an SCD type 2 dimension runs from `effective_from` up to, and without, "
    "`effective_to`; `where is_current` gives today's (and the unknown member '-1').",
    "mart": "Answers, a table for each kind of question.",
    "quality": "What is odd about the data, by name, with file and line; no row is dropped for it.",
    "staging": "The clean, current version of every key of a source.",
}
_UNITS = {"count": "number", "reais": "BRL", "share": "0..1", "score": "1..5"}
_END = "<!-- end -->"
Columns = list[tuple[str, str]]


def generated(project: Path) -> dict[str, str]:
    """Return the text of each part by its place (`README.md#commands`), from a project that is built."""
    return {"README.md#commands": _commands(), "docs/data_dictionary.md": "\n".join(_data_dictionary(project))}


def with_part(page: str, part: str, text: str) -> str:
    """Return a page in which a part has this text."""
    before, begin, rest = page.partition(f"<!-- {part}: ")
    remark, line_end, after = rest.partition("\n")
    assert begin and _END in after, f"the page has no part {part}"
    return before + begin + remark + line_end + text + after[after.index(_END) :]


def pages(project: Path) -> dict[str, str]:
    """Return each page that has such parts as it should stand."""
    whole: dict[str, str] = {}
    for place, text in generated(project).items():
        page, _, part = place.partition("#")
        today = whole.get(page) or (ROOT / page).read_text(encoding="utf-8")
        whole[page] = with_part(today, part, text) if part else text
    return whole


def main() -> int:
    """Build a sample, write the pages, and return the exit code."""
    with tempfile.TemporaryDirectory(prefix="olistctl-docs-") as folder:
        for arguments in (("init", "."), ("sample", "--orders", "300", "--out", "data/source"), ("run",)):
            subprocess.run(
                [sys.executable, "-m", "olistctl", *arguments],
                cwd=folder,
                env=clean_environment(),  # a variable could name another warehouse
                check=True,
                stdout=subprocess.DEVNULL,
            )
        for page, text in pages(Path(folder)).items():
            (ROOT / page).write_text(text, encoding="utf-8")
    return 0


def _commands() -> str:
    group = typer.main.get_group(app)
    lines = [f"| `olistctl {name}` | {command.get_short_help_str(300)} |" for name, command in group.commands.items()]
    return "\n".join(["", "| command | does |", "|---|---|", *lines, "", ""])


def _data_dictionary(project: Path) -> Iterator[str]:
    settings = load_settings(project / "config" / "olistctl.yml", environ={})
    described = read_descriptions(settings.dbt_artifacts)
    tables = _columns(settings.warehouse)
    yield "# Data dictionary"
    yield ""
    yield "<!-- Written by `make docs`: descriptions of olist_dw_dbt/models, types of a built warehouse. -->"
    yield ""
    yield from _metrics(described["mart", MART])
    for schema, meaning in _SCHEMAS.items():
        yield from (f"## {schema}", "", meaning, "")
        for (its_schema, table), columns in tables.items():
            if its_schema == schema:
                yield from _table(f"{schema}.{table}", described[schema, table], columns)


def _columns(warehouse: Path) -> dict[tuple[str, str], Columns]:
    """Return names and types of the columns of each table and view."""
    tables: dict[tuple[str, str], Columns] = {}
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        for schema, table, column, type_ in connection.execute(
            "select schema_name, table_name, column_name, data_type from duckdb_columns() "
            "where database_name = current_database() order by schema_name, table_name, column_index"
        ).fetchall():
            tables.setdefault((schema, table), []).append((column, type_.lower()))
    return tables


def _metrics(mart: Described) -> Iterator[str]:
    yield from ("## Metrics", "")
    yield f"What `olistctl report` shows, each a column of `mart.{MART}`. The same word means the same in every mart."
    yield from ("", "| metric | column | unit | definition |", "|---|---|---|---|")
    for kind in KINDS:
        yield f"| {kind.label} | `{kind.column}` | {_UNITS[kind.unit]} | {_cell(mart.columns[kind.column])} |"
    yield ""


def _table(name: str, about: Described, columns: Columns) -> Iterator[str]:
    yield from (f"### {name}", "", about.table, "", "| column | type | meaning |", "|---|---|---|")
    for column, type_ in columns:
        yield f"| `{column}` | {type_} | {_cell(about.columns[column])} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
