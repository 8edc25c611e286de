"""Multimodal language models behind one interface."""

from esmc_core.models.catalogue import BUNDLED, CATALOGUE, ModelCard
from esmc_core.models.model import Prompt, VisionLanguageModel

__all__ = ["BUNDLED", "CATALOGUE", "ModelCard", "Prompt", "VisionLanguageModel"]
