"""Finished batches of a pass as files of their own, until they are joined to its store."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from esmc_core.errors import StoreError
from esmc_core.images.remote import access_errors, local_path, open_filesystem
from esmc_core.lens_store import LensStore
from esmc_core.records import write_bytes

_FILE = "batch-{:09}.npz"
_DAMAGE = (KeyError, ValueError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Shard:
    """One batch.

    Attributes:
        images: (batch,) int64 numbers in the collection.
        tokens: (n_layers + 1, n_positions, batch, top_k) int32.
        probabilities: the same shape, float16.
    """

    images: np.ndarray
    tokens: np.ndarray
    probabilities: np.ndarray


class ShardFolder:
    """The shards of one pass, in a folder or at a URL.

    A shard is there whole or not at all: on a disk it gets its name when it is complete, and
    object stores show an object when all of it has come.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self._files, self._root = open_filesystem(place)
        self._root = self._root.rstrip("/")

    def write(self, number: int, shard: Shard) -> None:
        """Write the shard of a batch, over an older one."""
        content = io.BytesIO()
        np.savez(
            content,
            images=shard.images,
            tokens=shard.tokens,
            probabilities=shard.probabilities.astype(np.float16),
        )
        folder = local_path(self.place)
        if folder is not None:
            write_bytes(folder / _FILE.format(number), content.getvalue())
        else:
            self._files.pipe_file(self._path(number), content.getvalue())

    def read(self, number: int) -> Shard:
        """Read a shard; raise StoreError if it is missing or damaged."""
        errors: tuple[type[Exception], ...] = (*_DAMAGE, *access_errors())
        try:
            content = io.BytesIO(self._files.cat_file(self._path(number)))
            with np.load(content, allow_pickle=False) as arrays:
                return Shard(arrays["images"], arrays["tokens"], arrays["probabilities"])
        except errors as error:
            raise StoreError(
                f"The shard {self._path(number)} cannot be read ({error}).",
                "Give the same command again.",
            ) from error

    def has(self, number: int) -> bool:
        """Whether there is a shard of that batch."""
        return bool(self._files.exists(self._path(number)))

    def numbers(self) -> list[int]:
        """The batches of which there are shards, ascending."""
        if not self._files.exists(self._root):
            return []
        self._files.invalidate_cache()
        names = (Path(path).name for path in self._files.ls(self._root, detail=False))
        found = (re.fullmatch(r"batch-(\d{9,})\.npz", name) for name in names)
        return sorted(int(match[1]) for match in found if match)

    def remove(self, number: int) -> None:
        """Delete the shard of a batch."""
        self._files.rm_file(self._path(number))

    def clear(self) -> None:
        """Delete the folder with all that is left in it."""
        if self._files.exists(self._root):
            self._files.rm(self._root, recursive=True)

    def _path(self, number: int) -> str:
        return f"{self._root}/{_FILE.format(number)}"


def shard_place(store: LensStore, place: str | None) -> str:
    """Where the shards of a pass belong: beside its store, or under `place`."""
    return f"{place.rstrip('/')}/{store.key}" if place else str(store.folder / "shards")


def fits(store: LensStore, number: int, shard: Shard) -> bool:
    """Whether a shard holds that batch of the store."""
    spec = store.spec
    batch = store.order[number * spec.batch_size : (number + 1) * spec.batch_size]
    shape = (spec.n_layers + 1, spec.n_positions, len(batch), spec.top_k)
    is_whole = shard.tokens.shape == shard.probabilities.shape == shape
    return is_whole and np.array_equal(shard.images, batch)
