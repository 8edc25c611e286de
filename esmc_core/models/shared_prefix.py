"""Many criteria over one look at the picture: what stands before them is read once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache

from esmc_core.models.model import Prompt, VisionLanguageModel


def can_share(model: VisionLanguageModel, prompts: Sequence[Prompt]) -> bool:
    """Whether the prompts can be read behind one prefix, with the numbers of separate passes."""
    return model.family.shares_prefix and len({prompt.prefix_ids for prompt in prompts}) == 1


@torch.inference_mode()
def hidden_states_of_each(
    model: VisionLanguageModel, inputs: Any, prompts: Sequence[Prompt]
) -> list[torch.Tensor]:
    """A_l(k) of every layer at the positions of each prompt; picture and template are read once.

    The keys and values of the prefix stay in a cache, and each prompt is read behind it as if it
    were the only one.

    Args:
        inputs: what `model.preprocess` gave for the pictures with the first of the prompts.
        prompts: for which `can_share` is true.

    Returns:
        For each prompt (n_layers + 1, n_images, n_positions, d_model) on the device, as
        `model.hidden_states` gives them.
    """
    inputs = inputs.to(model.device, dtype=model.dtype, non_blocking=True)
    prefix = _before(inputs, prompts[0].n_positions)
    mask = prefix["attention_mask"]
    # Made without the config: layers with a sliding window would else forget what is behind it,
    # and could not be taken back to the prefix.
    cache = DynamicCache()
    options = {"past_key_values": cache, "use_cache": True, "logits_to_keep": 1}
    model.network(**prefix, **options)
    found = []
    for prompt in prompts:
        n_positions = prompt.n_positions
        ids = torch.tensor(prompt.token_ids, device=model.device).expand(len(mask), -1)
        positions = torch.arange(n_positions, device=model.device).expand(len(mask), -1)
        with model.recording(positions) as states:
            model.network(
                input_ids=ids,
                attention_mask=torch.cat([mask, torch.ones_like(ids)], dim=1),
                **model.family.positions_behind(model.network, mask, n_positions),
                **options,
            )
        found.append(torch.stack(states))
        cache.crop(-n_positions)
    return found


def _before(inputs: Any, n_positions: int) -> dict[str, torch.Tensor]:
    """The inputs without each prompt's last positions, padded in front instead of behind.

    What follows then stands directly behind every row, also within a sliding window.
    """
    n_tokens = inputs["attention_mask"].sum(dim=1, keepdim=True) - n_positions
    width = int(n_tokens.max())
    columns = torch.arange(width, device=n_tokens.device) - (width - n_tokens)
    is_padding = columns < 0
    found = dict(inputs)
    for name, values in inputs.items():
        if values.shape == inputs["input_ids"].shape:  # one value a token
            found[name] = values.gather(1, columns.clamp(min=0))
    found["attention_mask"] = found["attention_mask"].masked_fill(is_padding, 0)
    return found
