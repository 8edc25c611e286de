"""The bundled sample collection: still lifes whose names tell nothing."""

from __future__ import annotations

import csv
import random
from pathlib import Path

from PIL import Image

from esmc_core.train.scenes import BACKGROUNDS, COLOURS, SHAPES, Still, draw_still, render

README = """# Sample pictures

{n} still lifes of one toy on a paper backdrop: {n_colours} colours, {n_shapes} shapes,
{n_backgrounds} backgrounds, mixed evenly and in no order. They can be clustered by "the color of
the object is" and "the background color is", and by a larger model by "the shape of the object
is". `labels.csv` holds the
truth, for measuring only.

They show nothing real: `esmc_core/train/scenes.py` draws and lights them. To make them again, to
the byte with the same library versions:

    python -m esmc_core.train samples --out assets/samples

Licence: CC0 1.0, no rights reserved.
"""


def plan(n: int, *, seed: int) -> list[Still]:
    """Draw n still lifes whose colours, shapes and backgrounds each come equally often."""
    rng = random.Random(seed)
    columns = []
    for names in (SHAPES, COLOURS, BACKGROUNDS):
        column = [list(names)[i % len(names)] for i in range(n)]
        rng.shuffle(column)
        columns.append(column)
    shapes, colours, backgrounds = columns
    _part_equal(colours, backgrounds, rng)
    return [
        draw_still(rng, shape=s, color=c, background=b)
        for s, c, b in zip(shapes, colours, backgrounds, strict=True)
    ]


def _part_equal(colours: list[str], backgrounds: list[str], rng: random.Random) -> None:
    """Swap backgrounds until no toy stands on its own colour."""
    n = len(colours)
    while clashes := [i for i in range(n) if colours[i] == backgrounds[i]]:
        i, j = clashes[0], rng.randrange(n)
        if backgrounds[j] != colours[i] and backgrounds[i] != colours[j]:
            backgrounds[i], backgrounds[j] = backgrounds[j], backgrounds[i]


def write_samples(folder: Path, *, n: int, side: int, seed: int) -> None:
    """Render the collection with its labels and its README into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    stills = plan(n, seed=seed)
    with (folder / "labels.csv").open("w", newline="") as handle:
        table = csv.writer(handle, lineterminator="\n")
        table.writerow(["file", "color", "shape", "background"])
        for i, still in enumerate(stills):
            name = f"objects_{i:03d}.jpg"
            picture = Image.fromarray(render(still, side=side, samples=2))
            picture.save(folder / name, quality=90)
            table.writerow([name, still.color, still.shape, still.background])
    counts = {"n_colours": len(COLOURS), "n_shapes": len(SHAPES), "n_backgrounds": len(BACKGROUNDS)}
    (folder / "README.md").write_text(README.format(n=n, **counts))
