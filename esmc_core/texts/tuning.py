"""A round of tuning: the embedder is bent by the answers, and held-out answers judge the bend."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from esmc_core.errors import InputError
from esmc_core.texts.adapter import AdapterSettings, apply_adapter, train_adapter, with_adapter
from esmc_core.texts.embedder import Embedder
from esmc_core.texts.fine_tuning import FineTuneSettings, fine_tune
from esmc_core.texts.guided import guided_labels, plain_labels
from esmc_core.texts.preferences import Preferences, folds
from esmc_core.texts.verdict import allowed_chance, chance_of_gain, more_answers_needed

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MIN_ANSWERS = 10
_SMOOTHED = 3


@dataclass(frozen=True)
class TuneSettings:
    """How to tune.

    Attributes:
        method: "adapter", a linear map on the cached embeddings (seconds, on any computer), or
            "full", the model's own upper layers (minutes; a GPU is welcome).
        n_folds: of the answers for the adapter: each fold is held out once.
        n_clusters: by so many clusters an adapter is judged; None for √(n_texts / 2).
        doubt: a round is kept if it gains on what is held out though so many answers are added that
            gained nothing (`allowed_chance`): by two standard errors of 40 answers, by one of very
            many.
    """

    method: Literal["adapter", "full"] = "adapter"
    adapter: AdapterSettings = field(default_factory=AdapterSettings)
    full: FineTuneSettings = field(default_factory=FineTuneSettings)
    n_folds: int = 4
    n_clusters: int | None = None
    doubt: float = 120.0
    seed: int = 0

    @property
    def least_answers(self) -> int:
        """Decided answers below which tuning is refused: too few would be held out."""
        return MIN_ANSWERS if self.method == "adapter" else self.full.n_parts * MIN_ANSWERS


@dataclass(frozen=True)
class TuningReport:
    """What a round did to the held-out answers; nothing here knows labels.

    Attributes:
        n_answers: that were decided.
        n_held_out: of these, on how many `before` and `after` are measured.
        before, after: share of them that is met, 0 to 1, before and after: by the clusters where
            an adapter was trained (½ where both choices or neither are with the query), by the
            embedder where its own weights were (each half of them at the epoch that the other half
            holds for the best).
        error: standard error of after − before, by answer.
        curve: held-out share that the embedder meets after each epoch.
        epochs: that were kept.
        is_kept: whether the gain is believed.
        seconds: that it took.
        chance: probability that answers without any sense gain as much, 0 to 1; None in a record of
            an earlier version.
        more_needed: about so many more answers like these would tell the gain from chance; None
            where there is no gain, or hardly any number would.
    """

    n_answers: int
    n_held_out: int
    before: float
    after: float
    error: float
    curve: tuple[float, ...]
    epochs: int
    is_kept: bool
    seconds: float
    chance: float | None = None
    more_needed: int | None = None


@dataclass(frozen=True)
class Tuned:
    """A tuned embedder, and how it did; to be used only if the report says that it is kept.

    Attributes:
        embeddings: (n_texts, d) float32 of the texts; None where they have still to be made.
        adapter: (d, d) float32 the map behind the embedder before; None where its own weights
            were tuned.
        answers: that taught it, and that guide the clusters.
    """

    embedder: Embedder
    embeddings: np.ndarray | None
    report: TuningReport
    adapter: np.ndarray | None = None
    answers: Preferences | None = None


def tune(
    embedder: Embedder,
    texts: list[str] | tuple[str, ...],
    embeddings: np.ndarray,
    data: Preferences,
    settings: TuneSettings | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Tuned:
    """Tune by the preferences, and measure on held-out ones whether that helps.

    Args:
        embeddings: (n_texts, d) float32, of the embedder.
        progress: called with steps done and steps in all.

    Raises:
        InputError: there are too few answers, or answers to one query only.
        Cancelled: `should_stop` said so.
    """
    settings = settings or TuneSettings()
    least = settings.least_answers
    if len(data) < least or len(np.unique(data.query)) < 2:
        raise InputError(
            f"{len(data)} decided answers are too few to tune by.",
            f"Give {least} or more, about different queries.",
        )
    started = time.monotonic()
    if settings.method == "adapter":
        matrix: np.ndarray | None
        matrix, figures = _tune_adapter(embeddings, data, settings, progress, should_stop)
        model = with_adapter(embedder.model, matrix)
        mapped: np.ndarray | None = apply_adapter(embeddings, matrix)
    else:
        model, figures = _tune_model(
            embedder, texts, embeddings, data, settings, progress, should_stop
        )
        mapped = matrix = None
    report = figures.report(len(data), settings.doubt, time.monotonic() - started)
    tuned = Embedder(model, name=embedder.name, prompt=embedder.prompt)
    return Tuned(tuned, mapped, report, matrix, data)


@dataclass(frozen=True, eq=False)
class _Figures:
    """Held-out answers before and after, (n,) 0 to 1 each, their queries, how it went by epoch."""

    before: np.ndarray
    after: np.ndarray
    query: np.ndarray
    curve: tuple[float, ...]
    epochs: int

    def report(self, n_answers: int, doubt: float, seconds: float) -> TuningReport:
        gain = self.after - self.before
        error = float(gain.std(ddof=1) / len(gain) ** 0.5) if len(gain) > 1 else 0.0
        chance = chance_of_gain(gain, self.query) if self.epochs > 0 else 1.0
        more = more_answers_needed(chance, len(gain), doubt)
        return TuningReport(
            n_answers=n_answers,
            n_held_out=len(gain),
            before=float(self.before.mean()),
            after=float(self.after.mean()),
            error=error,
            curve=self.curve,
            epochs=self.epochs,
            is_kept=chance <= allowed_chance(len(gain), doubt),
            seconds=seconds,
            chance=chance,
            more_needed=None if more is None else round(more * n_answers / len(gain)),
        )


def _tune_model(
    embedder: Embedder,
    texts: list[str] | tuple[str, ...],
    embeddings: np.ndarray,
    data: Preferences,
    settings: TuneSettings,
    progress: Callable[[int, int], None] | None,
    should_stop: Callable[[], bool] | None,
) -> tuple[SentenceTransformer, _Figures]:
    """One part of the answers, held out, tells which epoch is best, and whether it helps.

    What chose the epoch cannot judge it: the best of ten looks good by chance alone. So each half
    of what is held out is measured at the epoch that the other half holds for the best.
    """
    is_held_out = folds(data, settings.full.n_parts, seed=settings.seed) == 0
    held_out = data.take(is_held_out)
    model, right = fine_tune(
        embedder,
        texts,
        data.take(~is_held_out),
        held_out,
        settings.full,
        progress=progress,
        should_stop=should_stop,
    )
    before = held_out.right(embeddings)
    if not len(right):
        return model, _Figures(before, before, held_out.query, (), 0)
    after = np.zeros(len(held_out))
    halves = folds(held_out, 2, seed=settings.seed)
    for half in range(2):
        others = right[:, halves != half]
        epoch = int(np.argmax(others.mean(axis=1))) if others.size else 0
        after[halves == half] = right[epoch, halves == half]
    curve = right.mean(axis=1)
    epochs = int(np.argmax(curve)) + 1
    return model, _Figures(before, after, held_out.query, tuple(curve.tolist()), epochs)


def _tune_adapter(
    embeddings: np.ndarray,
    data: Preferences,
    settings: TuneSettings,
    progress: Callable[[int, int], None] | None,
    should_stop: Callable[[], bool] | None,
) -> tuple[np.ndarray, _Figures]:
    """Each fold held out once tells how many epochs are best; then all answers train so many.

    The verdict is by the clusters: those that the maps and answers of the other folds make,
    against plain K-means on the embeddings as they were.
    """
    epochs = settings.adapter.epochs
    parts = folds(data, settings.n_folds, seed=settings.seed)
    present = np.unique(parts)
    total = epochs * (len(present) + 1)
    right = np.zeros((epochs, len(data)))
    matrices: list[list[np.ndarray]] = []
    for number, part in enumerate(present):
        held_out = np.flatnonzero(parts == part)
        matrices.append([])

        def note(
            epoch: int,
            matrix: np.ndarray,
            rows: np.ndarray = held_out,
            first: int = number * epochs,
        ) -> None:
            some = data.take(rows)
            right[epoch - 1, rows] = some.right(_mapped(embeddings, some, matrix))
            matrices[-1].append(matrix)
            if progress is not None:
                progress(first + epoch, total)

        rest = data.take(np.flatnonzero(parts != part))
        train_adapter(embeddings, rest, settings.adapter, on_epoch=note, should_stop=should_stop)
    curve = right.mean(axis=1)
    best = best_epoch(curve)
    matrix = train_adapter(
        embeddings,
        data,
        AdapterSettings(**{**vars(settings.adapter), "epochs": best}),
        should_stop=should_stop,
    )
    if progress is not None:
        progress(total, total)
    chosen = {
        int(part): each[best_epoch(right[:, parts != part].mean(axis=1)) - 1]
        for part, each in zip(present, matrices, strict=True)
    }  # what is held out has no say in how long the others train
    before, after = _judged(embeddings, data, parts, chosen, settings, should_stop)
    return matrix, _Figures(before, after, data.query, tuple(curve.tolist()), best)


def _judged(
    embeddings: np.ndarray,
    data: Preferences,
    parts: np.ndarray,
    matrices: dict[int, np.ndarray],
    settings: TuneSettings,
    should_stop: Callable[[], bool] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) twice: how clusters meet each answer before, and after without having seen it."""
    n_clusters = settings.n_clusters or max(2, round((len(embeddings) / 2) ** 0.5))
    plain = [
        plain_labels(embeddings, n_clusters, seed=settings.seed + number)
        for number in range(len(matrices))
    ]
    before = np.mean([data.right_in(labels) for labels in plain], axis=0)
    after = np.zeros(len(data))
    for part, matrix in matrices.items():
        is_held_out = parts == part
        labels = guided_labels(
            apply_adapter(embeddings, matrix),
            n_clusters,
            data.take(~is_held_out),
            seed=settings.seed + part,
            should_stop=should_stop,
        )
        after[is_held_out] = data.take(is_held_out).right_in(labels)
    return before, after


def best_epoch(curve: np.ndarray) -> int:
    """The epoch, from 1, around which the held-out share is highest, of equal ones the first."""
    window = min(_SMOOTHED, len(curve))
    padded = np.pad(curve, window // 2, mode="edge")
    smooth = np.convolve(padded, np.ones(window) / window, mode="valid")
    return int(np.argmax(np.round(smooth, 9))) + 1


def _mapped(embeddings: np.ndarray, data: Preferences, matrix: np.ndarray) -> np.ndarray:
    """The embeddings mapped where the data needs them; the others stay as they are."""
    used = np.unique(np.concatenate([data.query, data.preferred, data.rejected]))
    found = np.array(embeddings)
    found[used] = apply_adapter(embeddings[used], matrix)
    return found
