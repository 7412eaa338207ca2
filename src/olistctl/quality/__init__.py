"""Stage 4 of the design: what the tests found, and the account of rows and cents from file to mart."""

from olistctl.quality.failures import FailingTest, Failure, Sample, keep_failing_rows
from olistctl.quality.junit import write_junit
from olistctl.quality.reconciliation import LAYERS, Flow, read_reconciliation

__all__ = [
    "LAYERS",
    "FailingTest",
    "Failure",
    "Flow",
    "Sample",
    "keep_failing_rows",
    "read_reconciliation",
    "write_junit",
]
