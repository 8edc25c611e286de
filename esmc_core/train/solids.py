"""Toys as signed distances: a function a shape, from points to distance and part.

Every toy stands on the plane y = 0, is about 1.6 high and centred on the y axis. A part is 0 for
the toy's own colour, 1 for dark rubber and 2 for glass.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
Field = NDArray[np.float32]
Parts = NDArray[np.int8]


def vector(*values: float) -> NDArray[np.float32]:
    """A float32 vector."""
    return np.array(values, dtype=np.float32)


def _length(*axes: Field) -> Field:
    return np.sqrt(sum(a * a for a in axes))


def sphere(p: Points, centre: tuple[float, float, float], radius: float) -> Field:
    """Distance of (n, 3) points to a sphere."""
    return _length(p[:, 0] - centre[0], p[:, 1] - centre[1], p[:, 2] - centre[2]) - radius


def rounded_box(
    p: Points, centre: tuple[float, float, float], half: tuple[float, float, float], radius: float
) -> Field:
    """Distance to a box of half sizes `half` whose edges are rounded by `radius`."""
    q = np.abs(p - vector(*centre)) - (vector(*half) - np.float32(radius))
    outside = np.sqrt((np.maximum(q, 0) ** 2).sum(1))
    return outside + np.minimum(q.max(1), 0) - np.float32(radius)


def upright_cylinder(p: Points, low: float, high: float, radius: float, edge: float) -> Field:
    """Distance to a cylinder round the y axis with rounded edges."""
    middle, half = (low + high) / 2, (high - low) / 2
    across = _length(p[:, 0], p[:, 2]) - (radius - edge)
    along = np.abs(p[:, 1] - middle) - (half - edge)
    outside = _length(np.maximum(across, 0), np.maximum(along, 0))
    return outside + np.minimum(np.maximum(across, along), 0) - edge


def wheel(p: Points, centre: tuple[float, float, float], radius: float, half: float) -> Field:
    """Distance to a cylinder along z."""
    across = _length(p[:, 0] - centre[0], p[:, 1] - centre[1]) - radius + 0.05
    along = np.abs(p[:, 2] - centre[2]) - half + 0.05
    outside = _length(np.maximum(across, 0), np.maximum(along, 0))
    return outside + np.minimum(np.maximum(across, along), 0) - 0.05


def smooth_union(a: Field, b: Field, width: float) -> Field:
    """The union of two distances with a fillet of some width."""
    h = np.maximum(width - np.abs(a - b), 0) / width
    return np.minimum(a, b) - h * h * width / 4


def _own(distance: Field) -> tuple[Field, Parts]:
    return distance, np.zeros(len(distance), np.int8)


def ball(p: Points) -> tuple[Field, Parts]:
    return _own(sphere(p, (0, 0.8, 0), 0.8))


def cube(p: Points) -> tuple[Field, Parts]:
    return _own(rounded_box(p, (0, 0.68, 0), (0.68, 0.68, 0.68), 0.1))


def ring(p: Points) -> tuple[Field, Parts]:
    """A torus that stands upright."""
    across = _length(p[:, 0], p[:, 1] - 0.85) - 0.58
    return _own(_length(across, p[:, 2]) - 0.26)


def mug(p: Points) -> tuple[Field, Parts]:
    """A hollow cylinder with a handle."""
    outer = upright_cylinder(p, 0, 1.45, 0.62, 0.07)
    body = np.maximum(outer, -upright_cylinder(p, 0.14, 1.9, 0.53, 0.05))
    across = _length(p[:, 0] - 0.66, p[:, 1] - 0.75) - 0.36
    handle = np.maximum(_length(across, p[:, 2]) - 0.09, 0.57 - _length(p[:, 0], p[:, 2]))
    return _own(smooth_union(body, handle, 0.08))


def bottle(p: Points) -> tuple[Field, Parts]:
    """Body, shoulders, neck and a dark cap."""
    body = upright_cylinder(p, 0, 1.15, 0.46, 0.14)
    glass = smooth_union(body, upright_cylinder(p, 0.8, 1.7, 0.17, 0.03), 0.45)
    cap = upright_cylinder(p, 1.62, 1.86, 0.2, 0.04)
    return np.minimum(glass, cap), (cap < glass).astype(np.int8)


def cone(p: Points) -> tuple[Field, Parts]:
    """A cone with a rounded tip."""
    radius = _length(p[:, 0], p[:, 2])
    slope = vector(1.5, 0.75) / np.float32(np.hypot(1.5, 0.75))
    side = radius * slope[0] + (p[:, 1] - 1.55) * slope[1]
    return _own(np.maximum(side, 0.08 - p[:, 1]) - 0.08)


def pyramid(p: Points) -> tuple[Field, Parts]:
    """Four flat sides on a square."""
    side = np.maximum(np.abs(p[:, 0]), np.abs(p[:, 2]))
    slope = vector(1.45, 0.8) / np.float32(np.hypot(1.45, 0.8))
    return _own(np.maximum(side * slope[0] + (p[:, 1] - 1.4) * slope[1], 0.06 - p[:, 1]) - 0.06)


def car(p: Points) -> tuple[Field, Parts]:
    """A toy car along x: body, cabin with windows, four wheels."""
    body = rounded_box(p, (0, 0.45, 0), (1.2, 0.24, 0.52), 0.16)
    cabin = rounded_box(p, (-0.1, 0.78, 0), (0.66, 0.3, 0.44), 0.2)
    shell = smooth_union(body, cabin, 0.16)
    q = np.abs(p) * vector(1, 0, 1) + p * vector(0, 1, 0)  # four wheels at once
    tyres = wheel(q, (0.72, 0.27, 0.46), 0.27, 0.12)
    parts = (tyres < shell).astype(np.int8)
    high = (p[:, 1] > 0.76) & (p[:, 1] < 0.97) & (parts == 0)
    pillar = np.abs(np.abs(p[:, 0] + 0.1) - 0.02) < 0.035
    ahead = np.abs(p[:, 2]) < 0.34  # front and rear windows, between the pillars
    beside = np.abs(p[:, 0] + 0.1) < 0.5
    parts[high & (ahead ^ beside) & ~(pillar & beside)] = 2
    return np.minimum(shell, tyres), parts


SOLIDS: dict[str, Callable[[Points], tuple[Field, Parts]]] = {
    "ball": ball,
    "cube": cube,
    "mug": mug,
    "ring": ring,
    "bottle": bottle,
    "cone": cone,
    "pyramid": pyramid,
    "car": car,
}
