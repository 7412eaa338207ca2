"""Whether the machine and the configuration are right for olistctl, and how to mend them."""

from olistctl.diagnosis.check import OK, PROBLEM, WARNING, Check
from olistctl.diagnosis.examination import Diagnosis, examine

__all__ = ["OK", "PROBLEM", "WARNING", "Check", "Diagnosis", "examine"]
