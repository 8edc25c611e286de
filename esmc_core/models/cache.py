"""The one model that a process holds at a time."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from esmc_core.models.model import VisionLanguageModel


class ModelCache:
    """Gives a model by name; asking for another one lets the first go before it is loaded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._model: VisionLanguageModel | None = None
        self._wanted: tuple[str, str | None] | None = None

    def get(self, name: str, *, device: str | None = None) -> VisionLanguageModel:
        """Load the model, or return it if it is the one held.

        Raises:
            ModelError: it cannot be loaded; nothing is held then.
        """
        from esmc_core.models.loading import load_model

        with self._lock:
            if self._model is None or self._wanted != (name, device):
                self._model, self._wanted = None, None
                gc.collect()
                self._model = load_model(name, device=device)
                self._wanted = (name, device)
            return self._model
