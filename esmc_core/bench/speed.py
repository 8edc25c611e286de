"""`bench speed`: how fast the pass and the clustering are, and the paper's procedure beside them.

The record, which `--json` writes, holds plain JSON. Ratios come from one run, in which the timed
things take turns. Passes are compared within each turn, and the median of that counts: a computer's
speed changes from second to second. Of the paper's procedure, and for speeds in seconds, the best
turn counts.

- `device`, `device_name`, `model`, `n_parameters`, `dtype`, `attention`, `n_threads`, `batch_size`,
  `n_images`, `rounds`, `criteria`; `seconds`: of every turn.
- `images_per_s`: of the pass with one criterion: decoding, model, lens and store;
  `pass_vs_forward`: its speed over that of the model alone on the same batches, which lie ready in
  its memory, `forward_images_per_s`; `ms_per_image`: what the steps of the pass take by themselves.
- `pass_vs_paper`: over `paper_images_per_s`, the paper's procedure (`bench.paper`) on
  `paper_n_images`, one a turn, with beams that reach their cap of `paper_tokens` tokens;
  `pass_vs_paper_short`, `paper_short_images_per_s`, `paper_short_tokens`: where the beams end as
  soon as the model has answered, which the bundled one does in a word.
- `three_criteria_vs_one`: seconds of a pass with three criteria over those with one; null where
  the model's family reads them one by one.
- `later_criterion_vs_first`: seconds of a pass where the visual features of all pictures are kept
  from an earlier one, over those of the pass with one criterion; null for models whose features
  take too much room (`feature_store.MAX_KB`).
- `vision`: what keeping visual features for a later criterion would cost and save:
  `kb_per_image` in float32, `share_of_forward`.
- `matrix_tflops`: of a large matrix product in the model's number format; `model_tflops`: of the
  pass; `share_of_limit`: the one over the other.
- `memory`: null, or for passes over `few` and `many` images the peak in MB on the device, and in
  the process without mapped files (`device_mb`, `process_mb`).
- `head_vs_paper` and more, see `bench.head_speed`; `head_100000_s`: K-means and head on 100,000
  rows, on a GPU only.
"""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from esmc_core.bench import paper
from esmc_core.bench.head_speed import HeadTask, made_up_rows, measure_head
from esmc_core.bench.speed_parts import (
    PeakMemory,
    forward,
    inputs_of,
    matrix_tflops,
    measure_parts,
    timed,
)
from esmc_core.bench.vision_cost import measure_vision
from esmc_core.cluster.estimator import ESMCClustering
from esmc_core.extract import default_batch_size, pass_spec, run_passes, shares_passes
from esmc_core.feature_store import FeatureStore, is_small
from esmc_core.lens_store import LensStore
from esmc_core.look import OpenImage
from esmc_core.memory import BatchLimit
from esmc_core.models.model import VisionLanguageModel
from esmc_core.models.vision import features_shape

VERSION = 1
CRITERIA = ("the color of the object is", "the type of the product is", "the background color is")
MAX_BATCHES = 8
GOES, SHORT_S = 3, 3.0
MANY_ROWS = HeadTask(n_rows=100_000, n_vocab=8_000)

Stage = Callable[[str], AbstractContextManager[Callable[[int, int | None], None]]]


@dataclass(frozen=True)
class SpeedTask:
    """How much is measured.

    Attributes:
        n_images: of a timed pass.
        rounds: turns of each timed thing.
        many_images: of the pass whose memory is compared with that of `n_images`; 0 for none.
        max_new_tokens: of the paper's procedure.
        head: what is clustered.
    """

    n_images: int = 192
    rounds: int = 4
    many_images: int = 0
    max_new_tokens: int = paper.MAX_NEW_TOKENS
    head: HeadTask = field(default_factory=HeadTask)


def speed_task(
    *,
    on_gpu: bool,
    is_quick: bool = False,
    n_images: int | None = None,
    many_images: int | None = None,
    rounds: int | None = None,
) -> SpeedTask:
    """What is measured by default, on a GPU with more images.

    A quick one gives every figure, but figures that say little.
    """
    if is_quick:
        head = HeadTask(n_rows=120, n_vocab=400, n_clusters=3, epochs=20, n_entries=20)
        return SpeedTask(n_images or 8, rounds or 1, many_images or 0, 4, head)
    n_images = n_images or (1_000 if on_gpu else SpeedTask.n_images)
    return SpeedTask(n_images, rounds or SpeedTask.rounds, many_images or 0)


class Passes:
    """Passes of a model over numbered pictures, into stores that are thrown away."""

    def __init__(
        self, model: VisionLanguageModel, open_image: OpenImage, folder: Path, *, batch_size: int
    ) -> None:
        self.model, self.open_image, self.folder = model, open_image, folder
        self.batch_size = batch_size
        self.prompt = model.prompt(CRITERIA[0])

    def run(
        self, criteria: Sequence[str], n_images: int, *, features: FeatureStore | None = None
    ) -> float:
        """Seconds of one pass with all of the criteria."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            stores = [
                LensStore.create(
                    Path(folder),
                    pass_spec(
                        self.model,
                        collection="speed",
                        criterion=criterion,
                        n_images=n_images,
                        batch_size=self.batch_size,
                    ),
                    [],
                )
                for criterion in criteria
            ]
            return self.timed(
                lambda: run_passes(self.model, stores, self.open_image, features=features)
            )

    def kept_features(self, folder: Path, n_images: int) -> FeatureStore | None:
        """What a pass over the images leaves for later criteria; None if it is too much."""
        shape = features_shape(self.model)
        if shape is None or not is_small(shape):
            return None
        features = FeatureStore.create(
            folder, self.model.fingerprint, n_images=n_images, shape=shape
        )
        self.run(CRITERIA[:1], n_images, features=features)
        return features

    def inputs(self, images: Sequence[int]) -> Any:
        """What the model takes for the images with the first criterion, on its device."""
        return inputs_of(self.model, self.open_image, images, self.prompt)

    def timed(self, work: Callable[[], Any]) -> float:
        """Seconds until the device has done the work."""
        return timed(work, device=self.model.device)


def measure_speed(
    model: VisionLanguageModel,
    open_image: OpenImage,
    *,
    folder: Path,
    task: SpeedTask,
    stage: Stage,
) -> dict[str, Any]:
    """Measure everything; see the module for the record.

    Args:
        open_image: gives a picture for any number below the largest number of images.
        folder: where the passes are written, on the disk that is used otherwise.
        stage: opens a step with its title.
    """
    with stage("one batch"):
        batch_size = _fitting_batch_size(model, open_image)
    passes = Passes(model, open_image, folder, batch_size=batch_size)
    record = _about(model, task, batch_size)
    with stage("passes, and the paper's procedure") as progress:
        record |= _measure_passes(passes, task, progress)
    with stage("steps of the pass"):
        record |= measure_parts(model, open_image, passes.prompt, n_images=batch_size)
        record["vision"] = measure_vision(model, passes.inputs(range(batch_size)))
        record["matrix_tflops"] = matrix_tflops(model)
    record["model_tflops"] = record["tflop_per_image"] * record["images_per_s"]
    record["share_of_limit"] = record["model_tflops"] / record["matrix_tflops"]
    with stage("memory"):
        record["memory"] = _measure_memory(passes, task) if task.many_images else None
    device = str(model.device)
    with stage("clustering, and the paper's") as progress:
        record |= measure_head(task.head, device=device, progress=progress)
    if model.device.type == "cuda":
        with stage("clustering of 100,000 rows"):
            rows, fit = made_up_rows(MANY_ROWS), ESMCClustering(10, device=device).fit
            record["head_100000_s"] = min(passes.timed(lambda: fit(rows)) for _ in range(2))
    return record


def take_turns(
    works: Mapping[str, Callable[[], float]],
    rounds: int,
    progress: Callable[[int, int | None], None],
) -> dict[str, list[float]]:
    """Seconds of each, once a turn; whatever slows the computer down meets all of them.

    What takes less than SHORT_S comes GOES times in a turn.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds):
        for go in range(GOES):
            for name, work in works.items():
                if go == 0 or seconds[name][-1] < SHORT_S:
                    seconds[name].append(work())
        progress(turn + 1, rounds)
    return seconds


def _measure_passes(
    passes: Passes, task: SpeedTask, progress: Callable[[int, int | None], None]
) -> dict[str, Any]:
    """The model alone, the pass, the pass with three criteria and the paper's, in turns."""
    model, size = passes.model, passes.batch_size
    n_batches = min(MAX_BATCHES, -(-task.n_images // size))
    batches = [passes.inputs(range(i * size, (i + 1) * size)) for i in range(n_batches)]
    n_tokens: dict[bool, list[int]] = {True: [], False: []}

    def read_as_the_paper_does(to_the_cap: bool) -> None:
        picture, limit = passes.open_image(len(n_tokens[to_the_cap])), task.max_new_tokens
        found = paper.read_image(
            model, picture, passes.prompt, max_new_tokens=limit, to_the_cap=to_the_cap
        )
        n_tokens[to_the_cap].append(found[-1])

    works: dict[str, Callable[[], float]] = {
        "forward": lambda: passes.timed(lambda: [forward(model, inputs) for inputs in batches]),
        "pass": lambda: passes.run(CRITERIA[:1], task.n_images),
        "three_criteria": lambda: passes.run(CRITERIA, task.n_images),
        "paper": lambda: passes.timed(lambda: read_as_the_paper_does(True)),
        "paper_short": lambda: passes.timed(lambda: read_as_the_paper_does(False)),
    }
    is_shared = shares_passes(model, CRITERIA)
    if not is_shared:
        del works["three_criteria"]
    passes.run(CRITERIA if is_shared else CRITERIA[:1], size)  # what is slow only once
    with tempfile.TemporaryDirectory(dir=passes.folder) as folder:
        features = passes.kept_features(Path(folder), task.n_images)
        if features is not None:
            works["later_criterion"] = lambda: passes.run(
                CRITERIA[1:2], task.n_images, features=features
            )
        seconds = take_turns(works, task.rounds, progress)
    best = {name: min(spent) for name, spent in seconds.items()}

    def to_the_pass(name: str) -> float:
        return median(a / b for a, b in zip(seconds[name], seconds["pass"], strict=False))

    images_per_s = task.n_images / best["pass"]
    forward_images_per_s = n_batches * size / best["forward"]
    return {
        "seconds": seconds,
        "images_per_s": images_per_s,
        "forward_images_per_s": forward_images_per_s,
        "pass_vs_forward": to_the_pass("forward") * task.n_images / (n_batches * size),
        "three_criteria_vs_one": to_the_pass("three_criteria") if is_shared else None,
        "later_criterion_vs_first": to_the_pass("later_criterion") if features else None,
        "paper_images_per_s": 1 / best["paper"],
        "paper_n_images": task.rounds,
        "paper_tokens": float(np.mean(n_tokens[True])),
        "pass_vs_paper": images_per_s * best["paper"],
        "paper_short_images_per_s": 1 / best["paper_short"],
        "paper_short_tokens": float(np.mean(n_tokens[False])),
        "pass_vs_paper_short": images_per_s * best["paper_short"],
    }


def _measure_memory(passes: Passes, task: SpeedTask) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, n_images in (("few", task.n_images), ("many", task.many_images)):
        with PeakMemory(passes.model.device) as peak:
            seconds = passes.run(CRITERIA[:1], n_images)
        found[name] = {
            "n_images": n_images,
            "images_per_s": n_images / seconds,
            "device_mb": peak.device_mb,
            "process_mb": peak.process_mb,
        }
    return found


def _about(model: VisionLanguageModel, task: SpeedTask, batch_size: int) -> dict[str, Any]:
    is_cuda = model.device.type == "cuda"
    return {
        "version": VERSION,
        "device": model.device.type,
        "device_name": torch.cuda.get_device_name() if is_cuda else platform.processor(),
        "n_threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "model": model.name,
        "n_parameters": model.n_parameters,
        "dtype": str(model.dtype).removeprefix("torch."),
        "attention": model.network.get_decoder().config._attn_implementation,
        "batch_size": batch_size,
        "n_images": task.n_images,
        "rounds": task.rounds,
        "criteria": list(CRITERIA),
    }


def _fitting_batch_size(model: VisionLanguageModel, open_image: OpenImage) -> int:
    """The size of the pass's batches, after halving."""
    limit, prompt = BatchLimit(default_batch_size(model)), model.prompt(CRITERIA[0])

    def trial() -> Any:
        return forward(model, inputs_of(model, open_image, range(limit.size), prompt))

    while limit.run(np.arange(limit.size), trial) is None:
        pass
    return limit.size
