"""Work on a study in the background: embedding, asking an LLM, tuning, clustering."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from esmc_core.jobs import Job
from esmc_core.keywords import Endpoint
from pages.ui.resources import jobs

if TYPE_CHECKING:
    from esmc_core.cluster.clustering import Clustering
    from esmc_core.texts.asking import AskSettings, Outcome
    from esmc_core.texts.questions import Question
    from esmc_core.texts.rounds import Round
    from esmc_core.texts.study import Study
    from esmc_core.texts.tuning import TuneSettings

LANE = "texts"
_NOTE_S = 0.7


def key_of_step(study: Study, step: str, *parts: object) -> str:
    """The key of the job of one step."""
    return "/".join([step, study.collection.key, study.key, *map(str, parts)])


def draw_triplets(study: Study, round: str) -> Job:
    """Embed the texts after a round, and draw what to ask about them."""

    def work(job: Job) -> None:
        _embed(study, round, job)
        study.triplets(round, stage=job.at, should_stop=job.should_stop)
        study.embedder_choices(round)

    key = key_of_step(study, "triplets", round)
    return jobs().submit(key, work, title="Reading the texts", lane=LANE)


def draw_pairs(study: Study, round: str) -> Job:
    """Build the hierarchy of the texts after a round, from which pairs are asked."""

    def work(job: Job) -> None:
        _embed(study, round, job)
        job.at("merging the texts two by two, some seconds")
        study.hierarchy(round)

    key = key_of_step(study, "pairs", round)
    return jobs().submit(key, work, title="Preparing the pairs", lane=LANE)


def ask_llm(
    study: Study,
    questions: Sequence[Question],
    endpoint: Endpoint,
    settings: AskSettings,
    *,
    key: str,
    note: Callable[[], str],
) -> Job:
    """Let the LLM answer what has no answer yet; the key stays in memory.

    Args:
        note: how it goes so far, in a line.
    """
    from esmc_core.texts.asking import Controls, ask_all
    from esmc_core.texts.chat import Chat, judge_name

    def work(job: Job) -> Outcome:
        controls = Controls()
        job.controls = controls
        noted = 0.0

        def progress(done: int, total: int) -> None:
            nonlocal noted
            job.progress(done, total)
            if time.monotonic() - noted > _NOTE_S:
                noted = time.monotonic()
                trouble = f"The endpoint: {controls.trouble}; trying again"
                job.note = " · ".join([trouble] * bool(controls.trouble) + [note()])

        chat = Chat(endpoint)
        try:
            return ask_all(
                questions,
                chat,
                judge_name(endpoint),
                study.answers,
                settings=settings,
                controls=controls,
                progress=progress,
                should_stop=job.should_stop,
            )
        finally:
            chat.close()

    return jobs().submit(key, work, title="The LLM answers", lane="asking")


def tune(study: Study, judge: str, settings: TuneSettings, *, base: str) -> Job:
    """Tune by the answers so far; what is kept is put to use."""

    def work(job: Job) -> Round:
        job.at("loading the embedder")
        made = study.tune(judge, settings, progress=job.progress, should_stop=job.should_stop)
        if made.report.is_kept:
            _embed(study, made.key, job)
        return made

    key = key_of_step(study, "tune", base)
    return jobs().submit(key, work, title="Tuning", lane=LANE)


def cluster(study: Study, n_clusters: int, *, seed: int, round: str) -> Job:
    """Cluster by the embedding after a round; a clustering made before is reopened."""

    def work(job: Job) -> Clustering:
        _embed(study, round, job)
        return study.cluster(
            n_clusters, seed=seed, round=round, stage=job.at, should_stop=job.should_stop
        )

    key = key_of_step(study, "cluster", round, n_clusters, seed)
    return jobs().submit(key, work, title="Clustering", lane=LANE)


def _embed(study: Study, round: str, job: Job) -> None:
    job.at("loading the embedder")
    study.embeddings(round, progress=job.progress, should_stop=job.should_stop)
