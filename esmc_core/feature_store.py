"""What a vision tower made of a collection's pictures, kept for criteria that come later."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from esmc_core.errors import StoreError
from esmc_core.memory_map import bring_to_disk, memory_map
from esmc_core.records import read_json, write_json

MAX_KB = 64
"""Features of a picture that are kept: 7 kB of the bundled model, whose decoder takes a quarter of
the time. The 9,400 kB of LLaVA-1.5-7B would take longer to read than the tower takes to see."""

_VERSION = 1


def is_small(shape: tuple[int, int]) -> bool:
    """Whether features of (n_tokens, d_model) a picture take so little room that they are kept."""
    return shape[0] * shape[1] * 4 <= MAX_KB * 1000


class FeatureStore:
    """Features in float32 on disk, each row whole or not there.

    Attributes:
        done: (n_images,) uint8, 1 where the picture's features are kept.
    """

    def __init__(self, folder: Path, n_images: int, shape: tuple[int, int]) -> None:
        self.folder = folder
        self._features = memory_map(folder / "features.f32", np.float32, (n_images, *shape))
        self.done = memory_map(folder / "seen.u8", np.uint8, (n_images,))
        self._uncommitted: list[np.ndarray] = []

    @classmethod
    def create(
        cls, parent: Path, fingerprint: str, *, n_images: int, shape: tuple[int, int]
    ) -> FeatureStore:
        """Those of a model under `parent`, new or as they were left; damaged ones are made anew.

        Args:
            fingerprint: of the model; other models' features lie beside them.
            shape: (n_tokens, d_model).
        """
        folder = parent / fingerprint
        record = {"version": _VERSION, "n_images": n_images, "shape": list(shape)}
        try:
            if read_json(folder / "features.json") != record:
                raise StoreError("The features are of other pictures.", "Make them anew.")
            if not (folder / "features.f32").exists():
                raise StoreError("The features are gone.", "Make them anew.")
            return cls(folder, n_images, shape)
        except (StoreError, ValueError, OSError):
            shutil.rmtree(folder, ignore_errors=True)
        write_json(folder / "features.json", record)
        return cls(folder, n_images, shape)

    @property
    def n_done(self) -> int:
        return int(self.done.sum())

    def has(self, images: Sequence[int] | np.ndarray) -> bool:
        """Whether the features of all these pictures are kept."""
        return bool(self.done[images].all())

    def read(self, images: np.ndarray) -> np.ndarray:
        """(batch, n_tokens, d_model) float32 of pictures that it `has`."""
        return np.asarray(self._features[images])

    @property
    def seeing_s(self) -> float | None:
        """Seconds a picture of the pass that saw them all, if that is known."""
        try:
            return float(read_json(self.folder / "pace.json")["seconds_per_image"])
        except (StoreError, KeyError, TypeError, ValueError):
            return None

    def keep_pace(self, seconds_per_image: float) -> None:
        """Remember how long a pass took that had nothing to reuse."""
        write_json(self.folder / "pace.json", {"seconds_per_image": seconds_per_image})

    def put(self, images: np.ndarray, features: np.ndarray) -> None:
        """Write a batch, which does not count before `commit`."""
        self._features[images] = features
        self._uncommitted.append(np.asarray(images))

    def commit(self) -> None:
        """Bring all that was put to the disk itself, then mark it done there."""
        if not self._uncommitted:
            return
        bring_to_disk(self._features)
        self.done[np.concatenate(self._uncommitted)] = 1
        bring_to_disk(self.done)
        self._uncommitted.clear()
