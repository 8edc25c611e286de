"""Accuracy of the first answer token on the pictures that were kept out of the training."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from tokenizers import Tokenizer

from esmc_core.train import augment
from esmc_core.train.architecture import packed_forward
from esmc_core.train.batches import Packer
from esmc_core.train.data import Dataset
from esmc_core.train.questions import plain_question


@torch.no_grad()
def measure(
    model: Any, data: Dataset, tokenizer: Tokenizer, *, n_images: int = 1000, batch: int = 50
) -> dict[str, float]:
    """Share of right first tokens, by "source/attribute".

    A picture counts as right where the most probable token is the heaviest word of its answer.

    Args:
        model: LlavaForConditionalGeneration in evaluation mode.
        n_images: at most so many pictures, evenly taken from the validation split.
    """
    device = next(model.parameters()).device
    rows = [i for i, record in enumerate(data.records) if record.validation and record.labels]
    rows = rows[:: max(1, len(rows) // n_images)]
    packer = Packer(tokenizer)
    hits: dict[str, list[bool]] = defaultdict(list)
    for start in range(0, len(rows), batch):
        some = rows[start : start + batch]
        records = [data.records[i] for i in some]
        asked = [[plain_question(a, r.labels, r.nouns) for a in r.labels] for r in records]
        packed, reads = packer.pack(asked)
        pictures = augment.full_frame(torch.from_numpy(data.pictures[some]))
        pixels = augment.normalise(pictures)
        logits, _ = packed_forward(model, pixels.to(device), packed.to(device))
        said = logits.argmax(-1).cpu()[reads.first]
        best = reads.ids[reads.first, reads.weights[reads.first].argmax(-1)]
        names = [
            f"{r.source}/{q.attribute}" for r, row in zip(records, asked, strict=True) for q in row
        ]
        for name, right in zip(names, (said == best).tolist(), strict=True):
            hits[name].append(right)
    return {name: round(sum(h) / len(h), 3) for name, h in sorted(hits.items())}
