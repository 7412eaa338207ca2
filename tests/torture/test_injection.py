"""Names that look like SQL, templates or markup: they work as names, or are refused as such."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.torture.conftest import Yard
from tests.torture.scale import scaled

NAMES = [
    "a'; drop table raw.stg_orders; --.duckdb",
    'a"b.duckdb',
    "a; attach 'x.duckdb'.duckdb",
    "{{ 1 / 0 }}.duckdb",
    "{% raw %}.duckdb",
    "{{ env_var('HOME') }}.duckdb",
    "[red]red[/red].duckdb",
    "$(touch pwned) `touch pwned`.duckdb",
    "é ü 中 %s %d {0}.duckdb",
    "-rf.duckdb",
    "a?access_mode=read_only.duckdb",
    "line\nbreak.duckdb",
    "*.duckdb",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_load_into_a_warehouse_of_any_name(yard: Yard, name: str) -> None:
    warehouse = yard.folder / "data" / name
    done = yard.call("load", OLISTCTL_WAREHOUSE=str(warehouse))
    assert done.returncode in (0, 2), done.stderr
    assert "Traceback" not in done.stderr
    assert "a bug" not in done.stderr
    assert not list(yard.folder.rglob("pwned"))
    if done.returncode == 2:
        assert "warehouse" in done.stderr
        return
    assert warehouse.is_file()
    yard.ok("load", OLISTCTL_WAREHOUSE=str(warehouse))
    status = json.loads(yard.ok("status", "--json", OLISTCTL_WAREHOUSE=str(warehouse)).stdout)
    assert status["warehouse"] == str(warehouse)


@pytest.mark.parametrize(
    "folder", scaled(["{{ x }} it's; [b]"], ["it's", "{{ x }}", "{% x %}", "[b]", "a;b", 'say "x"', "é 中", "a b"])
)
def test_a_project_in_a_folder_of_any_name_is_built(waiting: Yard, tmp_path: Path, folder: str) -> None:
    yard = waiting.copy_to(tmp_path / folder)
    shutil.rmtree(yard.state / "dbt")
    yard.ok("transform", "--full-refresh")
    assert yard.generation()


@pytest.mark.parametrize(
    "name", ["{{ x }}.duckdb", "a;b.duckdb", "é.duckdb", *scaled([], ["[b].duckdb", "a b.duckdb"])]
)
def test_dbt_works_on_a_warehouse_of_any_name(yard: Yard, name: str) -> None:
    warehouse = yard.warehouse.with_name(name)
    yard.warehouse.rename(warehouse)
    done = yard.call("snapshot", OLISTCTL_WAREHOUSE=str(warehouse))
    assert done.returncode in (0, 2), done.stderr
    assert "a bug" not in done.stderr


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("OLISTCTL_MEMORY_LIMIT", "1GB'; drop table x; --"),
        ("OLISTCTL_THREADS", "1; drop table x"),
        ("OLISTCTL_TARGET", "[red]{{ x }}'\""),
        ("OLISTCTL_SOURCE_DIR", "no'such; [b]{{ folder }}"),
    ],
)
def test_a_value_that_looks_like_code_is_refused_as_it_stands(yard: Yard, key: str, value: str) -> None:
    done = yard.call("load", **{key: value})
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert value.split(";")[0] in done.stderr
