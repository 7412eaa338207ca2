"""Stage 1 of the design: what is delivered, checked against the contract before it is loaded."""

from olistctl.validation.checks import Check
from olistctl.validation.inspecting import inspect_all
from olistctl.validation.validate import ColumnNulls, FileReport, ValidationReport, validate

__all__ = ["Check", "ColumnNulls", "FileReport", "ValidationReport", "inspect_all", "validate"]
