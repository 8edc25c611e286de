"""Clusterings as tables: one row a readable picture, CSV and Parquet."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from esmc_core.cluster.clustering import Clustering
from esmc_core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def clustering_table(
    files: Sequence[str],
    rows: Sequence[int],
    clustering: Clustering,
    *,
    top_tokens: Sequence[str],
    criterion: str,
    model: str,
    duplicate_of: Sequence[str] | None = None,
) -> pd.DataFrame:
    """One row a readable file, in the order given.

    Args:
        files: (n_files,) path of each file under the collection's root.
        rows: (n_files,) which of the clustering's images the file is; a duplicate has its
            original's.
        top_tokens: (n_images,) each image's most probable tokens, as text.
        duplicate_of: (n_files,) the file whose bytes this one repeats, "" for an original.

    Returns:
        Columns file, cluster (from 1, the largest first, as in the names "cluster 3"), name,
        confidence (0 to 1), distance (to the cluster's centre), top_tokens, duplicate_of,
        criterion, model, layer, position, colour ("#rrggbb"), settings (JSON).

    Raises:
        InputError: the lengths do not fit.
    """
    import pandas as pd

    originals = duplicate_of if duplicate_of is not None else [""] * len(files)
    _check_lengths(files, rows, originals, top_tokens, clustering)
    images = np.asarray(rows, dtype=np.int64)
    labels = clustering.labels[images]
    names, colours = clustering.names, clustering.colours
    settings = json.dumps(dataclasses.asdict(clustering.settings), sort_keys=True)
    return pd.DataFrame(
        {
            "file": list(files),
            "cluster": labels + 1,
            "name": [names[label] for label in labels],
            "confidence": clustering.confidence[images],
            "distance": clustering.distances[images],
            "top_tokens": [top_tokens[image] for image in images],
            "duplicate_of": list(originals),
            "criterion": criterion,
            "model": model,
            "layer": clustering.source.layer,
            "position": clustering.source.position,
            "colour": [colours[label] for label in labels],
            "settings": settings,
        }
    )


def csv_bytes(table: pd.DataFrame) -> bytes:
    """The table as UTF-8 CSV, the same bytes for the same table on every system.

    Text that a spreadsheet would run as a formula (it begins with = + - @, a tab or a return) is
    made harmless: a path gets "./" in front, which is the same path, other text an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    is_of_files = "file" in table.columns
    columns = [
        [_number(value) for value in table[name].tolist()]
        if table[name].dtype.kind == "f"
        else _texts(table[name].tolist(), is_path=is_of_files and name in ("file", "duplicate_of"))
        for name in table.columns
    ]
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue().encode("utf-8", "replace")


def parquet_bytes(table: pd.DataFrame) -> bytes:
    """The table as Parquet, every text as it is."""
    out = io.BytesIO()
    table.to_parquet(out, index=False)
    return out.getvalue()


def _number(value: float | np.floating) -> str:
    return "" if value != value else f"{value:.6f}"  # NaN is no number


def _texts(values: list[Any], *, is_path: bool) -> list[str]:
    """The cells of one column; most columns repeat a few values."""
    texts = {value: _cell(value, is_path=is_path) for value in set(values)}
    return [texts[value] for value in values]


def _cell(value: object, *, is_path: bool) -> str:
    if isinstance(value, (float, np.floating)):
        return _number(value)
    if not isinstance(value, str):
        import pandas as pd

        if pd.isna(value):
            return ""
    text = str(value)
    if not text.startswith(_FORMULA_STARTS):
        return text
    return f"./{text}" if is_path else f"'{text}"


def _check_lengths(
    files: Sequence[str],
    rows: Sequence[int],
    originals: Sequence[str],
    top_tokens: Sequence[str],
    clustering: Clustering,
) -> None:
    if not len(files) == len(rows) == len(originals):
        raise InputError(
            f"{len(files)} files, {len(rows)} rows and {len(originals)} originals do not fit.",
            "Give one of each for every file.",
        )
    if len(top_tokens) != clustering.n_images or max(rows, default=0) >= clustering.n_images:
        raise InputError(
            f"The clustering has {clustering.n_images} images, the table asks for others.",
            "Cluster the collection again.",
        )
