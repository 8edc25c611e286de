"""The method as it is by default, and with one thing changed at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from esmc_core.models.model import Lens


@dataclass(frozen=True)
class Variant:
    """One way to run the method.

    Attributes:
        key: of its row, in tables and JSON.
        title: what is said of it in a table.
        lens: "norm" or "raw".
        cell: "suggested" by the heatmap, or "last": last layer, last position.
        changes: fields of ClusterSettings that differ from the defaults.
    """

    key: str
    title: str
    lens: Lens = "norm"
    cell: Literal["suggested", "last"] = "suggested"
    changes: Mapping[str, Any] = field(default_factory=dict)


HEADLINE = Variant("headline", "label-free, last epoch (the app's defaults)")

VARIANTS = (
    Variant("hellinger", "√p instead of ⁴√p", changes={"geometry": "hellinger"}),
    Variant("euclidean", "p instead of ⁴√p", changes={"geometry": "euclidean"}),
    Variant("no_merge", "spelling variants kept apart", changes={"merge_spelling": False}),
    Variant("hidden", "hidden state instead of words", changes={"representation": "hidden"}),
    Variant("raw_lens", "raw lens, its own suggested cell", lens="raw"),
    Variant("last_cell", "last layer, last position", cell="last"),
    Variant("alpha_0.1", "α .1 instead of .6", changes={"alpha": 0.1}),
    Variant("alpha_0.3", "α .3 instead of .6", changes={"alpha": 0.3}),
)
