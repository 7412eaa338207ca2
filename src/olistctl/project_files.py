"""Configuration, dbt project and Airflow DAG that travel with the package, and what files a dbt project consists of."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from olistctl.errors import EnvironmentFault, UsageError

_DBT_PROJECT = "olist_dw_dbt"
_PARTS = ("config", _DBT_PROJECT, "dags")
# What dbt and editors leave behind in a checkout is no part of the project.
_LEFT_OUT = shutil.ignore_patterns("target", "logs", "dbt_packages", "__pycache__", ".user.yml", "*.duckdb*")

# What dbt and others write into the project's folder, and what no model is made of anywhere in it.
_WRITTEN_BY_DBT = frozenset({"target", "logs", ".user.yml"})
_NO_PART = frozenset({".git", "__pycache__", ".DS_Store"})


@dataclass(frozen=True)
class LaidOut:
    """What `init` wrote."""

    folder: Path
    files: tuple[Path, ...]


def template_root() -> Path:
    """Return the folder that holds `config/`, `olist_dw_dbt/` and `dags/`: in the wheel, or in a checkout."""
    packaged = Path(__file__).parent / "project"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2]


def lay_out(folder: Path) -> LaidOut:
    """Write configuration, dbt project and Airflow DAG into a folder.

    Raises:
        UsageError: the folder already holds one of them; nothing is overwritten.
        EnvironmentFault: the folder cannot be written.
    """
    for part in _PARTS:
        if (folder / part).exists():
            raise UsageError(
                "it is already there, and nothing is overwritten",
                where=str(folder / part),
                hint="choose an empty folder: olistctl init FOLDER",
            )
    root = template_root()
    try:
        for part in _PARTS:
            shutil.copytree(root / part, folder / part, ignore=_LEFT_OUT)
        (folder / "data" / "source").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "name a folder that can be written: olistctl init FOLDER"
        message = f"the project cannot be laid out: {getattr(error, 'strerror', None) or error}"
        raise EnvironmentFault(message, where=str(folder), hint=hint) from None
    files = sorted(path for part in _PARTS for path in (folder / part).rglob("*") if path.is_file())
    return LaidOut(folder, tuple(path.relative_to(folder) for path in files))


@dataclass(frozen=True)
class Comparison:
    """How a dbt project differs from the one that travels with the package: names of files, relative to it."""

    changed: tuple[str, ...]
    added: tuple[str, ...]
    gone: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Tell whether it does not."""
        return not (self.changed or self.added or self.gone)


def compare_project(project: Path) -> Comparison:
    """Compare the files of a dbt project with those of the one that `init` lays out.

    Raises:
        OSError: one cannot be read.
    """
    ours, theirs = (
        {file.relative_to(folder).as_posix(): file for file in dbt_files(folder)}
        for folder in (template_root() / _DBT_PROJECT, project)
    )
    both = sorted(ours.keys() & theirs.keys())
    return Comparison(
        changed=tuple(name for name in both if ours[name].read_bytes() != theirs[name].read_bytes()),
        added=tuple(sorted(theirs.keys() - ours.keys())),
        gone=tuple(sorted(ours.keys() - theirs.keys())),
    )


def dbt_files(project: Path) -> Iterator[Path]:
    """Give all files of a dbt project, in no order, without what dbt itself writes there.

    Raises:
        OSError: a folder cannot be read.
    """
    return _files(project, _NO_PART | _WRITTEN_BY_DBT)


def _files(folder: Path, passed_over: Set[str] = _NO_PART, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    above = (*above, folder.resolve())
    for entry in folder.iterdir():
        if entry.name in passed_over or ".duckdb" in entry.suffixes:
            continue
        if entry.is_dir():
            if entry.resolve() not in above:  # a link back up has no end
                yield from _files(entry, above=above)
        elif entry.is_file():
            yield entry
