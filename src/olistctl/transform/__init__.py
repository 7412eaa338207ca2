"""Stages 3 and 4 of the design: the dbt project, run in this process."""

from olistctl.transform.dbt import DbtReport, NodeResult, run_dbt
from olistctl.transform.jobs import BUILD, SNAPSHOT, TEST, DbtJob

__all__ = ["BUILD", "SNAPSHOT", "TEST", "DbtJob", "DbtReport", "NodeResult", "run_dbt"]
