"""Which files of the source folder feed which source, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from olistctl.errors import ConfigError, ExitCode
from olistctl.sources import Contract, find_files
from tests.delivery import NAMES, ORDERS, write_delivery


def names_of(contract: Contract, folder: Path, source: str) -> list[tuple[str, bool]]:
    return [(file.name, file.exists) for file in find_files(contract, folder) if file.source.name == source]


def test_a_whole_delivery_is_nine_files_in_the_order_of_the_contract(contract: Contract, delivery: Path) -> None:
    files = find_files(contract, delivery)
    assert [file.name for file in files] == list(NAMES.values())
    assert all(file.exists and file.path == delivery / file.name for file in files)


def test_the_files_of_a_source_come_sorted_by_name_so_that_the_last_can_win(contract: Contract, delivery: Path) -> None:
    for name in ("olist_orders_dataset_b.csv", "olist_orders_dataset_A.csv", "olist_orders_dataset_é.csv"):
        (delivery / name).write_bytes(ORDERS)
    assert names_of(contract, delivery, "orders") == [
        ("olist_orders_dataset.csv", True),
        ("olist_orders_dataset_A.csv", True),
        ("olist_orders_dataset_b.csv", True),
        ("olist_orders_dataset_é.csv", True),
    ]


def test_a_base_file_that_is_not_there_is_found_missing(contract: Contract, tmp_path: Path) -> None:
    folder = write_delivery(tmp_path / "in", orders=None)
    assert names_of(contract, folder, "orders") == [("olist_orders_dataset.csv", False)]


def test_a_delivery_does_not_stand_for_the_base_file(contract: Contract, tmp_path: Path) -> None:
    folder = write_delivery(tmp_path / "in", orders=None)
    (folder / "olist_orders_dataset_2.csv").write_bytes(ORDERS)
    assert names_of(contract, folder, "orders") == [
        ("olist_orders_dataset.csv", False),
        ("olist_orders_dataset_2.csv", True),
    ]


@pytest.mark.parametrize(
    "name", ["notes.csv", "olist_orders_dataset.csv.part", "old_olist_orders_dataset.csv", "olist_sellers.csv"]
)
def test_a_file_of_no_source_is_left_alone(contract: Contract, delivery: Path, name: str) -> None:
    (delivery / name).write_bytes(ORDERS)
    assert len(find_files(contract, delivery)) == 9


@pytest.mark.parametrize("name", ["o'r.csv", 'o"r.csv', "o*.csv", "o?.csv", "o[1].csv", "o\n2.csv", "o\\.csv"])
def test_odd_names_are_found_as_they_are(contract: Contract, delivery: Path, name: str) -> None:
    odd = "olist_orders_dataset_" + name
    (delivery / odd).write_bytes(ORDERS)
    assert (odd, True) in names_of(contract, delivery, "orders")


def test_whatever_has_a_sources_name_is_found_for_inspection_to_judge(contract: Contract, delivery: Path) -> None:
    (delivery / "olist_orders_dataset_folder.csv").mkdir()
    (delivery / "olist_orders_dataset_link.csv").symlink_to("nowhere")
    assert [name for name, _ in names_of(contract, delivery, "orders")][1:] == [
        "olist_orders_dataset_folder.csv",
        "olist_orders_dataset_link.csv",
    ]


@pytest.mark.parametrize("kind", ["nothing", "file"])
def test_a_source_folder_that_cannot_be_listed_is_a_configuration_error(
    contract: Contract, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "source"
    if kind == "file":
        folder.write_text("")
    with pytest.raises(ConfigError) as caught:
        find_files(contract, folder)
    assert caught.value.where == str(folder)
    assert "--source-dir" in (caught.value.hint or "")
    assert caught.value.exit_code == ExitCode.USAGE
