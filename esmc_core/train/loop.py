"""The training loop: resumable, averaged weights, one or several processes."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from esmc_core.train import validation
from esmc_core.train.architecture import (
    AnswerHead,
    Shape,
    build_model,
    image_features,
    packed_forward,
)
from esmc_core.train.batches import ATTRIBUTE_INDEX, BatchMaker, HeadTargets, Reads
from esmc_core.train.data import Dataset
from esmc_core.train.optimizer import Optimizer, number_format
from esmc_core.train.tokenizer import IMAGE, PAD, answer_id, special_id
from esmc_core.train.vocabulary import answer_words

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
JOIN_SHARE = 0.02  # of the run, in which the decoder warms up


@dataclass(frozen=True)
class Settings:
    """What a run is made of; saved with its checkpoints.

    Args:
        minutes: length of the run in wall-clock minutes over all its parts, 0 for none.
        steps: length of the run in steps, 0 for none; the shorter of the two counts.
        batch: pictures a step, over all processes.
        tower_share: share of the run in which the tower learns alone, by the throw-away head: it
            needs many more pictures than the decoder does.
        hold: share of the run after which the learning rate falls to zero.
    """

    minutes: float = 60.0
    steps: int = 0
    batch: int = 128
    learning_rate: float = 6e-3
    warm_up: int = 200
    tower_share: float = 0.45
    hold: float = 0.4
    weight_decay: float = 0.05
    ema: float = 0.998
    head_weight: float = 1.5
    n_questions: int = 3
    seed: int = 0
    device: str = "cpu"
    processes: int = 1
    save_every_s: float = 240.0
    log_every: int = 50
    shape: Shape = field(default_factory=Shape)


class Run:
    """A model in training, with everything that a checkpoint holds."""

    def __init__(self, settings: Settings, data: Dataset, tokenizer: Tokenizer) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.data, self.tokenizer = settings, data, tokenizer
        self.device = torch.device(settings.device)
        self.model = empty_model(settings.shape, tokenizer).to(self.device)
        # The plain form is twice as fast as the fused one on a CPU's short sequences.
        self.model.model.language_model.set_attn_implementation("eager")
        words = answer_words(data.records)
        self.answer_index = torch.zeros(settings.shape.n_vocab, dtype=torch.long)
        self.answer_index[[answer_id(tokenizer, w) for w in words]] = torch.arange(len(words))
        self.head = AnswerHead(settings.shape.d_model, len(ATTRIBUTE_INDEX), len(words))
        self.head.to(self.device)
        self.average = {k: v.clone() for k, v in floats(self.model).items()}
        self.optimizer = Optimizer(self.model, self.head, weight_decay=settings.weight_decay)
        self.batches = BatchMaker(
            data, tokenizer, seed=settings.seed, n_questions=settings.n_questions
        )
        self.step, self.elapsed_s = 0, 0.0

    def progress(self) -> float:
        """Share of the run that is done, in [0, 1]."""
        s = self.settings
        by_time = self.elapsed_s / (60 * s.minutes) if s.minutes else 0.0
        by_steps = self.step / s.steps if s.steps else 0.0
        return min(1.0, max(by_time, by_steps))

    def learning_rate(self) -> float:
        """Warm-up by steps, constant, then a cosine to zero at the end of the run.

        Where the decoder joins the tower, its fresh weights get a warm-up of their own.
        """
        s = self.settings
        done = self.progress()
        late = max(0.0, (done - s.hold) / (1 - s.hold))
        fall = 0.5 * (1 + math.cos(math.pi * late))
        joined = (done - s.tower_share) / JOIN_SHARE
        rise = max(0.1, joined) if 0 <= joined < 1 else 1.0
        return s.learning_rate * min(1.0, (self.step + 1) / s.warm_up) * fall * rise

    def train_step(self, *, rank: int = 0) -> float:
        """One step of optimisation; returns the loss of this process."""
        s = self.settings
        n_images = s.batch // s.processes
        pixels, packed, reads, known = self.batches.make(self.step, rank=rank, n_images=n_images)
        torch.manual_seed(s.seed * 1_000_003 + self.step * 64 + rank)  # for drop path
        self.model.train()
        alone = self.progress() < s.tower_share
        number = number_format(self.device)
        with torch.autocast(self.device.type, number, enabled=number != torch.float32):
            if alone:
                features = image_features(self.model, pixels.to(self.device))
            else:
                logits, features = packed_forward(
                    self.model, pixels.to(self.device), packed.to(self.device)
                )
            of_attribute = self.head(features)
        loss = s.head_weight * self._head_loss(of_attribute.float(), known)
        if not alone:
            loss = loss + self._main_loss(logits.float(), reads)
        trained = [*self.model.parameters(), *self.head.parameters()]
        for parameter in trained:
            parameter.grad = None
        loss.backward()
        if s.processes > 1:
            sum_gradients(trained, s.processes)
        nn.utils.clip_grad_norm_(trained, 5.0)
        self.optimizer.step(self.learning_rate())
        self.step += 1
        self._update_average()
        return float(loss.detach())

    def _main_loss(self, logits: Tensor, reads: Reads) -> Tensor:
        ids, weights = reads.ids.to(self.device), reads.weights.to(self.device)
        importance = reads.importance.to(self.device)
        return (soft_cross_entropy(logits, ids, weights) * importance).sum() / importance.sum()

    def _head_loss(self, of_attribute: Tensor, known: HeadTargets) -> Tensor:
        words = of_attribute[known.row.to(self.device), known.attribute.to(self.device)]
        ids = self.answer_index[known.ids].to(self.device)
        weights = known.weights.to(self.device)
        importance = known.importance.to(self.device)
        losses = soft_cross_entropy(words, ids, weights)
        return (losses * importance).sum() / importance.sum().clamp(min=1)

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.settings.ema, (1 + self.step) / (10 + self.step))
        current = list(floats(self.model).values())
        torch._foreach_lerp_(list(self.average.values()), current, 1 - decay)

    def averaged_model(self) -> Any:
        """A copy of the model with the averaged weights, in evaluation mode."""
        return fill_model(self.settings.shape, self.tokenizer, self.average).to(self.device)

    def save(self, folder: Path) -> None:
        """Write the checkpoint; the old one stays until the new one is whole."""
        state = {
            "settings": asdict(self.settings),
            "model": self.model.state_dict(),
            "head": self.head.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
        }
        torch.save(state, folder / (CHECKPOINT + ".new"))
        os.replace(folder / (CHECKPOINT + ".new"), folder / CHECKPOINT)

    def begin_from(self, folder: Path) -> None:
        """Take over the weights of an exported model of the same shape and vocabulary."""
        take_over(self.model, exported_values(folder))
        self.average = {k: v.clone() for k, v in floats(self.model).items()}

    def load(self, folder: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(folder / CHECKPOINT, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.head.load_state_dict(state["head"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.elapsed_s = state["step"], state["elapsed_s"]


def exported_values(folder: Path) -> dict[str, Tensor]:
    """The values of `floats` in a folder that `export_model` wrote."""
    from transformers import LlavaForConditionalGeneration

    model = LlavaForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True
    )
    return floats(model)


def empty_model(shape: Shape, tokenizer: Tokenizer) -> Any:
    """A model with fresh weights that knows the tokenizer's special tokens."""
    return build_model(
        shape,
        image_token_id=special_id(tokenizer, IMAGE),
        pad_token_id=special_id(tokenizer, PAD),
    )


def floats(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and running statistics by name, tied ones once, sharing the model's memory."""
    named = [*model.named_parameters(), *model.named_buffers()]
    return {name: value.detach() for name, value in named if value.is_floating_point()}


def fill_model(shape: Shape, tokenizer: Tokenizer, values: dict[str, Tensor]) -> Any:
    """A model in evaluation mode with the given values of `floats`."""
    model = empty_model(shape, tokenizer)
    take_over(model, values)
    return model.eval()


@torch.no_grad()
def take_over(model: nn.Module, values: Mapping[str, Tensor]) -> None:
    """Set a model to the given values of `floats`."""
    for name, target in floats(model).items():
        target.copy_(values[name])


def soft_cross_entropy(logits: Tensor, ids: Tensor, weights: Tensor) -> Tensor:
    """(n,) cross-entropy of (n, n_vocab) logits against a few weighted words, (n, n_words)."""
    return -(logits.log_softmax(-1).gather(1, ids) * weights).sum(1)


def sum_gradients(parameters: list[nn.Parameter], n_processes: int) -> None:
    """Average the gradients of all processes, in one message."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    torch.distributed.all_reduce(flat)
    flat /= n_processes
    start = 0
    for gradient in gradients:
        gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
        start += gradient.numel()


class StopSignal:
    """While entered, Ctrl-C or a termination asks for an end, with a checkpoint, after the step."""

    def __init__(self) -> None:
        self.given = False

    def __enter__(self) -> StopSignal:
        numbers = (signal.SIGINT, signal.SIGTERM)
        self._before = {number: signal.signal(number, self._take) for number in numbers}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        self.given = True


def log_line(folder: Path, **values: Any) -> None:
    """Append one JSON line to the run's log."""
    with (folder / LOG).open("a") as handle:
        handle.write(json.dumps(values) + "\n")


def agree(run: Run, done: bool) -> bool:
    """Whether to end; the first process's clock decides for all, and sets their learning rate."""
    if run.settings.processes == 1:
        return done
    told = torch.tensor([float(done), run.elapsed_s], dtype=torch.float64)
    torch.distributed.broadcast(told, 0)
    run.elapsed_s = float(told[1])
    return bool(told[0])


def train(run: Run, folder: Path, *, rank: int = 0) -> None:
    """Train until the run's time or steps are up; save and validate on the way.

    Args:
        run: as new, or loaded from a checkpoint.
        folder: where log and checkpoint go; the first process writes.
    """
    s = run.settings
    progress = Progress(folder, batch=s.batch, every=s.log_every)
    last_save = time.monotonic()
    with StopSignal() as stop:
        while not agree(run, stop.given or run.progress() >= 1):
            started = time.monotonic()
            loss = run.train_step(rank=rank)
            run.elapsed_s += time.monotonic() - started
            if rank == 0:
                progress.add(run, loss)
            if rank == 0 and time.monotonic() - last_save > s.save_every_s:
                finish_part(run, folder)
                last_save = time.monotonic()
    if rank == 0:
        finish_part(run, folder)


class Progress:
    """Writes the mean loss and the speed of every so many steps to the log."""

    def __init__(self, folder: Path, *, batch: int, every: int) -> None:
        self.folder, self.batch, self.every = folder, batch, every
        self.losses: list[float] = []
        self.since_s: float | None = None

    def add(self, run: Run, loss: float) -> None:
        """Take one step's loss."""
        self.since_s = run.elapsed_s if self.since_s is None else self.since_s
        self.losses.append(loss)
        if run.step % self.every:
            return
        spent_s = max(run.elapsed_s - self.since_s, 1e-6)
        log_line(
            self.folder,
            step=run.step,
            minutes=round(run.elapsed_s / 60, 2),
            loss=round(sum(self.losses) / len(self.losses), 4),
            rate=round(run.learning_rate(), 6),
            pictures_per_s=round(self.batch * (len(self.losses) - 1) / spent_s, 1),
        )
        self.losses, self.since_s = [], None


def finish_part(run: Run, folder: Path) -> None:
    """Save a checkpoint and log the averaged weights' validation accuracies."""
    run.save(folder)
    if run.progress() < run.settings.tower_share:
        return
    scores = validation.measure(run.averaged_model(), run.data, run.tokenizer)
    log_line(folder, step=run.step, minutes=round(run.elapsed_s / 60, 2), validation=scores)
