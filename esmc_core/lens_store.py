"""The top tokens of every (layer, position) cell of a collection, memory-mapped on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from esmc_core.distributions import Distributions
from esmc_core.errors import StoreError
from esmc_core.memory_map import bring_to_disk, memory_map
from esmc_core.records import key_of, read_json, write_json

if TYPE_CHECKING:
    from esmc_core.models.model import Lens

_VERSION = 2  # of the layout on disk


@dataclass(frozen=True)
class PassSpec:
    """What decides the numbers of a pass, and how to read them.

    Attributes:
        collection: key of the collection.
        model: the model's name; `fingerprint` decides whether it is the same one.
        criterion: the user's words.
        lens: "norm" or "raw".
        n_images, n_layers, n_vocab, top_k: sizes; there are n_layers + 1 layers in the store.
        token_ids, token_texts: (n_positions,) the prompt from the criterion on.
        n_criterion: how many of the positions are the criterion's.
        batch_size: images a batch; a resumed pass keeps it, so that its numbers stay the same.
    """

    collection: str
    model: str
    fingerprint: str
    criterion: str
    lens: Lens
    n_images: int
    n_layers: int
    n_vocab: int
    top_k: int
    token_ids: tuple[int, ...]
    token_texts: tuple[str, ...]
    n_criterion: int
    batch_size: int

    @property
    def n_positions(self) -> int:
        return len(self.token_ids)

    @property
    def key(self) -> str:
        """The pass's name on disk; the batch size is not part of it."""
        parts = asdict(self)
        parts.pop("batch_size")
        return key_of(**parts, version=_VERSION)


class LensStore:
    """One pass on disk.

    The arrays are laid out cell by cell, so that a click on a cell reads one stretch of the
    disk however many other cells there are. In a cell the rows lie in the pass's order, so that
    a heatmap, made from its first images, reads only the first stretch of each cell. A row counts
    only once its batch is marked done, which happens after its numbers are on the disk.

    Attributes:
        order: (n_images,) the order of the pass, a seeded shuffle: its first images are a
            random sample of the collection.
        done: (n_images,) uint8, 1 where the image's rows are complete.
    """

    def __init__(self, folder: Path, spec: PassSpec) -> None:
        self.folder, self.spec = folder, spec
        n_layers = spec.n_layers + 1
        shape = (n_layers, spec.n_positions, spec.n_images, spec.top_k)
        # The marks are made last: where they are, the numbers must be.
        for name in ("tokens.i32", "probabilities.f16"):
            if (folder / "done.u8").exists() and not (folder / name).exists():
                raise ValueError(f"{name} is missing")
        self._tokens = memory_map(folder / "tokens.i32", np.int32, shape)
        self._probabilities = memory_map(folder / "probabilities.f16", np.float16, shape)
        self.done = memory_map(folder / "done.u8", np.uint8, (spec.n_images,))
        self.order = np.random.default_rng(0).permutation(spec.n_images)
        self._row = np.empty_like(self.order)  # of each image
        self._row[self.order] = np.arange(spec.n_images)
        self._uncommitted: list[np.ndarray] = []

    @classmethod
    def create(cls, passes: Path, spec: PassSpec, vocabulary: Sequence[str]) -> LensStore:
        """Open the pass under `passes`, new or as an earlier run left it.

        Args:
            vocabulary: (n_vocab,) the tokens' texts, kept so that clusters can be named
                without the model.
        """
        folder = passes / spec.key
        if (folder / "pass.json").exists():
            return cls.open(folder)
        write_json(folder / "vocabulary.json", list(vocabulary))
        write_json(folder / "pass.json", {"version": _VERSION, **asdict(spec)})
        return cls(folder, spec)

    @classmethod
    def open(cls, folder: Path) -> LensStore:
        """Open an existing pass.

        Raises:
            StoreError: it is missing, damaged or of another version.
        """
        record = read_json(folder / "pass.json")
        try:
            if record.get("version") != _VERSION:
                raise ValueError("it is of another version")
            del record["version"]
            record["token_ids"] = tuple(record["token_ids"])
            record["token_texts"] = tuple(record["token_texts"])
            return cls(folder, PassSpec(**record))
        except (AttributeError, KeyError, TypeError, ValueError, OSError) as error:
            raise StoreError(
                f"The pass in {folder} is damaged ({error}).", "Delete it and run it again."
            ) from error

    @property
    def key(self) -> str:
        return self.spec.key

    @property
    def n_done(self) -> int:
        return int(self.done.sum())

    @property
    def is_complete(self) -> bool:
        return self.n_done == self.spec.n_images

    @cached_property
    def vocabulary(self) -> list[str]:
        """(n_vocab,) the tokens' texts with their word markers."""
        return read_json(self.folder / "vocabulary.json")

    def token_texts(self, token_ids: Sequence[int]) -> list[str]:
        """The texts of some tokens."""
        return [self.vocabulary[int(token)] for token in token_ids]

    def write(
        self, images: Sequence[int] | np.ndarray, tokens: np.ndarray, probabilities: np.ndarray
    ) -> None:
        """Put one batch and commit it; see `put`."""
        self.put(images, tokens, probabilities)
        self.commit()

    def put(
        self, images: Sequence[int] | np.ndarray, tokens: np.ndarray, probabilities: np.ndarray
    ) -> None:
        """Write one batch, which does not count before `commit`.

        Args:
            images: (batch,) numbers of the images in the collection.
            tokens: (n_layers + 1, n_positions, batch, top_k).
            probabilities: the same shape.
        """
        rows = self._row[images]
        is_stretch = len(rows) > 0 and bool((np.diff(rows) == 1).all())  # as a batch of the pass is
        at = slice(rows[0], rows[-1] + 1) if is_stretch else rows
        self._tokens[:, :, at] = tokens
        self._probabilities[:, :, at] = probabilities
        self._uncommitted.append(np.asarray(images))

    def commit(self) -> None:
        """Bring all that was put to the disk itself, then mark it done there."""
        if not self._uncommitted:
            return
        bring_to_disk(self._tokens)
        bring_to_disk(self._probabilities)
        self.done[np.concatenate(self._uncommitted)] = 1
        bring_to_disk(self.done)
        self._uncommitted.clear()

    def sample(self, n_images: int | None = None) -> np.ndarray:
        """Numbers of the finished images, in the pass's order, at most `n_images` of them."""
        finished = self.order[self.done[self.order] == 1]
        return finished[:n_images]

    def cell(self, layer: int, position: int, images: np.ndarray | None = None) -> Distributions:
        """The distributions at one cell, of all images or of those numbered."""
        rows = self._row if images is None else self._row[images]
        return Distributions(
            tokens=np.asarray(self._tokens[layer, position])[rows],
            probabilities=np.asarray(self._probabilities[layer, position])[rows].astype(np.float32),
            n_vocab=self.spec.n_vocab,
        )

    def cell_chunks(
        self, layer: int, position: int, *, n_rows: int
    ) -> Iterator[tuple[np.ndarray, Distributions]]:
        """One cell in the pass's order, `n_rows` images at a time.

        The pieces are read, not mapped: what was given is not kept in memory.

        Yields:
            (chunk,) numbers of the images, and their distributions.
        """
        spec = self.spec
        first = (layer * spec.n_positions + position) * spec.n_images
        for start in range(0, spec.n_images, n_rows):
            images = self.order[start : start + n_rows]
            at, shape = (first + start) * spec.top_k, (len(images), spec.top_k)
            yield (
                images,
                Distributions(
                    tokens=_read(self.folder / "tokens.i32", np.int32, at, shape),
                    probabilities=_read(
                        self.folder / "probabilities.f16", np.float16, at, shape
                    ).astype(np.float32),
                    n_vocab=spec.n_vocab,
                ),
            )


def hidden_path(store: LensStore, layer: int, position: int) -> Path:
    """Where the hidden states of one cell are kept, once a pass has computed them."""
    return store.folder / f"hidden_{layer}_{position}.npy"


def _read(path: Path, dtype: type, start: int, shape: tuple[int, int]) -> np.ndarray:
    """An array from the `start`th number of a file on."""
    offset = start * np.dtype(dtype).itemsize
    return np.fromfile(path, dtype, count=shape[0] * shape[1], offset=offset).reshape(shape)
