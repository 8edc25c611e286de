"""UMAP in a process of its own.

Compiling it takes half a minute of pure Python, during which every other thread of the same
process would crawl.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np


class ProjectionWorker:
    """Runs `esmc_core.projection.project` in one child process, which stays warm."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None

    def warm_up(self) -> None:
        """Compile in the background what the first projection needs."""
        self._submit(_warm_up)

    def project(self, matrix: Any, **options: Any) -> np.ndarray:
        """As `esmc_core.projection.project`; a child that died is replaced once."""
        try:
            return self._submit(_project, matrix, options).result()
        except BrokenProcessPool:
            with self._lock:
                self._pool = None
            return self._submit(_project, matrix, options).result()

    def _submit(self, function: Any, *arguments: Any) -> Future:
        with self._lock:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    1, mp_context=multiprocessing.get_context("spawn"), initializer=_begin
                )
            return self._pool.submit(function, *arguments)


def _begin() -> None:
    """In the child: stay behind the app in priority, and end when the app has ended."""
    if hasattr(os, "nice"):
        os.nice(5)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)


def _warm_up() -> None:
    from esmc_core.projection import warm_up

    warm_up()


def _project(matrix: Any, options: dict[str, Any]) -> np.ndarray:
    from esmc_core.projection import project

    return project(matrix, **options)
