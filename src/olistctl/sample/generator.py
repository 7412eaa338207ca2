"""`generate`: make a sample in an in-memory DuckDB and write its nine files, each complete or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from olistctl.errors import UsageError
from olistctl.sample.engine import connect, script
from olistctl.warehouse import refused

if TYPE_CHECKING:
    import duckdb

HEADERS = {
    "olist_customers_dataset": "customer_id customer_unique_id customer_zip_code_prefix customer_city customer_state",
    "olist_geolocation_dataset": (
        "geolocation_zip_code_prefix geolocation_lat geolocation_lng geolocation_city geolocation_state"
    ),
    "olist_order_items_dataset": (
        "order_id order_item_id product_id seller_id shipping_limit_date price freight_value"
    ),
    "olist_order_payments_dataset": ("order_id payment_sequential payment_type payment_installments payment_value"),
    "olist_order_reviews_dataset": (
        "review_id order_id review_score review_comment_title review_comment_message review_creation_date"
        " review_answer_timestamp"
    ),
    "olist_orders_dataset": (
        "order_id customer_id order_status order_purchase_timestamp order_approved_at order_delivered_carrier_date"
        " order_delivered_customer_date order_estimated_delivery_date"
    ),
    "olist_products_dataset": (
        "product_id product_category_name product_name_lenght product_description_lenght product_photos_qty"
        " product_weight_g product_length_cm product_height_cm product_width_cm"
    ),
    "olist_sellers_dataset": "seller_id seller_zip_code_prefix seller_city seller_state",
    "product_category_name_translation": "product_category_name product_category_name_english",
}
"""The nine files and their columns, in the order in which they are named in reports."""

STEPS = (
    "02_geography",
    "03_catalogue",
    "04_calendar",
    "05_orders",
    "06_items",
    "07_payments",
    "08_reviews",
    "09_points",
)
MAX_ORDERS = 10_000_000

Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class SampleFile:
    """One written file."""

    name: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class SampleReport:
    """What a sample consists of."""

    orders: int
    seed: int
    folder: Path
    files: tuple[SampleFile, ...]

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.files)

    @property
    def bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.bytes for file in self.files)


def generate(
    orders: int,
    seed: int,
    out: Path,
    on_progress: Told | None = None,
    *,
    overwrite: bool = False,
    threads: int | None = None,
) -> SampleReport:
    """Write the nine files of a sample of `orders` orders into `out`.

    The same `orders` and `seed` give the same bytes, on any number of `threads`. The files appear under
    their names only when all of them are complete. `on_progress(doing, done, total)` is called before each step.
    """
    import duckdb

    _check(orders, out, overwrite=overwrite)
    try:
        files = _replace_all(orders, seed, out, on_progress or _silent, overwrite, threads)
    except (OSError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise refused("the sample cannot be written", error, out) from error
    return SampleReport(orders, seed, out, files)


def _replace_all(
    orders: int, seed: int, out: Path, told: Told, overwrite: bool, threads: int | None
) -> tuple[SampleFile, ...]:
    """Write all files into a hidden folder beside their places, then rename them."""
    out.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".sample-", dir=out))
    try:
        files = _make(orders, seed, folder, told, threads)
        if not overwrite:
            _refuse_existing(out)
        for file in files:
            (folder / file.name).replace(out / file.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return files


def _silent(doing: str, done: int, total: int) -> None:
    """Tell nobody."""


def _check(orders: int, out: Path, *, overwrite: bool) -> None:
    if not 1 <= orders <= MAX_ORDERS:
        raise UsageError(
            f"a sample has 1 to {MAX_ORDERS:,} orders, not {orders:,}",
            where="option --orders",
            hint="the public data set has 99441",
        )
    if out.exists() and not out.is_dir():
        raise UsageError("it is a file, not a folder", where=str(out), hint="name a folder to write into")
    if not overwrite:
        _refuse_existing(out)


def _refuse_existing(out: Path) -> None:
    for name in HEADERS:
        if (out / f"{name}.csv").exists():
            raise UsageError(
                "the file is already there",
                where=str(out / f"{name}.csv"),
                hint="--overwrite replaces it; --out DIR names another folder",
            )


def _make(orders: int, seed: int, folder: Path, told: Told, threads: int | None) -> tuple[SampleFile, ...]:
    total = len(STEPS) + len(HEADERS)
    connection = connect(orders, seed, folder / "spill", threads)
    try:
        for done, step in enumerate(STEPS):
            told(step[3:], done, total)
            connection.execute(script(step))
        files = []
        for done, name in enumerate(HEADERS, start=len(STEPS)):
            told(f"{name}.csv", done, total)
            files.append(_write(connection, name, folder / f"{name}.csv"))
        told("done", total, total)
    finally:
        connection.close()
    return tuple(files)


def _write(connection: duckdb.DuckDBPyConnection, name: str, path: Path) -> SampleFile:
    if name == "product_category_name_translation":
        rows = _write_translation(connection, path)
    else:
        rows = _copy(connection, name, path)
    return SampleFile(path.name, rows, path.stat().st_size)


def _copy(connection: duckdb.DuckDBPyConnection, name: str, path: Path) -> int:
    """Write lines that are complete but for their newline; the header is the name of their only column."""
    header = ",".join(f'""{column}""' for column in HEADERS[name].split())
    if name == "olist_order_reviews_dataset":
        header += "\r"
    lines = script(f"files/{name}").format(header=f'"{header}"')
    target = str(path).replace("'", "''")
    count = connection.execute(
        f"copy ({lines}) to '{target}' (format csv, header true, delimiter '\x01', quote '', escape '')"
    ).fetchall()
    return int(count[0][0])


def _write_translation(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Write the one file with a byte-order mark, CRLF, a plain header and no newline at the end."""
    lines = [line for (line,) in connection.execute(script("files/product_category_name_translation")).fetchall()]
    text = "\r\n".join([HEADERS["product_category_name_translation"].replace(" ", ","), *lines])
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    return len(lines)
