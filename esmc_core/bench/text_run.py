"""One measured run: a set, a simulated judge, a way to sample, a way to tune."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from esmc_core.bench.text_sets import LabelledTexts
from esmc_core.cluster.clustering import Source
from esmc_core.metrics import compare_with_truth
from esmc_core.records import key_of
from esmc_core.texts.answers import Answer, AnswerStore
from esmc_core.texts.asking import AskSettings, ask_all
from esmc_core.texts.campaign import ask_in_rounds
from esmc_core.texts.chat import Chat
from esmc_core.texts.clustering import cluster_texts, text_settings
from esmc_core.texts.collection import EMPTY, TextCollection, collect, text_labels
from esmc_core.texts.embedder import Embedder
from esmc_core.texts.embeddings import EmbeddingCache
from esmc_core.texts.granularity import granularity_curve, pair_questions, sample_pairs
from esmc_core.texts.hierarchy import build_hierarchy
from esmc_core.texts.preferences import Preferences, joined
from esmc_core.texts.questions import Question, TripletQuestion
from esmc_core.texts.simulated import LabelOracle, SimulatedJudge
from esmc_core.texts.triplets import Sampling, Triplet
from esmc_core.texts.tuning import TuneSettings, tune


@dataclass(frozen=True)
class Variant:
    """What is varied; `accuracy` is the simulated judge's."""

    accuracy: float
    sampling: Sampling
    n_answers: int
    method: Literal["adapter", "full"]


@dataclass(frozen=True, eq=False)
class Subject:
    """A set, embedded, with what is measured on it before tuning.

    Attributes:
        rows: (n_rows,) the text of each row that has one.
        truth: (n_rows,) these rows' labels.
        before: metrics of plain K-means on the untuned embedding.
        unguided: metrics of the clustering that the answers guide, on the untuned embedding and
            without any answer: what of the gain is not the answers'.
    """

    data: LabelledTexts
    collection: TextCollection
    rows: np.ndarray
    truth: list[str]
    embeddings: np.ndarray
    before: dict[str, Any]
    unguided: dict[str, Any]

    @property
    def n_classes(self) -> int:
        return len(set(self.truth))


def prepare(
    data: LabelledTexts,
    embedder: Embedder,
    cache: EmbeddingCache,
    *,
    n_seeds: int,
    known: Mapping[str, Any] | None = None,
) -> Subject:
    """Embed a set, and measure clusters without answers on it.

    Args:
        known: "before" and "unguided" of an earlier run.
    """
    collection = collect(data.task.name, "input", data.texts)
    filled = collection.rows != EMPTY
    truth = [label for label, is_filled in zip(data.labels, filled, strict=True) if is_filled]
    embeddings = cache.embed(embedder, collection.texts)
    subject = Subject(data, collection, collection.rows[filled], truth, embeddings, {}, {})
    if known is None:
        known = {
            "before": measure(subject, embeddings, None, n_seeds=n_seeds),
            "unguided": measure(subject, embeddings, joined([]), n_seeds=n_seeds),
        }
    return dataclasses.replace(subject, before=known["before"], unguided=known["unguided"])


def measure(
    subject: Subject, embeddings: np.ndarray, answers: Preferences | None, *, n_seeds: int
) -> dict[str, Any]:
    """ACC and NMI in percent of the true number of clusters, by seed; `cluster_texts` tells how."""
    accuracy, nmi = [], []
    for seed in range(n_seeds):
        found = cluster_texts(
            subject.collection.texts,
            embeddings,
            text_settings(subject.n_classes, n_texts=len(embeddings), seed=seed),
            Source(),
            answers=answers,
            with_terms=False,
        )
        measured = compare_with_truth(found.labels[subject.rows], subject.truth)
        accuracy.append(round(100 * measured.accuracy, 3))
        nmi.append(round(100 * measured.nmi, 3))
    means = {"acc_mean": float(np.mean(accuracy)), "nmi_mean": float(np.mean(nmi))}
    return {"acc": accuracy, "nmi": nmi, **means}


def run_variant(
    subject: Subject,
    variant: Variant,
    embedder: Embedder,
    cache: EmbeddingCache,
    *,
    n_seeds: int,
    with_count: bool = True,
) -> dict[str, Any]:
    """Ask the simulated judge, tune, cluster again; the labels reach the judge and the metrics.

    Args:
        with_count: also ask for the number of clusters.

    Returns:
        A record for JSON: counts of answers, held-out shares, seconds, metrics "tuned" (whatever
        the held-out answers say) and "after" (untuned where the round was not kept), and the
        number of clusters that the judge's answers to pairs predict.
    """
    texts, perspective = subject.collection.texts, subject.data.task.perspective
    own = dict(zip(texts, text_labels(subject.collection, subject.data.labels), strict=True))
    with (
        SimulatedJudge(LabelOracle(own, accuracy=variant.accuracy)) as judge,
        tempfile.TemporaryDirectory(prefix="esmc-bench-") as folder,
    ):
        store = AnswerStore(Path(folder) / "answers.sqlite3")
        chat = Chat(judge.endpoint())

        def ask(triplets: Sequence[Triplet]) -> list[Answer | None]:
            questions = [
                TripletQuestion(texts[t.query], texts[t.choice1], texts[t.choice2], perspective)
                for t in triplets
            ]
            return _ask(questions, chat, store)

        try:
            started = time.monotonic()
            triplets, data = ask_in_rounds(
                subject.embeddings, ask, variant.n_answers, sampling=variant.sampling
            )
            asking_s = time.monotonic() - started
            tuned = tune(
                embedder,
                texts,
                subject.embeddings,
                data,
                TuneSettings(variant.method, n_clusters=subject.n_classes),
            )
            after = tuned.embeddings
            if after is None:
                after = cache.embed(tuned.embedder, texts)
            in_use = after if tuned.report.is_kept else subject.embeddings
            started = time.monotonic()
            predicted, n_pairs = None, 0
            if with_count:
                predicted, n_pairs = _predict(in_use, texts, perspective, chat, store)
            predicted_s = time.monotonic() - started
        finally:
            chat.close()
            store.close()
    metrics = measure(subject, after, data, n_seeds=n_seeds)
    right = data.right(subject.embeddings)
    return {
        "n_questions": len(triplets),
        "n_decided": len(data),
        "embedder_agreement": round(float(right.mean()), 4) if len(data) else None,
        "report": dataclasses.asdict(tuned.report),
        "tuned": metrics,
        "after": metrics if tuned.report.is_kept else subject.before,
        "predicted_clusters": predicted,
        "n_pairs": n_pairs,
        "asking_s": round(asking_s, 1),
        "prediction_s": round(predicted_s, 1),
    }


def variant_key(task: str, variant: Variant, settings: dict[str, Any]) -> str:
    """Of all that decides a run's figures."""
    return key_of(task=task, variant=variant, settings=settings)


def _ask(questions: list[Any], chat: Chat, store: AnswerStore) -> list[Any]:
    ask_all(questions, chat, "simulated", store, settings=AskSettings(concurrency=16))
    return store.find(questions, "simulated")


def _predict(
    embeddings: np.ndarray,
    texts: tuple[str, ...],
    perspective: str,
    chat: Chat,
    store: AnswerStore,
) -> tuple[int, int]:
    hierarchy = build_hierarchy(embeddings)
    pairs = sample_pairs(hierarchy)
    questions: list[Question] = list(pair_questions(texts, pairs, perspective))
    answers = _ask(questions, chat, store)
    curve = granularity_curve(hierarchy, pairs, [a and a.choice for a in answers])
    return curve.best, len(pairs)
