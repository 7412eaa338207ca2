"""Stage 5, PUBLISH: the finished marts and dimensions as files, for tools that read no DuckDB.

`serving` is imported by itself: no run needs Python's web server.
"""

from olistctl.publishing.catalog import Catalog, write_catalog
from olistctl.publishing.files import FORMATS, WrittenFile, write_files
from olistctl.publishing.pages import in_script, write_html
from olistctl.publishing.relations import Relation, relations_of
from olistctl.publishing.releases import (
    LATEST,
    Release,
    ReleasedTable,
    Unchanged,
    is_released,
    publish_release,
    write_release,
)
from olistctl.publishing.tables import NothingToShare, reading

__all__ = [
    "FORMATS",
    "LATEST",
    "Catalog",
    "NothingToShare",
    "Relation",
    "Release",
    "ReleasedTable",
    "Unchanged",
    "WrittenFile",
    "in_script",
    "is_released",
    "publish_release",
    "reading",
    "relations_of",
    "write_catalog",
    "write_files",
    "write_html",
    "write_release",
]
