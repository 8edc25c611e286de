"""Between the CPU and the device: what is prepared there, and what comes back."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

_MAX_WORKERS = 8


def count_workers(device: torch.device) -> int:
    """Threads that decode pictures: on a CPU one, as it has the model to run as well."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return 1 if device.type == "cpu" else max(1, min(_MAX_WORKERS, (n_cores or 2) - 1))


def pin(inputs: Any) -> Any:
    """The same inputs in memory from which a GPU copies by itself."""
    for name, values in inputs.items():
        if isinstance(values, torch.Tensor):
            inputs[name] = values.pin_memory()
    return inputs


def to_host(*tensors: torch.Tensor) -> Callable[[], tuple[np.ndarray, ...]]:
    """Begin to copy tensors to the CPU, and give a function that waits for the copies.

    On a GPU the work that is queued after this call goes on meanwhile.
    """
    if tensors[0].device.type != "cuda":
        arrays = tuple(tensor.cpu().numpy() for tensor in tensors)
        return lambda: arrays
    copies = [torch.empty(t.shape, dtype=t.dtype, pin_memory=True) for t in tensors]
    for copy, tensor in zip(copies, tensors, strict=True):
        copy.copy_(tensor, non_blocking=True)
    copied = torch.cuda.Event()
    copied.record()

    def wait() -> tuple[np.ndarray, ...]:
        copied.synchronize()
        return tuple(copy.numpy() for copy in copies)

    return wait
