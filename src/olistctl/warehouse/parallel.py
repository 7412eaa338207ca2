"""Many short statements on one database, as many at a time as it has threads, or sessions."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import ExitStack
from graphlib import TopologicalSorter
from queue import SimpleQueue
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from olistctl.warehouse.connection import another

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Worker = TypeVar("Worker")
Item = TypeVar("Item")
Done = TypeVar("Done")
_PAUSE_SECONDS = 0.05
# So many items a core that the last ones, which then have it to themselves, are a small part.
_MANY = 10


def in_parallel(
    connection: DuckDBPyConnection,
    work: Callable[[DuckDBPyConnection, Item], Done],
    items: Iterable[Item],
    after: Mapping[int, Collection[int]] | None = None,
) -> list[Done]:
    """Do a work for each item, each on a connection beside this one that no other uses; see `share_out`.

    A statement on a small table keeps one core busy, however many there are. Connections see what is committed, and no
    temporary table of another one. Where there are many items, and none waits for another, each has one core to itself:
    DuckDB's own threads would only be some more for the same cores.
    """
    todo = list(items)
    ((threads,),) = connection.execute("select current_setting('threads')").fetchall()
    with ExitStack() as stack:
        if not after and len(todo) >= _MANY * threads:
            connection.execute(f"set external_threads = {threads}")
            stack.callback(connection.execute, "reset external_threads")
        cursors = [stack.enter_context(another(connection)) for _ in range(threads)]
        return share_out(cursors, work, todo, after, interrupt=lambda cursor: cursor.interrupt())


def share_out(
    workers: Sequence[Worker],
    work: Callable[[Worker, Item], Done],
    items: Iterable[Item],
    after: Mapping[int, Collection[int]] | None = None,
    *,
    interrupt: Callable[[Worker], object],
) -> list[Done]:
    """Do a work for each item, each with a worker that no other uses then; return what it gives, in order.

    `after`: by the number of an item those of the items that must be done before. The first error of the work, or an
    interruption, ends all: what runs is interrupted, and nothing more begins.
    """
    todo = list(items)
    free: SimpleQueue[Worker] = SimpleQueue()
    for worker in workers:
        free.put(worker)
    is_over = Event()

    def one(item: Item) -> Done:
        mine = free.get()
        try:
            if is_over.is_set():
                raise CancelledError
            return work(mine, item)
        finally:
            free.put(mine)

    order = TopologicalSorter({number: (after or {}).get(number, ()) for number in range(len(todo))})
    order.prepare()
    ended: SimpleQueue[Future[Done]] = SimpleQueue()
    numbers: dict[Future[Done], int] = {}
    results: dict[int, Done] = {}
    with ThreadPoolExecutor(max(1, len(workers))) as pool:
        try:
            while order.is_active():
                for number in order.get_ready():
                    future = pool.submit(one, todo[number])
                    numbers[future] = number
                    future.add_done_callback(ended.put)
                future = ended.get()
                results[numbers[future]] = future.result()
                order.done(numbers[future])
        except BaseException:
            is_over.set()
            pool.shutdown(wait=False, cancel_futures=True)
            # Of the futures one may not be known: an interruption can come between its submission and the note of it.
            while free.qsize() < len(workers):
                for worker in workers:  # a statement may have begun a moment after the last interruption
                    interrupt(worker)
                time.sleep(_PAUSE_SECONDS)
            raise
    return [results[number] for number in range(len(todo))]
