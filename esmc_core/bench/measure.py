"""Figures of partitions against the truth: the one place of the benchmark that knows labels.

Only what is named "oracle" may be chosen here by the truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from esmc_core.metrics import compare_with_truth

METRICS = ("nmi", "rand_index", "ari", "accuracy")

Figures = dict[str, dict[str, Any]]
"""metric → {"mean", "sd", "per_seed"}"""


def measure(partitions: Sequence[np.ndarray], truth: Sequence[str]) -> Figures:
    """Measure one partition a seed; pictures with the truth "" are left out.

    Args:
        partitions: n_seeds arrays of (n_images,) int.
        truth: (n_images,) classes.
    """
    agreements = [compare_with_truth(labels, truth) for labels in partitions]
    return {name: summarise([getattr(each, name) for each in agreements]) for name in METRICS}


def summarise(values: Sequence[float]) -> dict[str, Any]:
    """Mean, sample standard deviation (0 for a single value), and the values themselves."""
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {"mean": float(np.mean(values)), "sd": sd, "per_seed": [float(v) for v in values]}


def oracle_epoch(by_epoch: np.ndarray, truth: Sequence[str]) -> np.ndarray:
    """The labels of the epoch with the highest NMI: chosen with the truth, so no user's result.

    Args:
        by_epoch: (n_epochs, n_images) int.

    Returns:
        (n_images,)
    """
    different = np.unique(by_epoch, axis=0)
    return max(different, key=lambda labels: compare_with_truth(labels, truth).nmi)


def nmi_by_cell(labels: np.ndarray, truth: Sequence[str]) -> np.ndarray:
    """(n_layers + 1, n_positions) NMI of a partition a cell, (…, n_images) int."""
    return np.apply_along_axis(lambda row: compare_with_truth(row, truth).nmi, -1, labels)


def oracle_cell(nmi: np.ndarray) -> tuple[int, int]:
    """The cell of the highest NMI, (layer, position): chosen with the truth."""
    layer, position = np.unravel_index(int(np.argmax(nmi)), nmi.shape)
    return int(layer), int(position)


def average(figures: Sequence[Mapping[str, Any]]) -> Figures:
    """The mean over criteria, seed by seed, so that its spread is that between seeds."""
    return {
        name: summarise(np.mean([each[name]["per_seed"] for each in figures], axis=0).tolist())
        for name in METRICS
    }
