"""`olistctl rollback`: an earlier published warehouse."""

from __future__ import annotations

from typing import Annotated

import typer

from olistctl.cli.call import Call
from olistctl.cli.commands_pipeline import Wait


def rollback(
    call: Call,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="VERSION", help="Which version; the newest if not given.", show_default=False),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Only show the versions that are kept.")] = False,
    wait: Wait = None,
) -> None:
    """Put an earlier published warehouse back; today's is kept in its turn, so a rollback can be undone.

    The files of the source folder stay as they are: the next run loads what they hold.

      olistctl rollback --list
    """
    from olistctl.mending.rollback import kept_versions
    from olistctl.mending.rollback import rollback as put_back

    console = call.console
    if list_:
        versions = kept_versions(call.settings())
        if call.json:
            console.json(versions)
        elif versions:
            rows = [[v.name, f"{v.kept_at:%Y-%m-%d %H:%M:%S}", v.size_bytes / 1e6] for v in versions]
            console.table("Versions", ["version", "replaced (UTC)", "MB"], rows)
        else:
            console.line("No earlier version is kept.")
        return
    report = put_back(call.logged_settings(**{"lock.wait_seconds": wait}), to)
    if call.json:
        console.json(report)
    else:
        console.line(f"Version {report.version} is live again: {report.warehouse}. Next: olistctl status")
