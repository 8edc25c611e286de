"""Work that is prepared ahead in threads, and taken in its order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Prepared = TypeVar("Prepared")


def prefetch(
    items: Iterable[Item],
    prepare: Callable[[Item], Prepared],
    *,
    n_workers: int = 1,
    at_start: Callable[[], None] | None = None,
) -> Iterator[tuple[Item, Prepared]]:
    """Each item with `prepare(item)`; while one is used, the next ones are made ready.

    At most `n_workers` + 1 prepared items wait at a time. `items` is read as they are needed.

    Args:
        at_start: what each of the threads does first.

    Raises:
        Whatever `prepare` raises, when the item's turn has come.
    """
    waiting: deque[tuple[Item, Future[Prepared]]] = deque()
    pool = ThreadPoolExecutor(n_workers, thread_name_prefix="prepare", initializer=at_start)
    try:
        for item in items:
            waiting.append((item, pool.submit(prepare, item)))
            if len(waiting) > n_workers:
                ready, future = waiting.popleft()
                yield ready, future.result()
        while waiting:
            ready, future = waiting.popleft()
            yield ready, future.result()
    finally:
        pool.shutdown(cancel_futures=True)
