"""Many short statements on one database, as many at a time as it has threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Item = TypeVar("Item")
Done = TypeVar("Done")


def in_parallel(
    connection: DuckDBPyConnection, work: Callable[[DuckDBPyConnection, Item], Done], items: Iterable[Item]
) -> list[Done]:
    """Do a work for each item, each on a cursor of the connection that no other uses; return what it gives, in order.

    A statement on a small table keeps one core busy, however many there are. Cursors see what is committed, and no
    temporary table. The first error of the work, or an interruption, ends all: what runs is interrupted, and nothing
    more begins.
    """
    ((threads,),) = connection.execute("select current_setting('threads')").fetchall()
    free: SimpleQueue[DuckDBPyConnection] = SimpleQueue()

    def one(item: Item) -> Done:
        cursor = free.get()
        try:
            return work(cursor, item)
        finally:
            free.put(cursor)

    with ExitStack() as stack:
        cursors = [stack.enter_context(connection.cursor()) for _ in range(threads)]
        for cursor in cursors:
            free.put(cursor)
        pool = stack.enter_context(ThreadPoolExecutor(threads))
        futures = [pool.submit(one, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            while not all(future.done() for future in futures):
                for cursor in cursors:  # a statement may have begun a moment after the last interruption
                    cursor.interrupt()
                wait([future for future in futures if future.running()], timeout=0.05)
            raise
