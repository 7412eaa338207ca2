"""What can be checked without a configuration: Python, the packages, and what the output can show."""

from __future__ import annotations

import codecs
import os
import platform
import shlex
import sys
from pathlib import Path

from packaging.specifiers import SpecifierSet

import olistctl
from olistctl.diagnosis.check import PROBLEM, WARNING, Answer
from olistctl.diagnosis.requirements import needs, own_distribution, unmet


def python() -> Answer:
    """Check that this Python is one that olistctl runs on."""
    found, needed = platform.python_version(), own_distribution().metadata["Requires-Python"]
    if SpecifierSet(needed or "").contains(found, prereleases=True):
        return Answer(found, where=sys.executable)
    hint = "make an environment with such a Python (python3.12 -m venv .venv), and install olistctl there"
    return Answer(f"{found} (needs {needed})", PROBLEM, sys.executable, hint)


def program() -> Answer:
    """Check that the olistctl that runs is the one that is installed."""
    place = Path(olistctl.__file__).parent
    running, installed = olistctl.__version__, own_distribution().version
    if running == installed:
        return Answer(running, where=str(place))
    hint = f"{_pip()} install --upgrade olistctl, or --editable . in its checkout"
    return Answer(f"{running} runs, and {installed} is installed", WARNING, str(place), hint)


def packages() -> Answer:
    """Check the versions of the packages that olistctl always needs."""
    found = needs()
    if not (wrong := unmet(found)):
        return Answer(", ".join(map(str, found)))
    wanted = shlex.join(f"{need.requirement.name}{need.requirement.specifier}" for need in wrong)
    return Answer(", ".join(map(str, wrong)), PROBLEM, sys.prefix, f"{_pip()} install {wanted}")


def extras() -> Answer:
    """Tell which extras are installed; whether one is needed, the settings say."""
    known = sorted(own_distribution().metadata.get_all("Provides-Extra") or ())
    there = [extra for extra in known if not unmet(needs(extra))]
    away = [extra for extra in known if extra not in there]
    told = f"installed: {', '.join(there) or 'none'}"
    return Answer(f"{told}; not installed: {', '.join(away)}" if away else told)


def text() -> Answer:
    """Check that output and file names can hold every letter."""
    output = getattr(sys.__stdout__, "encoding", None) or "utf-8"  # without stdout nothing is shown at all
    found = {"output": output, "file names": sys.getfilesystemencoding()}
    told = ", ".join(f"{what}: {encoding}" for what, encoding in found.items())
    if all(codecs.lookup(encoding).name == "utf-8" for encoding in found.values()):
        return Answer(told)
    hint = "unset PYTHONIOENCODING" if "PYTHONIOENCODING" in os.environ else "export PYTHONUTF8=1"
    return Answer(f"{told}; a letter that they lack is shown as an escape", WARNING, next=hint)


def _pip() -> str:
    return shlex.join([sys.executable, "-m", "pip"])
