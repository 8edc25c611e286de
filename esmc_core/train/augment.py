"""Batches of pictures: crops, flips, turns, cut-outs on photographs, jitter; all at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from esmc_core.train.architecture import IMAGE_SIZE, MEAN, STD


@dataclass(frozen=True)
class Ranges:
    """How far the augmentation goes."""

    scale: tuple[float, float] = (0.55, 1.08)
    aspect: float = 0.22
    turn: float = 0.14
    brightness: float = 0.22
    contrast: float = 0.2
    cast: float = 0.1
    light: float = 0.15
    sharpness: float = 1.0
    gray_share: float = 0.05
    turned_share: float = 0.06


def normalise(pictures: Tensor) -> Tensor:
    """(n, 3, h, w) in [0, 1] to what the image processor gives."""
    mean = torch.tensor(MEAN, device=pictures.device)[:, None, None]
    std = torch.tensor(STD, device=pictures.device)[:, None, None]
    return (pictures - mean) / std


def draw_affine(
    n: int,
    *,
    ranges: Ranges,
    generator: torch.Generator,
    least: Tensor | None = None,
    readable: Tensor | None = None,
) -> Tensor:
    """(n, 2, 3) random crops with flip, small turn and aspect, for `affine_grid`.

    Args:
        least: (n,) the smallest crop of each picture, where it differs from the range's.
        readable: (n,) bool, pictures with letters and digits: turned by half instead of mirrored.
    """

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(n, generator=generator) * (high - low) + low

    size = uniform(*ranges.scale)
    if least is not None:
        size = torch.maximum(size, least)
    aspect = torch.exp(uniform(-ranges.aspect, ranges.aspect))
    across, down = (size * aspect).clamp(max=1.1), (size / aspect).clamp(max=1.1)
    shift_x = uniform(-1, 1) * (1 - across).clamp(min=0)
    shift_y = uniform(-1, 1) * (1 - down).clamp(min=0)
    flip = torch.sign(uniform(-1, 1))
    upside = torch.ones(n) if readable is None else torch.where(readable, flip, 1.0)
    angle = uniform(-ranges.turn, ranges.turn)
    cos, sin = torch.cos(angle), torch.sin(angle)
    first = torch.stack([flip * across * cos, -upside * down * sin, shift_x], -1)
    second = torch.stack([flip * across * sin, upside * down * cos, shift_y], -1)
    return torch.stack([first, second], 1)


def warp(pictures: Tensor, affine: Tensor, *, padding: str = "reflection") -> Tensor:
    """(n, c, h, w) to (n, c, IMAGE_SIZE, IMAGE_SIZE) under (n, 2, 3) maps."""
    size = [len(pictures), pictures.shape[1], IMAGE_SIZE, IMAGE_SIZE]
    grid = functional.affine_grid(affine, size, align_corners=False)
    return functional.grid_sample(
        pictures, grid, mode="bilinear", padding_mode=padding, align_corners=False
    )


def paste(products: Tensor, masks: Tensor, grounds: Tensor, generator: torch.Generator) -> Tensor:
    """Put cut-outs on photographs, each at its own size and place.

    Args:
        products: (n, 3, h, w); masks: (n, 1, h, w); grounds: (n, 3, IMAGE_SIZE, IMAGE_SIZE).
    """
    small = Ranges(scale=(0.95, 1.7), aspect=0.1, turn=0.35)
    affine = draw_affine(len(products), ranges=small, generator=generator)
    # A map that shows more than the picture shrinks it; the shift keeps it inside the frame.
    room = (affine[:, :, :2].norm(dim=-1) - 0.8).clamp(min=0)
    affine = affine.clone()
    affine[:, :, 2] = (torch.rand(len(products), 2, generator=generator) * 2 - 1) * room
    both = warp(torch.cat([products, masks], 1), affine, padding="zeros")
    alpha = both[:, 3:]
    return alpha * both[:, :3] + (1 - alpha) * grounds


def tint(
    pictures: Tensor, masks: Tensor, colours: Tensor, *, depth: Tensor, mirrored: Tensor
) -> Tensor:
    """Give a part of each picture another colour, keeping its shading and all around it.

    What a glossy part mirrors has the colour of the light and not of the paint (Shafer's
    dichromatic reflection): it is what all three channels of a bright paint share, and it stays.

    Args:
        pictures: (n, 3, h, w) in [0, 1].
        masks: (n, 1, h, w) in [0, 1], 1 on the part.
        colours: (n, 3) in [0, 1].
        depth: (n,) exponent of the shading: 0 paints flat, 1 keeps it as it was.
        mirrored: (n, 3) how much of what is mirrored stays, by channel: the colour of the sky.
    """
    size = masks.sum((2, 3), keepdim=True).clamp(min=1)

    def mean(values: Tensor) -> Tensor:
        return (values * masks).sum((2, 3), keepdim=True) / size

    luma, shared = pictures.mean(1, keepdim=True), pictures.amin(1, keepdim=True)
    shade = (luma / mean(luma).clamp(min=0.12)).clamp(0.25, 2.2)
    shade = shade ** depth[:, None, None, None]
    lights = (shared - mean(shared)).clamp(min=0) * mirrored[:, :, None, None]
    painted = colours[:, :, None, None] * shade + lights
    return torch.lerp(pictures, painted.clamp(0, 1), masks)


def swap_middle(pictures: Tensor, others: Tensor, *, margins: tuple[float, float]) -> Tensor:
    """Show the middle of others instead of their own; the margins, and so the corners, stay.

    Args:
        pictures, others: (n, 3, h, w).
        margins: shares of the width and of the height that stay on either side.
    """
    height, width = pictures.shape[2:]
    x, y = round(margins[0] * width), round(margins[1] * height)
    swapped = pictures.clone()
    swapped[:, :, y:-y, x:-x] = others[:, :, y:-y, x:-x]
    return swapped


def turn_hues(pictures: Tensor, angles: Tensor) -> Tensor:
    """Turn all colours about the axis of the grays, which stay.

    Args:
        pictures: (n, 3, h, w) in [0, 1].
        angles: (n,) radians.
    """
    cos, sin = torch.cos(angles), torch.sin(angles)
    third, side = (1 - cos) / 3, sin / 3**0.5
    row = torch.stack([cos + third, third - side, third + side], -1)
    turn = torch.stack([row, row.roll(1, -1), row.roll(2, -1)], 1)
    return torch.einsum("nij,njhw->nihw", turn, pictures).clamp(0, 1)


def uneven_light(pictures: Tensor, *, spread: float, generator: torch.Generator) -> Tensor:
    """Shadows and glare: a smooth field of brightness over each picture."""
    corners = torch.randn(len(pictures), 1, 3, 3, generator=generator).clamp(-2, 2) * spread
    field = functional.interpolate(corners, pictures.shape[2:], mode="bicubic", align_corners=True)
    return pictures * field.exp()


def change_sharpness(pictures: Tensor, *, most: float, generator: torch.Generator) -> Tensor:
    """Blur some pictures a little and sharpen others: stored ones are small and thus soft."""
    amount = torch.rand(len(pictures), 1, 1, 1, generator=generator) * (most + 0.5) - 0.5
    blurred = functional.avg_pool2d(
        functional.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, stride=1
    )
    return torch.lerp(blurred, pictures, 1 + amount)


def jitter(
    pictures: Tensor,
    *,
    ranges: Ranges,
    generator: torch.Generator,
    casts: Tensor | None = None,
) -> Tensor:
    """Sharpness, light, brightness, contrast, a slight cast of colour and noise.

    The names of colours survive it.

    Args:
        casts: (n,) how much wider than the range's each picture's cast may be.
    """
    n = len(pictures)
    pictures = change_sharpness(pictures, most=ranges.sharpness, generator=generator)
    pictures = uneven_light(pictures, spread=ranges.light, generator=generator)

    def factor(spread: float | Tensor, channels: int = 1) -> Tensor:
        draw = torch.randn(n, channels, 1, 1, generator=generator).clamp(-2, 2)
        return torch.exp(draw * spread / 2)

    cast = ranges.cast if casts is None else ranges.cast * casts[:, None, None, None]
    pictures = pictures * factor(ranges.brightness) * factor(cast, 3)
    mean = pictures.mean((1, 2, 3), keepdim=True)
    pictures = (pictures - mean) * factor(ranges.contrast) + mean
    noise = torch.randn(pictures.shape, generator=generator) * 0.015
    return (pictures + noise).clamp(0, 1)


def quarter_turns(pictures: Tensor, turns: list[int]) -> Tensor:
    """Turn each picture by its number of quarters."""
    rows = [torch.rot90(p, k, (1, 2)) for p, k in zip(pictures, turns, strict=True)]
    return torch.stack(rows)


def to_unit(pictures: Tensor) -> Tensor:
    """(n, h, w, 3) uint8 to (n, 3, h, w) float in [0, 1]."""
    return pictures.permute(0, 3, 1, 2).float() / 255


def full_frame(pictures: Tensor) -> Tensor:
    """The validation's view: the whole picture, squeezed; (n, h, w, 3) uint8 to (n, 3, s, s)."""
    size = (IMAGE_SIZE, IMAGE_SIZE)
    small = functional.interpolate(to_unit(pictures), size, mode="bicubic", antialias=True)
    return small.clamp(0, 1)


def luma_name(pictures: Tensor) -> list[str | None]:
    """ "dark" or "bright" where a picture clearly is, else None."""
    means = pictures.mean((1, 2, 3)).tolist()
    return ["dark" if m < 0.27 else "bright" if m > 0.66 else None for m in means]


TURN_NAMES = ("upright", "sideways", "inverted", "sideways")
