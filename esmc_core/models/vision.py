"""What the vision tower makes of pictures, apart from what the decoder makes of it."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image

from esmc_core.models.model import IMAGE_FEATURES, Prompt, VisionLanguageModel


def features_shape(model: VisionLanguageModel) -> tuple[int, int] | None:
    """(n_tokens, d_model) of each picture; None where they cannot be kept apart from the prompt.

    They can where every picture becomes as many tokens, which the decoder reads as they are.
    """
    if not (model.family.same_size and model.family.shares_prefix):
        return None
    ids = _one_picture(model, model.prompt("the color is"))["input_ids"]
    n_tokens = int((ids == model.network.config.image_token_id).sum())
    return n_tokens, model.d_model


@torch.inference_mode()
def see(model: VisionLanguageModel, inputs: Any) -> Any:
    """The inputs with the pictures' features in the place of their pixels.

    Args:
        inputs: what `model.preprocess` gave.

    Returns:
        The same on the device, with "image_features" (n_images, n_tokens, d_model).
    """
    inputs = inputs.to(model.device, dtype=model.dtype, non_blocking=True)
    seen = model.network.get_image_features(
        pixel_values=inputs.pop("pixel_values"), return_dict=True
    )
    inputs[IMAGE_FEATURES] = torch.stack(list(seen.pooler_output))
    return inputs


def seen_before(model: VisionLanguageModel, prompt: Prompt, features: torch.Tensor) -> Any:
    """The inputs for pictures whose features are kept: nothing of the pictures is needed.

    Args:
        features: (n_images, n_tokens, d_model).
    """
    inputs = _one_picture(model, prompt)
    del inputs["pixel_values"]
    for name, values in inputs.items():
        inputs[name] = values.repeat(len(features), 1)
    inputs[IMAGE_FEATURES] = features
    return inputs


def _one_picture(model: VisionLanguageModel, prompt: Prompt) -> Any:
    """The inputs for any picture: where all are of one size their tokens are the same."""
    return model.preprocess([Image.new("RGB", (32, 32))], [prompt])
