"""Contrastive fine-tuning of the model itself, as in the paper, with sentence-transformers."""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from esmc_core.errors import Cancelled, ModelError
from esmc_core.texts.embedder import Embedder
from esmc_core.texts.preferences import Preferences

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer


@dataclass(frozen=True)
class FineTuneSettings:
    """How the model is trained; the paper: all layers, 15 epochs, batch 4, rate 2e-6, τ 0.01.

    Attributes:
        epochs: at most.
        learning_rate: of AdamW, after a warm-up of a tenth, then falling to 0.
        temperature: τ of the softmax over cosine similarities.
        n_layers: how many of the upper transformer layers are trained; None for all of the model.
        patience: epochs without a better held-out share after which it stops.
        max_seconds: after which it stops, with what it has.
        n_parts: one part in so many of the answers is held out.
    """

    epochs: int = 10
    learning_rate: float = 5e-5
    batch_size: int = 32
    temperature: float = 0.05
    n_layers: int | None = 3
    patience: int = 3
    max_seconds: float = 270.0
    n_parts: int = 5
    seed: int = 0


PAPER = FineTuneSettings(15, 2e-6, 4, 0.01, n_layers=None, patience=15, max_seconds=float("inf"))


def fine_tune(
    embedder: Embedder,
    texts: Sequence[str],
    training: Preferences,
    held_out: Preferences,
    settings: FineTuneSettings,
    *,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> tuple[SentenceTransformer, np.ndarray]:
    """Train a copy of the model with sentence-transformers' MultipleNegativesRankingLoss.

    The loss is a softmax over cosine similarity / τ between the query and the preferred text,
    with the rejected one and the batch's as negatives, in both directions. After each epoch the
    held-out answers are measured; the weights of the best epoch are kept.

    Args:
        progress: called with steps done and steps in all.

    Returns:
        The model of the epoch in which most of the held-out answers are met; (n_epochs, n_held_out)
        0 to 1, whether the model was right in each after each epoch.

    Raises:
        Cancelled: `should_stop` said so.
        ModelError: training failed, such as for lack of memory.
    """
    model = copy.deepcopy(embedder.model)
    train_upper_layers(model, settings.n_layers)
    watch = _make_watch(Embedder(model, name="", prompt=embedder.prompt), texts, held_out, settings)
    watch.progress, watch.should_stop = progress, should_stop
    with tempfile.TemporaryDirectory(prefix="esmc-tuning-") as folder:
        trainer = _trainer_class()(
            model=model,
            args=_arguments(folder, embedder, settings),
            train_dataset=_dataset(texts, training),
            loss=_loss(model, settings),
            callbacks=[watch],
        )
        try:
            trainer.train()
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelError(
                f"The embedder could not be tuned ({reason}).",
                "Choose the adapter, a smaller batch, or fewer layers.",
            ) from error
    if watch.is_cancelled:
        raise Cancelled()
    watch.restore_best()
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    right = np.array(watch.right) if watch.right else np.zeros((0, len(held_out)))
    return model.eval(), right


def train_upper_layers(model: SentenceTransformer, n_layers: int | None) -> None:
    """Freeze all but the upper transformer layers; with None, train everything.

    The layers are the longest list of modules in the model. A model without one (a bag of
    words) is trained as a whole.
    """
    import torch

    stacks = [module for module in model.modules() if isinstance(module, torch.nn.ModuleList)]
    layers = max(stacks, key=len, default=None)
    is_whole = n_layers is None or layers is None
    for parameter in model.parameters():
        parameter.requires_grad_(is_whole)
    if not is_whole and layers is not None:
        for layer in list(layers)[-(n_layers or 1) :]:
            for parameter in layer.parameters():
                parameter.requires_grad_(True)


def _trainer_class() -> type[SentenceTransformerTrainer]:
    """The trainer, without what it says to the terminal and writes about the texts it saw."""
    from sentence_transformers import SentenceTransformerTrainer

    class QuietTrainer(SentenceTransformerTrainer):
        def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
            """None: a model card would quote the user's texts."""

        def add_callback(self, callback: Any) -> None:
            """All but those that print."""
            name = getattr(callback, "__name__", type(callback).__name__)
            if name not in ("PrinterCallback", "ProgressCallback"):
                super().add_callback(callback)

    return QuietTrainer


def _arguments(folder: str, embedder: Embedder, settings: FineTuneSettings) -> Any:
    from sentence_transformers import SentenceTransformerTrainingArguments
    from sentence_transformers.base.sampler import BatchSamplers

    return SentenceTransformerTrainingArguments(
        output_dir=folder,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        warmup_steps=0.1,
        lr_scheduler_type="linear",
        batch_sampler=BatchSamplers.NO_DUPLICATES,
        prompts=embedder.prompt or None,
        seed=settings.seed,
        use_cpu=embedder.model.device.type == "cpu",
        save_strategy="no",
        eval_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )


def _dataset(texts: Sequence[str], data: Preferences) -> Any:
    from datasets import Dataset

    columns = {"query": data.query, "preferred": data.preferred, "rejected": data.rejected}
    return Dataset.from_dict({name: [texts[i] for i in rows] for name, rows in columns.items()})


def _loss(model: SentenceTransformer, settings: FineTuneSettings) -> torch.nn.Module:
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    return MultipleNegativesRankingLoss(
        model,
        scale=1 / settings.temperature,
        directions=("query_to_doc", "doc_to_query"),
        partition_mode="per_direction",
    )


def _make_watch(
    embedder: Embedder, texts: Sequence[str], held_out: Preferences, settings: FineTuneSettings
) -> Any:
    """The callback that measures each epoch, keeps the best weights, and stops in time."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        progress: Callable[[int, int], None] | None = None
        should_stop: Callable[[], bool] | None = None
        is_cancelled = False

        def __init__(self) -> None:
            self.right: list[np.ndarray] = []
            self._best: dict[str, torch.Tensor] = {}
            self._deadline = time.monotonic() + settings.max_seconds
            used = np.concatenate([held_out.query, held_out.preferred, held_out.rejected])
            self._used, places = np.unique(used, return_inverse=True)
            self._data = Preferences(*places.reshape(3, -1))

        def on_step_end(self, args: Any, state: Any, control: Any, **_more: Any) -> Any:
            if self.progress is not None:
                self.progress(state.global_step, state.max_steps)
            if self.should_stop is not None and self.should_stop():
                self.is_cancelled = True
            if self.is_cancelled or time.monotonic() > self._deadline:
                control.should_training_stop = True
            return control

        def on_train_end(self, args: Any, state: Any, control: Any, **_more: Any) -> Any:
            if self.progress is not None:
                self.progress(state.max_steps, state.max_steps)
            return control

        def on_epoch_end(self, args: Any, state: Any, control: Any, **_more: Any) -> Any:
            if self.is_cancelled:
                return control
            was_training = embedder.model.training
            embedder.model.eval()
            right = self._data.right(embedder.embed([texts[i] for i in self._used]))
            embedder.model.train(was_training)
            self.right.append(right)
            curve = [each.mean() for each in self.right]
            behind = len(curve) - 1 - int(np.argmax(curve))
            if behind == 0:
                self._best = _trained(embedder.model)
            if behind >= settings.patience:
                control.should_training_stop = True
            return control

        def restore_best(self) -> None:
            embedder.model.load_state_dict(self._best, strict=False)

    return Watch()


def _trained(model: SentenceTransformer) -> dict[str, torch.Tensor]:
    """Copies of the weights that are being trained."""
    return {
        name: parameter.detach().clone()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
