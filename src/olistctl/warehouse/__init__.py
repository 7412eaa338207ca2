"""The DuckDB file: one writer at a time, work in a stage file, publication in one rename."""

from olistctl.warehouse.connection import connect, connect_scratch, quote, read_only
from olistctl.warehouse.lock import holder_is_alive, writer_lock
from olistctl.warehouse.stage import Stage, open_stage

__all__ = ["Stage", "connect", "connect_scratch", "holder_is_alive", "open_stage", "quote", "read_only", "writer_lock"]
