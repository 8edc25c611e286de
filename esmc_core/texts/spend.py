"""What judging costs: before it starts, and while it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from esmc_core.texts.questions import Question, total_tokens

COMPLETION_TOKENS = 4
"""Of a bare answer; models that think first need more, which the page lets the user set."""
SECONDS_A_REQUEST = 1.0
SECONDS_A_PERSON = 6.0


@dataclass(frozen=True)
class Prices:
    """Money for a million tokens, in the user's currency; 0 for a model of one's own."""

    per_million_prompt: float = 0.0
    per_million_completion: float = 0.0

    def money(self, prompt_tokens: float, completion_tokens: float) -> float:
        prompt = prompt_tokens * self.per_million_prompt
        return (prompt + completion_tokens * self.per_million_completion) / 1e6


@dataclass(frozen=True)
class Estimate:
    """What the questions will cost.

    Attributes:
        n_questions: not answered yet, so to be asked.
        prompt_tokens, completion_tokens: about, by length.
        money: in the currency of the prices.
        seconds: about, at the concurrency that was given.
    """

    n_questions: int
    prompt_tokens: int
    completion_tokens: int
    money: float
    seconds: float


def estimate(
    questions: Sequence[Question],
    *,
    prices: Prices | None = None,
    concurrency: int = 4,
    seconds_a_request: float = SECONDS_A_REQUEST,
    completion_tokens: int = COMPLETION_TOKENS,
) -> Estimate:
    """Of an LLM answering questions that have no answer yet."""
    n_questions = len(questions)
    prompt = total_tokens(questions)
    completion = n_questions * completion_tokens
    money = (prices or Prices()).money(prompt, completion)
    seconds = n_questions * seconds_a_request / max(concurrency, 1)
    return Estimate(n_questions, prompt, completion, money, seconds)


def estimate_person(questions: Sequence[Question]) -> Estimate:
    """Of a person answering them, at some six seconds each."""
    return Estimate(len(questions), 0, 0, 0.0, len(questions) * SECONDS_A_PERSON)
