"""A signal at a moment at which an exception would do harm, or would get lost."""

from __future__ import annotations

import json
import subprocess
import sys

IN_THE_IMPORT = """
import os, signal, sys, time
from olistctl import interruption
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "_duckdb":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
interruption.listen()
try:
    import duckdb
    print("made")
    time.sleep(30)
except KeyboardInterrupt:
    print("interrupted")
"""
IN_A_DESTRUCTOR = """
import os, signal
from olistctl import interruption
class Thing:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
interruption.listen()
Thing()
print(type(interruption.stopped()).__name__)
"""
IN_ANOTHER_PROGRAM = """
import os, signal
from olistctl import interruption
signal.signal(signal.SIGTERM, lambda number, frame: print("its own"))
for _ in range(2):
    try:
        with interruption.listening():
            os.kill(os.getpid(), signal.SIGTERM)
    except KeyboardInterrupt:
        print("interrupted", interruption.stopped())
os.kill(os.getpid(), signal.SIGTERM)
"""
IN_THE_START = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
from olistctl.cli import main
sys.argv = ["olistctl", "status", "--json"]
main()
"""


def said(program: str) -> tuple[int, str, str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=25, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_import_of_duckdb_is_not_interrupted_but_what_follows_is() -> None:
    assert said(IN_THE_IMPORT) == (0, "made\ninterrupted\n", "")


def test_an_interruption_that_a_destructor_swallows_is_noted_without_a_word() -> None:
    assert said(IN_A_DESTRUCTOR) == (0, "Interrupted\n", "")


def test_another_program_has_its_handlers_back_and_nothing_is_left_of_the_signal() -> None:
    assert said(IN_ANOTHER_PROGRAM) == (0, "interrupted None\ninterrupted None\nits own\n", "")


def test_an_interruption_during_start_up_leaves_no_traceback() -> None:
    code, stdout, stderr = said(IN_THE_START)
    assert (code, stderr) == (130, "error: interrupted\n")
    assert json.loads(stdout)["exit_code"] == 130
