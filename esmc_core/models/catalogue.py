"""The models that are offered by name; any other of a supported family works as well."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BUNDLED = "bundled"
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
        6_000_000,
        "MIT",
        "Comes with the app; runs on any laptop. Knows colors and everyday things.",
    ),
    ModelCard(
        "llava-hf/llava-1.5-7b-hf",
        "LLaVA-1.5 7B",
        7_063_427_072,
        "Llama 2 Community License",
        "The paper's model. Needs a GPU with 18 GB free.",
    ),
)


def model_card(name: str) -> ModelCard | None:
    """The catalogue's entry of that name, if there is one."""
    return next((card for card in CATALOGUE if card.name == name), None)
