"""What `text cluster` does: from a file of texts to a table of clusters."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from esmc_core.console import Bar
from esmc_core.errors import InputError
from esmc_core.keywords import Endpoint
from esmc_core.metrics import compare_with_truth
from esmc_core.records import write_bytes
from esmc_core.texts.asking import AskSettings, ask_all
from esmc_core.texts.campaign import count_rounds
from esmc_core.texts.chat import Chat, judge_name
from esmc_core.texts.collection import EMPTY, TextCollection, collect_column, text_labels
from esmc_core.texts.judging import tally
from esmc_core.texts.questions import Question
from esmc_core.texts.rounds import UNTUNED
from esmc_core.texts.simulated import LabelOracle, SimulatedJudge
from esmc_core.texts.spend import Prices, estimate
from esmc_core.texts.study import Study, StudySettings
from esmc_core.texts.tables import read_table
from esmc_core.texts.tuning import TuneSettings
from esmc_core.texts.workspace import TextWorkspace


def cluster(options: argparse.Namespace) -> None:
    """Write one row a row of the file: its cluster, the cluster's name, how sure it is."""
    from esmc_core.export import csv_bytes, parquet_bytes

    _check_judge(options)
    table = read_table(options.file, encoding=options.encoding or "")
    collection = collect_column(table, options.column)
    labels = table.column(options.label_column) if options.label_column else None
    _tell_rows(collection)
    workspace = TextWorkspace()
    collection = workspace.library.add(collection)
    study = workspace.study(collection, _study_settings(options))
    study.use_round(UNTUNED)
    with Bar("Embedding", unit=" texts") as progress:
        study.embeddings(UNTUNED, progress=progress)
    with _judge(options, collection, labels) as judge:
        if judge is not None:
            _tune(study, judge, options)
        n_clusters = options.clusters or _predict(study, judge, options)
    found = study.cluster(n_clusters, seed=options.seed)
    if labels is not None:
        _tell_metrics(study, labels, n_clusters, options)
    written = study.table(found)
    is_csv = options.out.suffix.lower() == ".csv"
    write_bytes(options.out, csv_bytes(written) if is_csv else parquet_bytes(written))
    if options.save_embedder:
        study.embedder().save(options.save_embedder)
    sizes = "; ".join(f"{name} ({n})" for name, n in zip(found.names, found.sizes, strict=True))
    _say(f"{found.n_clusters} clusters: {sizes}")
    workspace.close()


class _Judge:
    """Who answers, as an open connection and a name on disk."""

    def __init__(self, chat: Chat, name: str, options: argparse.Namespace) -> None:
        self.chat, self.name, self.asks_again = chat, name, options.ask_again
        self.settings = AskSettings(
            concurrency=options.concurrency,
            max_money=options.max_money,
            prices=Prices(options.price_prompt, options.price_completion),
        )

    def ask(self, questions: Sequence[Question], study: Study) -> None:
        """Ask what has no answer yet; first say what that costs."""
        if self.asks_again:
            study.answers.release_unusable(questions, self.name)
        answers = study.answers.find(questions, self.name)
        open_questions = [q for q, a in zip(questions, answers, strict=True) if a is None]
        cost = estimate(
            open_questions,
            prices=self.settings.prices,
            concurrency=self.settings.concurrency,
        )
        _say(
            f"{cost.n_questions} questions to {self.name}, about {cost.prompt_tokens} tokens"
            + (f", {cost.money:.2f} in money" if cost.money else "")
        )
        with Bar("Asking", unit=" questions") as progress:
            outcome = ask_all(
                questions,
                self.chat,
                self.name,
                study.answers,
                settings=self.settings,
                progress=progress,
            )
        if outcome.ending == "budget":
            _say("The budget ended the questions.")
        if outcome.unanswered:
            _say(f"{outcome.unanswered} questions were left unanswered.")
        counts = tally(questions, study.answers.find(questions, self.name))
        if counts.unusable:
            _say(f"{counts.unusable} got no answer that says anything; --ask-again asks them anew")
        if questions and not counts.answered:
            raise InputError(
                f"None of {len(questions)} questions got an answer that can be used: "
                f"{counts.dropped} were dropped.",
                f"See what {self.name} answers, then ask again with --ask-again.",
            )


@contextmanager
def _judge(
    options: argparse.Namespace, collection: TextCollection, labels: Sequence[str] | None
) -> Iterator[_Judge | None]:
    if options.judge == "none":
        yield None
    elif options.judge == "openai":
        endpoint = Endpoint.from_env()
        assert endpoint is not None  # as _check_judge saw
        chat = Chat(endpoint)
        try:
            yield _Judge(chat, judge_name(endpoint), options)
        finally:
            chat.close()
    else:
        assert labels is not None
        own = dict(zip(collection.texts, text_labels(collection, labels), strict=True))
        accuracy = float(options.judge.partition(":")[2] or 1.0)
        with SimulatedJudge(LabelOracle(own, accuracy=accuracy, seed=options.seed)) as server:
            chat = Chat(server.endpoint())
            name = f"{server.name} by {options.label_column}"
            try:
                yield _Judge(chat, name, options)
            finally:
                chat.close()


def _check_judge(options: argparse.Namespace) -> None:
    """Raise InputError for a judge that cannot be asked."""
    if options.judge.startswith("simulated") and not options.label_column:
        raise InputError(
            "A simulated judge answers from labels, and there is no label column.",
            "Name it with --label-column.",
        )
    if options.judge == "openai" and Endpoint.from_env() is None:
        raise InputError(
            "No endpoint is set.",
            "Set OPENAI_MODEL, and OPENAI_BASE_URL or OPENAI_API_KEY.",
        )
    if options.clusters is None and options.judge == "none":
        raise InputError(
            "Without a judge nobody can say how many clusters there are.", "Give --clusters."
        )


def _study_settings(options: argparse.Namespace) -> StudySettings:
    return StudySettings(
        options.perspective,
        embedder=options.embedder,
        prompt=options.prompt,
        n_triplets=math.ceil(options.questions / _n_rounds(options)),
        seed=options.seed,
    )


def _n_rounds(options: argparse.Namespace) -> int:
    """The model's own layers are tuned once, since that takes minutes."""
    return count_rounds(options.questions) if options.method == "adapter" else 1


def _tune(study: Study, judge: _Judge, options: argparse.Namespace) -> None:
    _tell_cost(study, judge, options)
    base = UNTUNED
    for _ in range(_n_rounds(options)):
        base = _tune_once(study, judge, options, base)
    if study.round_in_use != UNTUNED:
        with Bar("Embedding", unit=" texts") as progress:
            study.embeddings(progress=progress)


def _tell_cost(study: Study, judge: _Judge, options: argparse.Namespace) -> None:
    """Say how much will be asked in all, by the questions of the first round."""
    triplets = study.triplet_questions(UNTUNED) * _n_rounds(options)
    pairs = [] if options.clusters else study.pair_questions(study.pairs(study.hierarchy(UNTUNED)))
    cost = estimate([*triplets, *pairs], prices=judge.settings.prices)
    _say(
        f"in all up to {len(triplets)} questions about triplets, in rounds, and {len(pairs)} about "
        f"pairs: about {cost.prompt_tokens + cost.completion_tokens} tokens"
        + (f", {cost.money:.2f} in money" if cost.money else "")
    )


def _tune_once(study: Study, judge: _Judge, options: argparse.Namespace, base: str) -> str:
    """Ask about the embedding after a round, and tune by all answers; returns the new round."""
    questions = study.triplet_questions(base)
    judge.ask(questions, study)
    answers = study.answers.find(questions, judge.name)
    counts = tally(questions, answers, embedder_choices=study.embedder_choices(base))
    agreement = "" if counts.agreement is None else f", {counts.agreement:.0%} as the embedder"
    _say(f"{counts.answered} answered{agreement}, {counts.dropped} dropped")
    with Bar("Tuning", unit=" steps") as progress:
        made = study.tune(
            judge.name,
            TuneSettings(options.method, n_clusters=options.clusters, seed=options.seed),
            base=base,
            with_person=False,
            progress=progress,
        )
    report = made.report
    verdict = "kept" if report.is_kept else "not kept"
    if report.more_needed:
        verdict += f", too few answers to tell: about {report.more_needed:,} more"
    _say(
        f"held-out answers: {report.before:.1%} before, {report.after:.1%} after "
        f"(± {report.error:.1%}, as likely by chance: {report.chance:.1%}): {verdict}"
    )
    return made.key


def _predict(study: Study, judge: _Judge | None, options: argparse.Namespace) -> int:
    """The number of clusters that agrees best with the judge's answers to pairs."""
    assert judge is not None  # as _check_judge saw
    hierarchy = study.hierarchy()
    pairs = study.pairs(hierarchy)
    judge.ask(study.pair_questions(pairs), study)
    return study.granularity(judge.name, hierarchy, pairs, with_person=False).best


def _tell_rows(collection: TextCollection) -> None:
    n_empty, n_again = len(collection.empty_rows), len(collection.duplicates)
    if n_empty:
        _say(f"{n_empty} rows are empty, the first is row {collection.empty_rows[0] + 1}")
    if n_again:
        row, original = collection.duplicates[0]
        _say(f"{n_again} rows repeat an earlier one, the first is row {row + 1} = {original + 1}")


def _tell_metrics(
    study: Study, labels: Sequence[str], n_clusters: int, options: argparse.Namespace
) -> None:
    rows = study.collection.rows
    filled = rows != EMPTY
    truth = [label for label, is_filled in zip(labels, filled, strict=True) if is_filled]
    rounds = dict.fromkeys([UNTUNED, study.round_in_use])
    for round in rounds:
        found = study.cluster(n_clusters, seed=options.seed, round=round)
        measured = compare_with_truth(found.labels[rows[filled]], truth)
        when = "untuned" if round == UNTUNED else f"tuned, judge {options.judge}"
        _say(f"{when}: ACC {measured.accuracy:.3f}, NMI {measured.nmi:.3f}")


def _say(words: str) -> None:
    print(words, file=sys.stderr)
