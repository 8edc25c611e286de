"""Drawn playing cards: ranks and suits in many typefaces, sizes and colours.

Photographed decks repeat their art, by which a card can be known without reading it. These have a
rank and a suit in their corners and pips in their middle, and no art to remember.
"""

from __future__ import annotations

import random
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from esmc_core.train.data import SIDE, VALIDATION_SHARE, Record
from esmc_core.train.sources import READERS

SOURCE = "drawn_cards"
SCALE = 3  # drawn larger, then shrunk, for smooth edges
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
SUITS = {"hearts": "red", "diamonds": "red", "spades": "black", "clubs": "black"}
INKS = {
    "red": [(206, 24, 38), (228, 44, 40), (168, 16, 34), (238, 70, 60)],
    "black": [(16, 16, 18), (40, 40, 46), (0, 0, 0), (24, 26, 52)],
}
PAPERS = [(252, 252, 250), (246, 240, 226), (236, 226, 200), (230, 232, 236), (250, 250, 255)]
# Columns and rows of the pips of ace to ten, as shares of the middle.
PIPS: dict[str, list[tuple[float, float]]] = {
    "ace": [(0.5, 0.5)],
    "two": [(0.5, 0), (0.5, 1)],
    "three": [(0.5, 0), (0.5, 0.5), (0.5, 1)],
    "four": [(x, y) for x in (0, 1) for y in (0, 1)],
    "five": [(x, y) for x in (0, 1) for y in (0, 1)] + [(0.5, 0.5)],
    "six": [(x, y) for x in (0, 1) for y in (0, 0.5, 1)],
    "seven": [(x, y) for x in (0, 1) for y in (0, 0.5, 1)] + [(0.5, 0.25)],
    "eight": [(x, y) for x in (0, 1) for y in (0, 0.5, 1)] + [(0.5, 0.25), (0.5, 0.75)],
    "nine": [(x, y) for x in (0, 1) for y in (0, 0.33, 0.67, 1)] + [(0.5, 0.5)],
    "ten": [(x, y) for x in (0, 1) for y in (0, 0.33, 0.67, 1)] + [(0.5, 0.17), (0.5, 0.83)],
}
# Files of typefaces in Streamlit's package, upright and slanted, with and without serifs.
TYPEFACES = (
    "KaTeX_Main-Bold.*",
    "KaTeX_Main-BoldItalic.*",
    "KaTeX_Main-Regular.*",
    "KaTeX_SansSerif-Bold.*",
    "KaTeX_SansSerif-Italic.*",
    "KaTeX_SansSerif-Regular.*",
    "KaTeX_Typewriter-Regular.*",
    "SourceCodeVF-Upright.*",
    "SourceSansVF-Upright.*",
    "SourceSansVF-Italic.*",
    "SourceSerifVariable-Roman.*",
    "SourceSerifVariable-Italic.*",
)


@cache
def _typefaces() -> list[ImageFont.FreeTypeFont]:
    package = find_spec("streamlit")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("streamlit is not installed, whose typefaces are drawn with")
    folder = Path(package.origin).parent / "static" / "static" / "media"
    found = [path for pattern in TYPEFACES for path in sorted(folder.glob(pattern))]
    return [ImageFont.truetype(str(path), 96) for path in found]


def _glyph(text: str, width: int, height: int, rng: random.Random) -> Image.Image:
    """(height, width) mask of a text that fills it, in a drawn typeface and weight."""
    font = rng.choice(_typefaces())
    mask = Image.new("L", (320, 200))
    stroke = rng.choice([0, 0, 2, 4])
    ImageDraw.Draw(mask).text((60, 30), text, fill=255, font=font, stroke_width=stroke)
    return mask.crop(mask.getbbox()).resize((width, height), Image.Resampling.BICUBIC)


@cache
def _symbol(suit: str) -> Image.Image:
    """(240, 240) mask of a suit's symbol."""
    mask = Image.new("L", (240, 240))
    draw = ImageDraw.Draw(mask)
    if suit == "diamonds":
        draw.polygon([(120, 4), (216, 120), (120, 236), (24, 120)], fill=255)
    elif suit == "hearts":
        draw.ellipse((10, 14, 126, 130), fill=255)
        draw.ellipse((114, 14, 230, 130), fill=255)
        draw.polygon([(19, 104), (221, 104), (120, 232)], fill=255)
    else:
        if suit == "spades":
            draw.ellipse((14, 84, 124, 190), fill=255)
            draw.ellipse((116, 84, 226, 190), fill=255)
            draw.polygon([(22, 112), (218, 112), (120, 6)], fill=255)
        else:
            for x, y in ((120, 62), (66, 142), (174, 142)):
                draw.ellipse((x - 54, y - 54, x + 54, y + 54), fill=255)
        draw.polygon([(120, 90), (160, 236), (80, 236)], fill=255)
    return mask


def draw_card(rank: str, suit: str, rng: random.Random) -> Image.Image:
    """One card, (SIDE, SIDE), that fills its picture.

    Args:
        rank: a key of `RANKS`.
        suit: a key of `SUITS`.
    """
    side = SIDE * SCALE
    paper = rng.choice(PAPERS)
    ink = rng.choice(INKS[SUITS[suit]])
    if rng.random() < 0.12:  # a dark deck with light ink
        paper = (rng.randrange(50), rng.randrange(50), rng.randrange(60))
        ink = (255, 80, 80) if SUITS[suit] == "red" else (230, 230, 230)
    card = Image.new("RGB", (side, side), paper)
    _fill_middle(card, rank, suit, ink, rng)
    corner = Image.new("L", (side, side))
    left, top = rng.uniform(0.03, 0.07) * side, rng.uniform(0.03, 0.08) * side
    width, height = rng.uniform(0.08, 0.14) * side, rng.uniform(0.09, 0.18) * side
    if RANKS[rank] == "10":
        width = min(width * 1.25, 0.15 * side)
    corner.paste(_glyph(RANKS[rank], int(width), int(height), rng), (int(left), int(top)))
    if rng.random() < 0.9:
        size = (int(width * rng.uniform(0.7, 1.0)), int(height * rng.uniform(0.5, 0.8)))
        below = (int(left + (width - size[0]) / 2), int(top + height * rng.uniform(1.08, 1.25)))
        corner.paste(_symbol(suit).resize(size), below)
    card.paste(ink, (0, 0), corner)
    card.paste(ink, (0, 0), corner.rotate(180))
    if rng.random() < 0.15:  # all four corners
        mirrored = Image.new("L", (side, side))
        piece = corner.crop((0, 0, side // 4, side // 2))
        mirrored.paste(piece, (side - int(left * 2 + width), 0))
        card.paste(ink, (0, 0), mirrored)
        card.paste(ink, (0, 0), mirrored.rotate(180))
    return card.resize((SIDE, SIDE), Image.Resampling.BOX)


def _fill_middle(
    card: Image.Image, rank: str, suit: str, ink: tuple[int, int, int], rng: random.Random
) -> None:
    """Pips as their number has them; a framed pattern for the court."""
    side = card.width
    if rank in PIPS:
        wide = rng.uniform(0.4, 0.9) if rank == "ace" else rng.uniform(0.13, 0.18)
        size = (int(wide * side * 0.9), int(wide * side * rng.uniform(0.7, 0.95)))
        inset_x, inset_y = rng.uniform(0.3, 0.34) * side, rng.uniform(0.16, 0.22) * side
        symbol = _symbol(suit).resize(size)
        for x, y in PIPS[rank]:
            turned = symbol.rotate(180) if y > 0.5 else symbol
            at = (inset_x + x * (side - 2 * inset_x), inset_y + y * (side - 2 * inset_y))
            card.paste(ink, (int(at[0] - size[0] / 2), int(at[1] - size[1] / 2)), turned)
        return
    draw = ImageDraw.Draw(card)
    x, y = 0.23 * side, rng.uniform(0.09, 0.13) * side
    frame = (x, y, side - x, side - y)
    for _ in range(14):
        corners = [
            (rng.uniform(frame[0], frame[2]), rng.uniform(frame[1], frame[3])) for _ in range(3)
        ]
        paints = [ink, (222, 178, 40), (30, 60, 150), (190, 30, 40), (245, 240, 230)]
        draw.polygon(corners, fill=rng.choice(paints))
    draw.rectangle(frame, outline=ink, width=SCALE)


def draw_records(n: int, *, seed: int) -> list[tuple[NDArray[np.uint8], Record]]:
    """Draw n cards at the training's size, with their records."""
    rng = random.Random(seed)
    made = []
    for i in range(n):
        rank = list(RANKS)[i % len(RANKS)]
        suit = rng.choice(list(SUITS))
        labels, nouns = READERS["cards"]({"suit": suit, "rank": rank, "colour": SUITS[suit]})
        record = Record(SOURCE, labels, nouns, rng.random() < VALIDATION_SHARE)
        made.append((np.asarray(draw_card(rank, suit, rng)), record))
    return made
