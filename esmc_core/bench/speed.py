"""`bench speed`: how fast the pass and the clustering are, and the paper's procedure beside them.

The record, which `--json` writes, holds plain JSON. Ratios come from one run; those of whole passes
from the best of some rounds, in which all of them take turns.

- `device`, `device_name`, `model`, `n_parameters`, `dtype`, `attention`, `n_threads`, `batch_size`,
  `n_images`, `rounds`, `criteria`
- `images_per_s`: of the pass with one criterion: decoding, model, lens and store;
  `pass_vs_forward`: that over `forward_images_per_s`, the model alone on the same batches, which
  lie ready in its memory; `ms_per_image`: what the parts of the pass take by themselves.
- `pass_vs_paper`: over `paper_images_per_s`, the paper's procedure (`bench.paper`) on
  `paper_n_images`, which follows its beams for `paper_tokens` tokens on average.
- `three_criteria_vs_one`: seconds of a pass with three criteria over those with one; null where
  the model's family reads them one by one.
- `vision`: what keeping visual features for a later criterion would cost and save:
  `kb_per_image` in float32, `share_of_forward`.
- `matrix_tflops`: of a large matrix product in the model's number format; `model_tflops`: of the
  pass; `share_of_limit`: the one over the other.
- `memory`: null, or for passes over `few` and `many` images the peak in MB of the device, and on
  the CPU of the process without mapped files (`device_mb`, `process_mb`).
- `head_vs_paper` and more, see `bench.head_speed`; `head_100000_s`: K-means and head on 100,000
  rows, on a GPU only.
"""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from esmc_core.bench import paper
from esmc_core.bench.head_speed import HeadTask, made_up_rows, measure_head
from esmc_core.bench.vision_cost import measure_vision
from esmc_core.cluster.estimator import ESMCClustering
from esmc_core.extract import default_batch_size, pass_spec, run_passes, shares_passes
from esmc_core.lens import read_lens
from esmc_core.lens_store import LensStore
from esmc_core.look import OpenImage
from esmc_core.memory import BatchLimit
from esmc_core.models.model import VisionLanguageModel

VERSION = 1
CRITERIA = ("the color of the object is", "the type of the product is", "the background color is")
MAX_BATCHES = 8
PAPER_BUDGET_S = 60.0
MANY_ROWS = 100_000

Stage = Callable[[str], AbstractContextManager[Any]]


@dataclass(frozen=True)
class SpeedTask:
    """How much is measured.

    Attributes:
        n_images: of a timed pass.
        rounds: how often each pass is timed.
        many_images: of the pass whose memory is compared with that of `n_images`; 0 for none.
        n_paper_images: of the paper's procedure, fewer where they take more than a minute.
        max_new_tokens: of the paper's procedure.
        head: what is clustered.
    """

    n_images: int = 192
    rounds: int = 3
    many_images: int = 0
    n_paper_images: int = 4
    max_new_tokens: int = paper.MAX_NEW_TOKENS
    head: HeadTask = field(default_factory=HeadTask)


def speed_task(
    *,
    on_gpu: bool,
    is_quick: bool = False,
    n_images: int | None = None,
    many_images: int | None = None,
    rounds: int = 3,
) -> SpeedTask:
    """What is measured by default: on a GPU more, and the memory of a long pass too.

    A quick one gives every figure, but figures that say little.
    """
    if is_quick:
        head = HeadTask(n_rows=120, n_vocab=400, n_clusters=3, epochs=20, n_entries=20)
        return SpeedTask(n_images or 8, 1, many_images or 0, 1, 4, head)
    many = many_images or (20_000 if on_gpu else 0)
    return SpeedTask(n_images or (1_000 if on_gpu else 192), rounds, many)


class Passes:
    """Passes of a model over numbered pictures, into stores that are thrown away."""

    def __init__(
        self, model: VisionLanguageModel, open_image: OpenImage, folder: Path, *, batch_size: int
    ) -> None:
        self.model, self.open_image, self.folder = model, open_image, folder
        self.batch_size = batch_size

    def run(self, criteria: Sequence[str], n_images: int) -> float:
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
            return self.timed(lambda: run_passes(self.model, stores, self.open_image))

    def timed(self, work: Callable[[], Any]) -> float:
        """Seconds until the device has done the work."""
        start_s = time.perf_counter()
        work()
        if self.model.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start_s


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
    with stage("passes"):
        record |= _measure_passes(passes, task)
    with stage("parts of the pass"):
        record |= _measure_parts(passes)
        record["vision"] = measure_vision(model, _inputs(model, open_image, range(batch_size)))
    with stage("the paper's procedure"):
        record |= _measure_paper(passes, task)
    record["pass_vs_paper"] = record["images_per_s"] / record["paper_images_per_s"]
    with stage("matrix products"):
        record["matrix_tflops"] = _matrix_tflops(model)
    record["model_tflops"] = record["tflop_per_image"] * record["images_per_s"]
    record["share_of_limit"] = record["model_tflops"] / record["matrix_tflops"]
    with stage("memory"):
        record["memory"] = _measure_memory(passes, task) if task.many_images else None
    device = str(model.device)
    with stage("clustering, and the paper's"):
        record |= measure_head(task.head, device=device)
    if model.device.type == "cuda":
        with stage("clustering of 100,000 rows"):
            rows = made_up_rows(HeadTask(n_rows=MANY_ROWS, n_vocab=2_000))
            fit = ESMCClustering(task.head.n_clusters, device=device).fit
            record["head_100000_s"] = passes.timed(lambda: fit(rows))
    return record


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


def _measure_passes(passes: Passes, task: SpeedTask) -> dict[str, Any]:
    """The model alone, the pass, and the pass with three criteria, in turns."""
    model, n_images = passes.model, task.n_images
    is_shared = shares_passes(model, CRITERIA)
    n_forward = min(MAX_BATCHES, -(-n_images // passes.batch_size))
    batches = [
        _inputs(model, passes.open_image, range(start, start + passes.batch_size))
        for start in range(0, n_forward * passes.batch_size, passes.batch_size)
    ]
    passes.run(CRITERIA[:1], passes.batch_size)
    one, three, forward = [], [], []
    for _ in range(task.rounds):
        forward.append(passes.timed(lambda: [_forward(model, inputs) for inputs in batches]))
        one.append(passes.run(CRITERIA[:1], n_images))
        if is_shared:
            three.append(passes.run(CRITERIA, n_images))
    images_per_s = n_images / min(one)
    forward_images_per_s = n_forward * passes.batch_size / min(forward)
    return {
        "images_per_s": images_per_s,
        "forward_images_per_s": forward_images_per_s,
        "pass_vs_forward": images_per_s / forward_images_per_s,
        "three_criteria_vs_one": min(three) / min(one) if is_shared else None,
    }


def _measure_parts(passes: Passes) -> dict[str, Any]:
    """Milliseconds an image of each part by itself, and the model's floating-point operations."""
    from torch.utils.flop_counter import FlopCounterMode

    model, n = passes.model, passes.batch_size
    prompt = model.prompt(CRITERIA[0])
    pictures: list[Any] = []
    parts = {"decode": passes.timed(lambda: pictures.extend(map(passes.open_image, range(n))))}
    prepared: list[Any] = []
    parts["preprocess"] = passes.timed(
        lambda: prepared.append(model.preprocess(pictures, [prompt] * n))
    )
    states: list[torch.Tensor] = []
    n_positions = prompt.n_positions
    parts["model"] = passes.timed(
        lambda: states.append(model.hidden_states(prepared[0], n_positions=n_positions))
    )
    parts["lens"] = passes.timed(lambda: read_lens(model, states[0]))
    with FlopCounterMode(display=False) as counter:
        _forward(model, _inputs(model, passes.open_image, range(n)))
    return {
        "ms_per_image": {name: 1000 * seconds / n for name, seconds in parts.items()},
        "tflop_per_image": counter.get_total_flops() / n / 1e12,
    }


def _measure_paper(passes: Passes, task: SpeedTask) -> dict[str, Any]:
    model = passes.model
    prompt = model.prompt(CRITERIA[0])
    n_tokens: list[int] = []

    def read(number: int) -> None:
        picture = passes.open_image(number)
        found = paper.read_image(model, picture, prompt, max_new_tokens=task.max_new_tokens)
        n_tokens.append(found[-1])

    seconds: list[float] = []
    while len(seconds) < task.n_paper_images and sum(seconds) < PAPER_BUDGET_S:
        number = len(seconds)
        seconds.append(passes.timed(lambda number=number: read(number)))  # type: ignore[misc]
    return {
        "paper_images_per_s": len(seconds) / sum(seconds),
        "paper_n_images": len(seconds),
        "paper_tokens": float(np.mean(n_tokens)),
    }


def _measure_memory(passes: Passes, task: SpeedTask) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, n_images in (("few", task.n_images), ("many", task.many_images)):
        if passes.model.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        seconds = passes.run(CRITERIA[:1], n_images)
        memory = psutil.Process().memory_info()
        on_device = passes.model.device.type == "cuda"
        found[name] = {
            "n_images": n_images,
            "images_per_s": n_images / seconds,
            "device_mb": torch.cuda.max_memory_allocated() / 1e6 if on_device else None,
            "process_mb": (memory.rss - getattr(memory, "shared", 0)) / 1e6,
        }
    return found


def _fitting_batch_size(model: VisionLanguageModel, open_image: OpenImage) -> int:
    """The size of the pass's batches, after halving."""
    limit = BatchLimit(default_batch_size(model))

    def trial() -> Any:
        return _forward(model, _inputs(model, open_image, range(limit.size)))

    while limit.run(np.arange(limit.size), trial) is None:
        pass
    return limit.size


def _inputs(model: VisionLanguageModel, open_image: OpenImage, images: Sequence[int]) -> Any:
    """What the model takes for some images with the first criterion, on its device."""
    prompt = model.prompt(CRITERIA[0])
    pictures = [open_image(int(image)) for image in images]
    inputs = model.preprocess(pictures, [prompt] * len(pictures))
    return inputs.to(model.device, dtype=model.dtype)


@torch.inference_mode()
def _forward(model: VisionLanguageModel, inputs: Any) -> Any:
    return model.network(**inputs, use_cache=False, logits_to_keep=1)


def _matrix_tflops(model: VisionLanguageModel, *, repeats: int = 10) -> float:
    """Of the best product of two large square matrices."""
    n = 8192 if model.device.type == "cuda" else 1024
    left, right = (torch.rand(n, n, device=model.device, dtype=model.dtype) for _ in range(2))
    best_s = float("inf")
    for _ in range(repeats):
        start_s = time.perf_counter()
        product = left @ right
        float(product[0, 0])
        best_s = min(best_s, time.perf_counter() - start_s)
    return 2 * n**3 / best_s / 1e12
