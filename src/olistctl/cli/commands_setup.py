"""The commands for the first minutes: `init` and `sample`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from olistctl.cli.call import Call


def init(
    call: Call,
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Where to; made if it is not there.")] = Path(),
) -> None:
    """Lay out configuration, dbt project and Airflow DAG in a folder, ready for `run`; nothing is overwritten.

      olistctl init my_warehouse
    """  # fmt: skip
    from olistctl.project_files import lay_out

    laid_out = lay_out(folder)
    if call.json:
        call.console.json(laid_out)
        return
    call.console.line(f"Laid out {len(laid_out.files)} files in {folder.absolute()}: config/, olist_dw_dbt/ and dags/")
    enter = "" if folder == Path() else f"cd {folder}, "
    put = "put the nine CSVs in data/source (or `olistctl fetch`, or `olistctl sample --out data/source`)"
    call.console.line(f"Next: {enter}{put}, then `olistctl run`")


def sample(
    call: Call,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to write the nine files.")],
    orders: Annotated[
        int, typer.Option("--orders", metavar="N", min=1, help="Number of orders; the real data has 99441.")
    ] = 2000,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="The same seed gives the same bytes.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of the same names.")] = False,
) -> None:
    """Write a made-up delivery with the shape and the quirks of the real one.

      olistctl sample --orders 99441 --seed 7 --out data/source
    """  # fmt: skip
    from olistctl.sample import generate

    console = call.console
    with console.progress() as progress:
        started: set[str] = set()

        def on_progress(name: str, done: int, total: int) -> None:
            if not started:
                progress.start("Writing", total)
            started.add(name)
            progress.advance(1, name)

        report = generate(orders, seed, out, on_progress=on_progress, overwrite=overwrite)
        if started:
            progress.finish()
    if call.json:
        console.json(report)
        return
    console.table(
        f"{orders:,} orders with seed {seed} in {out}",
        ["file", "rows", "MB"],
        [[file.name, file.rows, file.bytes / 1e6] for file in report.files],
    )
