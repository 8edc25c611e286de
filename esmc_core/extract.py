"""The pass: every image of a collection through the model once, for one criterion or many."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from esmc_core.feature_store import FeatureStore
from esmc_core.lens import TOP_K, read_lens
from esmc_core.lens_store import LensStore, PassSpec, hidden_path
from esmc_core.look import OpenImage, is_small_on_cpu, look
from esmc_core.models.model import Lens, VisionLanguageModel
from esmc_core.models.shared_prefix import can_share, hidden_states_of_all
from esmc_core.transfer import to_host
from esmc_core.write_behind import WriteBehind

Progress = Callable[[int, int], None]


def default_batch_size(model: VisionLanguageModel) -> int:
    """Images a batch: many for a small model, few for a large one on a CPU.

    On a GPU a size to begin with: what does not fit is halved. Beyond it a GPU gains nothing, as a
    picture of a large model has hundreds of tokens.
    """
    if model.device.type == "cpu":
        return 32 if is_small_on_cpu(model) else 16 if model.n_parameters < 500e6 else 1
    return 64 if model.device.type == "cuda" else 16


def pass_spec(
    model: VisionLanguageModel,
    *,
    collection: str,
    criterion: str,
    n_images: int,
    lens: Lens = "norm",
    batch_size: int | None = None,
) -> PassSpec:
    """Describe the pass of `model` over a collection of `n_images` with the criterion."""
    prompt = model.prompt(criterion)
    return PassSpec(
        collection=collection,
        model=model.name,
        fingerprint=model.fingerprint,
        criterion=prompt.criterion,
        lens=lens,
        n_images=n_images,
        n_layers=model.n_layers,
        n_vocab=model.n_vocab,
        top_k=min(TOP_K, model.n_vocab),
        token_ids=prompt.token_ids,
        token_texts=prompt.token_texts,
        n_criterion=prompt.n_criterion,
        batch_size=batch_size or default_batch_size(model),
    )


def run_pass(
    model: VisionLanguageModel,
    store: LensStore,
    open_image: OpenImage,
    *,
    features: FeatureStore | None = None,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> None:
    """Fill the store of one criterion; see `run_passes`."""
    run_passes(
        model, [store], open_image, features=features, progress=progress, should_stop=should_stop
    )


def run_passes(
    model: VisionLanguageModel,
    stores: Sequence[LensStore],
    open_image: OpenImage,
    *,
    features: FeatureStore | None = None,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> None:
    """Fill the stores of some criteria; what they hold already is not computed again.

    Each picture is read once for all criteria that miss it, where the model's family allows that
    (`shares_passes`); else the criteria come one after another.

    Batches are cut at fixed places of the stores' order, so a pass that was killed and goes on
    computes the same batches, hence the same numbers: bit for bit if it goes on for the same
    criteria and the device has no less memory free, else but for rounding (below 1e-4 in float32).
    Where a kill left some criteria a batch ahead, the others go on with that batch alone.

    Args:
        stores: passes of the model over one collection.
        features: what the model's vision tower made of its pictures before. They are used, which
            gives the same numbers, and those of other pictures are added.
        open_image: gives the picture of an image number; called from several threads.
        progress: called from another thread with the images finished, on average over the
            criteria, and those in all.

    Raises:
        Cancelled: `should_stop` said so; the batches done so far stay.
        ModelError: the device's memory does not hold a single picture.
    """
    n_images = stores[0].spec.n_images

    def report() -> None:
        if progress:
            progress(sum(store.n_done for store in stores) // len(stores), n_images)

    together = [[store] for store in stores]
    if shares_passes(model, [store.spec.criterion for store in stores]):
        # The longest first: if it is too long behind the picture, that is said of it.
        together = [sorted(stores, key=lambda store: -store.spec.n_positions)]
    kept = [] if features is None else [features]
    with WriteBehind([*stores, *kept], on_commit=report) as writer:

        def keep(images: np.ndarray, seen: torch.Tensor) -> None:
            for store in kept:
                writer.put(store, images, to_host(seen.float()), may_commit=False)

        for some in together:
            for group, batches in plan_batches(some):
                read = LensReader(model, [store.spec for store in group])
                for images, found in look(
                    model,
                    batches,
                    read.prompts[0],
                    open_image,
                    read,
                    features=features,
                    keep=keep if kept else None,
                    should_stop=should_stop,
                ):
                    for store, arrays in zip(group, found, strict=True):
                        writer.put(store, images, arrays)


def shares_passes(model: VisionLanguageModel, criteria: Sequence[str]) -> bool:
    """Whether the model reads each picture only once for all of the criteria.

    Raises:
        InputError: a criterion cannot be read.
    """
    return can_share(model, [model.prompt(criterion) for criterion in criteria])


class LensReader:
    """From a batch's inputs to the lens of each pass's criterion, on its way to the CPU."""

    def __init__(self, model: VisionLanguageModel, specs: Sequence[PassSpec]) -> None:
        self.model, self.specs = model, specs
        self.prompts = [model.prompt(spec.criterion) for spec in specs]

    def __call__(self, inputs: Any) -> list[Callable[[], Any]]:
        if len(self.prompts) == 1:
            n_positions = self.prompts[0].n_positions
            states = self.model.hidden_states(inputs, n_positions=n_positions)
            places: list[Any] = [slice(None)]
        else:
            states, places = hidden_states_of_all(self.model, inputs, self.prompts)
        read = {lens: self._read(states, lens) for lens in {spec.lens for spec in self.specs}}
        return [
            to_host(*(cells[:, at] for cells in read[spec.lens]))
            for spec, at in zip(self.specs, places, strict=True)
        ]

    def _read(self, states: torch.Tensor, lens: Lens) -> tuple[torch.Tensor, torch.Tensor]:
        tokens, probabilities = read_lens(self.model, states, lens=lens, top_k=self.specs[0].top_k)
        return tokens, probabilities.half()  # as the store keeps them


def plan_batches(
    stores: Sequence[LensStore],
) -> Iterator[tuple[list[LensStore], list[np.ndarray]]]:
    """Which of the stores miss which batches: groups of stores, and the batches all of them miss.

    Returns:
        (batch,) image numbers of each batch, in the stores' order.
    """
    missing: dict[tuple[int, int], list[int]] = {}
    for number, store in enumerate(stores):
        size = store.spec.batch_size
        for start in range(0, store.spec.n_images, size):
            if not store.done[store.order[start : start + size]].all():
                missing.setdefault((start, size), []).append(number)
    groups: dict[tuple[int, ...], list[np.ndarray]] = {}
    for (start, size), numbers in sorted(missing.items()):
        batch = stores[0].order[start : start + size]
        groups.setdefault(tuple(numbers), []).append(batch)
    for group, batches in groups.items():
        yield [stores[number] for number in group], batches


def run_hidden_pass(
    model: VisionLanguageModel,
    store: LensStore,
    open_image: OpenImage,
    *,
    layer: int,
    position: int,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> np.ndarray:
    """The hidden state at one cell, kept beside the store once it is computed.

    Returns:
        (n_images, d_model) float32; at the last layer after the final norm, as
        `hidden_states` of transformers has it.
    """
    path = hidden_path(store, layer, position)
    if path.exists():
        return np.load(path, allow_pickle=False).astype(np.float32)
    spec = store.spec
    partial = path.with_suffix(".partial")
    shape = (spec.n_images, model.d_model + 1)  # the last column marks a finished row
    rows = np.memmap(partial, np.float16, mode="r+" if partial.exists() else "w+", shape=shape)
    size = spec.batch_size
    batches = [store.order[i : i + size] for i in range(0, spec.n_images, size)]
    missing = [batch for batch in batches if not rows[batch, -1].all()]
    prompt = model.prompt(spec.criterion)

    def read(inputs: Any) -> torch.Tensor:
        states = model.hidden_states(inputs, n_positions=spec.n_positions)[layer][:, position]
        if layer == model.n_layers:
            states = model.family.final_norm(model.network)(states)
        return states.float().cpu()

    for images, states in look(model, missing, prompt, open_image, read, should_stop=should_stop):
        rows[images, :-1] = states.numpy()
        rows[images, -1] = 1
        if progress:
            progress(int(rows[:, -1].sum()), spec.n_images)
    whole = path.with_suffix(".whole")
    with whole.open("wb") as file:
        np.save(file, np.array(rows[:, :-1]))
    os.replace(whole, path)
    del rows
    partial.unlink()
    return np.load(path, allow_pickle=False).astype(np.float32)
