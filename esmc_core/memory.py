"""How many images fit in the device's memory at a time, found by trial."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import torch

from esmc_core.errors import ModelError

Result = TypeVar("Result")

_COMPLAINTS = ("out of memory", "can't allocate memory", "not enough memory")


class BatchLimit:
    """Starts at a size that many devices hold, and is halved each time that one does not.

    Args:
        size: images at a time.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def cut(self, images: np.ndarray) -> Iterator[np.ndarray]:
        """(batch,) numbers of images in pieces of at most `size`, as it is at each piece."""
        while len(images):
            piece, images = images[: self.size], images[self.size :]
            yield piece

    def run(self, images: np.ndarray, work: Callable[[], Result]) -> Result | None:
        """What `work` gives for the images; None if they are too many, and now the limit.

        Raises:
            ModelError: a single image is too much.
        """
        if len(images) > self.size:
            return None
        try:
            return work()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        self._halve(len(images))  # out here, where no error holds what could not be finished
        return None

    def _halve(self, n_images: int) -> None:
        if n_images == 1:
            raise ModelError(
                "The device has not enough memory left to look at a picture.",
                "Close other programs that use it, or choose a smaller model.",
            )
        self.size = n_images // 2
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch says that the device's memory is full; not all devices have a class for it."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return any(complaint in str(error).lower() for complaint in _COMPLAINTS)
