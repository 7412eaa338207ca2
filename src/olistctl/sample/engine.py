"""An in-memory DuckDB prepared for a sample: its limits, the plan as variables, macros and reference tables."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl.sample.curves import all_lists
from olistctl.sample.plan import MOVERS, Block, Plan, make_plan

if TYPE_CHECKING:
    import duckdb

HERE = Path(__file__).parent
MEMORY_LIMIT = "1500MB"
SOURCES = {
    "state_source": "states.csv",
    "city_source": "cities.csv",
    "category_source": "categories.csv",
    "month_source": "months.csv",
}


def connect(orders: int, seed: int, spill: Path, threads: int | None) -> duckdb.DuckDBPyConnection:
    """Open the database in which the sample is made; it spills into `spill` when memory runs short."""
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {
        "temp_directory": str(spill),
        "memory_limit": MEMORY_LIMIT,
        "autoinstall_known_extensions": False,
    }
    if threads is not None:
        config["threads"] = threads
    connection = duckdb.connect(":memory:", config=config)
    plan = make_plan(orders, seed)
    _set_variables(connection, seed, plan)
    connection.execute(script("01_macros"))
    for name, blocks in plan.sizes.items():
        _make_size_macros(connection, name, blocks)
    _make_phrase_macros(connection)
    _load_reference(connection, plan)
    return connection


def script(name: str) -> str:
    """Return the text of one of the package's SQL files."""
    return (HERE / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def _set_variables(connection: duckdb.DuckDBPyConnection, seed: int, plan: Plan) -> None:
    connection.execute(f"set variable seed = '{seed}'")
    for name, number in plan.variables.items():
        connection.execute(f"set variable {name} = {number}::bigint")
    connection.execute(f"set variable movers = {MOVERS}::double")
    for name, numbers in all_lists().items():
        connection.execute(f"set variable {name} = {[float(number) for number in numbers]}::double[]")
    for (kind,), words in _grouped("words.csv", ["kind"], "word").items():
        connection.execute(f"set variable {kind}s = {_sql_list(words)}")


def _make_size_macros(connection: duckdb.DuckDBPyConnection, name: str, blocks: list[Block]) -> None:
    sizes = " ".join(f"when x < {block.last} then {block.size}" for block in blocks)
    firsts = " ".join(f"when x < {block.last} then {block.first}" for block in blocks)
    suffix = "count" if name == "pay" else "size"
    connection.execute(f"create macro {name}_{suffix}(x) as case {sizes} end")
    connection.execute(f"create macro {name}_block(x) as case {firsts} end")


def _make_phrase_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `say_<kind>(r, mood)` for every kind of phrase; moods 3, 2, 1 are good, fair and bad."""
    phrases = _grouped("phrases.csv", ["kind", "mood"], "phrase")
    for kind in sorted({kind for kind, _ in phrases}):
        good, fair, bad = (phrases[kind, mood] for mood in ("good", "fair", "bad"))
        connection.execute(f"set variable say_{kind} = {_sql_list([*good, *fair, *bad])}")
        connection.execute(
            f"create macro say_{kind}(r, mood) as getvariable('say_{kind}')[case mood"
            f" when 3 then 1 + floor(r * {len(good)})::int"
            f" when 2 then {1 + len(good)} + floor(r * {len(fair)})::int"
            f" else {1 + len(good) + len(fair)} + floor(r * {len(bad)})::int end]"
        )


def _load_reference(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    for table, file in SOURCES.items():
        path = str(HERE / "data" / file).replace("'", "''")
        connection.execute(f"create table {table} as select * from read_csv('{path}', header = true)")
    connection.execute("create table blocks (status varchar, has_items boolean, first int, last int)")
    connection.executemany("insert into blocks values (?, ?, ?, ?)", plan.statuses)


def _grouped(file: str, keys: list[str], value: str) -> dict[tuple[str, ...], list[str]]:
    groups: dict[tuple[str, ...], list[str]] = {}
    with (HERE / "data" / file).open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            groups.setdefault(tuple(row[key] for key in keys), []).append(row[value] or "")
    return groups


def _sql_list(words: Iterable[str]) -> str:
    return "[" + ", ".join("'" + word.replace("'", "''") + "'" for word in words) + "]"
