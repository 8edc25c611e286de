"""A model looks at batches of pictures, which are decoded ahead of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image

from esmc_core.errors import Cancelled
from esmc_core.feature_store import FeatureStore
from esmc_core.memory import BatchLimit
from esmc_core.models.model import IMAGE_FEATURES, Prompt, VisionLanguageModel
from esmc_core.models.vision import see, seen_before
from esmc_core.prefetch import prefetch
from esmc_core.transfer import count_workers, pin

OpenImage = Callable[[int], Image.Image]
Keep = Callable[[np.ndarray, torch.Tensor], None]
Result = TypeVar("Result")


def look(
    model: VisionLanguageModel,
    batches: Sequence[np.ndarray],
    prompt: Prompt,
    open_image: OpenImage,
    read: Callable[[Any], Result],
    *,
    features: FeatureStore | None = None,
    keep: Keep | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Iterator[tuple[np.ndarray, Result]]:
    """Run `read` over the model's inputs for all batches, in smaller pieces where memory ends.

    Args:
        batches: (batch,) numbers of images each.
        prompt: that is put behind the pictures.
        open_image: gives the picture of an image number; called from several threads.
        read: from what `model.preprocess` gave to what is asked of it.
        features: of pictures that the model has seen before; they are not opened again.
        keep: takes (piece,) image numbers and (piece, n_tokens, d_model) features of others.

    Yields:
        (piece,) image numbers, all of a batch or a part of it, and what `read` gave for them.

    Raises:
        Cancelled: `should_stop` said so.
        ModelError: the device's memory does not hold a single picture.
    """
    limit = BatchLimit(max(map(len, batches), default=1))

    def prepare(images: np.ndarray) -> Any:
        if features is not None and features.has(images):
            return seen_before(model, prompt, torch.from_numpy(features.read(images)))
        pictures = [open_image(int(image)) for image in images]
        inputs = model.preprocess(pictures, [prompt] * len(pictures))
        return pin(inputs) if model.device.type == "cuda" else inputs

    def work(images: np.ndarray, inputs: Any) -> Result:
        if keep is None or IMAGE_FEATURES in inputs:
            return read(inputs)
        inputs = see(model, inputs)
        result = read(inputs)
        keep(images, inputs[IMAGE_FEATURES])
        return result

    pieces = (piece for batch in batches for piece in limit.cut(batch))
    n_workers = count_workers(model.device)
    for images, inputs in prefetch(pieces, prepare, n_workers=n_workers):
        waiting = [(images, inputs)]
        while waiting:
            if should_stop and should_stop():
                raise Cancelled()
            images, inputs = waiting.pop(0)
            result = limit.run(images, partial(work, images, inputs))
            if result is not None:
                yield images, result
            else:
                waiting[:0] = [(piece, prepare(piece)) for piece in limit.cut(images)]
