"""Stage 2 of the design: the files become the tables of `raw`."""

from olistctl.loading.load import load_files
from olistctl.loading.report import FileLoad, LoadReport

__all__ = ["FileLoad", "LoadReport", "load_files"]
