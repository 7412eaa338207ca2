"""What is delivered: the contract of the nine sources and the files that feed them."""

from olistctl.sources.contract import Column, Contract, ForeignKey, Source, load_contract
from olistctl.sources.discovery import NO_FILES, SourceFile, find_files, sha256_of
from olistctl.sources.fingerprints import Fingerprints
from olistctl.sources.rules import Rule

__all__ = [
    "NO_FILES",
    "Column",
    "Contract",
    "Fingerprints",
    "ForeignKey",
    "Rule",
    "Source",
    "SourceFile",
    "find_files",
    "load_contract",
    "sha256_of",
]
