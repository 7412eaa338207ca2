"""Stage 2 of the design: the files become the tables of `raw`."""

from olistctl.loading.currency import mark_older_tables
from olistctl.loading.detection import FileState, file_states
from olistctl.loading.evidence import brings_evidence, keep_evidence
from olistctl.loading.limits import Limits
from olistctl.loading.load import load_files
from olistctl.loading.report import FileLoad, LoadReport, said

__all__ = [
    "FileLoad",
    "FileState",
    "Limits",
    "LoadReport",
    "brings_evidence",
    "file_states",
    "keep_evidence",
    "load_files",
    "mark_older_tables",
    "said",
]
