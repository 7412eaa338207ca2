"""What every command shares: the global options, before or after the command, and the settings they lead to."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from olistctl.errors import ExitCode, Interrupted

if TYPE_CHECKING:
    from olistctl.config import Settings
    from olistctl.console import Console

PIPELINE = "Pipeline"
INSPECT = "Inspect and mend"
SHARE = "Share"
SETUP = "Set up"
_GLOBAL = "Global options"

GLOBAL_OPTIONS: dict[str, Any] = {
    "config": Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="Configuration file; config/olistctl.yml if not given.",
            rich_help_panel=_GLOBAL,
        ),
    ],
    "target": Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="NAME",
            help="Target of the configuration: dev, prod, spark.",
            rich_help_panel=_GLOBAL,
        ),
    ],
    "json": Annotated[bool, typer.Option("--json", help="Print the result as JSON.", rich_help_panel=_GLOBAL)],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no remarks.", rich_help_panel=_GLOBAL)],
    "verbose": Annotated[bool, typer.Option("--verbose", "-v", help="Show all detail.", rich_help_panel=_GLOBAL)],
}
_DEFAULTS: dict[str, Any] = {"config": None, "target": None, "json": False, "quiet": False, "verbose": False}


@dataclass(frozen=True)
class Call:
    """One call of olistctl: its global options."""

    config: Path | None = None
    target: str | None = None
    json: bool = False
    quiet: bool = False
    verbose: bool = False

    @property
    def console(self) -> Console:
        """The console that this call writes to."""
        from olistctl.console import Console

        return Console(as_json=self.json, quiet=self.quiet, verbose=self.verbose)

    def settings(self, **overrides: Any) -> Settings:
        """Read the settings; `overrides` are options by setting key."""
        from olistctl.config import load_settings

        return load_settings(self.config, {"target": self.target} | overrides)

    def logged_settings(self, **overrides: Any) -> Settings:
        """Read the settings for a command that writes, and open its log."""
        from olistctl.logs import open_log

        settings = self.settings(**overrides)
        open_log(settings.log_file, settings.log_max_bytes, settings.log_backups)
        return settings


current = Call()


def with_globals(function: Callable[..., None]) -> Callable[..., None]:
    """Add the global options to a function, which gets the `Call` first, then its own options."""
    hints = get_type_hints(function, include_extras=True)
    own = list(inspect.signature(function).parameters.values())[1:]
    parameters = [parameter.replace(annotation=hints[parameter.name]) for parameter in own]
    parameters += [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS[key], annotation=annotation)
        for key, annotation in GLOBAL_OPTIONS.items()
    ]

    def run(**values: Any) -> None:
        call = remember({key: values.pop(key) for key in GLOBAL_OPTIONS})
        # Typer would leave without a word on an interruption, and with 1 where the reader of a pipe has gone.
        try:
            function(call, **values)
            sys.stdout.flush()  # here a full disk is still an error with a message
        except KeyboardInterrupt:
            raise Interrupted("interrupted") from None
        except (BrokenPipeError, SystemExit):  # rich makes a SystemExit of a broken pipe; commands raise none
            abandon_stdout()
            raise typer.Exit(ExitCode.PIPE_CLOSED) from None

    run.__doc__ = function.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def check_word(option: str, word: str, known: Sequence[str]) -> None:
    """Check that the value of an option is one of the words that it knows.

    Raises:
        UsageError: it is another one.
    """
    from olistctl.config.strict_yaml import nearest_hint
    from olistctl.errors import UsageError

    if word not in known:
        name = option.removeprefix("--")
        raise UsageError(f"there is no {name} '{word}'", where=f"option {option}", hint=nearest_hint(word, known))


def abandon_stdout() -> None:
    """Let what could not be written go nowhere: Python would try again at its end, and leave with a code of its own."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_missing_streams() -> None:
    """Let what is read from or written to a stream that the caller has closed come from nowhere, and go there."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # the lowest descriptor is free, which is the stream's own
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - for as long as we live


def show_every_letter() -> None:
    """Let what stdout's encoding cannot hold be shown as escapes, as on stderr: a name must not end a command."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def remember(values: dict[str, Any]) -> Call:
    """Lay the options that were given over those that are known, and return the call so far."""
    global current
    given = {key: value for key, value in values.items() if value}
    current = Call(**(vars(current) | given))
    return current
