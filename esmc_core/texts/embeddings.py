"""Embeddings on disk, by content and model: made once, and resumed where they were left."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from esmc_core.errors import Cancelled
from esmc_core.records import key_of, write_bytes
from esmc_core.texts.collection import digest_texts
from esmc_core.texts.embedder import Embedder, Progress

CHUNK = 2048


class EmbeddingCache:
    """Embeddings under one home folder.

    A set of texts is embedded in chunks, each kept as soon as it is done: what was stopped or
    killed goes on after the last whole chunk.

    Args:
        home: folder that holds all state.
    """

    def __init__(self, home: Path) -> None:
        self.root = Path(home) / "embeddings"

    def key(self, texts: Sequence[str], fingerprint: str) -> str:
        """Of the texts in their order and the model."""
        return key_of(texts=digest_texts(texts), model=fingerprint)

    def find(self, texts: Sequence[str], fingerprint: str) -> np.ndarray | None:
        """(n_texts, dimension) float32 if they have been embedded before and can be read."""
        return self._read(self.root / f"{self.key(texts, fingerprint)}.npy", len(texts))

    def embed(
        self,
        embedder: Embedder,
        texts: Sequence[str],
        *,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> np.ndarray:
        """The embeddings, from disk or made now.

        Args:
            progress: called with texts done and texts in all.

        Returns:
            (n_texts, dimension) float32, of length 1; read only.

        Raises:
            Cancelled: `should_stop` said so; the finished chunks are kept.
        """
        key = self.key(texts, embedder.fingerprint)
        path = self.root / f"{key}.npy"
        found = self._read(path, len(texts))
        if found is None:
            parts = self.root / f"{key}.parts"
            chunks = self._embed_chunks(embedder, texts, parts, progress, should_stop)
            found = np.concatenate(chunks) if chunks else np.zeros((0, embedder.dimension))
            _write(path, found.astype(np.float32))
            shutil.rmtree(parts, ignore_errors=True)
        if progress is not None:
            progress(len(texts), len(texts))
        return found

    def keep(self, embedder: Embedder, texts: Sequence[str], embeddings: np.ndarray) -> None:
        """Put embeddings on disk that came about in another way, such as through an adapter."""
        path = self.root / f"{self.key(texts, embedder.fingerprint)}.npy"
        _write(path, np.asarray(embeddings, dtype=np.float32))

    def _embed_chunks(
        self,
        embedder: Embedder,
        texts: Sequence[str],
        parts: Path,
        progress: Progress | None,
        should_stop: Callable[[], bool] | None,
    ) -> list[np.ndarray]:
        chunks = []
        for start in range(0, len(texts), CHUNK):
            if should_stop is not None and should_stop():
                raise Cancelled()
            some = texts[start : start + CHUNK]
            path = parts / f"{start:09}.npy"
            chunk = self._read(path, len(some))
            if chunk is None:
                chunk = embedder.embed(
                    some, progress=_shifted(progress, start, len(texts)), should_stop=should_stop
                )
                _write(path, chunk)
            chunks.append(chunk)
        return chunks

    def _read(self, path: Path, n_texts: int) -> np.ndarray | None:
        try:
            found = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):  # missing or damaged: made anew
            return None
        return found if found.ndim == 2 and len(found) == n_texts else None


def _shifted(progress: Progress | None, start: int, total: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, _: progress(start + done, total)


def _write(path: Path, array: np.ndarray) -> None:
    content = io.BytesIO()
    np.save(content, array)
    write_bytes(path, content.getvalue())
