"""Writes a pass's numbers in a thread of its own, while the model goes on."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TypeAlias

import numpy as np

from esmc_core.feature_store import FeatureStore
from esmc_core.lens_store import LensStore

Arrays: TypeAlias = tuple[np.ndarray, ...]
"""What the store's `put` takes behind the images: tokens and probabilities of a lens store."""
Store: TypeAlias = LensStore | FeatureStore

_MAX_WAITING = 2
_PAUSE = 20


class WriteBehind:
    """Puts batches into stores, in the order in which they were given.

    To bring numbers to the disk takes about as long for one batch as for many. After a commit
    the next one waits for twenty times as long as that took, or for the end. Rows are marked done
    by it alone, so a kill costs the batches since the last one, and never leaves a marked row
    without its numbers.

    Leaving the context commits all that was put, also when an error or a stop ends it.

    Args:
        stores: that are written to.
        on_commit: called from the thread each time that rows have been marked done.
    """

    def __init__(
        self, stores: Sequence[Store], *, on_commit: Callable[[], None] | None = None
    ) -> None:
        self._stores, self._on_commit = stores, on_commit
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._waiting: deque[Future[None]] = deque()
        self._due_s = 0.0

    def put(
        self,
        store: Store,
        images: np.ndarray,
        arrays: Callable[[], Arrays],
        *,
        may_commit: bool = True,
    ) -> None:
        """Hand over one batch; waits while others are still to be written.

        Args:
            images: (batch,) numbers of the images.
            arrays: gives the numbers; called in the thread, so that it may wait for the device.
            may_commit: False where more of the same batch follows, which would have to wait.

        Raises:
            Whatever an earlier batch failed with.
        """
        while len(self._waiting) >= _MAX_WAITING * len(self._stores):
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(self._write, store, images, arrays, may_commit))

    def __enter__(self) -> WriteBehind:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        last = self._thread.submit(self._commit)
        self._thread.shutdown()
        if error is None:
            for future in (*self._waiting, last):
                future.result()

    def _write(
        self, store: Store, images: np.ndarray, arrays: Callable[[], Arrays], may_commit: bool
    ) -> None:
        store.put(images, *arrays())
        if may_commit and time.monotonic() >= self._due_s:
            self._commit()

    def _commit(self) -> None:
        start_s = time.monotonic()
        for store in self._stores:
            store.commit()
        now_s = time.monotonic()
        self._due_s = now_s + _PAUSE * (now_s - start_s)
        if self._on_commit is not None:
            self._on_commit()
