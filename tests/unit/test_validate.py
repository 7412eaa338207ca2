"""`validate`: the whole delivery is read and judged, and nothing is written to a warehouse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from olistctl.errors import ConfigError
from olistctl.loading import Limits
from olistctl.results import NoProgress, to_plain
from olistctl.sources import Contract, find_files
from olistctl.validation import ColumnNulls, FileReport, ValidationReport, inspect_all, validate
from tests.delivery import FILES, NAMES, SELLERS, header_of, plus, with_records, write_delivery

SELLER = b"0015a82c2db000af6aaaf3ae2ecb0532,01310,santo andre,SP"


def check(contract: Contract, folder: Path, share: float = 0.5) -> ValidationReport:
    return validate(contract, folder, limits=Limits(share), threads=2)


def of(report: ValidationReport, source: str) -> FileReport:
    return next(file for file in report.files if file.inspection.source == source)


def test_a_good_delivery_has_no_problem_and_no_warning(contract: Contract, delivery: Path) -> None:
    report = check(contract, delivery)
    assert (report.problems, report.warnings) == (0, 0)
    assert [file.inspection.file for file in report.files] == list(NAMES.values())
    assert all(file.load.is_whole for file in report.files)


def test_validation_writes_nothing_beside_the_delivery(contract: Contract, delivery: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    check(contract, write_delivery(delivery, sellers=plus("sellers", b"x"), orders=b""))
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    changed = {path.name for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert changed == {NAMES["sellers"], NAMES["orders"]}  # what the test itself wrote


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (None, "missing", "the file is not there"),
        (b"", "refused", "it is empty"),
        (SELLERS.replace(b"seller_city", b"seller_town"), "refused", "column 'seller_city' is called 'seller_town'"),
        (with_records("sellers", SELLER, b"x"), "loaded", None),
        (with_records("sellers", b"x", b"y"), "refused", "2 of 2 records are bad (100.0%)"),
        (SELLERS + SELLER + b"\r" + SELLER + b"\n", "refused", ""),
    ],
)
def test_a_file_that_is_not_whole_is_a_problem(
    contract: Contract, delivery: Path, content: bytes | None, status: str, reason: str | None
) -> None:
    report = check(contract, write_delivery(delivery, sellers=content))
    file = of(report, "sellers")
    assert (file.load.status, file.load.is_whole) == (status, False)
    if reason is not None:
        assert reason in (file.load.reason or "")
    assert sum(not other.load.is_whole for other in report.files) == 1
    assert report.problems >= 1


def test_bad_records_are_told_with_their_lines(contract: Contract, delivery: Path) -> None:
    bad = SELLER.replace(b"01310", b"1310")
    report = check(contract, write_delivery(delivery, sellers=plus("sellers", bad, SELLER, b"short")))
    load = of(report, "sellers").load
    assert (load.records, load.loaded, load.bad) == (5, 3, 2)
    assert [(e.line, e.error_type) for e in load.examples] == [(4, "bad_zip"), (6, "missing_columns")]


def test_a_problem_in_one_source_hides_none_in_another(contract: Contract, delivery: Path) -> None:
    write_delivery(
        delivery,
        products=b"",
        sellers=plus("sellers", SELLER, SELLER),
        order_payments=plus("order_payments", b"nowhere,1,voucher,1,-5.00"),
        geolocation=plus("geolocation", *[b'"01310",52.5,13.4,berlin,SP'] * 2),
    )
    report = check(contract, delivery)
    failing = {(c.source, c.kind) for c in report.checks if c.failing}
    assert failing == {
        ("sellers", "duplicate_key"),
        ("order_payments", "foreign_key"),
        ("order_payments", "rule"),
        ("geolocation", "rule"),
    }
    assert [c.name for c in report.checks if c.failing is None] == ["product_id"], "products could not be looked up"
    assert (report.problems, report.warnings) == (4, 2)


def test_a_refused_source_makes_no_orphans_of_the_others(contract: Contract, delivery: Path) -> None:
    report = check(contract, write_delivery(delivery, orders=b"<html>", customers=None))
    assert report.problems == 2
    assert not any(c.failing for c in report.checks)


def test_a_delivery_beside_the_base_file_is_validated_too(contract: Contract, delivery: Path) -> None:
    (delivery / "olist_sellers_dataset_2.csv").write_bytes(with_records("sellers", b"x"))
    report = check(contract, delivery)
    assert [file.load.status for file in report.files if file.inspection.source == "sellers"] == ["loaded", "refused"]


def test_empty_fields_are_told_by_source(contract: Contract, delivery: Path) -> None:
    report = check(contract, write_delivery(delivery, orders=None))
    assert "orders" not in report.nulls
    assert report.nulls["order_reviews"] == (
        ColumnNulls("review_comment_title", 1),
        ColumnNulls("review_comment_message", 1),
    )
    assert report.nulls["sellers"] == ()


def test_a_folder_that_is_not_there_is_a_configuration_error(contract: Contract, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        check(contract, tmp_path / "nowhere")


def test_the_report_can_be_written_as_json(contract: Contract, delivery: Path) -> None:
    plain = json.loads(json.dumps(to_plain(check(contract, write_delivery(delivery, orders=b"")))))
    assert len(plain["files"]) == 9
    assert plain["files"][1]["inspection"]["refusal_type"] == "empty"
    assert not any(key.startswith("_") for key in plain["files"][0]["inspection"])


def test_progress_goes_from_reading_to_loading_to_checking(contract: Contract, delivery: Path) -> None:
    class Told(NoProgress):
        def __init__(self) -> None:
            self.labels: list[str] = []
            self.open = 0
            self.bytes: dict[str, float] = {}

        def start(self, label: str, total: float | None = None) -> None:
            self.labels.append(label)
            self.open += 1

        def advance(self, amount: float = 1, doing: str | None = None) -> None:
            self.bytes[self.labels[-1]] = self.bytes.get(self.labels[-1], 0) + amount

        def finish(self) -> None:
            self.open -= 1

    told = Told()
    validate(contract, delivery, limits=Limits(0.5), progress=told)
    assert (told.labels, told.open) == (["Reading", "Loading", "Checking"], 0)
    assert told.bytes == dict.fromkeys(["Reading", "Loading"], sum(map(len, FILES.values())))


class StopsOnce(NoProgress):
    """Ctrl-C at the first sign of progress."""

    def __init__(self) -> None:
        self.told = 0

    def advance(self, amount: float = 1, doing: str | None = None) -> None:
        self.told += 1
        if self.told == 1:
            raise KeyboardInterrupt


def test_an_interruption_waits_for_no_large_file(contract: Contract, delivery: Path) -> None:
    large = b"1,2,3,4,5\n" * 3_000_000
    for source in ("sellers", "geolocation", "customers"):
        (delivery / NAMES[source]).write_bytes(header_of(source) + large)
    progress = StopsOnce()
    with pytest.raises(KeyboardInterrupt):
        inspect_all(find_files(contract, delivery), progress)
    assert progress.told < 20, "each file has thirty blocks of a megabyte, read twice"
