"""Arrays that lie in files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np


def memory_map(path: Path, dtype: type, shape: tuple[int, ...]) -> np.memmap:
    """The array in a file, zeros if it is new; raise ValueError if the file has another size."""
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if path.exists() and path.stat().st_size != n_bytes:
        raise ValueError(f"{path.name} has {path.stat().st_size} bytes, not {n_bytes}")
    return np.memmap(path, dtype=dtype, mode="r+" if path.exists() else "w+", shape=shape)


def bring_to_disk(array: np.memmap) -> None:
    """What `array.flush()` does; that stops all threads of the process meanwhile."""
    if sys.platform != "linux":  # elsewhere a file's sync need not reach what is mapped
        array.flush()
        return
    with open(str(array.filename), "rb") as file:
        os.fsync(file.fileno())
