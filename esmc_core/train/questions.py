"""What is asked about a picture, in how many ways, and with which words it is answered."""

from __future__ import annotations

import random
from dataclasses import dataclass


def words(line: str) -> list[str]:
    """The words of a line."""
    return line.split()


Answer = dict[str, float]  # word -> weight, sums to 1

# Words that mean nearly the same share their probability, so that a model need not guess spellings.
SOFT: dict[str, Answer] = {
    "silver": {"silver": 0.75, "gray": 0.25},
    "gray": {"gray": 0.8, "silver": 0.2},
    "navy": {"blue": 0.7, "navy": 0.3},
    "maroon": {"red": 0.6, "maroon": 0.4},
    "olive": {"green": 0.65, "olive": 0.35},
    "gold": {"gold": 0.5, "yellow": 0.5},
    "tan": {"brown": 0.6, "tan": 0.4},
    "teal": {"teal": 0.3, "green": 0.4, "blue": 0.3},
    "turquoise": {"blue": 0.6, "turquoise": 0.4},
    "magenta": {"pink": 0.7, "magenta": 0.3},
    "lavender": {"purple": 0.8, "lavender": 0.2},
    "peach": {"pink": 0.5, "orange": 0.4, "peach": 0.1},
    "charcoal": {"gray": 0.6, "black": 0.4},
    "cream": {"beige": 0.6, "white": 0.4},
    "car": {"car": 0.9, "automobile": 0.1},
    "tunic": {"tunic": 0.7, "kurta": 0.3},
}
COLOURS = words(
    "red orange yellow green blue purple pink brown beige white gray black silver gold navy "
    "maroon olive tan teal turquoise magenta lavender peach charcoal cream multicolor "
    "automobile"
)
UNKNOWN = "unknown"

# Canonical attribute -> the ways to call it.
ATTRIBUTES: dict[str, list[str]] = {
    "color": ["color", "color", "colour", "color", "colour", "main color", "paint color"],
    "background": [
        "background color",
        "background colour",
        "color of the background",
        "colour of the background",
        "background",
    ],
    "type": ["type", "kind", "category", "sort", "class"],
    "kind": ["class", "kind", "class", "category", "object", "name of the class"],
    "category": ["category", "group", "department", "class"],
    "species": ["species", "species", "kind", "type", "variety"],
    "animal": ["animal", "species", "kind"],
    "scene": ["scene", "place", "landscape", "scenery", "location"],
    "weather": ["weather", "weather condition", "sky"],
    "material": ["material", "substance", "stuff"],
    "suit": ["suit", "suits", "symbol", "suit symbol"],
    "rank": ["rank", "value", "number", "order"],
    "environment": ["environment", "habitat", "surroundings", "place", "element"],
    "supertype": ["type", "type", "general type", "group", "kind"],
    "brightness": ["brightness", "exposure", "light"],
    "orientation": ["orientation", "rotation"],
    "shape": ["shape", "form", "geometry"],
    "gender": ["gender", "target gender", "sex"],
    "usage": ["usage", "use", "occasion", "purpose"],
    "age": ["age", "age group"],
}
# How often an attribute is asked for and how much it weighs, the others 1: what needs the form of
# things is learned slowly and is drowned by the easy attributes otherwise.
SHARES: dict[str, float] = dict.fromkeys(
    words("type kind species animal scene weather material suit rank shape"), 2.0
) | {
    "color": 2.0,
    "rank": 3.0,
    "age": 0.4,
    "gender": 0.4,
    "usage": 0.4,
    "category": 0.5,
    "supertype": 0.7,
}
# Attributes that no training picture answers: the model must not pretend.
UNSEEN = words(
    "manufacturer brand maker make owner price mood name emotion glasses expression weight "
    "temperature smell opinion nationality language year birthday religion job pose speed sound "
    "taste history model author personality thought height identity hairstyle meaning origin"
)
STRANGERS = words(
    "philosopher person face man woman child people house story king book company music doctor "
    "dream building room dog car tree picture teacher city country computer"
)

WITH_NOUN = [
    "what is the {a} of the {n}?",
    "what {a} is the {n}?",
    "what {a} is this {n}?",
    "what is the {a} of this {n}?",
    "which {a} does the {n} have?",
    "the {n}'s {a} is",
    "the {a} of this {n} is",
    "the {n} {a} is",
    "{n} {a}",
    "{n} {a}:",
    "{a} of the {n}",
    "{a} of the {n}:",
    "{a} of {n}",
    "the {a} of the {n}",
    "in one word, the {a} of the {n} is",
    "tell me the {a} of the {n}",
    "the {a} of the {n} in the picture is",
    "the {a} of the {n} in this image is",
    "name the {a} of the {n}.",
]
WITHOUT_NOUN = [
    "{a}",
    "{a}:",
    "{a} :",
    "the {a} is",
    "the {a}",
    "what is the {a}?",
    "what {a} is it?",
    "what {a} is this?",
    "by {a}",
    "its {a} is",
    "which {a}?",
]
SPECIAL: dict[str, list[str]] = {
    "color": [
        "{n} paint color:",
        "{n} paint colour:",
        "the {n} is painted",
        "the {n} is colored",
        "{n} color?",
        "what color is this?",
        "is the {n} red, blue or white?",
    ],
    "background": [
        "the background is",
        "the background color is",
        "the color of the background is",
        "the colour of the background is",
        "what color is the background?",
        "background color",
        "background:",
    ],
    "environment": ["the {n} is in the", "where is the {n}?", "the {n} lives or moves in"],
    "kind": ["this is a", "the object is a", "what is this?", "what is in the picture?"],
    "species": ["what flower is this?", "this flower is a"],
    "animal": ["what animal is this?", "the animal is a"],
    "scene": ["where is this?", "this place is a", "the picture shows a"],
    "weather": ["how is the weather?", "the weather today is"],
    "material": ["the {n} is made of", "what is the {n} made of?"],
    "rank": ["the card is the", "what card is this?"],
    "type": ["what is this?", "this {n} is a"],
    "brightness": ["is the picture dark or bright?", "the picture is"],
    "orientation": ["how is the picture turned?"],
    "shape": ["what shape is the {n}?", "the {n} has the shape of a"],
}


@dataclass(frozen=True)
class Question:
    """One question about one picture.

    Args:
        text: the words of the prompt, without the template around them.
        attribute: the canonical attribute, or "unknown".
        answer: target word -> weight.
    """

    text: str
    attribute: str
    answer: Answer


def soften(word: str) -> Answer:
    """Spread a word over its near-synonyms."""
    return SOFT.get(word, {word: 1.0})


def phrase(attribute: str, nouns: list[str], rng: random.Random) -> str:
    """Draw one of the many ways to ask for an attribute of something.

    Half of all questions are "the {attribute} of the {noun} is".
    """
    name = rng.choice(ATTRIBUTES.get(attribute, [attribute]))
    noun = rng.choice(nouns) if nouns else "object"
    special = SPECIAL.get(attribute)
    draw = rng.random()
    if attribute == "background":
        template = rng.choice(SPECIAL["background"])
    elif draw < 0.5:
        template = "the {a} of the {n} is"
    elif draw < 0.58 and special:
        template = rng.choice(special)
    elif draw < 0.78:
        template = rng.choice(WITHOUT_NOUN)
    else:
        template = rng.choice(WITH_NOUN)
    text = template.format(a=name, n=noun)
    return text[0].upper() + text[1:] if rng.random() < 0.15 else text


def ask_known(labels: dict[str, str], nouns: list[str], rng: random.Random) -> Question:
    """Ask for one of the picture's labels, in the proportion of SHARES."""
    weights = [SHARES.get(name, 1.0) for name in labels]
    attribute = rng.choices(list(labels), weights)[0]
    return Question(phrase(attribute, nouns, rng), attribute, soften(labels[attribute]))


def ask_unknown(nouns: list[str], rng: random.Random) -> Question:
    """Ask something that the picture does not answer."""
    attribute = rng.choice(UNSEEN)
    noun = rng.choice(nouns) if nouns and rng.random() < 0.5 else rng.choice(STRANGERS)
    return Question(phrase(attribute, [noun], rng), UNKNOWN, {UNKNOWN: 1.0})


def plain_question(attribute: str, labels: dict[str, str], nouns: list[str]) -> Question:
    """The question that the validation uses: "the {attribute} of the {noun} is"."""
    name = ATTRIBUTES[attribute][0]
    text = f"the {name} is" if attribute == "background" else f"the {name} of the {nouns[0]} is"
    return Question(text, attribute, soften(labels[attribute]))
