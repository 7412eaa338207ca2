"""What the settings name: the contract, the files, the dbt project, and what they ask for beside."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote
from typing import Any

from olistctl import __version__, ledger
from olistctl.config import Settings
from olistctl.config.strict_yaml import nearest_hint
from olistctl.diagnosis.check import WARNING, Answer
from olistctl.diagnosis.requirements import needs, unmet
from olistctl.errors import ConfigError, OlistctlError
from olistctl.loading import Limits
from olistctl.notify import NOT_INSTALLED
from olistctl.planning import files_present, find_standing, fingerprints_of
from olistctl.project_files import compare_project
from olistctl.results import counted
from olistctl.sources import Contract, load_contract
from olistctl.spark import check_cluster
from olistctl.transform import check_project
from olistctl.warehouse import read_only

_NAMED = 5  # files, before the rest is only counted


def configuration(settings: Settings) -> Answer:
    """Tell which file was read, and what overrides it."""
    prefix = "environment "
    overriding = sorted({origin.removeprefix(prefix) for origin in settings.origins.values() if prefix in origin})
    told = f"target {settings.target}" + (f"; overridden by {', '.join(overriding)}" if overriding else "")
    return Answer(told, where=str(settings.config_file))


def contract(settings: Settings) -> Answer:
    """Check that the contract of the sources can be read."""
    read = load_contract(settings.contract_file)
    rules = sum(len(source.rules) for source in read.sources)
    return Answer(f"{counted(len(read.sources), 'source')}, {counted(rules, 'rule')}", where=str(read.file))


def source_files(settings: Settings) -> Answer:
    """Check that the source folder has the files, and that they can be read."""
    try:
        read = load_contract(settings.contract_file)
    except ConfigError:
        return Answer("not checked: the contract says which files there are", WARNING, next="mend the contract first")
    files = files_present(read, settings.source_dir)
    there = [file.path for file in files if file.exists]
    size = sum(path.stat().st_size for path in there if path.is_file())
    told = f"{counted(len(there), 'file')}, {size / 1e6:,.1f} MB"
    if away := [file.name for file in files if not file.exists]:
        hint = "deliver them there; without them a run goes on, and their tables keep the rows that they have"
        return Answer(f"{told}; missing: {_named(away)}", WARNING, str(settings.source_dir), hint)
    if closed := [path.name for path in there if not os.access(path, os.R_OK)]:
        hint = f"let this user read them: chmod u+r {quote(str(settings.source_dir))}/*.csv"
        return Answer(f"{told}; not to be read: {_named(closed)}", WARNING, str(settings.source_dir), hint)
    return Answer(told, where=str(settings.source_dir))


def notifications(settings: Settings) -> Answer:
    """Check that what sends to the channels is installed, where there are any."""
    if not settings.notify_channels:
        return Answer("no channels")
    if not (wrong := unmet(needs("notify"))):
        return Answer(", ".join(channel.name for channel in settings.notify_channels))
    found = NOT_INSTALLED.message if wrong[0].installed is None else ", ".join(map(str, wrong))
    return Answer(found, WARNING, settings.origins["notify.channels"], NOT_INSTALLED.hint)


def dbt_project(settings: Settings) -> Answer:
    """Check that the dbt project is there and knows the target, and tell whether it is the one that olistctl brings."""
    folder = settings.dbt_project
    check_project(folder)
    profile = _read(folder / "dbt_project.yml").get("profile")
    targets = _read(folder / "profiles.yml").get(str(profile), {}).get("outputs")
    if targets and settings.target not in targets:
        message = f"dbt knows no target '{settings.target}'"
        raise ConfigError(message, where=str(folder / "profiles.yml"), hint=nearest_hint(settings.target, targets))
    ours = compare_project(folder)
    if ours.is_same:
        return Answer(f"as olistctl {__version__} brings it", where=str(folder))
    parts = {"changed": ours.changed, "added": ours.added, "gone": ours.gone}
    told = "; ".join(f"{counted(len(names), 'file')} {what}: {_named(names)}" for what, names in parts.items() if names)
    return Answer(f"not as olistctl {__version__} brings it: {told}", where=str(folder))


def models(settings: Settings) -> Answer:
    """Tell whether the models are what a run would build."""
    if not settings.warehouse.is_file():
        return Answer("none are built yet")
    unread = Contract(settings.contract_file, ())  # only the files would need it
    standing = find_standing(settings, unread, Limits.of(settings), fingerprints_of(settings), with_files=False)
    if standing is None:
        if _has_older_ledger(settings):
            return Answer("not known before the next run, which renews the ledger of an older release")
        return Answer(
            "not known: warehouse or dbt project cannot be read", WARNING, next="see to these, then olistctl run"
        )
    if standing.outdated:
        return Answer(f"the next run builds all of them: {standing.outdated}", WARNING, next="olistctl run")
    if standing.unbuilt:
        return Answer("something was loaded that they do not know yet", WARNING, next="olistctl run")
    return Answer("up to date with the dbt project")


def cluster(settings: Settings) -> Answer:
    """Check that the cluster of the target can be used."""
    check_cluster(settings)
    return Answer("it can be used", where=f"{settings.spark_host}:{settings.spark_port}")


def _has_older_ledger(settings: Settings) -> bool:
    try:
        with read_only(settings.warehouse) as connection:
            return ledger.is_present(connection) and not ledger.is_current(connection)
    except OlistctlError:
        return False


def _read(file: Path) -> dict[str, Any]:
    """Return a file of dbt's, as dbt reads it."""
    import yaml

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"dbt cannot read it: {reason}", where=str(file), hint="mend it there") from None
    return content if isinstance(content, dict) else {}


def _named(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
