"""What a pass is made of, by itself: its steps, the device's limit, memory, the paper's reading."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import psutil
import torch

from esmc_core.lens import read_lens
from esmc_core.look import OpenImage
from esmc_core.models.model import Prompt, VisionLanguageModel


def timed(work: Callable[[], Any], *, device: torch.device) -> float:
    """Seconds until the device has done the work."""
    start_s = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start_s


def inputs_of(
    model: VisionLanguageModel, open_image: OpenImage, images: Sequence[int], prompt: Prompt
) -> Any:
    """What the model takes for the images, on its device."""
    pictures = [open_image(int(image)) for image in images]
    inputs = model.preprocess(pictures, [prompt] * len(pictures))
    return inputs.to(model.device, dtype=model.dtype)


@torch.inference_mode()
def forward(model: VisionLanguageModel, inputs: Any) -> Any:
    """The model by itself, with nothing recorded."""
    return model.network(**inputs, use_cache=False, logits_to_keep=1)


def measure_parts(
    model: VisionLanguageModel, open_image: OpenImage, prompt: Prompt, *, n_images: int
) -> dict[str, Any]:
    """Milliseconds an image of each step by itself, and the model's floating-point operations.

    Returns:
        `ms_per_image` of "decode", "preprocess", "model", "lens"; `tflop_per_image`.
    """
    from torch.utils.flop_counter import FlopCounterMode

    pictures: list[Any] = []
    prepared: list[Any] = []
    states: list[torch.Tensor] = []
    steps: dict[str, Callable[[], Any]] = {
        "decode": lambda: pictures.extend(map(open_image, range(n_images))),
        "preprocess": lambda: prepared.append(model.preprocess(pictures, [prompt] * n_images)),
        "model": lambda: states.append(
            model.hidden_states(prepared[0], n_positions=prompt.n_positions)
        ),
        "lens": lambda: read_lens(model, states[0]),
    }
    seconds = {name: timed(step, device=model.device) for name, step in steps.items()}
    with FlopCounterMode(display=False) as counter:
        forward(model, prepared[0].to(model.device, dtype=model.dtype))
    return {
        "ms_per_image": {name: 1000 * spent_s / n_images for name, spent_s in seconds.items()},
        "tflop_per_image": counter.get_total_flops() / n_images / 1e12,
    }


def matrix_tflops(model: VisionLanguageModel, *, repeats: int = 10) -> float:
    """Of the best product of two large square matrices in the model's number format."""
    n = 8192 if model.device.type == "cuda" else 1024
    left, right = (torch.rand(n, n, device=model.device, dtype=model.dtype) for _ in range(2))
    best_s = min(timed(lambda: left @ right, device=model.device) for _ in range(repeats))
    return 2 * n**3 / best_s / 1e12


class PeakMemory:
    """The most memory that a piece of work held, in MB.

    Attributes:
        process_mb: of the process, without files that are mapped into it.
        device_mb: of tensors on the GPU; None on a CPU.
    """

    def __init__(self, device: torch.device, *, every_s: float = 0.05) -> None:
        self.process_mb = 0.0
        self.device_mb: float | None = None
        self._is_cuda, self._every_s = device.type == "cuda", every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        if self._is_cuda:
            torch.cuda.reset_peak_memory_stats()
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        if self._is_cuda:
            self.device_mb = torch.cuda.max_memory_allocated() / 1e6

    def _watch(self) -> None:
        process = psutil.Process()
        while True:
            memory = process.memory_info()
            held = memory.rss - getattr(memory, "shared", 0)
            self.process_mb = max(self.process_mb, held / 1e6)
            if self._ended.wait(self._every_s):
                return
