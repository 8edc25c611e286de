"""The pass: every image of a collection and the criterion through the model, once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from PIL import Image

from esmc_core.errors import Cancelled
from esmc_core.lens import TOP_K, read_lens
from esmc_core.lens_store import LensStore, PassSpec, hidden_path
from esmc_core.models.model import Lens, VisionLanguageModel

Progress = Callable[[int, int], None]
OpenImage = Callable[[int], Image.Image]


def default_batch_size(model: VisionLanguageModel) -> int:
    """Images a batch: many for a small model, few for a large one on a CPU."""
    if model.device.type == "cpu":
        return 16 if model.n_parameters < 100e6 else 1
    return 16


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
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> None:
    """Fill the store; what it holds already is not computed again.

    Batches are cut at fixed places of the store's order, so a pass that was killed and goes
    on computes the same batches, hence the same numbers.

    Args:
        open_image: gives the picture of an image number.

    Raises:
        Cancelled: `should_stop` said so; the batches done so far stay.
    """
    spec = store.spec
    size = spec.batch_size
    batches = [store.order[i : i + size] for i in range(0, spec.n_images, size)]
    missing = [batch for batch in batches if not store.done[batch].all()]
    for batch, hidden in _forward(model, missing, open_image, spec, should_stop):
        tokens, probabilities = read_lens(model, hidden, lens=spec.lens, top_k=spec.top_k)
        store.write(batch, tokens.cpu().numpy(), probabilities.cpu().numpy())
        if progress:
            progress(store.n_done, spec.n_images)


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
    for batch, hidden in _forward(model, missing, open_image, spec, should_stop):
        states = hidden[layer][:, position]
        if layer == model.n_layers:
            states = model.family.final_norm(model.network)(states)
        rows[batch, :-1] = states.float().cpu().numpy()
        rows[batch, -1] = 1
        if progress:
            progress(int(rows[:, -1].sum()), spec.n_images)
    whole = path.with_suffix(".whole")
    with whole.open("wb") as file:
        np.save(file, np.array(rows[:, :-1]))
    os.replace(whole, path)
    del rows
    partial.unlink()
    return np.load(path, allow_pickle=False).astype(np.float32)


def _forward(
    model: VisionLanguageModel,
    batches: Sequence[np.ndarray],
    open_image: OpenImage,
    spec: PassSpec,
    should_stop: Callable[[], bool] | None,
) -> Iterator[tuple[np.ndarray, Any]]:
    """Run the batches; the next one is decoded while the model works on this one."""
    prompt = model.prompt(spec.criterion)

    def prepare(batch: np.ndarray) -> Any:
        pictures = [open_image(int(i)) for i in batch]
        return model.preprocess(pictures, [prompt] * len(pictures))

    with ThreadPoolExecutor(1, thread_name_prefix="decode") as pool:
        upcoming = pool.submit(prepare, batches[0]) if batches else None
        for number, batch in enumerate(batches):
            if should_stop and should_stop():
                raise Cancelled()
            assert upcoming is not None
            inputs = upcoming.result()
            if number + 1 < len(batches):
                upcoming = pool.submit(prepare, batches[number + 1])
            yield batch, model.hidden_states(inputs, n_positions=spec.n_positions)
