"""Pages: data that stands in their scripts, and the files that they become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from olistctl.drafts import written
from olistctl.errors import UsageError
from olistctl.warehouse import refused


def in_script(value: Any) -> str:
    """Return JSON that can stand in a script of a page: no text of it ends the script."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")


def write_html(file: Path, page: str) -> Path:
    """Write a page, in the place of an earlier page at most; return the file, to which a link may have led.

    Raises:
        UsageError: something else is there.
        EnvironmentFault: the file cannot be written.
    """
    try:
        file = file.resolve()
        if file.is_dir():
            raise UsageError("it is a folder, not a file", where=str(file), hint="--out FILE names a file in it")
        if file.exists() and not _is_page(file):
            raise UsageError(
                "the file is already there, and it is no page", where=str(file), hint="--out FILE names another one"
            )
        file.parent.mkdir(parents=True, exist_ok=True)
        with written(file) as draft:
            draft.write_text(page, encoding="utf-8")
    except OSError as error:
        raise refused("the page cannot be written", error, file) from None
    return file


def _is_page(file: Path) -> bool:
    if not file.is_file():  # a pipe, a device
        return False
    with file.open("rb") as stream:
        return stream.read(15).lower() == b"<!doctype html>"
