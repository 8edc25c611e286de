"""Questions in words, and what an answer in words means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from esmc_core.errors import InputError
from esmc_core.records import key_of
from esmc_core.texts.collection import canonical

MAX_SHOWN = 1500
"""Characters of a text that go into a question; longer ones are cut."""

_TRIPLET = """Select the choice that better corresponds with the query in terms of {perspective}.

Query: {query}
Choice 1: {choice1}
Choice 2: {choice2}

Answer with "Choice 1" or "Choice 2", or with "Neither" if none of them or both correspond \
equally, and without explanation."""
_PAIR = """{examples}Do the two texts below have the same {perspective}?

Text 1: {first}
Text 2: {second}

Answer with "Yes" or "No", without explanation."""
_EXAMPLE = """[Example {number}]
Text 1: {first}
Text 2: {second}
{answer}

"""
_THOUGHTS = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL | re.IGNORECASE)
_AROUND = " \t\r\n\"'“”‘’*`_.:!()[]{}<>#"
_BARE_CHOICE = re.compile(r"(?:(?:the )?(?:choice|option|text|answer)\s*[:#]?\s*)*([012])")
_CHOICE = re.compile(r"\b(?:choice|option|text)\s*[:#]?\s*([12])\b")
_FINAL_CHOICE = re.compile(
    r"\b(?:answer|select|selected|choose|pick|prefer|therefore|thus|hence)\b"
    r"(?:(?!\b(?:neither|nor|both|not)\b)[^.\n]){0,40}?"
    r"\b(?:choice|option|text)?\s*[:#]?\s*([12])\b"
)
_NEITHER = re.compile(
    r"\b(?:neither|none of (?:them|the)|both (?:choices|options|texts|of them|correspond)|"
    r"equally|undecided|no preference|not sure|unsure|cannot (?:decide|say|tell))\b"
)
_SENTENCE = re.compile(r"[.!?\n]+")
_YES, _NO = re.compile(r"\byes\b"), re.compile(r"\bno\b")

Choice = Literal[0, 1, 2]


@dataclass(frozen=True)
class TripletQuestion:
    """Which choice better corresponds with the query? Answers: 1, 2, or 0 for neither."""

    query: str
    choice1: str
    choice2: str
    perspective: str

    kind = "triplet"

    @property
    def is_swapped(self) -> bool:
        """Whether the choices stand in another order than the one that answers are kept in."""
        return canonical(self.choice1) > canonical(self.choice2)

    @cached_property
    def key(self) -> str:
        """Of the texts and the perspective, the same for both orders of the choices."""
        choices = sorted((canonical(self.choice1), canonical(self.choice2)))
        return key_of(
            kind=self.kind,
            query=canonical(self.query),
            choices=choices,
            perspective=canonical(self.perspective).casefold(),
        )

    def prompt(self) -> str:
        return _TRIPLET.format(
            perspective=self.perspective,
            query=shown_text(self.query),
            choice1=shown_text(self.choice1),
            choice2=shown_text(self.choice2),
        )

    @staticmethod
    def parse(answer: str) -> int | None:
        """1, 2, 0 for neither; None for what says none of these."""
        return parse_choice(answer)


@dataclass(frozen=True)
class Example:
    """A worked example for pairs: two texts, and whether they belong together."""

    first: str
    second: str
    together: bool
    reason: str = ""


@dataclass(frozen=True)
class PairQuestion:
    """Do two texts have the same intent, topic …? Answers: 1 for yes, 0 for no."""

    first: str
    second: str
    perspective: str
    examples: tuple[Example, ...] = ()

    kind = "pair"

    @property
    def is_swapped(self) -> bool:
        return False  # both orders ask the same

    @cached_property
    def key(self) -> str:
        """Of the texts, the perspective and the worked examples, which say what it means."""
        return key_of(
            kind=self.kind,
            texts=sorted((canonical(self.first), canonical(self.second))),
            perspective=canonical(self.perspective).casefold(),
            examples=self.examples,
        )

    def prompt(self) -> str:
        examples = "".join(
            _EXAMPLE.format(
                number=number,
                first=shown_text(example.first),
                second=shown_text(example.second),
                answer=_example_answer(example),
            )
            for number, example in enumerate(self.examples, start=1)
        )
        return _PAIR.format(
            examples=examples,
            perspective=self.perspective,
            first=shown_text(self.first),
            second=shown_text(self.second),
        )

    @staticmethod
    def parse(answer: str) -> int | None:
        """1 for yes, 0 for no; None for what says neither or both."""
        return parse_yes_no(answer)


Question = TripletQuestion | PairQuestion


def check_perspective(perspective: str) -> str:
    """The user's words as they go into a question; raise InputError if there are none."""
    words = " ".join(perspective.split())
    if not words:
        raise InputError("There is no perspective.", 'Write one, such as "intent" or "topic".')
    if len(words) > 200:
        raise InputError(f"A perspective of {len(words)} characters is too long.", "Keep to 200.")
    return words


def parse_choice(answer: str) -> int | None:
    """What a model's words choose: 1, 2, 0 for neither, None where they say nothing.

    The bare forms first ("2", "Choice 2."); then what a chatty answer ends by choosing; then the
    only choice it speaks of.
    """
    text = _plain(answer)
    if bare := _BARE_CHOICE.fullmatch(text):
        return int(bare.group(1))
    if re.match(r"(neither|none|both)\b", text):
        return 0
    if final := _FINAL_CHOICE.findall(text):
        return int(final[-1])
    if _NEITHER.search(text):
        return 0
    for part in (_SENTENCE.split(text)[-1], text):
        mentioned = set(_CHOICE.findall(part))
        if len(mentioned) == 1:
            return int(mentioned.pop())
    return None


def parse_yes_no(answer: str) -> int | None:
    """1 for yes, 0 for no, None where the words say neither or both.

    The first word counts before the rest: "Yes. Because … no fee …" is a yes.
    """
    text = _plain(answer)
    first = re.match(r"(?:answer\s*[:#]?\s*)?(yes|no)\b", text)
    if first:
        return int(first.group(1) == "yes")
    yes, no = bool(_YES.search(text)), bool(_NO.search(text))
    return None if yes == no else int(yes)


def is_bare(question: Question, answer: str) -> bool:
    """Whether an answer is nothing but an answer; a judge that talks is less sure."""
    text = _plain(answer)
    if isinstance(question, TripletQuestion):
        return bool(_BARE_CHOICE.fullmatch(text)) or text == "neither"
    return text in ("yes", "no")


def count_tokens(text: str) -> int:
    """About how many tokens a model makes of a text: four bytes each, three outside of ASCII."""
    n_bytes = len(text.encode())
    foreign = n_bytes - len(text)
    return max(1, round((n_bytes - foreign) / 4 + foreign / 3))


def total_tokens(questions: Sequence[Question]) -> int:
    """About how many tokens all questions have."""
    return sum(count_tokens(question.prompt()) for question in questions)


def plain_answer(answer: str) -> str:
    """An answer without the thoughts that some models write before it."""
    return _THOUGHTS.sub(" ", answer).strip(_AROUND)


def _plain(answer: str) -> str:
    return plain_answer(answer).lower()


def shown_text(text: str) -> str:
    """A text as it stands in a question: in one line, and cut where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]} …"


def _example_answer(example: Example) -> str:
    answer = "Yes." if example.together else "No."
    return f"{answer} {example.reason}".strip()
