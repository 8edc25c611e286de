"""Still lifes as training pictures."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from esmc_core.train.data import SIDE, VALIDATION_SHARE, Record
from esmc_core.train.scenes import draw_still, render

SOURCE = "still_lifes"


def render_records(n: int, *, seed: int) -> list[tuple[NDArray[np.uint8], Record]]:
    """Render n still lifes at the training's size, with their records."""
    rng = random.Random(seed)
    made = []
    for _ in range(n):
        still = draw_still(rng)
        labels = {"color": still.color, "shape": still.shape, "background": still.background}
        nouns = ["object", "object", "toy", still.shape]
        record = Record(SOURCE, labels, nouns, rng.random() < VALIDATION_SHARE)
        made.append((render(still, side=SIDE), record))
    return made
