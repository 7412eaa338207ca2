"""The genuine files: whether those in a folder are, and how they get there."""

from olistctl.fetching.checking import DIFFERENT, GENUINE, MISSING, FolderReport, check
from olistctl.fetching.dataset import OLIST, Dataset, Description, KnownFile
from olistctl.fetching.fetch import FETCHED, fetch

__all__ = [
    "DIFFERENT",
    "FETCHED",
    "GENUINE",
    "MISSING",
    "OLIST",
    "Dataset",
    "Description",
    "FolderReport",
    "KnownFile",
    "check",
    "fetch",
]
