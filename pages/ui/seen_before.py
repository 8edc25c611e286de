"""What a pass reuses of earlier looks at the pictures, in words."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from esmc_core.feature_store import FeatureStore
from esmc_core.lens_store import LensStore

_ENOUGH = 32
"""Pictures after which a pace says something."""


class SeenBefore:
    """The features that are kept of a collection, as a pass begins.

    Args:
        features: kept ones, and where more are put; None where the model's are too large.
        stores: of the pass, those that are not complete.

    Attributes:
        n: pictures that are not looked at again.
    """

    def __init__(self, features: FeatureStore | None, stores: Sequence[LensStore]) -> None:
        self.features = features
        missing = np.zeros(0, dtype=bool)
        if features is not None and stores:
            missing = np.any([store.done == 0 for store in stores], axis=0)
            self.n = int(np.sum(missing & (features.done == 1)))
        else:
            self.n = 0
        self.n_missing = int(missing.sum())
        self._start_s = time.monotonic()

    def tell(self, n_done: int) -> str:
        """How many are reused, and what that is worth; a pass without any leaves its pace here.

        Args:
            n_done: pictures that are finished, those before the pass included.
        """
        if self.features is None or self.n_missing == 0:
            return ""
        finished = n_done - (len(self.features.done) - self.n_missing)
        pace_s = (time.monotonic() - self._start_s) / finished if finished >= _ENOUGH else None
        if self.n == 0:
            if pace_s is not None and finished == self.n_missing:
                self.features.keep_pace(pace_s)
            return ""
        told = f"Looked at the pictures already: {self.n:,} of {self.n_missing:,} reused"
        if pace_s is None or self.features.seeing_s is None:
            return f"{told}."
        before_ms, now_ms = 1000 * self.features.seeing_s, 1000 * pace_s
        return f"{told}, {now_ms:.1f} ms a picture instead of {before_ms:.1f}."
