"""Maps on disk."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from esmc_core.records import write_bytes


def save_layout(path: Path, points: np.ndarray) -> None:
    """Write (n_texts, 2) positions."""
    content = io.BytesIO()
    np.save(content, points)
    write_bytes(path, content.getvalue())


def load_layout(path: Path, n_texts: int) -> np.ndarray | None:
    """(n_texts, 2) positions; None where they are missing, damaged or of other texts."""
    try:
        points = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return points if points.shape == (n_texts, 2) else None
