"""The models that are offered by name; any other of a supported family works as well."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BUNDLED = "bundled"
PAPER = "llava-hf/llava-1.5-7b-hf"
BUNDLED_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "model"


@dataclass(frozen=True)
class ModelCard:
    """A model that the app recommends.

    Attributes:
        name: hub id, or "bundled".
        title: how it is called in the app.
        n_parameters: number of weights.
        licence: the weights' licence.
        note: one line on what it is good for.
    """

    name: str
    title: str
    n_parameters: int
    licence: str
    note: str


CATALOGUE: tuple[ModelCard, ...] = (
    ModelCard(
        BUNDLED,
        "Bundled model",
        7_900_000,
        "MIT",
        "Comes with the app; runs on any laptop. Knows colors and everyday things.",
    ),
    ModelCard(
        "HuggingFaceTB/SmolVLM-256M-Instruct",
        "SmolVLM 256M",
        256_484_928,
        "Apache 2.0",
        "Small enough for a laptop without a GPU.",
    ),
    ModelCard(
        "llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
        "LLaVA-OneVision 0.5B",
        893_675_552,
        "Apache 2.0",
        "For a laptop with patience, or any GPU.",
    ),
    ModelCard(
        "OpenGVLab/InternVL3-2B-hf",
        "InternVL3 2B",
        2_088_957_440,
        "Qwen License",
        "For a small GPU; looks at large pictures in parts.",
    ),
    ModelCard(
        "Qwen/Qwen3-VL-2B-Instruct",
        "Qwen3-VL 2B",
        2_127_532_032,
        "Apache 2.0",
        "For a small GPU; knows many languages.",
    ),
    ModelCard(
        "google/paligemma2-3b-mix-224",
        "PaliGemma 2 3B",
        3_032_242_416,
        "Gemma Terms of Use",
        "Fast: 256 tokens a picture. The hub asks for a login and consent.",
    ),
    ModelCard(
        "google/gemma-3-4b-it",
        "Gemma 3 4B",
        4_300_079_472,
        "Gemma Terms of Use",
        "256 tokens a picture, many languages. The hub asks for a login and consent.",
    ),
    ModelCard(
        PAPER,
        "LLaVA-1.5 7B",
        7_063_427_072,
        "Llama 2 Community License",
        "The paper's model. Needs a GPU with 18 GB free.",
    ),
    ModelCard(
        "llava-hf/llava-v1.6-mistral-7b-hf",
        "LLaVA-NeXT 7B",
        7_566_747_648,
        "Apache 2.0",
        "Sees finer detail than LLaVA-1.5, and takes about five times as long.",
    ),
    ModelCard(
        "Qwen/Qwen2.5-VL-7B-Instruct",
        "Qwen2.5-VL 7B",
        8_292_166_656,
        "Apache 2.0",
        "Looks at pictures in their own resolution, up to a megapixel.",
    ),
    ModelCard(
        "Qwen/Qwen3-VL-8B-Instruct",
        "Qwen3-VL 8B",
        8_767_123_696,
        "Apache 2.0",
        "The largest here; looks at pictures in their own resolution, up to a megapixel.",
    ),
)
"""From small to large."""


def model_card(name: str) -> ModelCard | None:
    """The catalogue's entry of that name, if there is one."""
    return next((card for card in CATALOGUE if card.name == name), None)
