"""One step's batch: draw pictures, change them, ask questions, pack them for the model."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from esmc_core.train import augment, questions
from esmc_core.train.architecture import GRID, Packed
from esmc_core.train.colours import PROTOTYPES
from esmc_core.train.data import Colour, Dataset, Record, plain_colours
from esmc_core.train.questions import Question
from esmc_core.train.sources import FLOWER_COLOURS, PHOTOGRAPHS, WEIGHTS
from esmc_core.train.tokenizer import EOS, IMAGE, PROMPT, answer_id, special_id

Paints = Mapping[str, Sequence[Colour]]  # name -> sRGB values of it, in [0, 255]
Target = tuple[list[int], list[float]]  # token ids and their shares
N_WORDS = 4  # words that an answer may be spread over
END_WEIGHT = 0.3  # the question's last word foretells the answer too, before the template's end
ATTRIBUTE_INDEX = {name: i for i, name in enumerate(questions.ATTRIBUTES)}
UPRIGHT_SETS = {"car_colours", "scenes", "weather", "animals", "fashion", "cifar10_train"}
READABLE_SETS = ("cards", "drawn_cards")  # letters and digits: never mirrored
# Labels that a crop would hide.
LEAST_CROP = {
    "cards": 1.0,
    "drawn_cards": 1.0,
    "still_lifes": 0.8,
    "fashion": 0.7,
    "car_colours": 0.7,
}
# Of the pictures whose coloured part is known; of a product on white it is all of it, of a car only
# its paint.
RECOLOURED_SHARE = {
    "flowers": 0.5,
    "clothing": 0.5,
    "car_colours": 0.6,
    "car_colours_cut_outs": 0.6,
    "fashion": 0.25,
    "fashion_cut_outs": 0.6,
}
# Close-ups that are also shown smaller, on another photograph: things seldom fill a picture.
INSETS = {"car_colours": 0.2, "car_body_colours": 0.2, "flowers": 0.2, "clothing": 0.15}
# Cards that get another middle: their rank must be read from the corner, whatever the art shows.
SWAPPED_SHARE = {"cards": 0.5, "drawn_cards": 0.7}
MARGINS = (0.22, 0.08)  # of a card, across and down, that keep what stands in its corners
# Things that are known by their form: the colour of the whole picture is turned.
HUE_TURNED = {"flowers": 0.45}
CASTS = {"car_colours": 1.5}  # paint mirrors the sky: how much wider than usual the cast is
SKY = (0.7, 0.9, 1.2)  # what paint mirrors under a blue one, against a white one
CUT_OUTS = "_cut_outs"
PETALS = {name: PROTOTYPES[name] for name in FLOWER_COLOURS}
PAINTS = {name: values for name, values in PROTOTYPES.items() if name != "beige"}
CAR_GRAYS = {
    "white": PROTOTYPES["white"],
    "silver": [(150, 152, 156), (178, 180, 184), (202, 204, 207)],
    "gray": [(68, 70, 74), (98, 100, 104), (124, 126, 130)],
    "black": PROTOTYPES["black"],
}
CAR_PAINTS = PAINTS | CAR_GRAYS
CAR_GRAY_SHARE = 0.5  # most cars are white, silver, gray or black
GENERIC = ["object", "thing"]


@dataclass
class Reads:
    """What the next tokens should be.

    Args:
        ids, weights: (n_reads, N_WORDS) target words and their shares.
        importance: (n_reads,) weight in the loss.
        first: (n_questions,) index of each question's main read.
    """

    ids: Tensor
    weights: Tensor
    importance: Tensor
    first: Tensor


@dataclass
class HeadTargets:
    """Everything known about a batch's pictures, asked for or not, for the throw-away head.

    Args:
        row, attribute: (n_labels,) the picture and attribute of each label.
        importance: (n_labels,) weight in the loss.
        ids, weights: (n_labels, N_WORDS) as in `Reads`.
    """

    row: Tensor
    attribute: Tensor
    importance: Tensor
    ids: Tensor
    weights: Tensor


@dataclass
class Packer:
    """Tokenizes questions and lays them out behind their picture."""

    tokenizer: Tokenizer
    _cache: dict[str, list[int]] = field(default_factory=dict)

    def prefix(self) -> list[int]:
        """Tokens up to the question: bos, `USER:`, the image tokens, a line's end."""
        text = PROMPT.split("{question}")[0].replace(IMAGE, IMAGE * (GRID * GRID))
        return self.tokenizer.encode(text).ids

    def branch(self, text: str) -> tuple[list[int], int]:
        """Tokens of question and template, and where the question's last token is."""
        if text not in self._cache:
            full = self.tokenizer.encode("\n" + text + " ASSISTANT:", add_special_tokens=False).ids
            self._cache[text] = full[1:]  # without the line's end, which is in the prefix
        ids = self._cache[text]
        return ids, len(ids) - 3

    def pack(
        self, asked: list[list[Question]], *, with_end: list[list[bool]] | None = None
    ) -> tuple[Packed, Reads]:
        """Lay out the questions of each picture.

        Args:
            asked: (n_images) lists of questions.
            with_end: whether the answer and the end of sequence are trained, too.
        """
        prefix = self.prefix()
        rows, reads = [], _ReadList()
        eos = special_id(self.tokenizer, EOS)
        for r, row in enumerate(asked):
            ids, positions, branch = list(prefix), list(range(len(prefix))), [0] * len(prefix)
            for q, question in enumerate(row):
                tokens, last = self.branch(question.text)
                start = len(ids)
                target = self.targets(question.answer)
                reads.add(r, start + len(tokens) - 1, target, 1.0, first=True)
                reads.add(r, start + last, target, END_WEIGHT)
                if with_end and with_end[r][q]:
                    tokens = [*tokens, target[0][0]]
                    reads.add(r, start + len(tokens) - 1, ([eos], [1.0]), 0.2)
                ids += tokens
                positions += range(len(prefix), len(prefix) + len(tokens))
                branch += [q + 1] * len(tokens)
            rows.append((ids, positions, branch))
        return reads.finish(rows)

    def targets(self, answer: questions.Answer) -> Target:
        """Token ids and weights of an answer."""
        return [answer_id(self.tokenizer, word) for word in answer], list(answer.values())

    def head_targets(self, labels: list[dict[str, str]]) -> HeadTargets:
        """The targets of all labels of each picture."""
        known = [(r, name, word) for r, row in enumerate(labels) for name, word in row.items()]
        ids, weights = tabulate([self.targets(questions.soften(word)) for _, _, word in known])
        rows = torch.tensor([r for r, _, _ in known], dtype=torch.long)
        attributes = [ATTRIBUTE_INDEX[name] for _, name, _ in known]
        importance = torch.tensor([questions.SHARES.get(name, 1.0) for _, name, _ in known])
        return HeadTargets(
            rows, torch.tensor(attributes, dtype=torch.long), importance, ids, weights
        )


def tabulate(targets: list[Target]) -> tuple[Tensor, Tensor]:
    """Targets of a few words each as ids and weights, (n, N_WORDS) each."""
    ids = torch.zeros(len(targets), N_WORDS, dtype=torch.long)
    weights = torch.zeros(len(targets), N_WORDS)
    for i, (words, shares) in enumerate(targets):
        ids[i, : len(words)] = torch.tensor(words)
        weights[i, : len(words)] = torch.tensor(shares)
    return ids, weights


class _ReadList:
    """Collects reads while rows are laid out."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.columns: list[int] = []
        self.targets: list[Target] = []
        self.importance: list[float] = []
        self.first: list[int] = []

    def add(
        self, row: int, column: int, target: Target, importance: float, *, first: bool = False
    ) -> None:
        if first:
            self.first.append(len(self.rows))
        self.rows.append(row)
        self.columns.append(column)
        self.targets.append(target)
        self.importance.append(importance)

    def finish(self, rows: list[tuple[list[int], list[int], list[int]]]) -> tuple[Packed, Reads]:
        length = max(len(ids) for ids, _, _ in rows)

        def padded(part: int, value: int) -> Tensor:
            return torch.tensor([r[part] + [value] * (length - len(r[part])) for r in rows])

        packed = Packed(
            padded(0, 0),
            padded(1, 0),
            padded(2, -1),
            torch.tensor(self.rows),
            torch.tensor(self.columns),
        )
        ids, weights = tabulate(self.targets)
        importance, first = torch.tensor(self.importance), torch.tensor(self.first)
        return packed, Reads(ids, weights, importance, first)


@dataclass
class Draw:
    """One picture of a batch on its way.

    Args:
        index: row in the pictures.
        record: its record.
        labels: its labels after the changes.
        recolour: (3,) in [0, 1], the new colour of the product or the coloured part.
        part: row of the mask of what is recoloured, -1 for none.
        turns: quarter turns.
        gray: shown without colour.
        pasted: put on a background.
        ground: a plain background's colour, None for a photograph.
        middle: row of the picture whose middle is shown instead of its own, -1 for none.
        hue: how far all colours are turned; radians.
    """

    index: int
    record: Record
    labels: dict[str, str]
    recolour: tuple[float, float, float] | None = None
    part: int = -1
    turns: int = 0
    gray: bool = False
    pasted: bool = False
    ground: tuple[float, float, float] | None = None
    middle: int = -1
    hue: float = 0.0


class BatchMaker:
    """Draws training batches; the same seed, step and rank give the same batch."""

    def __init__(
        self, data: Dataset, tokenizer: Tokenizer, *, seed: int, n_questions: int = 3
    ) -> None:
        self.data, self.packer = data, Packer(tokenizer)
        self.seed, self.n_questions = seed, n_questions
        self.ranges = augment.Ranges()
        self.rows: dict[str, list[int]] = {}
        for i, record in enumerate(data.records):
            if not record.validation:
                self.rows.setdefault(record.source, []).append(i)
                if record.cut_out >= 0:
                    self.rows.setdefault(record.source + CUT_OUTS, []).append(i)
        self.grounds = [i for s in PHOTOGRAPHS for i in self.rows.get(s, [])]
        self.shares = {source: self._balance(rows) for source, rows in self.rows.items()}
        self.sources = list(self.rows)
        self.weights = [WEIGHTS.get(s, 0.02) for s in self.sources]
        self.garments = plain_colours(data, "fashion")

    def _balance(self, rows: list[int]) -> list[float]:
        """Cumulative weights that show rare colours of each type of thing more often.

        By the root of their number: shoes are seldom green, but may be asked about.
        """
        labels = [self.data.records[i].labels for i in rows]
        looks = [(known.get("type"), known.get("color")) for known in labels]
        number = Counter(looks)
        return list(accumulate(number[look] ** -0.5 for look in looks))

    def make(
        self, step: int, *, rank: int, n_images: int
    ) -> tuple[Tensor, Packed, Reads, HeadTargets]:
        """The batch of one step: pixel values (n_images, 3, s, s), packed questions, targets."""
        rng = random.Random(f"{self.seed}/{step}/{rank}")
        draws, pictures = self.views(rng, n_images=n_images)
        for draw, name in zip(draws, augment.luma_name(pictures), strict=True):
            if name and rng.random() < 0.4:
                draw.labels["brightness"] = name
        asked = [self.ask(draw, rng) for draw in draws]
        ends = [[rng.random() < 0.12 for _ in row] for row in asked]
        packed, reads = self.packer.pack(asked, with_end=ends)
        known = self.packer.head_targets([draw.labels for draw in draws])
        return augment.normalise(pictures), packed, reads, known

    def views(self, rng: random.Random, *, n_images: int) -> tuple[list[Draw], Tensor]:
        """Draw pictures and show them: (n_images, 3, IMAGE_SIZE, IMAGE_SIZE) in [0, 1]."""
        generator = torch.Generator().manual_seed(rng.getrandbits(60))
        draws = [self.draw(rng) for _ in range(n_images)]
        return draws, self.show(draws, rng, generator)

    def draw(self, rng: random.Random) -> Draw:
        """Draw a picture and decide what happens to it."""
        source = rng.choices(self.sources, self.weights)[0]
        index = rng.choices(self.rows[source], cum_weights=self.shares[source])[0]
        record = self.data.records[index]
        draw = Draw(index, record, dict(record.labels))
        if source.endswith(CUT_OUTS):
            self._decide_ground(draw, rng)
        elif rng.random() < self.ranges.gray_share and record.source != "still_lifes":
            draw.gray = True
            draw.labels = _without_colours(draw.labels)
        elif rng.random() < HUE_TURNED.get(source, 0.0):
            draw.hue = rng.uniform(0.25, 1.75) * math.pi
            draw.labels = _without_colours(draw.labels)
        elif rng.random() < INSETS.get(source, 0.0) and self.grounds:
            draw.pasted = True
            draw.labels.pop("background", None)
        keeps_colours = not draw.gray and not draw.hue
        if keeps_colours and rng.random() < RECOLOURED_SHARE.get(source, 0.0):
            draw.part = _tintable(record)
            if draw.part >= 0:
                draw.labels["color"], draw.recolour = random_colour(
                    rng, self.paints_of(source, rng)
                )
        if rng.random() < SWAPPED_SHARE.get(source, 0.0):
            among = self.rows[source] if rng.random() < 0.5 else self.grounds
            draw.middle = rng.choice(among or self.rows[source])
        if record.source in UPRIGHT_SETS and not draw.pasted:
            if rng.random() < self.ranges.turned_share:
                draw.turns = rng.randrange(1, 4)
            if draw.turns or rng.random() < self.ranges.turned_share:
                draw.labels["orientation"] = augment.TURN_NAMES[draw.turns]
        return draw

    def paints_of(self, source: str, rng: random.Random) -> Paints:
        """The colours that a source's things may get; of garments mostly those of others."""
        if source == "flowers":
            return PETALS
        if source.startswith("car"):
            return CAR_GRAYS if rng.random() < CAR_GRAY_SHARE else CAR_PAINTS
        return self.garments if self.garments and rng.random() < 0.7 else PAINTS

    def _decide_ground(self, draw: Draw, rng: random.Random) -> None:
        draw.pasted = True
        draw.labels.pop("background", None)
        if rng.random() < 0.3 or not self.grounds:
            draw.labels["background"], draw.ground = random_colour(rng, PAINTS)

    def show(self, draws: list[Draw], rng: random.Random, generator: torch.Generator) -> Tensor:
        """Make the pictures: (n_images, 3, IMAGE_SIZE, IMAGE_SIZE) in [0, 1]."""
        stored = augment.to_unit(torch.from_numpy(self.data.pictures[[d.index for d in draws]]))
        swapped = [i for i, d in enumerate(draws) if d.middle >= 0]
        if swapped:
            others = self.data.pictures[[draws[i].middle for i in swapped]]
            stored[swapped] = augment.swap_middle(
                stored[swapped], augment.to_unit(torch.from_numpy(others)), margins=MARGINS
            )
        parts = [i for i, d in enumerate(draws) if d.part >= 0]
        if parts:
            stored[parts] = self._tint([draws[i] for i in parts], stored[parts], generator)
        least = torch.tensor([LEAST_CROP.get(d.record.source, 0.0) for d in draws])
        readable = torch.tensor([d.record.source in READABLE_SETS for d in draws])
        affine = augment.draw_affine(
            len(draws), ranges=self.ranges, generator=generator, least=least, readable=readable
        )
        pictures = augment.warp(stored, affine)
        pasted = [i for i, d in enumerate(draws) if d.pasted]
        if pasted:
            some = [draws[i] for i in pasted]
            pictures[pasted] = self._paste(some, stored[pasted], rng, generator)
        gray = [i for i, d in enumerate(draws) if d.gray]
        pictures[gray] = pictures[gray].mean(1, keepdim=True).expand(-1, 3, -1, -1)
        turned_hues = [i for i, d in enumerate(draws) if d.hue]
        if turned_hues:
            angles = torch.tensor([draws[i].hue for i in turned_hues])
            pictures[turned_hues] = augment.turn_hues(pictures[turned_hues], angles)
        turned = [i for i, d in enumerate(draws) if d.turns]
        if turned:
            pictures[turned] = augment.quarter_turns(
                pictures[turned], [draws[i].turns for i in turned]
            )
        casts = torch.tensor([CASTS.get(d.record.source, 1.0) for d in draws])
        return augment.jitter(pictures, ranges=self.ranges, generator=generator, casts=casts)

    def _tint(self, draws: list[Draw], pictures: Tensor, generator: torch.Generator) -> Tensor:
        masks = torch.from_numpy(self.data.masks[[d.part for d in draws]])
        colours = torch.tensor([d.recolour for d in draws])
        car = torch.tensor([float(d.record.source == "car_colours") for d in draws])
        metal, gloss, sky = torch.rand(3, len(draws), generator=generator)
        depth = torch.lerp(torch.tensor(0.5), 0.4 + 0.3 * metal, car)
        light = torch.lerp(torch.ones(3), torch.tensor(SKY), sky[:, None])
        mirrored = car[:, None] * (0.6 + 0.5 * gloss[:, None]) * light
        return augment.tint(
            pictures, masks[:, None].float() / 255, colours, depth=depth, mirrored=mirrored
        )

    def _paste(
        self, draws: list[Draw], products: Tensor, rng: random.Random, generator: torch.Generator
    ) -> Tensor:
        n = len(draws)
        rows = [rng.choice(self.grounds) if self.grounds else draws[0].index for _ in range(n)]
        photographs = augment.to_unit(torch.from_numpy(self.data.pictures[rows]))
        affine = augment.draw_affine(n, ranges=self.ranges, generator=generator)
        grounds = augment.warp(photographs, affine)
        for i, draw in enumerate(draws):
            if draw.ground:
                plain = torch.tensor(draw.ground)[:, None, None]
                grounds[i] = plain * (0.75 + 0.5 * grounds[i].mean(0)).clamp(0.85, 1.1)
        masks = torch.from_numpy(np.stack([self._mask(d.record) for d in draws]))
        return augment.paste(products, masks[:, None].float() / 255, grounds, generator)

    def _mask(self, record: Record) -> NDArray[np.uint8]:
        """What of a picture is pasted: the product, or all of it where it is not cut out."""
        if record.cut_out >= 0:
            return self.data.masks[record.cut_out]
        return np.full(self.data.masks.shape[1:], 255, np.uint8)

    def ask(self, draw: Draw, rng: random.Random) -> list[Question]:
        """A picture's questions, at least one of them answerable where it has a label."""
        nouns = draw.record.nouns + (GENERIC if rng.random() < 0.3 else [])
        asked = []
        for i in range(self.n_questions):
            known = draw.labels and (i == 0 or rng.random() < 0.85)
            asked.append(
                questions.ask_known(draw.labels, nouns, rng)
                if known
                else questions.ask_unknown(nouns, rng)
            )
        return asked


def _tintable(record: Record) -> int:
    """Row of the mask of what may get another colour, -1 for none."""
    product = record.cut_out if record.source == "fashion" else -1
    return record.region if record.region >= 0 else product


def _without_colours(labels: dict[str, str]) -> dict[str, str]:
    return {name: word for name, word in labels.items() if name not in ("color", "background")}


def random_colour(rng: random.Random, paints: Paints) -> tuple[str, Colour]:
    """A colour's name and an sRGB value near one of its paints."""
    name = rng.choice(list(paints))
    red, green, blue = (
        min(max(c + rng.uniform(-10, 10), 0), 255) / 255 for c in rng.choice(paints[name])
    )
    return name, (red, green, blue)
