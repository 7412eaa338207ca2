"""Stage 2 of the design: the files become the tables of `raw`."""

from olistctl.loading.load import FileLoad, LoadReport, load_files

__all__ = ["FileLoad", "LoadReport", "load_files"]
