"""What each benchmark asks: one prompt a set and criterion, its paraphrases, and nonsense."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from esmc_core.errors import InputError

Prompts = Mapping[str, Mapping[str, str]]

GENERIC = "the {column} of the object is"
"""Asked of a column that has no prompt of its own."""

NONSENSE = "the mood of the philosopher is"
"""Asked of every set: nothing in the pictures answers it, so the warning has to appear."""

PROMPTS: Prompts = {
    "stanford_cars": {
        "color": "the color of the car is",
        "type": "the type of the car is",
    },
    "flower": {
        "color": "the color of the flower is",
        "species": "the species of the flower is",
    },
    "cifar10": {
        "type": "the type of the object is",
        "environment": "the environment of the object is",
        "class": "the class of the object is",
    },
    "fashion_balanced": {
        "type": "the type of the product is",
        "colour": "the colour of the product is",
    },
    "cards_eval": {
        "suit": "the suit of the card is",
        "rank": "the rank of the card is",
        "colour": "the colour of the card is",
    },
    "card": {
        "order": "the rank of the card is",
        "suits": "the suit of the card is",
    },
    "cmu_face": {
        "emotion": "the emotion of the person is",
        "glass": "the eyewear of the person is",
        "pose": "the direction that the person looks in is",
    },
    "fruit": {
        "color": "the color of the fruit is",
        "species": "the species of the fruit is",
    },
    "fruit360": {
        "color": "the color of the fruit is",
        "species": "the species of the fruit is",
    },
}
"""Set → column of its labels.csv → what the model is asked. Of a set that is listed here only
the listed columns are measured."""

PARAPHRASES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "stanford_cars": {
        "color": (
            "what color is this car?",
            "color",
            "car paint colour:",
            "the colour of the vehicle is",
        ),
    },
    "flower": {
        "color": (
            "what color is this flower?",
            "color",
            "petal colour:",
            "the colour of the blossom is",
        ),
        "species": (
            "what kind of flower is this?",
            "species",
            "flower name:",
            "the kind of the blossom is",
        ),
    },
}
"""The same question in other words: a method that users can rely on answers it alike."""

PROBES: Mapping[str, tuple[str, ...]] = {
    "stanford_cars": ("the manufacturer of the car is",),
}
"""Questions besides NONSENSE of which only the flat-heatmap warning is looked at."""


def prompt_for(column: str, prompts: Mapping[str, str]) -> str:
    """The prompt of a column, the generic one where it has none of its own."""
    return prompts.get(column) or GENERIC.format(column=column.replace("_", " "))


def read_prompts(path: Path) -> Prompts:
    """Read a JSON file that has the form of PROMPTS: {set: {column: prompt}}.

    Raises:
        InputError: it cannot be read, or has another form.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"The prompts in {path} cannot be read ({error}).") from error
    if not _is_table(record):
        raise InputError(
            f"{path} is no table of prompts.", 'It has to look like {"set": {"column": "prompt"}}.'
        )
    return record


def merge_prompts(own: Prompts) -> Prompts:
    """PROMPTS with what a user gives instead or besides; the sets' names in small letters."""
    given = {name.lower(): columns for name, columns in own.items()}
    return {name: {**PROMPTS.get(name, {}), **given.get(name, {})} for name in {**PROMPTS, **given}}


def _is_table(record: object) -> bool:
    return isinstance(record, dict) and all(
        isinstance(columns, dict) and all(isinstance(text, str) for text in columns.values())
        for columns in record.values()
    )
