"""Colours of clusters: told apart by the colour-blind, and true to names that are colours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from PIL import ImageColor

from esmc_core.spelling import canonical_text

PAPERS = ("#fbfaf7", "#14171a")
INK = "#1d2329"
_OUTLINE = "#7b7f83"

# The first six are Okabe and Ito's; each further one is the colour farthest (OKLab, the smallest
# of the distances as seen by trichromats, protanopes and deuteranopes) from all before it.
PALETTE = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#871f3f", "#68eeba"),
    *("#523891", "#7c5e73", "#dfd65f", "#9bbd8a", "#9bdbfd", "#7982e0", "#a14206", "#3a4e68"),
    *("#c9b7c7", "#9c654c", "#db6b6a", "#25a2be", "#4055ac", "#e18343", "#9c6f97", "#735741"),
    *("#882600", "#754888", "#b79e9a", "#ebcd95", "#6e9cf5", "#d1be67", "#9bc1f1", "#5182c1"),
    *("#63891a", "#8d5794", "#92aec9", "#a83f5a", "#9e824c", "#e5c6e1", "#edaaa6", "#aca86c"),
)

# Calmer than the screen's primaries, and words that CSS does not know.
_WORDS = {
    "red": "#cf2e2a",
    "green": "#3a8f45",
    "blue": "#2a62c4",
    "yellow": "#f0c419",
    "orange": "#ee8722",
    "purple": "#7d3fa0",
    "pink": "#ee8fb4",
    "brown": "#80512f",
    "black": "#1c1c1e",
    "white": "#ffffff",
    "gray": "#85898d",
    "silver": "#bcc2c7",
    "gold": "#d4a72c",
    "beige": "#dccba6",
    "cream": "#f5ecd0",
    "golden": "#d4a72c",
    "burgundy": "#731f32",
    "wine": "#722f37",
    "scarlet": "#d8331f",
    "ruby": "#a8173b",
    "rose": "#e0607e",
    "peach": "#f7c09a",
    "apricot": "#f4b183",
    "amber": "#f0a80f",
    "mustard": "#cfa11c",
    "ochre": "#c07a28",
    "bronze": "#9c6b30",
    "copper": "#b5683a",
    "rust": "#a84a1f",
    "sand": "#d9c79a",
    "taupe": "#8b7d70",
    "charcoal": "#3b4046",
    "emerald": "#1f8f5f",
    "mint": "#9fdcbd",
    "jade": "#2f9a72",
    "lilac": "#c3a5d4",
    "mauve": "#b18bb5",
    "violet": "#8650b8",
    "blond": "#e3cb8f",
    "blonde": "#e3cb8f",
    "ginger": "#c1672b",
}
# OKLab distances: what other colours should keep, and what tells two colours apart at all.
_APART, _NEAR = 0.1, 0.06
_MIN_CONTRAST = 3.0  # WCAG, for things that are no text


def cluster_colours(names: Sequence[str]) -> list[str]:
    """A colour for each cluster, "#rrggbb", no two the same; the same names give the same ones.

    A cluster named by a colour word wears that colour (a second one named so a shade of it);
    the others take the palette's in order, without those that look like one already worn.
    """
    return list(_assign(tuple(names)))


@lru_cache(maxsize=256)
def _assign(names: tuple[str, ...]) -> tuple[str, ...]:
    colours: dict[int, str] = {}
    for cluster, name in enumerate(names):
        word = named_colour(name)
        if word is not None:
            colours[cluster] = _free_shade(word, list(colours.values()))
    for cluster in range(len(names)):
        if cluster not in colours:
            colours[cluster] = _free_colour(list(colours.values()))
    return tuple(colours[cluster] for cluster in range(len(names)))


def named_colour(name: str) -> str | None:
    """The colour that a name is a word for: "Red", "red 2", "light blue", "Grey"; else None."""
    words = re.sub(r"[^\w ]|\d", " ", canonical_text(name)).split()
    words = [canonical_text(word) for word in words]
    if not words or len(words) > 3:
        return None
    for candidate in ("".join(words), words[-1]):
        if candidate in _WORDS:
            return _WORDS[candidate]
        if candidate in ImageColor.colormap:
            red, green, blue = ImageColor.getrgb(candidate)[:3]
            return f"#{red:02x}{green:02x}{blue:02x}"
    return None


def outline(colour: str) -> str:
    """A colour to draw around `colour`: itself where it stands out from both papers, else a gray.

    The gray has a contrast of 3 and more with the light and the dark paper.
    """
    seen = all(contrast(colour, paper) >= _MIN_CONTRAST for paper in PAPERS)
    return colour if seen else _OUTLINE


def text_on(colour: str) -> str:
    """The colour of text on `colour`, with a contrast of at least 4.5 (WCAG AA)."""
    return max((INK, "#ffffff", "#000000"), key=lambda ink: min(contrast(colour, ink), 4.5))


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two colours, 1 to 21."""
    darker, lighter = sorted(_luminance(colour) for colour in (one, other))
    return (lighter + 0.05) / (darker + 0.05)


def _free_shade(colour: str, taken: list[str]) -> str:
    """`colour`, or the nearest lighter or darker one that is not near any taken one."""
    lab = _oklab(colour)
    steps = [sign * step for step in np.arange(0.05, 0.45, 0.05) for sign in (-1, 1)]
    light = [step for step in steps if 0.15 <= lab[0] + step <= 0.97]
    shades = tuple(dict.fromkeys([colour, *(_hex(lab + np.array([s, 0, 0])) for s in light)]))
    return _first_free(shades, taken) or _free_colour(taken)


def _free_colour(taken: list[str]) -> str:
    everything = (*PALETTE, *_grid())
    found = _first_free(PALETTE, taken, apart=_APART) or _first_free(PALETTE, taken)
    return found or everything[int(_distances(everything, taken).argmax())]


def _first_free(colours: tuple[str, ...], taken: list[str], *, apart: float = _NEAR) -> str | None:
    free = np.flatnonzero(_distances(colours, taken) >= apart)
    return colours[free[0]] if len(free) else None


def _distances(colours: tuple[str, ...], taken: list[str]) -> np.ndarray:
    """(n_colours,) OKLab distance of each colour to the nearest taken one."""
    if not taken:
        return np.full(len(colours), np.inf)
    others = np.stack([_oklab(colour) for colour in taken])
    return np.linalg.norm(_oklabs(colours)[:, None] - others, axis=2).min(axis=1)


@lru_cache(maxsize=8)
def _oklabs(colours: tuple[str, ...]) -> np.ndarray:
    """(n_colours, 3)"""
    return np.stack([_oklab(colour) for colour in colours])


@cache
def _grid() -> tuple[str, ...]:
    """Colours all over the middle of the gamut, for what comes after the palette."""
    return tuple(
        dict.fromkeys(
            _hex(np.array([light, chroma * np.cos(hue), chroma * np.sin(hue)]))
            for light in np.linspace(0.4, 0.88, 13)
            for hue in np.linspace(0, 2 * np.pi, 24, endpoint=False)
            for chroma in (0.04, 0.09, 0.14)
        )
    )


# Björn Ottosson's OKLab: linear sRGB to cone responses, and their cube roots to L, a, b.
_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


@cache
def _oklab(colour: str) -> np.ndarray:
    return _OKLAB @ np.cbrt(_CONES @ _linear(colour))


def _hex(lab: np.ndarray) -> str:
    linear = np.linalg.solve(_CONES, np.linalg.solve(_OKLAB, lab) ** 3).clip(0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = (round(float(channel) * 255) for channel in encoded)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _linear(colour: str) -> np.ndarray:
    """(3,) linear sRGB of "#rrggbb"."""
    srgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _luminance(colour: str) -> float:
    return float(np.array([0.2126, 0.7152, 0.0722]) @ _linear(colour))
