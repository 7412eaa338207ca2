"""`dagster dev -m olistctl.orchestration.dagster`: the pipeline as assets, with its schedule and its sensor.

One op does the whole run, as `olistctl run` does: on a stage file that is published at the end, so that no asset is
said to be there which readers do not have. Whichever assets are chosen, all are brought up to date; a run builds only
what the files that changed touch, and a part of it alone would be half a warehouse. There are no partitions for the
same reason: which part of the history a delivery changes is found by the load, key by key, not by its date.
"""

import time
from collections.abc import Iterator
from typing import Any

import dagster as dg
from pydantic import Field

from olistctl import interruption, ledger
from olistctl.config import Settings, load_settings
from olistctl.errors import BusyError, Interrupted, OlistctlError
from olistctl.logs import open_log
from olistctl.orchestration.arrivals import look
from olistctl.orchestration.graph import Graph, build_graph
from olistctl.orchestration.outcomes import Outcomes, outcomes_of
from olistctl.pipeline import run_pipeline
from olistctl.publishing import reading, relations_of
from olistctl.results import NoProgress
from olistctl.runs import RunReport
from olistctl.sources import load_contract
from olistctl.transform import DbtPlace, DbtProcess

_EVERY_NIGHT = "0 2 * * *"
_LOOK_EVERY = 30  # seconds
_POOL = "olistctl"  # `dagster instance concurrency set olistctl 1` lets a second run wait for its turn
_BUSY_TRIES, _BUSY_SECONDS = 60, 30


class RunOptions(dg.Config):
    """The options of `olistctl run`."""

    full_refresh: bool = Field(default=False, description="Rebuild everything but the history, from all files.")
    strict: bool = Field(default=False, description="Take warnings as failures and publish nothing.")
    accept: list[str] = Field(default=[], description="Files to load that were held back for their lost records.")


class _Told(NoProgress):
    """Progress as lines of the run's log: the steps, not how far they are."""

    def __init__(self, log: dg.DagsterLogManager) -> None:
        self._log = log
        self._label = ""

    def start(self, label: str, total: float | None = None) -> None:
        if label != self._label:
            self._log.info(label)
        self._label = label


def definitions(settings: Settings) -> dg.Definitions:
    """Return what Dagster shows of a project: its assets and checks, the job, the schedule and the sensor.

    Raises:
        ConfigError: the contract is wrong, or there is no dbt project.
        TransformError: the dbt project does not parse.
    """
    contract = load_contract(settings.contract_file)
    with DbtProcess() as dbt:
        manifest = dbt.manifest(DbtPlace.of(settings, settings.warehouse))
    assets = _assets(settings, build_graph(contract, manifest))
    job = dg.define_asset_job("olist_pipeline", dg.AssetSelection.assets(assets), description=__doc__)
    return dg.Definitions(
        assets=[assets],
        jobs=[job],
        schedules=[dg.ScheduleDefinition(name="daily_etl", job=job, cron_schedule=_EVERY_NIGHT)],
        sensors=[_sensor(settings, job)],
        executor=dg.in_process_executor,  # one op has nothing to do beside it, and a process more takes seconds
    )


def _assets(settings: Settings, graph: Graph) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="olistctl_run",
        specs=graph.assets,
        check_specs=graph.checks,
        can_subset=True,  # a check that did not run has no result
        pool=_POOL,
    )
    def olistctl_run(context: dg.AssetExecutionContext, config: RunOptions) -> Iterator[Any]:
        """Validate, load, transform, test and publish, as far as something has changed; for checks alone, test."""
        open_log(settings.log_file, settings.log_max_bytes, settings.log_backups)
        report = _run(settings, context, config)
        _tell(context, report)
        with reading(settings) as connection:
            relations, build = relations_of(connection), ledger.last_build(connection)
        yield from _events(context, outcomes_of(report, graph, relations, build))

    return olistctl_run


def _run(settings: Settings, context: dg.AssetExecutionContext, config: RunOptions) -> RunReport:
    command = "run" if context.selected_asset_keys else "test"
    try:
        with interruption.listening():
            return run_pipeline(
                settings,
                command,
                full_refresh=config.full_refresh,
                strict=config.strict,
                accepted=frozenset(config.accept),
                progress=_Told(context.log),
            )
    except BusyError as error:
        context.log.info(f"{error}; trying again in {_BUSY_SECONDS} s")
        raise dg.RetryRequested(max_retries=_BUSY_TRIES, seconds_to_wait=_BUSY_SECONDS) from error
    except (Interrupted, KeyboardInterrupt) as error:
        raise dg.DagsterExecutionInterruptedError from error
    except OlistctlError as error:
        notes = {"next": error.hint} if error.hint else {}
        raise dg.Failure(str(error), notes | {"exit_code": int(error.exit_code)}, allow_retries=False) from error


def _tell(context: dg.AssetExecutionContext, report: RunReport) -> None:
    for stage in report.stages:
        context.log.info(f"{stage.stage}: {stage.result} in {stage.seconds:.2f} s, {stage.note}")
    for finding in report.findings:
        where = f"{finding.where}: " if finding.where else ""
        context.log.warning(f"{where}{finding.message}{f' ({finding.hint})' if finding.hint else ''}")


def _events(context: dg.AssetExecutionContext, outcomes: Outcomes) -> Iterator[Any]:
    """Tell of what was chosen; in passing, of the other assets that the run has brought up to date."""
    for key, metadata in outcomes.assets.items():
        if key in context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key=key, metadata=metadata)
        elif key in outcomes.built:
            context.log_event(dg.AssetMaterialization(asset_key=key, metadata=metadata))
    for check in outcomes.checks:
        if dg.AssetCheckKey(check.asset_key, check.check_name) in context.selected_asset_check_keys:
            yield check


def _sensor(settings: Settings, job: Any) -> dg.SensorDefinition:
    @dg.sensor(name="new_files", job=job, minimum_interval_seconds=_LOOK_EVERY)
    def new_files(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        """Ask for a run when a whole delivery has come, by the rules of `olistctl watch`."""
        arrival = look(settings, context.cursor, time.time())
        if not arrival.is_ready:
            return dg.SkipReason(arrival.why)
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=arrival.key)], cursor=arrival.cursor)

    return new_files


@dg.definitions
def defs() -> dg.Definitions:
    """Return what Dagster shows of the project in the current folder, or of the one that OLISTCTL_CONFIG names."""
    return definitions(load_settings())
