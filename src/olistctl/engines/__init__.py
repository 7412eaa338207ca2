"""Where the models of a target are built and tested: in the warehouse file, or on a Spark cluster."""

from olistctl.config import Settings
from olistctl.engines.engine import Engine
from olistctl.engines.on_duckdb import DuckdbEngine
from olistctl.transform import DbtProcess

__all__ = ["Engine", "engine_of"]


def engine_of(settings: Settings, dbt: DbtProcess) -> Engine:
    """Return the engine of the settings' target, working with a process of dbt."""
    if settings.engine == "spark":
        from olistctl.engines.on_spark import SparkEngine

        return SparkEngine(settings, dbt)
    return DuckdbEngine(settings, dbt)
