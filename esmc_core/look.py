"""A model looks at batches of pictures, which are decoded ahead of it.

The layers of a small model are too small for several threads: half of the time they wait for each
other, and where something else runs beside them they hardly get on. So on a CPU a small model looks
at several batches at a time, from the picture to what is asked of it, each in a thread of its own.
"""

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
from esmc_core.threads import keep_to
from esmc_core.transfer import count_workers, pin

OpenImage = Callable[[int], Image.Image]
Keep = Callable[[np.ndarray, torch.Tensor], None]
Result = TypeVar("Result")

SMALL_MODEL = 100e6
"""Parameters below which a CPU looks at several batches at a time."""
_MAX_LANES = 4


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

    The numbers depend on the batches, and in their last digits on the calling thread's limit of
    threads (`torch.get_num_threads()`), not on which batches are looked at together.

    Args:
        batches: (batch,) numbers of images each.
        prompt: that is put behind the pictures.
        open_image: gives the picture of an image number; called from several threads.
        read: from what `model.preprocess` gave to what is asked of it; called from several threads.
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

    def work(inputs: Any) -> tuple[Result, torch.Tensor | None]:
        if keep is None or IMAGE_FEATURES in inputs:
            return read(inputs), None
        inputs = see(model, inputs)
        return read(inputs), inputs[IMAGE_FEATURES]

    def ahead(images: np.ndarray) -> tuple[Any, tuple[Result, torch.Tensor | None] | None]:
        inputs = prepare(images)
        return inputs, limit.run(images, partial(work, inputs)) if n_lanes > 1 else None

    n_threads = torch.get_num_threads()
    n_lanes = min(_MAX_LANES, n_threads) if is_small_on_cpu(model) else 1
    pieces = (piece for batch in batches for piece in limit.cut(batch))
    for images, (inputs, done) in prefetch(
        pieces,
        ahead,
        n_workers=n_lanes if n_lanes > 1 else count_workers(model.device),
        at_start=partial(keep_to, n_threads // n_lanes) if n_lanes > 1 else None,
    ):
        waiting = [(images, inputs, done)]
        while waiting:
            if should_stop and should_stop():
                raise Cancelled()
            images, inputs, done = waiting.pop(0)
            done = done or limit.run(images, partial(work, inputs))
            if done is None:
                waiting[:0] = [(piece, prepare(piece), None) for piece in limit.cut(images)]
                continue
            result, seen = done
            if keep is not None and seen is not None:
                keep(images, seen)
            yield images, result


def is_small_on_cpu(model: VisionLanguageModel) -> bool:
    """Whether the device is busy with several batches of the model rather than with one."""
    return model.device.type == "cpu" and model.n_parameters < SMALL_MODEL
