"""Orchestrators that call the same pipeline: Dagster (`dagster`) and Airflow (`airflow`), each an extra of its own."""
