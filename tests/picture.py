"""`python -m tests.picture`: draw a real run as a terminal shows it, for the README (docs/images/run.svg).

The times in it are those of the machine that it is made on, so that no test compares it.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.documents import ROOT
from tests.project import clean_environment

_WIDTH = 120
_ORDERS = 20_000
_PICTURE = ROOT / "docs" / "images" / "run.svg"
_CURSOR = re.compile(r"\x1b\[\?25[lh]|\x1b\[\d*[AK]|\r")


def main() -> int:
    """Run olistctl in a terminal of its own, draw what stands there in the end, and return the exit code."""
    with tempfile.TemporaryDirectory(prefix="olistctl-") as folder:
        olistctl = [sys.executable, "-m", "olistctl"]
        for arguments in (("init", "."), ("sample", "--orders", str(_ORDERS), "--out", "data/source")):
            subprocess.run(
                [*olistctl, *arguments], cwd=folder, env=clean_environment(), check=True, stdout=subprocess.DEVNULL
            )
        shown = _in_terminal([*olistctl, "run", "--full-refresh"], Path(folder))
    # Of the progress only its last state; the folder is a reader's own.
    last = _CURSOR.sub("", shown.rpartition("\x1b[2K")[2]).replace(folder, "~/olist")
    console = Console(record=True, width=_WIDTH, file=StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi("$ olistctl run --full-refresh\n" + last.rstrip()))
    _PICTURE.parent.mkdir(exist_ok=True)
    _PICTURE.write_text(console.export_svg(title="olistctl", unique_id="olistctl"), encoding="utf-8")
    return 0


def _in_terminal(command: list[str], folder: Path) -> str:
    """Return what a command writes to a terminal."""
    terminal, other_end = pty.openpty()
    environment = clean_environment(TERM="xterm-256color", COLUMNS=str(_WIDTH), LINES="40")
    del environment["NO_COLOR"]
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=other_end, stderr=other_end)
    os.close(other_end)
    written = b""
    while True:
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # the other end is closed
            break
        written += part
    os.close(terminal)
    assert process.wait() == 0, written.decode()
    return written.decode()


if __name__ == "__main__":
    sys.exit(main())
