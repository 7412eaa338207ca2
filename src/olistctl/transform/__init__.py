"""Stages 3 and 4 of the design: the dbt project, run by dbt in a process of its own, or as dbt has compiled it."""

from olistctl.transform.building import LeftToDbt, run_models
from olistctl.transform.compiled import (
    Compiled,
    CompiledModel,
    CompiledTest,
    compiled_anew_for,
    compiled_for,
)
from olistctl.transform.dbt import DbtReport, NodeResult, explain_failure
from olistctl.transform.descriptions import Described, read_descriptions
from olistctl.transform.jobs import BUILD, BUILD_OR_FAIL, SNAPSHOT, DbtJob, DbtPlace
from olistctl.transform.parsing import lend_parsing
from olistctl.transform.process import DbtProcess
from olistctl.transform.project import VIEWS, affected_models, check_project, project_sha256, selectors
from olistctl.transform.testing import QueryFailed, judged, run_tests

__all__ = [
    "BUILD",
    "BUILD_OR_FAIL",
    "SNAPSHOT",
    "VIEWS",
    "Compiled",
    "CompiledModel",
    "CompiledTest",
    "DbtJob",
    "DbtPlace",
    "DbtProcess",
    "DbtReport",
    "Described",
    "LeftToDbt",
    "NodeResult",
    "QueryFailed",
    "affected_models",
    "check_project",
    "compiled_anew_for",
    "compiled_for",
    "explain_failure",
    "judged",
    "lend_parsing",
    "project_sha256",
    "read_descriptions",
    "run_models",
    "run_tests",
    "selectors",
]
