"""Queues of questions to a person: what comes next, and where the answers go.

No page is needed for an answer: the browser sends it to an address of its own (`routes`), and it
is on disk before the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlencode

from esmc_core.errors import InputError
from pages.ui.addresses import address
from pages.ui.texts.opened import load_study

if TYPE_CHECKING:
    from esmc_core.texts.questions import Question
    from esmc_core.texts.study import Study

Kind = Literal["triplets", "review", "pairs"]
KINDS = ("triplets", "review", "pairs")
N_AHEAD = 16


@dataclass(frozen=True)
class Queue:
    """What names a queue, in an address too.

    Attributes:
        texts, study: keys.
        kind: triplets, pairs, or those triplets of an LLM's that a person should check.
        round: of the embedding that is asked about.
        goal: how many questions at most.
        judge: of "review", whose answers are checked.
    """

    texts: str
    study: str
    kind: Kind
    round: str = ""
    goal: int = 64
    judge: str = ""

    @property
    def url(self) -> str:
        parts = {"round": self.round, "goal": self.goal, "judge": self.judge}
        place = f"answers/{self.texts}/{quote(self.study)}/{self.kind}"
        return f"{address(place)}?{urlencode(parts)}"

    def open(self) -> Study:
        return load_study(self.texts, self.study)


def questions_of(queue: Queue) -> Sequence[Question]:
    """All questions of the queue's round, whatever its goal."""
    study = queue.open()
    return _questions(study, queue.kind == "pairs", queue.round, study.examples)


def numbers_of(queue: Queue) -> list[int]:
    """Which of the questions are asked, in their order."""
    import numpy as np

    questions = questions_of(queue)
    if queue.kind == "triplets":
        return list(range(min(queue.goal, len(questions))))
    if queue.kind == "pairs":  # from coarse and fine steps alike, however soon it ends
        order = np.random.default_rng(0).permutation(len(questions))
        return [int(number) for number in order[: queue.goal]]
    from esmc_core.texts.judging import to_review

    study = queue.open()
    given = study.answers.find(questions, queue.judge)
    return to_review(given, study.embedder_choices(queue.round))[: queue.goal]


def state(queue: Queue) -> dict[str, Any]:
    """Counts, and the next cards, ready for JSON."""
    from esmc_core.texts.answers import PERSON

    questions, numbers = questions_of(queue), numbers_of(queue)
    asked = [questions[number] for number in numbers]
    answers = queue.open().answers.find(asked, PERSON)
    waiting = [n for n, answer in zip(numbers, answers, strict=True) if answer is None]
    return {
        "total": len(numbers),
        "answered": len(numbers) - len(waiting),
        "decided": sum(answer is not None and answer.state == "answered" for answer in answers),
        "cards": [_card(questions[number], number) for number in waiting[:N_AHEAD]],
    }


def answer(queue: Queue, number: int, key: str, pressed: int) -> None:
    """Keep what a person pressed: 1, 2 or 0.

    Raises:
        InputError: there is no such question (any more).
    """
    from esmc_core.texts.judging import answer_in_person

    questions = questions_of(queue)
    if not 0 <= number < len(questions) or questions[number].key != key:
        raise InputError("This question is not asked any more.", "Reload the page.")
    if queue.kind == "pairs" and pressed not in _OF_PAIRS:
        raise InputError(f"{pressed} is no answer to this question.", "Press 1, 2 or 0.")
    choice = _OF_PAIRS[pressed] if queue.kind == "pairs" else pressed
    answer_in_person(queue.open().answers, questions[number], choice)


def undo(queue: Queue) -> dict[str, Any] | None:
    """Forget the last answer; the card of its question, None where there is none."""
    questions, numbers = questions_of(queue), numbers_of(queue)
    question = queue.open().answers.undo([questions[number] for number in numbers])
    if question is None:
        return None
    number = next(n for n in numbers if questions[n].key == question.key)
    return _card(question, number)


_OF_PAIRS = {1: 1, 2: 0, 0: None}


def _card(question: Question, number: int) -> dict[str, Any]:
    from esmc_core.texts.questions import TripletQuestion, shown_text

    texts = (
        (question.query, question.choice1, question.choice2)
        if isinstance(question, TripletQuestion)
        else (question.first, question.second)
    )
    return {"number": number, "key": question.key, "texts": [shown_text(text) for text in texts]}


@lru_cache(maxsize=6)
def _questions(study: Study, are_pairs: bool, round: str, examples: tuple) -> Sequence[Question]:
    if not are_pairs:
        if not study.has_triplets(round):
            raise InputError("These questions have not been drawn yet.", "Open the page.")
        return study.triplet_questions(round)
    hierarchy = study.find_hierarchy(round)
    if hierarchy is None:
        raise InputError("These questions have not been drawn yet.", "Open the page.")
    return study.pair_questions(study.pairs(hierarchy))
