"""What it would cost to keep a picture's visual features for a later criterion, and save."""

from __future__ import annotations

import time
from typing import Any

import torch

from esmc_core.models.model import VisionLanguageModel


@torch.inference_mode()
def measure_vision(model: VisionLanguageModel, inputs: Any) -> dict[str, float]:
    """Bytes that the decoder takes of a picture, and the share of the time spent before it.

    Args:
        inputs: of one batch, on the model's device.

    Returns:
        `kb_per_image` in float32, `share_of_forward`.
    """
    begun: list[float] = []

    def now() -> float:
        if model.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def at_decoder(*_arguments: Any) -> None:
        begun.append(now())

    hook = model.family.layers(model.network)[0].register_forward_pre_hook(at_decoder)
    try:
        shares = []
        for _ in range(3):
            start_s = now()
            model.network(**inputs, use_cache=False, logits_to_keep=1)
            shares.append((begun[-1] - start_s) / (now() - start_s))
    finally:
        hook.remove()
    is_image = inputs["input_ids"] == model.network.config.image_token_id
    n_tokens = float(is_image.sum(dim=1).float().mean())
    return {
        "kb_per_image": n_tokens * model.d_model * 4 / 1000,
        "share_of_forward": sorted(shares)[1],
    }
