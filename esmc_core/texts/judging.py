"""Where a queue of questions stands, and what a person still has to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from esmc_core.errors import InputError
from esmc_core.texts.answers import PERSON, UNUSABLE, Answer, AnswerStore
from esmc_core.texts.questions import Question, TripletQuestion, count_tokens
from esmc_core.texts.spend import COMPLETION_TOKENS, Prices


@dataclass(frozen=True)
class Tally:
    """Counts of a queue.

    Attributes:
        n_questions: in all.
        answered: with a choice.
        dropped: neither, nonsense, or no answer after several requests.
        unusable: of these, those without an answer that says anything.
        interrupted: sent by a run that is over, or that goes on elsewhere; no answer is known.
        agreement: share of the answered triplets in which the embedder chooses the same; None
            where there are none.
        requests, prompt_tokens, completion_tokens, money: so far; an interrupted question counts
            as one that was paid for.
    """

    n_questions: int
    answered: int
    dropped: int
    unusable: int
    interrupted: int
    agreement: float | None
    requests: int
    prompt_tokens: int
    completion_tokens: int
    money: float

    @property
    def remaining(self) -> int:
        return self.n_questions - self.answered - self.dropped - self.interrupted


def tally(
    questions: Sequence[Question],
    answers: Sequence[Answer | None],
    *,
    embedder_choices: np.ndarray | None = None,
    prices: Prices | None = None,
    counts_waiting: bool = True,
) -> Tally:
    """Count the answers to a queue.

    Args:
        answers: (n_questions,), of `AnswerStore.find`.
        embedder_choices: (n_questions,) 1 or 2, for triplets.
        counts_waiting: False leaves questions without an answer out of what was spent: those that
            are on their way, or a person's.
    """
    known = [answer for answer in answers if answer is not None]
    claimed = [
        question
        for question, answer in zip(questions, answers, strict=True)
        if answer is not None and answer.state == "claimed"
    ]
    prompt = sum(answer.prompt_tokens for answer in known)
    completion = sum(answer.completion_tokens for answer in known)
    if counts_waiting:
        prompt += sum(count_tokens(question.prompt()) for question in claimed)
        completion += COMPLETION_TOKENS * len(claimed)
    return Tally(
        n_questions=len(questions),
        answered=sum(answer.state == "answered" for answer in known),
        dropped=sum(answer.state == "dropped" for answer in known),
        unusable=sum(answer.reason in UNUSABLE for answer in known),
        interrupted=len(claimed),
        agreement=_agreement(answers, embedder_choices),
        requests=sum(answer.requests for answer in known) + len(claimed),
        prompt_tokens=prompt,
        completion_tokens=completion,
        money=(prices or Prices()).money(prompt, completion),
    )


def answer_in_person(store: AnswerStore, question: Question, choice: int | None) -> None:
    """Keep a person's answer: 1 or 2, 0 for neither; for pairs 1 for yes, 0 for no.

    Args:
        choice: None passes over a pair.

    Raises:
        InputError: there is no such answer to this question.
    """
    is_triplet = isinstance(question, TripletQuestion)
    if choice is None and not is_triplet:
        store.save(question, PERSON, Answer("dropped", reason="skipped"))
        return
    if choice not in ((0, 1, 2) if is_triplet else (0, 1)):
        raise InputError(f"{choice} is no answer to this question.", "Choose one that is shown.")
    if is_triplet and choice == 0:
        store.save(question, PERSON, Answer("dropped", reason="neither"))
    else:
        store.save(question, PERSON, Answer("answered", choice))


def next_in_person(
    questions: Sequence[Question], store: AnswerStore, order: Sequence[int] | None = None
) -> int | None:
    """The number of the first question, in the order given, that the person has not answered."""
    answers = store.find(questions, PERSON)
    indices = range(len(questions)) if order is None else order
    return next((i for i in indices if answers[i] is None), None)


def to_review(answers: Sequence[Answer | None], embedder_choices: np.ndarray) -> list[int]:
    """Triplets that a person should check after an LLM: half of the work for most of the good.

    First those where it was unsure (it talked, or said neither or nonsense), then those where it
    contradicts the embedder. What it was never asked, or did not answer, is not among them.

    Args:
        answers: (n_triplets,) the LLM's.
        embedder_choices: (n_triplets,) 1 or 2.
    """
    unsure, contradicting = [], []
    for i, (answer, own) in enumerate(zip(answers, embedder_choices, strict=True)):
        if answer is None or answer.state == "claimed":
            continue
        if answer.state == "dropped" or not answer.is_sure:
            unsure.append(i)
        elif answer.choice != own:
            contradicting.append(i)
    return unsure + contradicting


def _agreement(
    answers: Sequence[Answer | None], embedder_choices: np.ndarray | None
) -> float | None:
    if embedder_choices is None:
        return None
    pairs = zip(answers, embedder_choices, strict=True)
    same = [answer.choice == own for answer, own in pairs if answer and answer.state == "answered"]
    return float(np.mean(same)) if same else None
