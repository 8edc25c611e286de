"""Clusters of texts as a table: one row for each row of the file, in its order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from esmc_core.cluster.clustering import Clustering
from esmc_core.errors import InputError
from esmc_core.texts.collection import EMPTY, TextCollection

if TYPE_CHECKING:
    import pandas as pd

_SETTINGS = ("n_clusters", "n_init", "seed")  # the others are about pictures


def text_table(
    collection: TextCollection, clustering: Clustering, *, perspective: str, model: str
) -> pd.DataFrame:
    """The clusters of a collection, for `export.csv_bytes` and `export.parquet_bytes`.

    Returns:
        Columns row (from 1), text, cluster (from 1, the largest first), name, confidence
        (0 to 1), distance (to the cluster's centre), duplicate_of (the earlier row with the same
        text), perspective, model, colour ("#rrggbb"), settings (JSON). A row without a text has
        no cluster.

    Raises:
        InputError: the clustering is of other texts.
    """
    import pandas as pd

    if clustering.n_images != collection.n_texts:
        raise InputError(
            f"The clustering has {clustering.n_images} texts, the collection {collection.n_texts}.",
            "Cluster the texts again.",
        )
    texts = collection.rows
    is_filled = texts != EMPTY
    labels = clustering.labels[texts]
    originals = dict(collection.duplicates)
    names, colours = clustering.names, clustering.colours
    settings = json.dumps({name: getattr(clustering.settings, name) for name in _SETTINGS})

    def of_clusters(values: list[str]) -> list[str]:
        return [
            values[label] if filled else "" for label, filled in zip(labels, is_filled, strict=True)
        ]

    return pd.DataFrame(
        {
            "row": np.arange(1, collection.n_rows + 1),
            "text": [collection.texts[i] if i != EMPTY else "" for i in texts.tolist()],
            "cluster": pd.arrays.IntegerArray(labels + 1, ~is_filled),
            "name": of_clusters(names),
            "confidence": np.where(is_filled, clustering.confidence[texts], np.nan),
            "distance": np.where(is_filled, clustering.distances[texts], np.nan),
            "duplicate_of": pd.array(
                [originals[row] + 1 if row in originals else None for row in range(len(texts))],
                dtype="Int64",
            ),
            "perspective": perspective,
            "model": model,
            "colour": of_clusters(colours),
            "settings": settings,
        }
    )
