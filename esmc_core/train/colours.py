"""Names for colours, decided in CIE Lab, and colours for names."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

# Several sRGB prototypes a name: names are not balls in any colour space.
PROTOTYPES: dict[str, list[tuple[int, int, int]]] = {
    "red": [(200, 20, 30), (150, 15, 20), (230, 50, 50), (110, 15, 25)],
    "orange": [(240, 130, 20), (228, 98, 20), (250, 165, 70)],
    "yellow": [(248, 222, 40), (226, 192, 30), (250, 238, 120)],
    "green": [
        (40, 140, 50),
        (100, 180, 60),
        (20, 80, 40),
        (120, 150, 60),
        (150, 210, 120),
        (40, 150, 120),
        (70, 95, 50),
    ],
    "blue": [
        (30, 80, 190),
        (70, 150, 220),
        (20, 40, 110),
        (135, 185, 232),
        (40, 120, 150),
        (30, 50, 80),
    ],
    "purple": [(110, 50, 150), (150, 100, 190), (80, 30, 100), (180, 150, 215)],
    "pink": [
        (240, 130, 180),
        (230, 80, 150),
        (250, 190, 210),
        (200, 50, 120),
        (255, 150, 140),
        (240, 60, 120),
    ],
    "brown": [(110, 70, 40), (140, 95, 60), (75, 48, 30), (165, 115, 75)],
    "beige": [(222, 202, 168), (205, 180, 145)],
    "white": [(250, 250, 250), (230, 230, 230), (250, 248, 226)],
    "gray": [(128, 128, 128), (90, 92, 95), (175, 177, 180)],
    "black": [(12, 12, 12), (42, 42, 44)],
}
NAMES: tuple[str, ...] = tuple(PROTOTYPES)
LIGHTNESS_WEIGHT = 0.7  # names follow hue and chroma more than lightness


def rgb_to_lab(rgb: NDArray[np.floating]) -> NDArray[np.float32]:
    """Convert sRGB to CIE Lab (D65).

    Args:
        rgb: (..., 3) in [0, 1].

    Returns:
        (..., 3) L in [0, 100], a and b about [-100, 100].
    """
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    matrix = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = linear @ matrix.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    lab = np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1
    )
    return lab.astype(np.float32)


@cache
def _prototypes() -> tuple[NDArray[np.floating], NDArray[np.int64]]:
    rgb = np.array([p for name in NAMES for p in PROTOTYPES[name]]) / 255
    owner = np.array([i for i, name in enumerate(NAMES) for _ in PROTOTYPES[name]])
    return rgb_to_lab(rgb) * [LIGHTNESS_WEIGHT, 1, 1], owner


def name_pixels(rgb: NDArray[np.floating]) -> NDArray[np.int64]:
    """Name every pixel by its nearest prototype.

    Args:
        rgb: (..., 3) in [0, 1].

    Returns:
        (...) index into NAMES.
    """
    prototypes, owner = _prototypes()
    lab = rgb_to_lab(rgb) * [LIGHTNESS_WEIGHT, 1, 1]
    distance = ((lab[..., None, :] - prototypes) ** 2).sum(-1)
    return owner[distance.argmin(-1)]


def name_shares(rgb: NDArray[np.floating]) -> NDArray[np.float64]:
    """Share of each name among the pixels: (..., 3) in [0, 1] to (n_names,), sums to 1."""
    named = name_pixels(rgb.reshape(-1, 3))
    return np.bincount(named, minlength=len(NAMES)) / max(len(named), 1)


def border_colour(rgb: NDArray[np.floating], *, share: float = 0.8) -> str | None:
    """Name of a plain background: the colour of at least `share` of the border, else None.

    Args:
        rgb: (height, width, 3) in [0, 1].
    """
    edge = np.concatenate(
        [rgb[:3].reshape(-1, 3), rgb[:, :3].reshape(-1, 3), rgb[:, -3:].reshape(-1, 3)]
    )
    shares = name_shares(edge)
    return NAMES[shares.argmax()] if shares.max() >= share else None


def centre_colour(
    rgb: NDArray[np.floating], *, only: tuple[str, ...] = NAMES, share: float = 0.6
) -> str | None:
    """Name of what stands in the middle, apart from what the border looks like.

    Args:
        rgb: (height, width, 3) in [0, 1].
        only: the names that count; other pixels are left out.
        share: the least share of one name among the pixels that count.

    Returns:
        The name, or None where no name is clear.
    """
    height, width = rgb.shape[:2]
    centre = rgb[height // 5 : -(height // 5), width // 5 : -(width // 5)].reshape(-1, 3)
    border = np.concatenate([rgb[0], rgb[:, 0], rgb[:, -1]])
    middle = np.median(rgb_to_lab(border), axis=0)
    apart = np.linalg.norm(rgb_to_lab(centre) - middle, axis=-1) > 18
    if apart.mean() < 0.25:
        return None
    shares = name_shares(centre[apart])
    kept = np.array([s if name in only else 0.0 for s, name in zip(shares, NAMES, strict=True)])
    if kept.sum() < 0.3 or kept.max() / kept.sum() < share:
        return None
    return NAMES[kept.argmax()]


# Shadows and lights of one colour carry its neighbours' names.
SHADES: dict[str, tuple[str, ...]] = {
    "red": ("red", "pink", "brown"),
    "pink": ("pink", "red", "purple"),
    "purple": ("purple", "pink", "blue"),
    "blue": ("blue", "purple"),
    "yellow": ("yellow", "orange"),
    "orange": ("orange", "yellow", "red", "brown"),
    "white": ("white", "gray", "beige"),
}


def colour_region(
    rgb: NDArray[np.floating], colour: str, *, least: float = 0.08
) -> NDArray[np.uint8] | None:
    """Where a picture has a colour in one piece: the largest region of it and of its shades.

    Args:
        rgb: (height, width, 3) in [0, 1].
        colour: one of NAMES.
        least: the least share of the picture.

    Returns:
        (height, width), 255 in the region with soft edges; None where it is too small.
    """
    names = [NAMES.index(name) for name in SHADES.get(colour, (colour,))]
    regions, n = ndimage.label(np.isin(name_pixels(rgb), names))
    if not n:
        return None
    region = regions == np.bincount(regions.ravel())[1:].argmax() + 1
    if region.mean() < least:
        return None
    region = ndimage.binary_closing(region, iterations=1)
    return (ndimage.gaussian_filter(region.astype(np.float32), 0.7) * 255).astype(np.uint8)
