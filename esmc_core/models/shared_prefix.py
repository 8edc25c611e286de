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
def hidden_states_of_all(
    model: VisionLanguageModel, inputs: Any, prompts: Sequence[Prompt]
) -> tuple[torch.Tensor, list[list[int]]]:
    """A_l(k) of every layer at the positions of all prompts; picture and template are read once.

    Where all pictures have as many tokens, all stand in one sequence, and a mask hides the prompts
    from each other; words with which several prompts begin stand there once. Else the keys and
    values of the prefix stay in a cache, and each prompt is read behind it as if it were the only
    one.

    Args:
        inputs: what `model.preprocess` gave for the pictures with the first of the prompts.
        prompts: for which `can_share` is true.

    Returns:
        states: (n_layers + 1, n_images, n_tokens, d_model) on the device, for every token.
        places: of each prompt, (n_positions,) its tokens among them; with these the states are
            those that `model.hidden_states` gives.
    """
    inputs = inputs.to(model.device, dtype=model.dtype, non_blocking=True)
    if model.family.same_size:
        return _packed(model, inputs, prompts)
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
    numbers = iter(range(sum(prompt.n_positions for prompt in prompts)))
    places = [[next(numbers) for _ in prompt.token_ids] for prompt in prompts]
    return torch.cat(found, dim=2), places


def _packed(
    model: VisionLanguageModel, inputs: Any, prompts: Sequence[Prompt]
) -> tuple[torch.Tensor, list[list[int]]]:
    """All prompts in one sequence behind the picture; each counts its positions from there."""
    beginnings, places = _branches([prompt.token_ids for prompt in prompts])
    prefix = inputs["input_ids"][:, : -prompts[0].n_positions]
    n_images, start = prefix.shape
    behind = torch.tensor([beginning[-1] for beginning in beginnings], device=prefix.device)
    ids = torch.cat([prefix, behind.expand(n_images, -1)], dim=1)
    positions = [*range(start), *(start + len(beginning) - 1 for beginning in beginnings)]
    at = torch.arange(start, ids.shape[1], device=ids.device).expand(n_images, -1)
    mask = _mask(start, len(beginnings), places, model)
    with model.recording(at) as states:
        model.run(
            dict(inputs) | {"input_ids": ids, "attention_mask": mask},
            position_ids=torch.tensor(positions, device=ids.device)[None],
            use_cache=False,
            logits_to_keep=1,
        )
    return torch.stack(states), places


def _branches(
    texts: Sequence[tuple[int, ...]],
) -> tuple[list[tuple[int, ...]], list[list[int]]]:
    """The tokens of some texts, those of a common beginning once.

    Returns:
        beginnings: of each token, the text from its start up to it.
        places: of each text, where its tokens are among them.
    """
    numbers: dict[tuple[int, ...], int] = {}
    places = [
        [numbers.setdefault(text[: end + 1], len(numbers)) for end in range(len(text))]
        for text in texts
    ]
    return list(numbers), places


def _mask(
    start: int, n_behind: int, places: Sequence[Sequence[int]], model: VisionLanguageModel
) -> torch.Tensor:
    """(1, 1, n_tokens, n_tokens) what is added to the attention, 0 or next to -inf.

    A mask of truth values would be read wrongly by the plain attention.

    Args:
        start: how many tokens stand before all prompts.
        n_behind: how many stand behind them.
        places: of each prompt, where its tokens are among the latter.
    """
    n_tokens = start + n_behind
    seen = torch.zeros(n_tokens, n_tokens, dtype=torch.bool)
    seen[:, :start] = True
    for of_prompt in places:
        own = start + torch.tensor(of_prompt)
        seen[own[:, None], own] = True
    hidden = ~seen.tril().to(model.device)
    mask = torch.zeros(hidden.shape, dtype=model.dtype, device=model.device)
    return mask.masked_fill(hidden, torch.finfo(model.dtype).min)[None, None]


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
