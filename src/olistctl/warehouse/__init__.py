"""The DuckDB file: one writer at a time, work in a stage file, publication in one rename."""

from olistctl.warehouse.connection import ROW_GROUP_SIZE, attach, connect, connect_scratch, quote, read_only
from olistctl.warehouse.faults import DamagedWarehouse, machine_fault, refused
from olistctl.warehouse.lock import holder_is_alive, holder_of, writer_lock
from olistctl.warehouse.parallel import in_parallel, share_out
from olistctl.warehouse.published import is_as_published
from olistctl.warehouse.relations import Relation, Standing, drop_relations, kind_of, standing
from olistctl.warehouse.stage import Published, Stage, fold_in_log, identity, open_stage, stage_file
from olistctl.warehouse.versions import Version, flush, list_versions, versions_folder

__all__ = [
    "ROW_GROUP_SIZE",
    "DamagedWarehouse",
    "Published",
    "Relation",
    "Stage",
    "Standing",
    "Version",
    "attach",
    "connect",
    "connect_scratch",
    "drop_relations",
    "flush",
    "fold_in_log",
    "holder_is_alive",
    "holder_of",
    "identity",
    "in_parallel",
    "is_as_published",
    "kind_of",
    "list_versions",
    "machine_fault",
    "open_stage",
    "quote",
    "read_only",
    "refused",
    "share_out",
    "stage_file",
    "standing",
    "versions_folder",
    "writer_lock",
]
