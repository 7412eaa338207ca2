"""What dbt compiles once for a state of the project, so that it can be run without dbt; see `compiling`."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from olistctl.drafts import written
from olistctl.transform.jobs import DbtPlace
from olistctl.transform.parsing import parsing_state
from olistctl.transform.project import ALWAYS_BUILT
from olistctl.warehouse import Relation, Standing

_RAW = "raw"
_FILE = "compiled.json"
_FILE_ANEW = "compiled_anew.json"


@dataclass(frozen=True)
class CompiledTest:
    """A data test as dbt compiled it; `sources` are the tables of `raw` that it looks at, through whatever models.

    `sql` is None where dbt could not compile it, for the reason in `problem`. `reads` are the nodes that it names,
    `inputs` the tables (schema, name) that it reads, through views and ephemeral models.
    """

    name: str
    file: str
    model: str | None
    column: str | None
    owner: str | None
    severity: str  # error, warn
    fail_calc: str
    warn_if: str
    error_if: str
    limit: int | None
    sql: str | None
    problem: str | None
    sources: tuple[str, ...]
    reads: tuple[str, ...]
    inputs: tuple[Relation, ...]

    @property
    def query(self) -> str:
        """The query as dbt runs it: how many rows fail, whether that is enough to warn, and enough for an error."""
        limit = "" if self.limit is None else f"limit {self.limit}"
        return (
            f"select {self.fail_calc}, {self.fail_calc} {self.warn_if}, {self.fail_calc} {self.error_if} "
            f"from (\n{self.sql}\n{limit}) as dbt_internal_test"
        )

    def is_about(self, tables: Collection[str]) -> bool:
        """Tell whether a change of tables of `raw` can change what the test says; see `project.selectors`."""
        return bool(set(self.sources) & set(tables)) or ALWAYS_BUILT in self.reads


@dataclass(frozen=True)
class CompiledModel:
    """A model or snapshot as dbt compiled it, for an incremental run of a built warehouse or to be built anew.

    `sql` is None where only dbt can run it. `columns` are name and type of those of its contract; `after` the models
    that it needs; `sources` and `inputs` as in `CompiledTest`. An incremental model that replaces rows (`strategy`
    "replace_affected") has the list of what it replaces in `affected_by` (schema, name), by the column `affected_key`;
    a snapshot has a `unique_key` and the columns that are checked.
    """

    name: str
    kind: str  # model, snapshot
    file: str
    package: str
    relation: Relation
    materialized: str  # view, table, incremental, snapshot
    sql: str | None
    inputs: tuple[Relation, ...]
    columns: tuple[tuple[str, str], ...] = ()
    strategy: str | None = None
    affected_by: Relation | None = None
    affected_key: str | None = None
    unique_key: str | None = None
    checked: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def is_about(self, tables: Collection[str]) -> bool:
        """Tell whether a change of tables of `raw` builds the model; see `project.selectors`."""
        return bool(set(self.sources) & set(tables)) or self.name == ALWAYS_BUILT


@dataclass(frozen=True)
class Compiled:
    """What dbt compiled. `models` is None where there was no built warehouse to compile them for.

    `unknown_changes` counts the changes of which nobody knows what they touch: where there are any, the models hold no
    answer.
    """

    tests: tuple[CompiledTest, ...]
    models: tuple[CompiledModel, ...] | None = None
    unknown_changes: str | None = None

    @property
    def needs_dbt(self) -> bool:
        """Tell whether there is a change of `raw` of which only dbt can build what it touches."""
        models = self.models or ()
        return self.unknown_changes is None or not models or not all(model.sql for model in models)

    def models_about(self, tables: Collection[str]) -> tuple[CompiledModel, ...] | None:
        """Return what a change of tables of `raw` builds; None where dbt must do it."""
        chosen = tuple(model for model in self.models or () if model.is_about(tables))
        return chosen if self.unknown_changes and all(model.sql for model in chosen) else None

    def changed_by(self, tables: Collection[str]) -> frozenset[Relation]:
        """Return what may have changed before any model is built: tables of `raw`, histories, what no model makes.

        `olistctl snapshot` takes the history by itself, with versions that the models do not know.
        """
        models = self.models or ()
        made = {model.relation for model in models}
        read = {table for model in models for table in model.inputs}
        read |= {table for test in self.tests for table in test.inputs}
        foreign = {table for table in read - made if table[0] != _RAW}
        histories = {model.relation for model in models if model.kind == "snapshot" and model.is_about(tables)}
        return frozenset(foreign | histories | {(_RAW, table) for table in tables})


@dataclass(frozen=True)
class CompiledAnew:
    """All models and snapshots as dbt compiled them for a full refresh where `standing` stands before it."""

    models: tuple[CompiledModel, ...]
    standing: Standing

    @property
    def needs_dbt(self) -> bool:
        """Tell whether only dbt can build some of them."""
        return not self.models or not all(model.sql for model in self.models)

    def models_about(self, tables: Collection[str] | None) -> tuple[CompiledModel, ...] | None:
        """Return what a change of tables of `raw` (None: all) builds; None where dbt must do it."""
        chosen = tuple(model for model in self.models if tables is None or model.is_about(tables))
        return chosen if chosen and all(model.sql for model in chosen) else None


def keep_compiled(artifacts: Path, state: Mapping[str, Any], compiled: Compiled | CompiledAnew) -> None:
    """Keep what was compiled for a state of the project."""
    file = _FILE if isinstance(compiled, Compiled) else _FILE_ANEW
    with written(artifacts / file) as draft:
        draft.write_text(json.dumps({"state": state, "compiled": asdict(compiled)}), encoding="utf-8")


def compiled_for(place: DbtPlace) -> Compiled | None:
    """Return what was compiled for the project as it is; None where there is none."""
    state = parsing_state(place)
    return kept_compiled(place.artifacts, state) if state else None


def compiled_anew_for(place: DbtPlace) -> CompiledAnew | None:
    """Return what was compiled for a full refresh of the project as it is; None where there is none."""
    state = parsing_state(place)
    return kept_compiled_anew(place.artifacts, state) if state else None


def kept_compiled(artifacts: Path, state: Mapping[str, Any] | None = None) -> Compiled | None:
    """Return what was compiled for a state of the project (None: any); None where there is none, or it is damaged."""
    try:
        kept = _kept(artifacts / _FILE, state)
        models = kept["models"]
        return Compiled(
            tuple(CompiledTest(**test) for test in kept["tests"]),
            None if models is None else _models(models),
            kept["unknown_changes"],
        )
    except (OSError, ValueError, LookupError, TypeError):
        return None


def kept_compiled_anew(artifacts: Path, state: Mapping[str, Any] | None = None) -> CompiledAnew | None:
    """Return what was compiled for a full refresh, as `kept_compiled` does."""
    try:
        kept = _kept(artifacts / _FILE_ANEW, state)
        return CompiledAnew(_models(kept["models"]), kept["standing"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _kept(file: Path, state: Mapping[str, Any] | None) -> dict[str, Any]:
    """Read what was compiled for a state of the project; raise LookupError where it is of another one."""
    kept = json.loads(file.read_text(encoding="utf-8"))
    if state and kept["state"] != state:
        raise LookupError(file)
    return {name: _with_tuples(value) for name, value in kept["compiled"].items()}


def _models(kept: tuple[dict[str, Any], ...]) -> tuple[CompiledModel, ...]:
    return tuple(CompiledModel(**model) for model in kept)


def _with_tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_with_tuples, value))
    return {name: _with_tuples(one) for name, one in value.items()} if isinstance(value, dict) else value
