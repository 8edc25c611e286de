"""How many threads a piece of work gets."""

from __future__ import annotations

from contextlib import AbstractContextManager

from threadpoolctl import threadpool_limits

_SMALL = 20_000


def threads_for(n_rows: int) -> AbstractContextManager:
    """Keep the calling thread's OpenMP work to one thread where there are few rows.

    OpenMP's threads wait for each other spinning. While the model runs beside it, a clustering
    of 356 images took 22 s on two threads of a two-core machine, and 0.3 s on one.
    """
    return threadpool_limits(limits=1 if n_rows <= _SMALL else None, user_api="openmp")
