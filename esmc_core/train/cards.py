"""Playing cards drawn by rule: every rank and suit in many layouts, none of anybody's art."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from esmc_core.train.data import SIDE, VALIDATION_SHARE, Record

SOURCE = "drawn_cards"
RANKS = {
    "ace": "A",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ten": "10",
    "jack": "J",
    "queen": "Q",
    "king": "K",
}
SUITS = ("hearts", "diamonds", "clubs", "spades")
RED_SUITS = ("hearts", "diamonds")
WIDTH, HEIGHT = 240, 336  # px of a card before it is squeezed to a square
PIP = 96  # px of a symbol before it is scaled
Ink = tuple[int, int, int]
Place = tuple[float, float]
STRONG_INKS = [(200, 30, 40), (240, 200, 40), (30, 70, 170), (20, 20, 22), (250, 250, 250)]
Font = Callable[[int], ImageFont.FreeTypeFont | ImageFont.ImageFont]

# Where the symbols of a number are: (column, row) in [0, 1] of the inner field.
LEFT, MIDDLE, RIGHT = 0.0, 0.5, 1.0
COLUMN: dict[int, list[Place]] = {
    2: [(MIDDLE, 0), (MIDDLE, 1)],
    3: [(MIDDLE, 0), (MIDDLE, 0.5), (MIDDLE, 1)],
    4: [(LEFT, 0), (RIGHT, 0), (LEFT, 1), (RIGHT, 1)],
    6: [(x, y) for x in (LEFT, RIGHT) for y in (0, 0.5, 1)],
    8: [(x, y) for x in (LEFT, RIGHT) for y in (0, 1 / 3, 2 / 3, 1)],
}
PLACES: dict[int, list[list[Place]]] = {
    1: [[(MIDDLE, 0.5)]],
    2: [COLUMN[2]],
    3: [COLUMN[3]],
    4: [COLUMN[4]],
    5: [[*COLUMN[4], (MIDDLE, 0.5)]],
    6: [COLUMN[6]],
    7: [[*COLUMN[6], (MIDDLE, 0.25)]],
    8: [[*COLUMN[6], (MIDDLE, 0.25), (MIDDLE, 0.75)], COLUMN[8], [*COLUMN[6], *COLUMN[2]]],
    9: [[*COLUMN[8], (MIDDLE, 0.5)], [*COLUMN[6], *COLUMN[3]]],
    10: [[*COLUMN[8], (MIDDLE, 1 / 6), (MIDDLE, 5 / 6)]],
}


def find_fonts(folder: Path | None) -> list[Font]:
    """Pillow's own font, and every TrueType or OpenType file below a folder."""
    files = [] if folder is None else sorted(p for p in folder.rglob("*.[ot]tf"))
    own: list[Font] = [ImageFont.load_default]
    return own + [_from_file(str(path)) for path in files]


def _from_file(path: str) -> Font:
    @lru_cache(maxsize=64)
    def at(size: int) -> ImageFont.FreeTypeFont:
        return ImageFont.truetype(path, size)

    return at


def _heart(draw: ImageDraw.ImageDraw, rng: random.Random, fill: int) -> None:
    top, deep = rng.uniform(0.22, 0.32) * PIP, rng.uniform(0.9, 1.0) * PIP
    r = PIP / 4 + 1
    draw.ellipse((1, top - r, 1 + 2 * r, top + r), fill=fill)
    draw.ellipse((PIP - 2 - 2 * r, top - r, PIP - 2, top + r), fill=fill)
    side = top + r * rng.uniform(0.35, 0.55)
    draw.polygon([(3, side), (PIP / 2, deep), (PIP - 4, side), (PIP / 2, top)], fill=fill)


def _diamond(draw: ImageDraw.ImageDraw, rng: random.Random, fill: int) -> None:
    bend, half = rng.uniform(-0.1, 0.03) * PIP, rng.uniform(0.34, 0.5) * PIP
    m = PIP / 2
    corners = [(m, 0), (m + half, m), (m, PIP), (m - half, m)]
    points = []
    for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
        mid = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
        pull = bend / PIP
        points += [a, (mid[0] + (mid[0] - m) * 4 * pull, mid[1] + (mid[1] - m) * 4 * pull)]
    draw.polygon(points, fill=fill)


def _stem(draw: ImageDraw.ImageDraw, rng: random.Random, fill: int, *, start: float) -> None:
    wide = rng.uniform(0.12, 0.26) * PIP
    m = PIP / 2
    draw.polygon([(m - 3, start), (m + 3, start), (m + wide, PIP), (m - wide, PIP)], fill=fill)


def _spade(draw: ImageDraw.ImageDraw, rng: random.Random, fill: int) -> None:
    low, r = rng.uniform(0.56, 0.64) * PIP, PIP / 4 + 1
    draw.ellipse((1, low - r, 1 + 2 * r, low + r), fill=fill)
    draw.ellipse((PIP - 2 - 2 * r, low - r, PIP - 2, low + r), fill=fill)
    side = low - r * rng.uniform(0.3, 0.5)
    draw.polygon([(3, side), (PIP / 2, 0), (PIP - 4, side), (PIP / 2, low + 4)], fill=fill)
    _stem(draw, rng, fill, start=low)


def _club(draw: ImageDraw.ImageDraw, rng: random.Random, fill: int) -> None:
    r, m = rng.uniform(0.2, 0.25) * PIP, PIP / 2
    low = rng.uniform(0.56, 0.62) * PIP
    for x, y in ((m, r), (r, low), (PIP - r, low)):
        draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
    draw.polygon([(m, r), (r, low), (PIP - r, low)], fill=fill)
    _stem(draw, rng, fill, start=low)


SYMBOLS = {"hearts": _heart, "diamonds": _diamond, "clubs": _club, "spades": _spade}


def _symbol(suit: str, rng: random.Random, *, outline: bool) -> Image.Image:
    mask = Image.new("L", (PIP, PIP), 0)
    SYMBOLS[suit](ImageDraw.Draw(mask), rng, 255)
    if outline:
        inner = mask.filter(ImageFilter.MinFilter(2 * rng.randint(2, 4) + 1))
        return ImageChops.subtract(mask, inner)
    return mask


def _word(text: str, font: Font, rng: random.Random, *, height: int, weight: int) -> Image.Image:
    """A mask of a rank's letters, `height` px high, as wide as chance has it."""
    drawn = font(120)
    box = drawn.getbbox(text, stroke_width=weight)
    mask = Image.new("L", (int(box[2] - box[0]) + 4, int(box[3] - box[1]) + 4), 0)
    ImageDraw.Draw(mask).text(
        (2 - box[0], 2 - box[1]), text, fill=255, font=drawn, stroke_width=weight
    )
    wide = height * mask.width / mask.height * rng.uniform(0.65, 1.1)
    return mask.resize((max(6, int(wide)), height), Image.Resampling.BILINEAR)


def _stamp(card: Image.Image, mask: Image.Image, ink: Ink, middle: Place) -> None:
    place = (int(middle[0] - mask.width / 2), int(middle[1] - mask.height / 2))
    card.paste(ink, (*place, place[0] + mask.width, place[1] + mask.height), mask)


def _inks(rng: random.Random, *, red: bool) -> tuple[Ink, Ink]:
    """Colours of a card's ground and of its symbols."""

    def near(ink: Ink, spread: int = 14) -> Ink:
        r, g, b = (min(255, max(0, c + rng.randint(-spread, spread))) for c in ink)
        return r, g, b

    draw = rng.random()
    if draw < 0.66:
        ground = near(rng.choice([(255, 255, 255), (246, 246, 244), (232, 232, 230)]), 8)
    elif draw < 0.8:
        ground = near(rng.choice([(246, 236, 208), (226, 202, 158), (240, 220, 200)]))
    elif draw < 0.92:
        dark = near(rng.choice([(14, 14, 16), (30, 22, 24), (16, 18, 42), (44, 44, 48)]), 10)
        bright = [(222, 40, 44), (236, 90, 70), (220, 60, 90)]
        pale = [(240, 240, 240), (200, 204, 214), (120, 100, 220), (224, 190, 100)]
        return dark, near(rng.choice(bright if red and rng.random() < 0.8 else pale))
    else:
        ground = near((rng.randint(120, 240), rng.randint(120, 240), rng.randint(120, 240)))
    dark_red = [(210, 20, 34), (190, 20, 30), (230, 40, 50), (160, 24, 30), (226, 60, 60)]
    blacks = [(10, 10, 12), (28, 28, 30), (24, 28, 44), (50, 46, 46)]
    return ground, near(rng.choice(dark_red if red else blacks), 12)


def _random_ink(rng: random.Random) -> Ink:
    if rng.random() < 0.6:
        return rng.choice(STRONG_INKS)
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)


def _art(size: tuple[int, int], rng: random.Random, *, twice: bool) -> Image.Image:
    """A figure of random shapes, for court cards turned by half and repeated."""
    wide, high = size
    art = Image.new("RGB", size, _random_ink(rng))
    draw = ImageDraw.Draw(art)
    for _ in range(rng.randint(6, 28)):
        x, y = rng.gauss(wide / 2, wide / 4), rng.uniform(0, high)
        w, h = rng.uniform(4, wide / 2.2), rng.uniform(4, high / 4)
        ink = _random_ink(rng)
        form = rng.random()
        if form < 0.4:
            draw.ellipse((x - w / 2, y - h / 2, x + w / 2, y + h / 2), fill=ink)
        elif form < 0.7:
            points = [(x + rng.uniform(-w, w), y + rng.uniform(-h, h)) for _ in range(4)]
            draw.polygon(points, fill=ink)
        else:
            end = (x + rng.uniform(-w, w), y + rng.uniform(-h, h))
            draw.line([(x, y), end], fill=ink, width=rng.randint(1, 8))
    if rng.random() < 0.6:  # a face
        x, y, r = wide / 2, high * rng.uniform(0.15, 0.35), wide * rng.uniform(0.1, 0.2)
        draw.ellipse((x - r, y - r * 1.2, x + r, y + r * 1.2), fill=(238, 208, 180))
        for side in (-0.4, 0.4):
            eye = x + side * r
            draw.ellipse((eye - 2, y - 3, eye + 2, y + 1), fill=(20, 20, 20))
    if twice:
        half = art.crop((0, 0, wide, high // 2))
        art.paste(half.transpose(Image.Transpose.ROTATE_180), (0, high - half.height))
    return art


def _pips(
    card: Image.Image, number: int, symbol: Image.Image, ink: Ink, rng: random.Random
) -> None:
    """The symbols of a number in its field, those of the lower half upside down."""
    places = rng.choice(PLACES[number])
    if rng.random() < 0.06 and number > 1:  # in a slanting row
        places = [(i / (number - 1), 1 - i / (number - 1)) for i in range(number)]
    most = {1: 0.5, 2: 0.3, 3: 0.3}.get(number, 0.26)
    size = int(WIDTH * rng.uniform(most * 0.5, most))
    pip = symbol.resize((size, size), Image.Resampling.BILINEAR)
    turned = pip.transpose(Image.Transpose.ROTATE_180) if rng.random() < 0.9 else pip
    spread_x, spread_y = rng.uniform(0.3, 0.5), rng.uniform(0.5, 0.68)
    for x, y in places:
        middle = (
            WIDTH * (0.5 + (x - 0.5) * spread_x),
            HEIGHT * (0.5 + (y - 0.5) * spread_y),
        )
        _stamp(card, turned if y > 0.51 else pip, ink, middle)


def _corner(
    rank: str, symbol: Image.Image, font: Font, ink: Ink, rng: random.Random, *, small: bool
) -> Image.Image:
    """A card-sized transparent layer with the index in its upper left corner."""
    layer = Image.new("RGBA", (WIDTH, HEIGHT), (*ink, 0))
    alpha = Image.new("L", (WIDTH, HEIGHT), 0)
    high = int(HEIGHT * (rng.uniform(0.08, 0.13) if small else rng.uniform(0.11, 0.24)))
    letters = _word(rank, font, rng, height=high, weight=rng.choice([0, 2, 5, 9]))
    left, top = WIDTH * rng.uniform(0.03, 0.1), HEIGHT * rng.uniform(0.025, 0.09)
    alpha.paste(255, (int(left), int(top)), letters)
    if rng.random() < 0.9:
        size = int(high * rng.uniform(0.5, 0.9))
        pip = symbol.resize((size, size), Image.Resampling.BILINEAR)
        below = (left + letters.width / 2, top + high + size * 0.62)
        beside = (left + letters.width + size * 0.7, top + high / 2)
        middle = below if rng.random() < 0.85 else beside
        alpha.paste(255, (int(middle[0] - size / 2), int(middle[1] - size / 2)), pip)
    layer.putalpha(alpha)
    return layer


def _middle(
    card: Image.Image, name: str, suit: str, symbol: Image.Image, ink: Ink, rng: random.Random
) -> None:
    """What fills the card: symbols, a figure, or one large symbol."""
    court = name in ("jack", "queen", "king")
    draw = rng.random()
    if draw < (0.8 if court else 0.2):
        wide, high = int(WIDTH * rng.uniform(0.5, 0.8)), int(HEIGHT * rng.uniform(0.55, 0.85))
        art = _art((wide, high), rng, twice=court and rng.random() < 0.7)
        card.paste(art, ((WIDTH - wide) // 2, (HEIGHT - high) // 2))
    elif court or draw < 0.3:
        size = int(WIDTH * rng.uniform(0.3, 0.65))
        _stamp(card, symbol.resize((size, size)), ink, (WIDTH / 2, HEIGHT / 2))
    else:
        _pips(card, list(RANKS).index(name) + 1, symbol, ink, rng)


def draw_card(
    rng: random.Random, fonts: list[Font], *, rank: str = "", suit: str = "", side: int = SIDE
) -> tuple[NDArray[np.uint8], str, str]:
    """Draw one card; an empty rank or suit is drawn, too.

    Args:
        fonts: as `find_fonts` gives them.
        rank, suit: of `RANKS` and `SUITS`.
        side: px of the picture.

    Returns:
        The picture (side, side, 3), the rank, the suit.
    """
    rank, suit = rank or rng.choice(list(RANKS)), suit or rng.choice(SUITS)
    ground, ink = _inks(rng, red=suit in RED_SUITS)
    symbol = _symbol(suit, rng, outline=rng.random() < 0.06)
    card = Image.new("RGB", (WIDTH, HEIGHT), ground)
    field = ImageDraw.Draw(card)
    if rng.random() < 0.35:
        gap = rng.uniform(0.01, 0.06) * WIDTH
        box = (gap, gap, WIDTH - gap, HEIGHT - gap)
        line = ink if rng.random() < 0.5 else _random_ink(rng)
        field.rounded_rectangle(box, radius=14, outline=line, width=rng.randint(1, 4))
    _middle(card, rank, suit, symbol, ink, rng)
    font = rng.choice(fonts)
    letter = RANKS[rank] if rank != "ace" or rng.random() < 0.95 else "1"
    corner = _corner(letter, symbol, font, ink, rng, small=rng.random() < 0.35)
    both = corner.transpose(Image.Transpose.ROTATE_180)
    card.paste(corner, (0, 0), corner)
    if rng.random() < 0.93:
        card.paste(both, (0, 0), both)
    if rng.random() < 0.15:  # in all four corners: the letters stay readable
        shift = WIDTH - 2 * WIDTH // 16 - max(20, corner.getbbox()[2] - WIDTH // 16)  # type: ignore[index]
        for layer, step in ((corner, shift), (both, -shift)):
            card.paste(layer, (step, 0), layer)
    return np.asarray(_lay(card, rng, side=side)), rank, suit


def _lay(card: Image.Image, rng: random.Random, *, side: int) -> Image.Image:
    """The card as a picture: filling it, or lying on something in a slight perspective."""
    twice = 2 * side
    if rng.random() < 0.5:
        return card.resize((side, side), Image.Resampling.BICUBIC)
    table = Image.new("RGB", (8, 8))
    base = (rng.randrange(256), rng.randrange(256), rng.randrange(256))
    rough = rng.choice([0, 6, 24, 60])
    table.putdata(
        [tuple(min(255, max(0, c + rng.randint(-rough, rough))) for c in base) for _ in range(64)]
    )
    table = table.resize((twice, twice), Image.Resampling.BICUBIC)
    gap = rng.uniform(0.0, 0.14)
    slope = rng.uniform(-0.12, 0.12)

    def bend() -> float:
        return rng.uniform(-0.04, 0.04)

    corners = [(gap, gap), (gap, 1 - gap), (1 - gap, 1 - gap), (1 - gap, gap)]
    target = [(x + (y - 0.5) * slope + bend(), y - (x - 0.5) * slope + bend()) for x, y in corners]
    source = [(0, 0), (0, HEIGHT), (WIDTH, HEIGHT), (WIDTH, 0)]
    rows, values = [], []
    for (x, y), (u, v) in zip(target, source, strict=True):
        x, y = x * twice, y * twice
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    solved = np.linalg.solve(np.array(rows), np.array(values)).tolist()
    mask = Image.new("L", card.size, 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, WIDTH, HEIGHT), radius=12, fill=255)
    method, size = Image.Transform.PERSPECTIVE, (twice, twice)
    laid = card.transform(size, method, solved, Image.Resampling.BILINEAR)
    shown = mask.transform(size, method, solved, Image.Resampling.BILINEAR)
    table.paste(laid, (0, 0), shown)
    return table.resize((side, side), Image.Resampling.BOX)


def card_records(n: int, fonts: list[Font], *, seed: int) -> list[tuple[NDArray[np.uint8], Record]]:
    """Draw n cards at the training's size, with their records."""
    rng = random.Random(seed)
    made = []
    for _ in range(n):
        picture, rank, suit = draw_card(rng, fonts)
        labels = {"suit": suit, "rank": rank, "color": "red" if suit in RED_SUITS else "black"}
        nouns = ["card", "playing card", "card", "poker card"]
        made.append((picture, Record(SOURCE, labels, nouns, rng.random() < VALIDATION_SHARE)))
    return made
