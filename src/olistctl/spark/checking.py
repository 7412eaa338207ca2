"""What a Spark cluster must have for a warehouse, asked before anything is done."""

from __future__ import annotations

import secrets
from importlib.util import find_spec

from olistctl.config import Settings
from olistctl.errors import ConfigError, EnvironmentFault
from olistctl.spark.connection import Server, StatementFailed, session, target_of, without_extra
from olistctl.spark.landing import Landing

# What the Thrift server's settings must hold, and what is the matter if they do not.
_NEEDED = (
    (
        "spark.sql.extensions",
        "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "the cluster has no Iceberg",
    ),
    (
        "spark.sql.catalog.spark_catalog",
        "org.apache.iceberg.spark.SparkSessionCatalog",
        "the cluster has no Iceberg",
    ),
    # A session that remembers a table does not see what another one has written, and models are built in several.
    (
        "spark.sql.catalog.spark_catalog.cache-enabled",
        "false",
        "the cluster's sessions remember tables as they were",
    ),
)


def check_cluster(settings: Settings) -> None:
    """Check the settings of the target, that the cluster knows the table format, and that both sides see the landing.

    Raises:
        ConfigError: a setting is missing.
        EnvironmentFault: something else is, with what to do about it.
    """
    if settings.spark_table_format is None:
        raise ConfigError(
            "spark_table_format is not set",
            where=target_of(settings),
            hint="tables must allow changes and branches: spark_table_format: iceberg, where the cluster has Iceberg",
        )
    server = Server.of(settings)
    landing = Landing.of(settings, f"probe-{secrets.token_hex(4)}")
    if find_spec("dbt.adapters.spark") is None:
        raise without_extra()
    import duckdb

    with session(server) as spark, duckdb.connect() as connection:
        for key, needed, message in _NEEDED:
            ((_, value),) = spark.run(f"set `{key}`")
            if needed not in str(value):
                hint = f"start its Thrift server with Iceberg's jar on the class path and --conf {key}={needed}"
                raise EnvironmentFault(message, where=server.address, hint=hint)
        try:
            there = landing.put(connection, "sent", "select 42 as answer")
            landing.ask_for(spark, "answered", f"select answer from {there}")
            landing.fetch(connection, "answered", "answered")
        except StatementFailed as failed:
            hint = "spark_landing must name a place that this machine and the cluster can both read and write"
            raise EnvironmentFault(
                f"the cluster cannot use the landing: {failed.reason}", where=landing.there, hint=hint
            ) from None
        finally:
            landing.clear()
