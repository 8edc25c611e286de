"""A model looks at batches of pictures, which are decoded ahead of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from esmc_core.errors import Cancelled
from esmc_core.memory import BatchLimit
from esmc_core.models.model import Prompt, VisionLanguageModel
from esmc_core.prefetch import prefetch
from esmc_core.transfer import count_workers, pin

OpenImage = Callable[[int], Image.Image]
Result = TypeVar("Result")


def look(
    model: VisionLanguageModel,
    batches: Sequence[np.ndarray],
    prompt: Prompt,
    open_image: OpenImage,
    read: Callable[[Any], Result],
    *,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[tuple[np.ndarray, Result]]:
    """Run `read` over the model's inputs for all batches, in smaller pieces where memory ends.

    Args:
        batches: (batch,) numbers of images each.
        prompt: that is put behind the pictures.
        open_image: gives the picture of an image number; called from several threads.
        read: from what `model.preprocess` gave to what is asked of it.

    Yields:
        (piece,) image numbers, all of a batch or a part of it, and what `read` gave for them.

    Raises:
        Cancelled: `should_stop` said so.
        ModelError: the device's memory does not hold a single picture.
    """
    limit = BatchLimit(max(map(len, batches), default=1))

    def prepare(images: np.ndarray) -> Any:
        pictures = [open_image(int(image)) for image in images]
        inputs = model.preprocess(pictures, [prompt] * len(pictures))
        return pin(inputs) if model.device.type == "cuda" else inputs

    pieces = (piece for batch in batches for piece in limit.cut(batch))
    n_workers = count_workers(model.device)
    for images, inputs in prefetch(pieces, prepare, n_workers=n_workers):
        waiting = [(images, inputs)]
        while waiting:
            if should_stop and should_stop():
                raise Cancelled()
            images, inputs = waiting.pop(0)
            result = limit.run(images, partial(read, inputs))
            if result is not None:
                yield images, result
            else:
                waiting[:0] = [(piece, prepare(piece)) for piece in limit.cut(images)]
