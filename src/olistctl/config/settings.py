"""One typed settings object, from built-in defaults, the configuration file, variables and options.

A later layer wins: default < config/olistctl.yml < `OLISTCTL_…` environment variable < command-line option.
Relative paths in the file are relative to the file; in variables and options to the current folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from olistctl.config import values
from olistctl.config.channels import Channel, channels_of_node, channels_of_text, filled
from olistctl.config.strict_yaml import Node, described, nearest_hint, read_yaml
from olistctl.errors import ConfigError

DEFAULT_CONFIG = Path("config/olistctl.yml")
# A database has its file's name: like a schema's, it would make every `raw.…` ambiguous for DuckDB, and the
# published file is attached as `live`.
RESERVED_WAREHOUSE_NAMES = frozenset(
    {
        "live",
        "raw",
        "staging",
        "intermediate",
        "core",
        "mart",
        "snapshots",
        "quality",
        "etl",
        "main",
        "temp",
        "system",
    }
)


@dataclass(frozen=True)
class Settings:
    """Everything that a command needs to know; `origins` tells where each value came from."""

    config_file: Path
    source_dir: Path
    contract_file: Path
    dbt_project: Path
    target: str
    warehouse: Path
    threads: int
    memory_limit: str | None
    max_bad_share: float
    max_shrink_share: float
    quarantine_dir: Path
    keep_versions: int
    storage_version: str
    parquet_dir: Path | None
    engine: str
    spark_host: str | None
    spark_port: int
    spark_user: str
    spark_table_format: str | None
    spark_landing: str | None
    spark_landing_on_cluster: str | None
    spark_bring_back: tuple[str, ...]
    spark_poll_seconds: int
    lock_wait_seconds: float
    watch_settle_seconds: float
    watch_rescan_seconds: float
    watch_patience_seconds: float
    watch_poll: bool
    watch_marker: str | None
    watch_delivery: tuple[str, ...]
    notify_channels: tuple[Channel, ...]
    notify_quiet_minutes: float
    notify_timeout_seconds: float
    log_file: Path
    log_max_bytes: int
    log_backups: int
    origins: Mapping[str, str]

    @property
    def state_dir(self) -> Path:
        """The folder beside the warehouse that holds its lock, its stage file and dbt's artifacts."""
        return self.warehouse.parent / f".{self.warehouse.stem}"

    @property
    def dbt_artifacts(self) -> Path:
        """The folder in which dbt leaves its manifest and what it compiles."""
        return self.state_dir / "dbt"

    @property
    def stage_dir(self) -> Path:
        """The folder of the stage file, which is there only while a command writes, or after a kill."""
        return self.state_dir / "stage"

    @property
    def journal_dir(self) -> Path:
        """The folder of the runs that no published warehouse holds yet."""
        return self.state_dir / "journal"


@dataclass(frozen=True)
class _Key:
    """How one setting is read: its default and the function that checks a value.

    `of_node` reads one that is no single value in the file; what `is_secret` stands in no message.
    """

    default: Any
    check: Callable[[Any], Any]
    is_path: bool = False
    of_node: Callable[[Node], Any] | None = None
    is_secret: bool = False


KEYS: dict[str, _Key] = {
    "source_dir": _Key("../data/source", values.text, is_path=True),
    "contract": _Key("sources.yml", values.text, is_path=True),
    "dbt_project": _Key("../olist_dw_dbt", values.text, is_path=True),
    "target": _Key("dev", values.text),
    "load.max_bad_share": _Key(0.05, values.number(0, 1)),
    "load.max_shrink_share": _Key(0.25, values.number(0, 1)),
    "load.quarantine_dir": _Key("../data/quarantine", values.text, is_path=True),
    "publish.keep_versions": _Key(1, values.whole(0, 1000)),
    "publish.storage_version": _Key("v1.4.0", values.storage_version),
    "lock.wait_seconds": _Key(0, values.number(0, 86_400)),
    "watch.settle_seconds": _Key(2, values.number(0, 3_600)),
    "watch.rescan_seconds": _Key(30, values.number(1, 86_400)),
    "watch.patience_seconds": _Key(60, values.number(0, 86_400)),
    "watch.poll": _Key(False, values.truth),
    "watch.marker": _Key("none", values.file_name),
    "watch.delivery": _Key("none", values.words),
    "notify.channels": _Key("none", channels_of_text, of_node=channels_of_node, is_secret=True),
    "notify.quiet_minutes": _Key(60, values.number(0, 525_600)),
    "notify.timeout_seconds": _Key(10, values.number(0.1, 600)),
    "log.file": _Key("../logs/etl_pipeline.log", values.text, is_path=True),
    "log.max_bytes": _Key(5_000_000, values.whole(10_000, 1_000_000_000)),
    "log.backups": _Key(5, values.whole(0, 100)),
}
TARGET_KEYS: dict[str, _Key] = {
    "warehouse": _Key("../data/olist_dw.duckdb", values.text, is_path=True),
    "threads": _Key("auto", values.threads),
    "memory_limit": _Key("auto", values.memory),
    "parquet_dir": _Key("auto", values.optional, is_path=True),
    "engine": _Key("duckdb", values.one_of("duckdb", "spark")),
    "spark_host": _Key("none", values.optional),
    "spark_port": _Key(10_000, values.whole(1, 65_535)),
    "spark_user": _Key("olistctl", values.text),
    "spark_table_format": _Key("none", values.one_of("iceberg", "none")),
    "spark_landing": _Key("none", values.place),
    "spark_landing_on_cluster": _Key("none", values.place),
    "spark_bring_back": _Key("mart, quality", values.words),
    "spark_poll_seconds": _Key(1, values.whole(0, 60)),
}
ALL_KEYS = KEYS | TARGET_KEYS
# The field of `Settings` that holds a key, where it is not the key itself.
_FIELDS = {
    "contract": "contract_file",
    "load.max_bad_share": "max_bad_share",
    "load.max_shrink_share": "max_shrink_share",
    "load.quarantine_dir": "quarantine_dir",
    "publish.keep_versions": "keep_versions",
    "publish.storage_version": "storage_version",
}
# The option that sets a key, where it is not the key itself.
_OPTIONS = {"lock.wait_seconds": "wait", "watch.settle_seconds": "debounce", "watch.poll": "poll"}
CONFIG_VARIABLE = "OLISTCTL_CONFIG"


def variable_of(key: str) -> str:
    """Return the environment variable that overrides a setting."""
    return "OLISTCTL_" + key.replace(".", "_").upper()


def load_settings(
    config_file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Read the settings; `overrides` are options by key (`source_dir`, `target`, …), None meaning not given.

    Raises:
        ConfigError: a file, key or value is wrong; the error names it and the nearest valid name.
    """
    environ = os.environ if environ is None else environ
    file = Path(config_file or environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG).absolute()
    found = _from_defaults(file)
    target_sections = _from_file(file, found)
    _from_environment(environ, found)
    for key, value in (overrides or {}).items():
        if value is not None:
            option = _OPTIONS.get(key, key.replace("_", "-"))
            found[key] = _checked(key, value, f"option --{option}", Path.cwd())
    _apply_target(target_sections, found)
    channels, origin = found["notify.channels"]
    found["notify.channels"] = filled(channels, environ, origin), origin
    return _settings(file, found)


_Found = dict[str, tuple[Any, str]]


def _from_defaults(file: Path) -> _Found:
    return {key: _checked(key, spec.default, "default", file.parent) for key, spec in ALL_KEYS.items()}


def _from_file(file: Path, found: _Found) -> dict[str, dict[str, Node]]:
    """Overlay the configuration file; return the sections of its targets."""
    sections = {key.split(".")[0] for key in KEYS if "." in key}
    plain = {key for key in KEYS if "." not in key}
    root = read_yaml(file, "`--config FILE` names another file").mapping(
        known=plain | sections | {"version", "targets"}
    )
    if "version" in root:
        root["version"].check_version()
    for name in plain & root.keys():
        found[name] = _from_node(name, root[name])
    for section in sections & root.keys():
        known = {key.split(".")[1] for key in KEYS if key.startswith(section + ".")}
        for name, node in root[section].mapping(known=known).items():
            found[f"{section}.{name}"] = _from_node(f"{section}.{name}", node)
    if "targets" not in root:
        return {}
    return {name: node.mapping(known=TARGET_KEYS) for name, node in root["targets"].mapping().items()}


def _apply_target(sections: dict[str, dict[str, Node]], found: _Found) -> None:
    """Overlay the chosen target's section, below variables and options."""
    target, origin = found["target"]
    known = sections or {KEYS["target"].default: {}}
    if target not in known:
        raise ConfigError(f"there is no target '{target}'", where=origin, hint=nearest_hint(target, known))
    for name, node in sections.get(target, {}).items():
        value = _from_node(name, node)
        if found[name][1] == "default":
            found[name] = value


def _from_environment(environ: Mapping[str, str], found: _Found) -> None:
    variables = {variable_of(key): key for key in ALL_KEYS}
    for variable, value in environ.items():
        if not variable.startswith("OLISTCTL_") or variable == CONFIG_VARIABLE:
            continue
        if variable not in variables:
            raise ConfigError(
                f"unknown variable '{variable}'",
                where="environment",
                hint=nearest_hint(variable, [*variables, CONFIG_VARIABLE], likeness=0.8),
            )
        key = variables[variable]
        found[key] = _checked(key, value, f"environment {variable}", Path.cwd())


def _from_node(key: str, node: Node) -> tuple[Any, str]:
    if of_node := ALL_KEYS[key].of_node:
        return of_node(node), node.where
    return _checked(key, node.scalar(), node.where, node.file.parent)


def _checked(key: str, value: Any, origin: str, base: Path) -> tuple[Any, str]:
    spec = ALL_KEYS[key]
    try:
        checked = spec.check(str(value) if isinstance(value, Path) else value)
        if spec.is_path and checked not in (None, "auto"):
            checked = Path(os.path.normpath(base / Path(checked).expanduser()))
    except (ValueError, RuntimeError) as error:  # RuntimeError: a home folder that nobody has
        found = "" if spec.is_secret else f", found {described(value)}"
        raise ConfigError(f"{key}: {error}{found}", where=origin) from None
    return checked, origin


def _settings(file: Path, found: _Found) -> Settings:
    warehouse, origin = found["warehouse"]
    # A link stays one: the file that it points to is replaced, and its folder holds the one lock for both names.
    warehouse = Path(os.path.realpath(warehouse))
    found["warehouse"] = warehouse, origin
    database = warehouse.name.partition(".")[0]
    if database.lower() in RESERVED_WAREHOUSE_NAMES:
        raise ConfigError(
            f"a warehouse file must not be named like the schema or database '{database}'",
            where=origin,
            hint="call it olist_dw.duckdb, say",
        )
    if any(character in warehouse.stem for character in "'\";"):
        raise ConfigError(
            "a warehouse file must not have a quote or a semicolon in its name",
            where=origin,
            hint="call it olist_dw.duckdb, say: dbt cannot name such a file",
        )
    if warehouse.is_dir():
        raise ConfigError(f"the warehouse '{warehouse}' is a folder", where=origin, hint="name a file in it")
    if "?" in str(warehouse):
        raise ConfigError(
            "DuckDB takes what follows a '?' in a warehouse's path as options", where=origin, hint="choose another path"
        )
    folder, origin = found["parquet_dir"]
    if folder == "auto":
        found["parquet_dir"] = warehouse.with_name(f"{warehouse.stem}_parquet"), origin
    return Settings(
        config_file=file,
        origins={key: origin for key, (_, origin) in found.items()},
        **{_FIELDS.get(key, key.replace(".", "_")): value for key, (value, _) in found.items()},
    )


def text_of(key: str, value: Any) -> str:
    """Return a value of a setting as the configuration file has it."""
    if value is None or value == ():
        return "auto" if ALL_KEYS[key].check is values.memory else "none"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def values_of(settings: Settings) -> dict[str, Any]:
    """Return the settings by the key that the configuration file uses."""
    return {key: getattr(settings, _FIELDS.get(key, key.replace(".", "_"))) for key in ALL_KEYS}
