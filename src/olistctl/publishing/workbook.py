"""A table as an Excel workbook: its rows on one sheet, what its columns mean on another."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from olistctl.errors import UsageError
from olistctl.publishing.tables import SharedTable
from olistctl.warehouse import quote

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

# What a sheet of Excel can hold (support.microsoft.com, "Excel specifications and limits").
_MAX_ROWS = 1_048_576
_MAX_TEXT = 32_767
_FIRST_YEAR = 1900
_MAX_NUMBER = 2**53  # Excel's numbers are doubles: a larger one would be another number, so it is written as text
_NOT_IN_A_NAME = str.maketrans(dict.fromkeys("[]:*?/\\", "_"))
_AT_ONCE = 10_000


def write_workbook(connection: DuckDBPyConnection, table: SharedTable, file: Path) -> None:
    """Write a table to an .xlsx file. Texts stay texts, whatever they begin with; amounts are numbers of Excel.

    Raises:
        UsageError: it has more rows, or longer texts, than a sheet can hold.
        OSError: the file cannot be written.
    """
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    _check_fits(connection, table)
    with _spill_folder(file) as spill:
        workbook = xlsxwriter.Workbook(str(file), {"constant_memory": True, "tmpdir": str(spill)})
        try:
            _write_rows(workbook, connection, table)
            _write_columns(workbook, table)
        except BaseException:
            _abandon(workbook)
            raise
        try:
            workbook.close()
        except FileCreateError as error:
            raise error.args[0] if isinstance(error.args[0], OSError) else OSError(str(error)) from None


@contextmanager
def _spill_folder(file: Path) -> Iterator[Path]:
    """Give a folder on the same disk, always of the same name, so that the next call clears up what a kill left."""
    folder = file.with_name(f"{file.name}.d")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_fits(connection: DuckDBPyConnection, table: SharedTable) -> None:
    hint = "--format csv or --format parquet"
    if table.rows >= _MAX_ROWS:
        raise UsageError(
            f"{table.name} has {table.rows:,} rows, and a sheet of Excel holds {_MAX_ROWS - 1:,}", hint=hint
        )
    for column in table.columns:
        if column.type == "VARCHAR":
            longest = f"select max(length({quote(column.name)})) from ({table.query})"
            ((length,),) = connection.execute(longest).fetchall()
            if length and length > _MAX_TEXT:
                raise UsageError(
                    f"a {column.name} of {table.name} has {length:,} characters, and a cell of Excel holds "
                    f"{_MAX_TEXT:,}",
                    hint=hint,
                )


def _abandon(workbook: Workbook) -> None:
    """Let go of a workbook of which nothing is wanted: it would write the rest of it when it is collected."""
    workbook.fileclosed = True
    for sheet in workbook.worksheets():
        sheet.row_data_fh.close()


def _write_rows(workbook: Workbook, connection: DuckDBPyConnection, table: SharedTable) -> None:
    sheet = workbook.add_worksheet(table.name.translate(_NOT_IN_A_NAME)[:31])
    formats = _formats(workbook)
    for number, column in enumerate(table.columns):
        sheet.set_column(number, number, max(len(column.name) + 2, 12), _format_of(column.type, formats))
        sheet.write_string(0, number, column.name, formats["head"])
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, table.rows, len(table.columns) - 1)
    cursor = connection.execute(table.query)
    line = 0
    while rows := cursor.fetchmany(_AT_ONCE):
        for row in rows:
            line += 1
            for number, value in enumerate(row):
                _write_cell(sheet, line, number, value)


def _write_cell(sheet: Worksheet, line: int, number: int, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(line, number, value)
    elif isinstance(value, (int, float, Decimal)) and -_MAX_NUMBER < float(value) < _MAX_NUMBER:  # not NaN
        sheet.write_number(line, number, float(value))
    elif isinstance(value, (datetime, date)) and value.year >= _FIRST_YEAR and getattr(value, "tzinfo", None) is None:
        sheet.write_datetime(line, number, value)
    else:
        sheet.write_string(line, number, str(value))


def _write_columns(workbook: Workbook, table: SharedTable) -> None:
    sheet = workbook.add_worksheet("about the columns")
    head = workbook.add_format({"bold": True})
    wrapped = workbook.add_format({"text_wrap": True, "valign": "top"})
    sheet.set_column(0, 0, 32)
    sheet.set_column(1, 1, 16)
    sheet.set_column(2, 2, 100)
    sheet.write_string(0, 0, f"{table.schema}.{table.name}", head)
    sheet.write_string(0, 2, table.description, wrapped)
    for number, title in enumerate(("column", "type", "description")):
        sheet.write_string(2, number, title, head)
    for line, column in enumerate(table.columns, start=3):
        sheet.write_string(line, 0, column.name, wrapped)
        sheet.write_string(line, 1, column.type, wrapped)
        sheet.write_string(line, 2, column.description, wrapped)


def _formats(workbook: Workbook) -> dict[str, Format]:
    make: Callable[..., Format] = workbook.add_format
    return {
        "head": make({"bold": True, "bottom": 1}),
        "date": make({"num_format": "yyyy-mm-dd"}),
        "moment": make({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        "amount": make({"num_format": "#,##0.00"}),
    }


def _format_of(type_: str, formats: dict[str, Format]) -> Format | None:
    if type_.startswith("DECIMAL"):
        return formats["amount"]
    return {"DATE": formats["date"], "TIMESTAMP": formats["moment"]}.get(type_)
