"""The Typer application and its one error boundary."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Annotated, NoReturn

import typer

import olistctl.cli.call as calls
from olistctl import __version__
from olistctl.cli import commands_pipeline, commands_setup, commands_status, commands_validate
from olistctl.cli.call import INSPECT, PIPELINE, SETUP, Call, with_globals
from olistctl.errors import EnvironmentFault, ExitCode, Interrupted, OlistctlError

app = typer.Typer(
    name="olistctl",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=(
        "Exit codes: 0 done · 1 the data failed a check · 2 usage or configuration · 3 a bug · 4 busy · 130 interrupted"
    ),
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"olistctl {__version__}")
        raise typer.Exit


def _global(
    call: Call,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """From the nine Olist CSVs to a tested, documented warehouse.

    [bold]Begin here:[/bold]

      olistctl sample --orders 2000 --out data/source

      olistctl validate --source-dir data/source

      olistctl run --full-refresh
    """


app.callback()(with_globals(_global))
# Every command, in the order in which `--help` shows them.
for _name, _panel, _function in (
    ("run", PIPELINE, commands_pipeline.run),
    ("validate", PIPELINE, commands_validate.validate),
    ("load", PIPELINE, commands_pipeline.load),
    ("transform", PIPELINE, commands_pipeline.transform),
    ("snapshot", PIPELINE, commands_pipeline.snapshot),
    ("test", PIPELINE, commands_pipeline.test),
    ("status", INSPECT, commands_status.status),
    ("init", SETUP, commands_setup.init),
    ("sample", SETUP, commands_setup.sample),
):
    app.command(_name, rich_help_panel=_panel)(with_globals(_function))


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        app()
    except OlistctlError as error:
        _leave(error)
    except KeyboardInterrupt:
        _leave(Interrupted("interrupted", hint="nothing was published"))
    except OSError as error:
        _leave(EnvironmentFault(error.strerror or str(error), where=str(error.filename or "") or None))
    except Exception as error:
        _report_bug(error)
    sys.exit(ExitCode.DONE)


def _leave(error: OlistctlError) -> NoReturn:
    calls.current.console.error(error)
    sys.exit(int(error.exit_code))


def _report_bug(error: Exception) -> NoReturn:
    from olistctl.logs import get_logger

    logger = get_logger("olistctl")
    logger.error("bug", exc_info=error)
    files = [handler.baseFilename for handler in logger.handlers if hasattr(handler, "baseFilename")]
    bug = OlistctlError(
        f"a bug in olistctl: {type(error).__name__}: {error}",
        hint=f"the report is in {files[0]}"
        if files
        else "run it again with a configuration to get a report in the log",
    )
    calls.current.console.error(bug)
    sys.exit(ExitCode.BUG)


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    stop = Interrupted("terminated", hint="nothing was published")
    stop.exit_code = ExitCode.TERMINATED
    raise stop
