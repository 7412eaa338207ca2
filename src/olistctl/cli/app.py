"""The Typer application and its one error boundary."""

from __future__ import annotations

import sys
import tempfile
import traceback
from contextlib import suppress
from inspect import isfunction
from types import ModuleType
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

import olistctl.cli.call as calls
from olistctl import __version__, interruption
from olistctl.cli import (
    commands_docs,
    commands_doctor,
    commands_errors,
    commands_fetch,
    commands_pipeline,
    commands_publish,
    commands_quarantine,
    commands_report,
    commands_rollback,
    commands_setup,
    commands_status,
    commands_validate,
    commands_verify,
    commands_watch,
)
from olistctl.cli.call import INSPECT, PIPELINE, SETUP, SHARE, Call, with_globals
from olistctl.cli.help import Command, Group
from olistctl.cli.wrong_calls import usage_error
from olistctl.errors import EnvironmentFault, ExitCode, Interrupted, OlistctlError
from olistctl.results import Finding

app = typer.Typer(
    name="olistctl",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=(
        "Exit codes: 0 done · 1 the data failed a check · 2 usage, configuration or machine · 3 a bug · 4 busy · "
        "130 interrupted"
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

    Begin here:

      olistctl sample --orders 2000 --out data/source

      olistctl validate --source-dir data/source

      olistctl run --full-refresh
    """


def _group(module: ModuleType) -> typer.Typer:
    """Make a group of commands of the public functions of a module, in their order."""
    group = typer.Typer(help=module.HELP, no_args_is_help=True, cls=Group)
    for name, function in vars(module).items():
        if isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_"):
            group.command(name.rstrip("_"), cls=Command)(with_globals(function))
    return group


app.callback()(with_globals(_global))
# Every command, in the order in which `--help` shows them.
for _panel, _name, _function in (
    (PIPELINE, "run", commands_pipeline.run),
    (PIPELINE, "validate", commands_validate.validate),
    (PIPELINE, "load", commands_pipeline.load),
    (PIPELINE, "transform", commands_pipeline.transform),
    (PIPELINE, "snapshot", commands_pipeline.snapshot),
    (PIPELINE, "test", commands_pipeline.test),
    (PIPELINE, "watch", commands_watch.watch),
    (INSPECT, "status", commands_status.status),
    (INSPECT, "verify", commands_verify.verify),
    (INSPECT, "rollback", commands_rollback.rollback),
    (INSPECT, "errors", commands_errors),  # Typer shows groups after commands
    (INSPECT, "quarantine", commands_quarantine),
    (SHARE, "publish", commands_publish.publish),
    (SHARE, "docs", commands_docs.docs),
    (SHARE, "report", commands_report.report),
    (SETUP, "init", commands_setup.init),
    (SETUP, "sample", commands_setup.sample),
    (SETUP, "fetch", commands_fetch.fetch),
    (SETUP, "doctor", commands_doctor.doctor),
):
    if isinstance(_function, ModuleType):
        app.add_typer(_group(_function), name=_name, rich_help_panel=_panel)
    else:
        app.command(_name, cls=Command, rich_help_panel=_panel)(with_globals(_function))


def run() -> NoReturn:
    """Run the command line, and leave with its exit code; an interruption that was noted before counts."""
    calls.open_missing_streams()
    calls.show_every_letter()
    code = ExitCode.DONE
    try:
        if interruption.stopped():
            _foresee_json()
            raise KeyboardInterrupt
        code = app(prog_name="olistctl", standalone_mode=False) or ExitCode.DONE
    except TyperException as complaint:
        _leave_for(complaint)
    except OlistctlError as error:
        _leave(error)
    except KeyboardInterrupt:
        _leave(Interrupted("interrupted"))
    except SystemExit:
        # Typer's own: an interruption came outside of a command, or the reader of the help has gone.
        if not interruption.stopped():
            calls.abandon_stdout()
            code = ExitCode.PIPE_CLOSED
    except Exception as error:
        _leave(interruption.stopped() or _fault(error) or _bug(error))
    if stop := interruption.stopped():  # Typer makes an exit of its own of an interruption outside of a command
        _leave(stop)
    sys.exit(code)


def _leave_for(complaint: TyperException) -> NoReturn:
    """Leave because Typer cannot parse the call."""
    _foresee_json()
    if error := usage_error(complaint):
        _leave(error)
    with suppress(OSError):  # as in `_leave`
        typer.echo(complaint.format_message(), err=True)
    sys.exit(ExitCode.USAGE)


def _foresee_json() -> None:
    """Know of `--json` although Typer has not come to it, perhaps."""
    calls.remember({"json": "--json" in sys.argv})


def _leave(error: OlistctlError) -> NoReturn:
    interruption.ignore_from_now()
    if isinstance(error, Interrupted):
        error = interruption.stopped(error.hint) or error
    with suppress(OSError):  # nobody can be told where stdout and stderr are on a full disk
        calls.current.console.error(error)
        calls.current.console.warnings([Finding(note) for note in getattr(error, "__notes__", ())])
    if isinstance(error, Interrupted):
        interruption.leave(int(error.exit_code))
    try:
        sys.stdout.flush()
    except OSError:
        calls.abandon_stdout()
    sys.exit(int(error.exit_code))


def _fault(error: Exception) -> EnvironmentFault | None:
    """Return what the machine refuses, if that is what went wrong."""
    from olistctl.warehouse import machine_fault

    fault = machine_fault(error)
    if fault is None and isinstance(error, OSError):
        hint = "check that it is there, and may be read and written"
        return EnvironmentFault(error.strerror or str(error), where=str(error.filename or "") or None, hint=hint)
    return fault


def _bug(error: Exception) -> OlistctlError:
    from olistctl.logs import get_logger

    logger = get_logger("olistctl")
    files = [handler.baseFilename for handler in logger.handlers if hasattr(handler, "baseFilename")]
    if files:
        logger.error("bug", exc_info=error)
    else:  # a command that only reads keeps no log
        with tempfile.NamedTemporaryFile(
            "w", prefix="olistctl-bug-", suffix=".log", encoding="utf-8", delete=False
        ) as report:
            traceback.print_exception(error, file=report)
        files = [report.name]
    bug = OlistctlError(f"a bug in olistctl: {type(error).__name__}: {error}", hint=f"the report is in {files[0]}")
    bug.exit_code = ExitCode.BUG
    return bug
