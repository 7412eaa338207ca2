"""A Spark cluster as the place of models: its sessions, what is shipped to it, and what its readers see."""

from olistctl.spark.attempt import Attempt, built_elsewhere, note_attempt
from olistctl.spark.checking import check_cluster
from olistctl.spark.connection import Server, Session, StatementFailed, in_sessions, name_of, reason_of, session
from olistctl.spark.landing import Landing
from olistctl.spark.publication import (
    Publication,
    Relation,
    begin,
    branch_of,
    publish,
    read_publication,
    relations_in,
    tables_in,
)
from olistctl.spark.shipping import ship

__all__ = [
    "Attempt",
    "Landing",
    "Publication",
    "Relation",
    "Server",
    "Session",
    "StatementFailed",
    "begin",
    "branch_of",
    "built_elsewhere",
    "check_cluster",
    "in_sessions",
    "name_of",
    "note_attempt",
    "publish",
    "read_publication",
    "reason_of",
    "relations_in",
    "session",
    "ship",
    "tables_in",
]
