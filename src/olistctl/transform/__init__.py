"""Stages 3 and 4 of the design: the dbt project, run in this process."""

from olistctl.transform.dbt import DbtReport, NodeResult, prepare_dbt, project_manifest, run_dbt
from olistctl.transform.descriptions import Described, read_descriptions
from olistctl.transform.jobs import BUILD, SNAPSHOT, DbtJob, DbtPlace
from olistctl.transform.parsing import lend_parsing
from olistctl.transform.project import VIEWS, affected_models, project_sha256, selectors
from olistctl.transform.testing import CompiledTest, compiled_tests, run_tests

__all__ = [
    "BUILD",
    "SNAPSHOT",
    "VIEWS",
    "CompiledTest",
    "DbtJob",
    "DbtPlace",
    "DbtReport",
    "Described",
    "NodeResult",
    "affected_models",
    "compiled_tests",
    "lend_parsing",
    "prepare_dbt",
    "project_manifest",
    "project_sha256",
    "read_descriptions",
    "run_dbt",
    "run_tests",
    "selectors",
]
