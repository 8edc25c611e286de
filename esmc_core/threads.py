"""How many threads a piece of work gets."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from threadpoolctl import threadpool_limits

_SMALL = 20_000


def threads_for(n_rows: int) -> AbstractContextManager:
    """Keep the calling thread's OpenMP work to one thread where there are few rows.

    OpenMP's threads wait for each other spinning. While the model runs beside it, a clustering
    of 356 images took 22 s on two threads of a two-core machine, and 0.3 s on one.
    """
    return threadpool_limits(limits=1 if n_rows <= _SMALL else None, user_api="openmp")


def keep_to(n_threads: int) -> None:
    """Give the calling thread's maths so many threads from now on.

    `torch.set_num_threads` would also tell MKL how many threads it has in every other thread.
    """
    torch.get_num_threads()  # which a thread finds out once, and would set again after the limit
    threadpool_limits(limits=n_threads, user_api="openmp")
