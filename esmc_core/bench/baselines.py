"""What the method has to beat: K-means on pixels, colours, vision features and text answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from esmc_core.bench.case import Case, bench_folder
from esmc_core.bench.runs import Run, load_array, run_seeds, save_array
from esmc_core.bench.text_features import embed_texts, embedder_name
from esmc_core.cluster.estimator import Matrix
from esmc_core.errors import StoreError
from esmc_core.extract import default_batch_size
from esmc_core.records import key_of, read_json, write_json

MAX_NEW_TOKENS = 12
"""Of a text answer: "short"."""

_SIDE = 16
_BINS = (12, 4, 4)

BASELINES = {
    "pixels": f"K-means on {_SIDE}×{_SIDE} pixels",
    "hsv": "K-means on the centre's HSV histogram",
    "vision": "K-means on unprompted vision features",
    "text_output": "K-means on the model's text answers",
}
"""key → title"""


def baseline_runs(case: Case, name: str) -> list[Run]:
    """One K-means run a seed; `before_head` is the same as `labels`.

    Args:
        name: a key of BASELINES.
    """
    settings = replace(case.settings, use_head=False)
    collection = bench_folder(case.tools.workspace.library.folder(case.collection.key))
    source: dict[str, Any] = {"features": name}
    if name == "vision":
        source["model"] = case.tools.model.fingerprint
    elif name == "text_output":
        source |= {"pass": case.store().key, "embedder": embedder_name()}
    rows: dict[str, Callable[[], Matrix]] = {
        "pixels": lambda: _picture_rows(case, name, pixel_features, collection),
        "hsv": lambda: _picture_rows(case, name, hsv_histogram, collection),
        "vision": lambda: _vision_rows(case, collection),
        "text_output": lambda: embed_texts(text_answers(case)),
    }
    return run_seeds(collection, rows[name], settings, case.tools.seeds, **source)


def pixel_features(picture: Image.Image) -> np.ndarray:
    """(16 · 16 · 3,) float32 in [0, 1]: the whole picture, shrunk to a square."""
    small = picture.resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32).ravel() / 255


def hsv_histogram(picture: Image.Image) -> np.ndarray:
    """(12 · 4 · 4,) float32: square roots of the shares of hue, saturation and value bins.

    Of the middle half of the width and of the height.
    """
    width, height = picture.size
    box = (width // 4, height // 4, width - width // 4, height - height // 4)
    pixels = np.asarray(picture.crop(box).convert("HSV")).reshape(-1, 3)
    counts, _ = np.histogramdd(pixels, bins=_BINS, range=[(0, 256)] * 3)
    return np.sqrt(counts.ravel() / len(pixels)).astype(np.float32)


def text_answers(case: Case) -> list[str]:
    """(n_images,) what the model says of each picture when asked; kept beside the pass."""
    store, model = case.store(), case.tools.model
    path = bench_folder(store.folder) / f"answers_{MAX_NEW_TOKENS}.json"
    try:
        kept = read_json(path)
        if len(kept) == store.spec.n_images:
            return kept
    except StoreError:
        pass
    answers: list[str] = []
    prompt = model.prompt(case.prompt)
    with case.tools.stage(f"{case.collection.name}, {case.prompt}: answers") as progress:
        for batch in _batches(case):
            inputs = [model.preprocess(batch, [prompt] * len(batch))]
            if not inputs[0]["attention_mask"].all():  # pictures of different lengths
                inputs = [model.preprocess([picture], [prompt]) for picture in batch]
            for part in inputs:
                answers += model.generate(part, max_new_tokens=MAX_NEW_TOKENS)
            progress(len(answers), case.collection.n_images)
    write_json(path, answers)
    return answers


def _picture_rows(
    case: Case, name: str, features: Callable[[Image.Image], np.ndarray], folder: Path
) -> np.ndarray:
    path = folder / f"{name}.npy"
    rows = load_array(path)
    if rows is None:
        found = []
        with case.tools.stage(f"{case.collection.name}: {name}") as progress:
            for batch in _batches(case):
                found += [features(picture) for picture in batch]
                progress(len(found), case.collection.n_images)
        rows = np.stack(found)
        save_array(path, rows)
    return rows


def _vision_rows(case: Case, folder: Path) -> np.ndarray:
    """(n_images, d_model) float32, each of unit length."""
    model = case.tools.model
    path = folder / f"vision_{key_of(model=model.fingerprint)}.npy"
    rows = load_array(path)
    if rows is None:
        found: list[np.ndarray] = []
        prompt = model.prompt(case.prompt)
        with case.tools.stage(f"{case.collection.name}: vision features") as progress:
            for batch in _batches(case):
                inputs = model.preprocess(batch, [prompt] * len(batch))
                found += list(model.image_features(inputs).cpu().numpy())
                progress(len(found), case.collection.n_images)
        rows = np.stack(found)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        save_array(path, rows)
    return rows


def _batches(case: Case) -> Iterator[list[Image.Image]]:
    """The pictures in their order, a few at a time."""
    opener = case.tools.workspace.image_opener(case.collection)
    size, n_images = default_batch_size(case.tools.model), case.collection.n_images
    for first in range(0, n_images, size):
        yield [opener(i) for i in range(first, min(first + size, n_images))]
