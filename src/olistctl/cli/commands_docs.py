"""`olistctl docs`: the catalog of the warehouse."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from olistctl.cli.call import Call


def docs(
    call: Call,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where to; beside the warehouse if not given.", show_default=False),
    ] = None,
    open_: Annotated[
        bool, typer.Option("--open/--no-open", help="Show it in the browser; only where there is a terminal.")
    ] = True,
    serve: Annotated[bool, typer.Option("--serve", help="Serve it to this machine alone, until Ctrl-C.")] = False,
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65_535, help="With --serve; 0: any that is free.")
    ] = 8080,
) -> None:
    """Write the catalog, one page that works offline: lineage, descriptions, tests, rows, freshness.

      olistctl docs

      olistctl docs --serve --port 8080
    """  # fmt: skip
    from olistctl.publishing import write_catalog
    from olistctl.publishing.serving import serve_page

    settings = call.settings()
    console = call.console
    file = out or settings.warehouse.with_name(f"{settings.warehouse.stem}_docs.html")
    catalog = write_catalog(settings, file)
    if call.json:
        console.json(catalog)
    else:
        console.line(
            f"{catalog.models} models, {catalog.sources} sources, {catalog.tests} tests "
            f"({catalog.bytes / 1e6:.1f} MB): {catalog.file}"
        )
    if serve:
        with serve_page(file, port) as server:
            console.note(f"{server.url} shows it, until Ctrl-C")
            server.run()
    elif open_ and not call.json and sys.stdout.isatty():
        import webbrowser

        webbrowser.open(file.absolute().as_uri())
