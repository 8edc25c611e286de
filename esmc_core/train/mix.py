"""Mixtures of a model's weights before and after a training, chosen on the pictures kept out.

Weights of a fine-tuned model averaged with those that it began from, and with those of other runs
from the same start, do better on pictures of other origins than each of them (Wortsman et al. 2022,
"Robust fine-tuning of zero-shot models" and "Model soups").
"""

from __future__ import annotations

import copy
import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from esmc_core.errors import InputError
from esmc_core.train import augment, loop, validation
from esmc_core.train.architecture import packed_forward
from esmc_core.train.batches import CUT_OUTS, BatchMaker, Draw
from esmc_core.train.data import Dataset, load_dataset
from esmc_core.train.export import FIGURES, averaged_model, export_model
from esmc_core.train.launch import CACHE, load_tokenizer
from esmc_core.train.questions import plain_question

Weights = Mapping[str, Tensor]
LEAST = 20  # views of a source's attribute that its mean is taken of
BATCH = 64


def mixed(before: Weights, after: Sequence[Weights], share: float) -> dict[str, Tensor]:
    """(1 - share) of the weights before and `share` of the mean of the runs' weights."""
    return {
        name: torch.lerp(value, torch.stack([run[name] for run in after]).mean(0), share)
        for name, value in before.items()
    }


def held_out(data: Dataset) -> Dataset:
    """The same pictures with training and validation swapped: batches show those kept out."""
    records = [replace(record, validation=not record.validation) for record in data.records]
    return Dataset(data.pictures, data.masks, records)


@torch.no_grad()
def log_losses(
    models: Mapping[float, Any], data: Dataset, tokenizer: Tokenizer, *, n_views: int, seed: int = 0
) -> dict[float, dict[str, float]]:
    """Mean logarithmic loss on the training's kind of views of the validation pictures.

    Every label of a view is asked for as "the {attribute} of the {noun} is".

    Args:
        models: share -> LlavaForConditionalGeneration in evaluation mode.
        n_views: how many are drawn at least, the same for each model.

    Returns:
        share -> "source/attribute" -> loss in nats, where there are LEAST views of it.

    Raises:
        InputError: no picture was kept out, or there are too few views.
    """
    maker = BatchMaker(held_out(data), tokenizer, seed=seed)
    if not maker.sources:
        raise InputError("No picture was kept out of the training.", "Give more pictures.")
    rng = random.Random(seed)
    found: dict[float, dict[str, list[float]]] = {share: defaultdict(list) for share in models}
    for _ in range(0, n_views, BATCH):
        draws, pictures = maker.views(rng, n_images=BATCH)
        asked = [[plain_question(a, d.labels, d.record.nouns) for a in d.labels] for d in draws]
        packed, reads = maker.packer.pack(asked)
        names = [
            f"{_look(draw)}/{question.attribute}"
            for draw, row in zip(draws, asked, strict=True)
            for question in row
        ]
        ids, weights = reads.ids[reads.first], reads.weights[reads.first]
        pixels = augment.normalise(pictures)
        for share, model in models.items():
            logits, _ = packed_forward(model, pixels, packed)
            losses = loop.soft_cross_entropy(logits[reads.first], ids, weights)
            for name, loss in zip(names, losses.tolist(), strict=True):
                found[share][name].append(loss)
    means = {
        share: {name: sum(x) / len(x) for name, x in sorted(of.items()) if len(x) >= LEAST}
        for share, of in found.items()
    }
    if not all(means.values()):
        raise InputError(f"{n_views} views show no attribute {LEAST} times.", "Take more views.")
    return means


def _look(draw: Draw) -> str:
    """A view's source, and whether it is cut out or in another colour."""
    cut_out = CUT_OUTS if draw.pasted and draw.record.cut_out >= 0 else ""
    return draw.record.source + cut_out + ("_tinted" if draw.part >= 0 else "")


def mix(
    start: Path, runs: Sequence[Path], out: Path, *, shares: Sequence[float], n_views: int
) -> dict[float, float]:
    """Export the mixture with the lowest loss, every "source/attribute" counting alike.

    Args:
        start: the exported model that the runs began from.
        runs: folders of runs; their pictures and tokenizer are the first one's.
        out: the folder to write; `training.json` tells the losses.
        shares: of the runs' weights, each in [0, 1].

    Returns:
        share -> mean loss in nats.

    Raises:
        InputError: a folder holds no run, or a share is none.
    """
    if not shares or not all(0 <= share <= 1 for share in shares):
        raise InputError("A share is not between 0 and 1.", "Give for instance --shares 0 0.5 1.")
    tokenizer = load_tokenizer(runs[0])
    trained = [averaged_model(run, tokenizer) for run in runs]
    data = load_dataset(runs[0] / CACHE)
    before, after = loop.exported_values(start), [loop.floats(model) for model in trained]
    models = {share: copy.deepcopy(trained[0]) for share in shares}
    for share, model in models.items():
        loop.take_over(model, mixed(before, after, share))
    losses = log_losses(models, data, tokenizer, n_views=n_views)
    means = {share: sum(of.values()) / len(of) for share, of in losses.items()}
    best = min(means, key=means.__getitem__)
    figures = {
        "share": best,
        "log_loss": {str(share): round(mean, 4) for share, mean in means.items()},
        "log_losses": {name: round(loss, 4) for name, loss in losses[best].items()},
        "validation": validation.measure(models[best], data, tokenizer),
    }
    export_model(models[best], tokenizer, out)
    (out / FIGURES).write_text(json.dumps(figures, indent=1) + "\n")
    return means
