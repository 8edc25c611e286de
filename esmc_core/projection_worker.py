"""UMAP in a process of its own.

Compiling it takes half a minute of pure Python, during which every other thread of the same
process would crawl.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

import numpy as np

from esmc_core.errors import Cancelled
from esmc_core.projection import Progress, ShouldStop

_POLL_S = 0.2
_REST_S = 0.05
# What both processes see: how much is done, of how much, the number of the last run that is to
# stop, and how many others want it to rest.
_DONE, _TOTAL, _STOPPED, _RESTING = range(4)


class ProjectionWorker:
    """Runs `esmc_core.projection.project` in one child process, which stays warm."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._context = multiprocessing.get_context("spawn")
        self._board = self._context.Array("q", 4, lock=False)
        self._run = 0

    def warm_up(self) -> None:
        """Compile in the background what the first projection needs."""
        self._submit(_warm_up)

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Meanwhile the projection waits at its next safe place, and leaves the CPU to others."""
        with self._lock:
            self._board[_RESTING] += 1
        try:
            yield
        finally:
            with self._lock:
                self._board[_RESTING] -= 1

    def project(
        self,
        matrix: Any,
        *,
        progress: Progress | None = None,
        should_stop: ShouldStop | None = None,
        **options: Any,
    ) -> np.ndarray:
        """As `esmc_core.projection.project`; a child that died is replaced once.

        When stopped it returns at once, and the child gives up at its next safe place.
        """
        with self._running:
            try:
                return self._project(matrix, options, progress, should_stop)
            except BrokenProcessPool:
                with self._lock:
                    self._pool = None
                return self._project(matrix, options, progress, should_stop)

    def _project(
        self,
        matrix: Any,
        options: dict[str, Any],
        progress: Progress | None,
        should_stop: ShouldStop | None,
    ) -> np.ndarray:
        self._run += 1
        self._board[_DONE] = self._board[_TOTAL] = 0
        future = self._submit(_project, self._run, matrix, options)
        while not wait([future], timeout=_POLL_S).done:
            if should_stop is not None and should_stop():
                self._board[_STOPPED] = self._run
                raise Cancelled()
            if progress is not None and self._board[_TOTAL]:
                progress(self._board[_DONE], self._board[_TOTAL])
        return future.result()

    def _submit(self, function: Any, *arguments: Any) -> Future:
        with self._lock:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    1, mp_context=self._context, initializer=_begin, initargs=(self._board,)
                )
            return self._pool.submit(function, *arguments)


_board: Any = None  # in the child


def _begin(board: Any) -> None:
    """In the child: stay behind the app in priority, and end when the app has ended."""
    global _board
    _board = board
    if hasattr(os, "nice"):
        os.nice(19)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)


def _warm_up() -> None:
    from esmc_core.projection import warm_up

    warm_up()


def _project(run: int, matrix: Any, options: dict[str, Any]) -> np.ndarray:
    from esmc_core.projection import project

    return project(matrix, progress=_report, should_stop=lambda: _should_stop(run), **options)


def _should_stop(run: int) -> bool:
    """Whether to stop; the answer waits while others want the projection to rest."""
    while _board[_RESTING] and _board[_STOPPED] < run:
        time.sleep(_REST_S)
    return _board[_STOPPED] >= run


def _report(done: int, total: int) -> None:
    _board[_DONE], _board[_TOTAL] = done, total
