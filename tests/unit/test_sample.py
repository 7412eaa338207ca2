"""The sample generator: real DuckDB, real files, the facts of the public data set."""

from __future__ import annotations

import csv
import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import yaml

from olistctl.errors import UsageError
from olistctl.sample import SampleReport, generate
from olistctl.sample.engine import HERE, connect
from olistctl.sample.generator import HEADERS
from olistctl.sample.plan import FULL_ORDERS, SMALL, make_plan, scaled

ORDERS = 8_000
CONTRACT = Path(__file__).parents[2] / "config" / "sources.yml"
TABLES = {name: re.sub(r"^olist_|_dataset$|^product_category_name_", "", name) for name in HEADERS}


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def load(folder: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for name, table in TABLES.items():
        connection.execute(
            f"create table {table} as select * from read_csv('{folder / name}.csv', header = true, parallel = false,"
            " all_varchar = true, delim = ',', quote = '\"', escape = '\"', strict_mode = false)"
        )
    return connection


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> SampleReport:
    return generate(ORDERS, 7, tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def db(report: SampleReport) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = load(report.folder)
    yield connection
    connection.close()


def number(db: duckdb.DuckDBPyConnection, sql: str) -> float:
    row = db.execute(sql).fetchone()
    assert row is not None
    return float(row[0])


def read(report: SampleReport, name: str) -> bytes:
    return (report.folder / f"{name}.csv").read_bytes()


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads(tmp_path: Path) -> None:
    """At this size the longest file is made by several threads at once."""
    generate(13_000, 1, tmp_path / "one", threads=1)
    generate(13_000, 1, tmp_path / "three", threads=3)
    assert digests(tmp_path / "one") == digests(tmp_path / "three")


def test_the_bytes_of_a_seed_are_pinned(tmp_path: Path) -> None:
    """Fails when the sample changes, on purpose or by another DuckDB: then say so in the changelog."""
    generate(50, 42, tmp_path)
    whole = hashlib.sha256("".join(digests(tmp_path).values()).encode()).hexdigest()
    assert whole[:16] == "21940a6951ad063d"


def test_another_seed_gives_other_bytes(tmp_path: Path) -> None:
    generate(200, 1, tmp_path / "one")
    generate(200, 2, tmp_path / "two")
    one, two = digests(tmp_path / "one"), digests(tmp_path / "two")
    assert [name for name in one if one[name] == two[name]] == ["product_category_name_translation.csv"]


def test_the_report_tells_rows_and_bytes(report: SampleReport, db: duckdb.DuckDBPyConnection) -> None:
    assert [file.name for file in report.files] == [f"{name}.csv" for name in HEADERS]
    for file in report.files:
        assert file.bytes == (report.folder / file.name).stat().st_size
        assert file.rows == number(db, f"select count(*) from {TABLES[file.name.removesuffix('.csv')]}")
    assert report.rows == sum(file.rows for file in report.files)
    assert report.bytes == sum(file.bytes for file in report.files)


def test_headers_are_those_of_the_contract() -> None:
    sources = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))["sources"]
    wanted = {source["file"]: [column["name"] for column in source["columns"]] for source in sources.values()}
    assert {f"{name}.csv": columns.split() for name, columns in HEADERS.items()} == wanted


def test_bytes_of_the_translation(report: SampleReport) -> None:
    data = read(report, "product_category_name_translation")
    assert data.startswith(b"\xef\xbb\xbfproduct_category_name,product_category_name_english\r\nbeleza_saude,")
    assert not data.endswith(b"\n")
    assert data.count(b"\r\n") == data.count(b"\n") == 71
    assert b'"' not in data


def test_bytes_of_the_reviews(report: SampleReport) -> None:
    data = read(report, "olist_order_reviews_dataset")
    assert data.startswith(b'"review_id","order_id",') and data.endswith(b"\r\n")
    assert data.count(b"\r\n") == data.count(b"\n") == data.count(b"\r")
    rows = next(file.rows for file in report.files if "reviews" in file.name)
    assert data.count(b"\n") > rows + 1, "some messages have several lines"


@pytest.mark.parametrize("name", [name for name in HEADERS if "review" not in name and "translation" not in name])
def test_texts_are_quoted_when_they_start_with_a_digit_or_must_be(report: SampleReport, name: str) -> None:
    text = read(report, name).decode()
    header, *lines = text.removesuffix("\n").split("\n")
    assert text.endswith("\n") and "\r" not in text
    assert header == ",".join(f'"{column}"' for column in HEADERS[name].split())
    plain = re.compile(r"^(-?\d+(\.\d+)?|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)$")
    for line in lines[:4000]:
        for field in re.findall(r'(?:^|,)("(?:[^"]|"")*"|[^,]*)', line):
            if field.startswith('"'):
                assert field[1].isdigit() or "," in field or '""' in field, line
            else:
                assert plain.match(field) or not field[:1].isdigit(), line


def test_one_id_column_mixes_quoted_and_plain_values(report: SampleReport) -> None:
    lines = read(report, "olist_orders_dataset").splitlines()[1:]
    assert 0.55 < sum(line.startswith(b'"') for line in lines) / len(lines) < 0.70


def test_numbers_look_as_they_do(report: SampleReport) -> None:
    for row in csv.reader(read(report, "olist_order_items_dataset").decode().splitlines()[1:]):
        assert re.fullmatch(r"\d+\.\d\d", row[5]) and re.fullmatch(r"\d+\.\d\d", row[6])
    points = list(csv.reader(read(report, "olist_geolocation_dataset").decode().splitlines()[1:]))
    assert all(re.fullmatch(r"-?\d+\.\d+", point[1]) and re.fullmatch(r"-?\d+\.\d+", point[2]) for point in points)
    assert sum(len(point[1]) for point in points) / len(points) > 17, "many digits"


def test_ratios_of_the_full_scale() -> None:
    plan = make_plan(FULL_ORDERS, 1)
    assert plan.variables["products"] == 32_951
    assert plan.variables["sellers"] == 3_095
    assert plan.variables["points"] == 1_000_163
    assert plan.variables["real_zips"] == 19_015
    for name, ones in (("basket", 98_666), ("pay", 99_441)):
        assert plan.sizes[name][-1].last == ones
    assert sum((block.last - block.first) * block.size for block in plan.sizes["basket"]) == 112_650
    assert sum((block.last - block.first) // block.size for block in plan.sizes["person"]) == 96_096
    by_status: dict[str, int] = {}
    for status, _, first, last in plan.statuses:
        by_status[status] = by_status.get(status, 0) + last - first
    assert by_status == {
        "canceled": 625, "unavailable": 609, "created": 5, "invoiced": 314, "shipped": 1_107, "approved": 2,
        "processing": 301, "delivered": 96_478,
    }  # fmt: skip


def test_ratios_of_a_sample(report: SampleReport) -> None:
    rows = {TABLES[file.name.removesuffix(".csv")]: file.rows / report.orders for file in report.files}
    full = {
        "customers": 1.0, "orders": 1.0, "order_items": 1.1328, "order_payments": 1.0447, "order_reviews": 0.9978,
        "products": 0.3314, "sellers": 0.0311, "geolocation": 10.058,
    }  # fmt: skip
    for table, ratio in full.items():
        assert rows[table] == pytest.approx(ratio, rel=0.01), table


REFERENCES = [
    ("order_items", "order_id", "orders", "order_id"),
    ("order_items", "product_id", "products", "product_id"),
    ("order_items", "seller_id", "sellers", "seller_id"),
    ("products", "product_id", "order_items", "product_id"),
    ("sellers", "seller_id", "order_items", "seller_id"),
    ("order_payments", "order_id", "orders", "order_id"),
    ("order_reviews", "order_id", "orders", "order_id"),
    ("orders", "customer_id", "customers", "customer_id"),
    ("customers", "customer_id", "orders", "customer_id"),
]


@pytest.mark.parametrize(("table", "column", "other", "to"), REFERENCES)
def test_nothing_points_nowhere(db: duckdb.DuckDBPyConnection, table: str, column: str, other: str, to: str) -> None:
    assert number(db, f"select count(*) from {table} where {column} not in (select {to} from {other})") == 0


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("customers", "customer_id"),
        ("orders", "order_id"),
        ("order_items", "(order_id, order_item_id)"),
        ("order_payments", "(order_id, payment_sequential)"),
        ("order_reviews", "(review_id, order_id)"),
        ("products", "product_id"),
        ("sellers", "seller_id"),
    ],
)
def test_keys_are_unique(db: duckdb.DuckDBPyConnection, table: str, key: str) -> None:
    assert number(db, f"select count(*) - count(distinct {key}) from {table}") == 0


EXACT = {
    "orders without items": (775, "orders where order_id not in (select order_id from order_items)"),
    "orders without payment": (1, "orders where order_id not in (select order_id from order_payments)"),
    "orders without review": (768, "orders where order_id not in (select order_id from order_reviews)"),
    "canceled": (625, "orders where order_status = 'canceled'"),
    "canceled with a delivery date": (
        6,
        "orders where order_status = 'canceled' and order_delivered_customer_date is not null",
    ),
    "delivered without a date": (
        8,
        "orders where order_status = 'delivered' and order_delivered_customer_date is null",
    ),
    "approved null": (160, "orders where order_approved_at is null"),
    "carrier null": (1783, "orders where order_delivered_carrier_date is null"),
    "delivered null": (2965, "orders where order_delivered_customer_date is null"),
    "carrier before approval": (1350, "orders where order_delivered_carrier_date < order_approved_at"),
    "carrier before purchase": (165, "orders where order_delivered_carrier_date < order_purchase_timestamp"),
    "delivered before carrier": (23, "orders where order_delivered_customer_date < order_delivered_carrier_date"),
    "payments of nothing": (9, "order_payments where payment_value = '0.00'"),
    "not defined": (3, "order_payments where payment_type = 'not_defined'"),
    "no instalments": (2, "order_payments where payment_installments = '0' and payment_type = 'credit_card'"),
    "bills that differ": (
        303,
        "(select order_id, sum(payment_value::decimal(12, 2)) as paid from order_payments group by 1) join"
        " (select order_id, sum(price::decimal(12, 2) + freight_value::decimal(12, 2)) as bill from order_items"
        " group by 1) using (order_id) where paid <> bill",
    ),
    "no category": (610, "products where product_category_name is null"),
    "no weight": (2, "products where product_weight_g is null"),
    "weight 0": (4, "products where product_weight_g = '0'"),
    "untranslated categories": (
        13,
        "products where product_category_name in ('pc_gamer', 'portateis_cozinha_e_preparadores_de_alimentos')",
    ),
    "customers elsewhere": (
        278,
        "customers where customer_zip_code_prefix not in (select geolocation_zip_code_prefix from geolocation)",
    ),
    "sellers elsewhere": (
        7,
        "sellers where seller_zip_code_prefix not in (select geolocation_zip_code_prefix from geolocation)",
    ),
    "points abroad": (
        27,
        "geolocation where geolocation_lat::double not between -34 and 6",
    ),
    "several reviews": (547, "(select 1 from order_reviews group by order_id having count(*) > 1)"),
    "several payments": (2961, "(select 1 from order_payments group by order_id having count(*) > 1)"),
    "2016-12": (1, "orders where order_purchase_timestamp like '2016-12%'"),
    "2018-09": (15, "orders where order_purchase_timestamp like '2018-09%'"),
}
"""Quirk: count at full scale, and what to count."""

SOFT = {
    "dirty cities": (24, r"sellers where regexp_matches(seller_city, '[0-9/@,(]|  |-[a-z]{2}$| - ')"),
    "shared reviews": (789, "(select 1 from order_reviews group by review_id having count(*) > 1)"),
    "several sellers": (
        1278,
        "(select 1 from order_items group by order_id having count(distinct seller_id) > 1)",
    ),
    "free freight": (383, "order_items where freight_value = '0.00'"),
    "far limits": (4, "order_items where shipping_limit_date >= '2020'"),
    "repeat buyers": (2997, "(select 1 from customers group by customer_unique_id having count(*) > 1)"),
    "buyers who move": (
        280,
        "(select 1 from customers group by customer_unique_id having count(distinct customer_zip_code_prefix) > 1)",
    ),
    "emoji": (350, r"order_reviews where regexp_matches(review_comment_message, '[\x{1F300}-\x{1FAFF}]')"),
    "quotes": (120, "order_reviews where review_comment_message like '%\"%'"),
    "lines": (4000, "order_reviews where contains(review_comment_message, chr(10))"),
    "titles": (11568, "order_reviews where review_comment_title is not null"),
    "messages": (40977, "order_reviews where review_comment_message is not null"),
    "leading zeros": (1027, "sellers where seller_zip_code_prefix like '0%'"),
    "zips of several cities": (
        8556,
        "(select 1 from geolocation group by geolocation_zip_code_prefix having count(distinct geolocation_city) > 1)",
    ),
    "exact duplicates": (
        261_831,
        "(select unnest(range(n - 1)) from (select *, count(*) as n from geolocation group by all))",
    ),
}


@pytest.mark.parametrize("quirk", EXACT)
def test_quirks_at_their_rate(db: duckdb.DuckDBPyConnection, quirk: str) -> None:
    full, what = EXACT[quirk]
    wanted = scaled(full, ORDERS)
    assert number(db, f"select count(*) from {what}") == pytest.approx(wanted, abs=3, rel=0.05), quirk


@pytest.mark.parametrize("quirk", SOFT)
def test_quirks_at_about_their_rate(db: duckdb.DuckDBPyConnection, quirk: str) -> None:
    full, what = SOFT[quirk]
    wanted = full * ORDERS / FULL_ORDERS
    assert number(db, f"select count(*) from {what}") == pytest.approx(wanted, rel=0.4, abs=4), quirk


def test_one_zip_lies_in_several_states(db: duckdb.DuckDBPyConnection) -> None:
    zips = "select 1 from geolocation group by geolocation_zip_code_prefix having count(distinct geolocation_state) > 1"
    assert number(db, f"select count(*) from ({zips})") == 1


def test_a_small_sample_shows_every_quirk(tmp_path: Path) -> None:
    generate(SMALL, 1, tmp_path)
    with load(tmp_path) as small:
        missing = [
            quirk
            for quirk, (_, what) in {**EXACT, **SOFT}.items()
            if number(small, f"select count(*) from {what}") == 0
        ]
    assert missing == []


def test_an_analyst_would_believe_it(db: duckdb.DuckDBPyConnection) -> None:
    assert 110 < number(db, "select avg(price::double) from order_items") < 132
    assert 18 < number(db, "select avg(freight_value::double) from order_items") < 22
    is_late = "order_delivered_customer_date > order_estimated_delivery_date"
    assert 0.05 < number(db, f"select avg(({is_late})::int) from orders") < 0.12
    late, early = (
        number(
            db,
            "select avg(review_score::int) from order_reviews join orders using (order_id)"
            f" where order_delivered_customer_date::timestamp {sign} order_estimated_delivery_date::timestamp",
        )
        for sign in (">", "<=")
    )
    assert late < 3.2 and early > 4.1
    assert 0.72 < number(db, "select avg((payment_type = 'credit_card')::int) from order_payments") < 0.76
    assert 0.38 < number(db, "select avg((customer_state = 'SP')::int) from customers") < 0.46
    days = "select order_purchase_timestamp[:10] as day, count(*) as n from orders group by 1 order by n desc, day"
    assert db.execute(f"{days} limit 1").fetchall()[0][0] == "2017-11-24"
    counts = db.execute("select order_purchase_timestamp[:7], count(*) from orders group by 1").fetchall()
    months: dict[str, int] = dict(counts)
    assert "2016-11" not in months and months["2016-12"] == 1
    assert months["2017-01"] < months["2017-06"] < months["2018-01"]
    assert min(months) == "2016-09" and max(months) == "2018-10"


@pytest.mark.parametrize("orders", [1, 2, 10, 100])
def test_small_samples_are_whole(tmp_path: Path, orders: int) -> None:
    report = generate(orders, 5, tmp_path)
    rows = {file.name: file.rows for file in report.files}
    assert rows["olist_orders_dataset.csv"] == rows["olist_customers_dataset.csv"] == orders
    assert min(rows.values()) >= 1
    with load(tmp_path) as small:
        for table, column, other, to in REFERENCES:
            dangling = f"select count(*) from {table} where {column} not in (select {to} from {other})"
            assert number(small, dangling) == 0
        odd = EXACT["bills that differ"][1]
        assert number(small, f"select count(*) from {odd}") == 0


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    generate(1, 1, tmp_path, lambda doing, done, total: told.append((doing, done, total)))
    assert [done for _, done, _ in told] == list(range(len(told)))
    assert told[-1][1] == told[-1][2]
    assert {f"{name}.csv" for name in HEADERS} <= {doing for doing, _, _ in told}


@pytest.mark.parametrize("orders", [0, -1, 10_000_001])
def test_a_silly_number_of_orders_is_refused(tmp_path: Path, orders: int) -> None:
    with pytest.raises(UsageError, match="1 to 10,000,000"):
        generate(orders, 1, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_existing_files_are_kept(tmp_path: Path) -> None:
    mine = tmp_path / "olist_orders_dataset.csv"
    mine.write_text("mine")
    with pytest.raises(UsageError, match=r"olist_orders_dataset\.csv"):
        generate(1, 1, tmp_path)
    assert mine.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [mine.name]
    generate(1, 1, tmp_path, overwrite=True)
    assert mine.read_text() != "mine"


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match="not a folder"):
        generate(1, 1, tmp_path / "out")


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    def stop(doing: str, done: int, total: int) -> None:
        if doing == "olist_sellers_dataset.csv":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(10, 1, tmp_path, stop)
    assert list(tmp_path.iterdir()) == []


def test_odd_folder_names_work(tmp_path: Path) -> None:
    report = generate(1, 1, tmp_path / "o'neil & söhne; drop")
    assert len(list(report.folder.iterdir())) == len(HEADERS)


def test_every_variable_that_the_sql_reads_is_set(tmp_path: Path) -> None:
    """An unset variable is NULL to DuckDB, and a quirk would silently be missing."""
    text = "".join(path.read_text(encoding="utf-8") for path in (HERE / "sql").rglob("*.sql"))
    names = set(re.findall(r"getvariable\('(\w+)'\)", text)) | set(re.findall(r"curve\([^']*?'(\w+)'\)", text))
    with connect(10, 1, tmp_path / "spill", 1) as connection:
        unset = [
            name
            for name in sorted(names)
            if connection.execute(f"select getvariable('{name}') is null").fetchall()[0][0]
        ]
    assert unset == []


def test_duckdb_is_not_imported_with_the_package() -> None:
    code = "import sys, olistctl.sample; sys.exit('duckdb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
