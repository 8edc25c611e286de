"""Still lifes of one toy on a paper backdrop: drawn, lit and rendered by numpy alone."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from esmc_core.train.solids import SOLIDS, Field, Parts, Points, smooth_union, vector

SHAPES = tuple(SOLIDS)
# sRGB values that everybody would call so.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (198, 24, 30),
    "orange": (240, 118, 16),
    "yellow": (248, 206, 24),
    "green": (34, 142, 62),
    "blue": (24, 84, 196),
    "purple": (112, 44, 152),
    "pink": (240, 110, 170),
    "white": (240, 240, 238),
}
BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "gray": (132, 134, 138),
    "beige": (206, 180, 140),
    "blue": (112, 158, 204),
    "green": (118, 164, 112),
    "pink": (226, 150, 168),
}
PART_COLOURS = ((28, 28, 30), (40, 52, 62))  # rubber, glass
FAR = 40.0
REACH = 1.45  # radius of a ball that holds any toy of size 1
MAX_STEPS = 72


@dataclass(frozen=True)
class Still:
    """One still life; the same values give the same picture.

    Args:
        shape, color, background: names, which are the labels.
        paint, paper: sRGB in [0, 1].
        turn, size: of the toy about its axis (radians), relative.
        place: (x, z) of the toy.
        azimuth, elevation, distance, focal: of the camera; radians, units, relative.
        light: direction of the key light; unit vector.
        warmth: the key light's red over blue.
        softness: of the shadow.
        wall: how far behind the toy the paper goes up.
        gloss: strength of the reflections.
    """

    shape: str
    color: str
    background: str
    paint: tuple[float, float, float]
    paper: tuple[float, float, float]
    turn: float
    size: float
    place: tuple[float, float]
    azimuth: float
    elevation: float
    distance: float
    focal: float
    light: tuple[float, float, float]
    warmth: float
    softness: float
    wall: float
    gloss: float


def _near(rgb: tuple[int, int, int], rng: random.Random) -> tuple[float, float, float]:
    shade = rng.uniform(0.9, 1.08)
    red, green, blue = (min(max(c * shade + rng.uniform(-8, 8), 4), 252) / 255 for c in rgb)
    return red, green, blue


def draw_still(
    rng: random.Random, *, shape: str = "", color: str = "", background: str = ""
) -> Still:
    """Draw a still life; empty names are drawn, too. Toy and paper differ in colour."""
    color = color or rng.choice(list(COLOURS))
    others = [name for name in BACKGROUNDS if name != color]
    background = background or rng.choice(others)
    angle, height = rng.uniform(-2.4, -0.4), rng.uniform(0.75, 1.5)
    light = np.array([np.cos(angle), height, -np.sin(angle) * 0.8])
    light /= np.linalg.norm(light)
    still = Still(
        shape=shape or rng.choice(SHAPES),
        color=color,
        background=background,
        paint=_near(COLOURS[color], rng),
        paper=_near(BACKGROUNDS[background], rng),
        turn=rng.uniform(0, 2 * np.pi),
        size=rng.uniform(0.85, 1.15),
        place=(rng.uniform(-0.4, 0.4), rng.uniform(-0.3, 0.3)),
        azimuth=rng.uniform(-0.5, 0.5),
        elevation=rng.uniform(0.16, 0.6),
        distance=rng.uniform(5.2, 7.2),
        focal=rng.uniform(2.3, 3.0),
        light=(float(light[0]), float(light[1]), float(light[2])),
        warmth=rng.uniform(0.97, 1.14),
        softness=rng.uniform(5, 11),
        wall=rng.uniform(2.6, 4.5),
        gloss=rng.uniform(0.5, 1.0),
    )
    if still.shape == "ring":  # seen from the edge it would be a stick
        return replace(still, turn=still.azimuth + (still.turn / np.pi - 1) * 0.9)
    return still


def _toy(still: Still, p: Points) -> tuple[Field, Parts]:
    cos, sin = np.float32(np.cos(still.turn)), np.float32(np.sin(still.turn))
    x, z = p[:, 0] - np.float32(still.place[0]), p[:, 2] - np.float32(still.place[1])
    local = np.stack([cos * x - sin * z, p[:, 1], sin * x + cos * z], 1) / np.float32(still.size)
    distance, parts = SOLIDS[still.shape](local.astype(np.float32))
    return distance * np.float32(still.size * 0.95), parts


def _paper(still: Still, p: Points) -> Field:
    return smooth_union(p[:, 1], p[:, 2] + np.float32(still.wall), 2.4)


def _distance(still: Still, p: Points) -> Field:
    return np.minimum(_toy(still, p)[0], _paper(still, p))


def _camera(still: Still, side: int) -> tuple[Points, Points]:
    cos_e, sin_e = np.cos(still.elevation), np.sin(still.elevation)
    away = np.array([np.sin(still.azimuth) * cos_e, sin_e, np.cos(still.azimuth) * cos_e])
    target = np.array([0, 0.72, 0])
    eye = target + away * still.distance
    right = np.cross([0, 1, 0], away)
    right /= np.linalg.norm(right)
    up = np.cross(away, right)
    steps = (np.arange(side) + 0.5) / side * 2 - 1
    x, y = np.meshgrid(steps, -steps)
    rays = x[..., None] * right + y[..., None] * up - still.focal * away
    rays = rays.reshape(-1, 3)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    return np.broadcast_to(eye, rays.shape).astype(np.float32), rays.astype(np.float32)


def _meets_toy(still: Still, start: Points, rays: Points, *, margin: float) -> NDArray[np.bool_]:
    """Whether rays come within `margin` of the ball round the toy; the others need no tracing."""
    centre = vector(still.place[0], 0.8 * still.size, still.place[1])
    towards = centre - start
    along = (towards * rays).sum(-1)
    apart2 = (towards * towards).sum(-1) - along * along
    return (apart2 < (REACH * still.size + margin) ** 2) & (along > -REACH * still.size)


def _trace(
    distance: Callable[[Still, Points], Field], still: Still, eyes: Points, rays: Points
) -> Field:
    far = np.zeros(len(rays), np.float32)
    active = np.arange(len(rays))
    for _ in range(MAX_STEPS):
        step = distance(still, eyes[active] + rays[active] * far[active, None])
        far[active] += step
        active = active[(step > 0.002) & (far[active] < FAR)]
        if not len(active):
            break
    return np.minimum(far, FAR)


def _march(still: Still, eyes: Points, rays: Points) -> Field:
    """Sphere tracing: how far along each ray the first surface is."""
    far = _trace(_paper, still, eyes, rays)
    some = np.flatnonzero(_meets_toy(still, eyes, rays, margin=0.0))
    far[some] = _trace(_distance, still, eyes[some], rays[some])
    return far


def _normals(still: Still, p: Points) -> Points:
    total = np.zeros_like(p)
    for corner in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        step = vector(*corner)
        total += step * _distance(still, p + step * np.float32(0.004))[:, None]
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-6)


def _shadow(still: Still, p: Points, normals: Points) -> Field:
    """How much of a wide key light each point sees, in [0, 1]; only the toy casts shadows."""
    light = vector(*still.light)
    seen = np.ones(len(p), np.float32)
    far = np.full(len(p), 0.03, np.float32)
    start = p + normals * np.float32(0.02)
    active = np.flatnonzero((normals @ light > 0) & _meets_toy(still, start, light, margin=0.5))
    for _ in range(28):
        distance = _toy(still, start[active] + light * far[active, None])[0]
        seen[active] = np.minimum(seen[active], still.softness * distance / far[active])
        far[active] += np.clip(distance, 0.04, 0.35)
        active = active[(seen[active] > 0.004) & (far[active] < 5.5)]
        if not len(active):
            break
    seen = np.clip(seen, 0, 1)
    return seen * seen * (3 - 2 * seen)


def _occlusion(still: Still, p: Points, normals: Points) -> Field:
    """Ambient light that reaches a point, in [0, 1], by five probes along the normal."""
    blocked = np.zeros(len(p), np.float32)
    for i, reach in enumerate((0.06, 0.16, 0.32, 0.55, 0.85)):
        distance = _distance(still, p + normals * np.float32(reach))
        blocked += (reach - distance) * np.float32(0.9 * 0.62**i)
    return np.clip(1 - blocked, 0.12, 1)


def _studio(directions: Points, light: Points) -> Field:
    """What a glossy surface mirrors: a bright ceiling, a softbox at the key light."""
    box = np.clip((directions @ light - 0.86) / 0.06, 0, 1)
    window = np.clip((directions[:, 0] * -0.8 + directions[:, 2] * 0.5 - 0.8) / 0.05, 0, 1)
    ceiling = np.clip(directions[:, 1], 0, 1)
    return 0.18 + 0.5 * ceiling + 7.0 * box + 1.6 * window * (ceiling > 0.1)


def _linear(rgb: tuple[float, float, float]) -> NDArray[np.float32]:
    return vector(*(c**2.2 for c in rgb))


def _albedo(still: Still, p: Points) -> tuple[Points, NDArray[np.bool_]]:
    """Colour of each point's surface, and whether it is the toy's."""
    toy, parts = _toy(still, p)
    is_toy = toy < _paper(still, p)
    colours = np.stack(
        [_linear(still.paint)]
        + [_linear((c[0] / 255, c[1] / 255, c[2] / 255)) for c in PART_COLOURS]
    )
    albedo = np.where(is_toy[:, None], colours[parts], _linear(still.paper))
    return albedo.astype(np.float32), is_toy


def _shade(still: Still, p: Points, rays: Points) -> Points:
    """Light that leaves each point towards the camera, linear RGB."""
    light = vector(*still.light)
    normals = _normals(still, p)
    albedo, is_toy = _albedo(still, p)
    ambient = _occlusion(still, p, normals)[:, None]
    key = np.clip(normals @ light, 0, 1) * _shadow(still, p, normals)
    key_colour = vector(still.warmth, 1.0, 1.98 - still.warmth) * np.float32(2.1)
    up = (0.5 + 0.5 * normals[:, 1])[:, None]
    sky = vector(0.62, 0.66, 0.72) * up
    bounce = _linear(still.paper) * 0.55 * (1 - up) * is_toy[:, None]
    # Near the toy the paper takes on a little of its colour.
    near = np.exp(-2.2 * np.abs(_toy(still, p)[0]))[:, None] * ~is_toy[:, None]
    glow = _linear(still.paint) * 0.16 * near
    colour = albedo * (key[:, None] * key_colour + ambient * (sky + bounce + glow))
    mirrored = rays - 2 * (rays * normals).sum(1, keepdims=True) * normals
    facing = np.clip(-(rays * normals).sum(1), 0, 1)
    fresnel = 0.045 + 0.6 * (1 - facing) ** 5
    gloss = _studio(mirrored, light) * fresnel * still.gloss * is_toy
    return colour + gloss[:, None] * ambient


def render(still: Still, *, side: int, samples: int = 1) -> NDArray[np.uint8]:
    """Render a still life.

    Args:
        side: px; the picture is square.
        samples: rays a pixel and direction.

    Returns:
        (side, side, 3) uint8 sRGB.
    """
    eyes, rays = _camera(still, side * samples)
    far = _march(still, eyes, rays)
    light = _shade(still, eyes + rays * far[:, None], rays)
    light = light.reshape(side, samples, side, samples, 3)
    mapped = 1 - np.exp(-1.15 * light)  # a shoulder for the highlights, before averaging
    mapped = mapped.mean((1, 3)) / (1 - np.exp(-1.15 * 2.4))
    corner = np.linspace(-1, 1, side)
    vignette = 1 - 0.1 * (corner[:, None] ** 2 + corner**2)
    srgb = np.clip(mapped * vignette[..., None], 0, 1) ** (1 / 2.2)
    return (srgb * 255 + 0.5).astype(np.uint8)
