"""Figures that papers print, to stand beside the measured ones; NMI and RI, K given.

From tables 1 to 3 of "MLLM-Based Embedding Selection for Explainable Multiple Clustering" (AAAI
2026): LLaVA-1.5-7B, means of ten runs, each the best of 200 epochs as chosen with the true labels.
"Best other" is the best of the methods compared or published since.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """What is printed about one criterion of one set.

    Attributes:
        esmc_nmi, esmc_ri: the whole method.
        no_head_nmi: K-means alone ("without MLP").
        output_nmi: K-means on embeddings of the model's text answers ("Output").
        best_other_nmi, best_other: the best competitor and its name.
    """

    esmc_nmi: float
    esmc_ri: float
    no_head_nmi: float
    output_nmi: float
    best_other_nmi: float
    best_other: str


PUBLISHED: dict[tuple[str, str], Published] = {
    ("stanford_cars", "color"): Published(0.814, 0.924, 0.793, 0.787, 0.761, "Multi-DProxy"),
    ("stanford_cars", "type"): Published(0.882, 0.959, 0.869, 0.646, 0.662, "Multi-Sub"),
    ("flower", "color"): Published(0.728, 0.899, 0.684, 0.670, 0.694, "Multi-Sub"),
    ("flower", "species"): Published(0.892, 0.973, 0.846, 0.813, 0.758, "Multi-Sub"),
    ("cifar10", "type"): Published(0.829, 0.952, 0.715, 0.751, 0.764, "MLLMMC"),
    ("cifar10", "environment"): Published(0.608, 0.828, 0.548, 0.044, 0.483, "Multi-Sub"),
    ("cmu_face", "emotion"): Published(0.224, 0.670, 0.190, 0.150, 0.205, "Multi-Sub"),
    ("cmu_face", "glass"): Published(0.767, 0.926, 0.645, 0.678, 0.487, "Multi-Sub"),
    ("cmu_face", "pose"): Published(0.627, 0.825, 0.550, 0.091, 0.592, "Multi-Sub"),
    ("card", "order"): Published(0.474, 0.881, 0.390, 0.439, 0.911, "GCPM"),
    ("card", "suits"): Published(0.359, 0.726, 0.333, 0.242, 0.890, "GCPM"),
    ("fruit360", "color"): Published(0.695, 0.849, 0.652, 0.607, 0.665, "Multi-Sub"),
    ("fruit360", "species"): Published(0.504, 0.729, 0.381, 0.220, 0.612, "Multi-Sub"),
    ("fruit", "color"): Published(0.931, 0.973, 0.931, 0.931, 1.0, "several"),
    ("fruit", "species"): Published(1.0, 1.0, 1.0, 0.844, 1.0, "several"),
}
"""(set, column) → figures. The pictures measured here may be fewer, and the model another."""
