"""What runs on the workers: one model an actor, which looks at batches and writes shards."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from esmc_core.distributed.shards import Shard, ShardFolder
from esmc_core.errors import EsmcError, ModelError
from esmc_core.extract import LensReader, default_batch_size, pass_spec, shares_passes
from esmc_core.images.collection import Picture
from esmc_core.images.shelf import Shelf
from esmc_core.lens_store import PassSpec
from esmc_core.look import look
from esmc_core.models.loading import load_model
from esmc_core.models.model import Lens, VisionLanguageModel
from esmc_core.threads import keep_to

Rows = dict[str, Any]
"""A block of Ray Data: a column of texts or numbers by name."""


@dataclass(frozen=True)
class Description:
    """What the driver has to know of a model that it does not load.

    Attributes:
        specs: of each criterion's pass, but for the collection.
        vocabulary: (n_vocab,) the tokens' texts.
        shares: whether each picture is read once for all criteria.
    """

    specs: tuple[PassSpec, ...]
    vocabulary: tuple[str, ...]
    shares: bool


def describe(
    model: str,
    device: str | None,
    criteria: Sequence[str],
    *,
    lens: Lens = "norm",
    batch_size: int | None = None,
) -> Description | EsmcError:
    """Load a model and say what its passes will be like; an error comes back as a value."""
    try:
        loaded = load_model(model, device=device)
        specs = tuple(
            pass_spec(
                loaded,
                collection="",
                criterion=criterion,
                n_images=0,
                lens=lens,
                batch_size=batch_size or default_batch_size(loaded),
            )
            for criterion in criteria
        )
        shares = shares_passes(loaded, criteria)
    except EsmcError as error:
        return error
    return Description(specs, tuple(loaded.vocabulary()), shares)


@dataclass(frozen=True)
class Task:
    """What an actor needs to know.

    Attributes:
        model, device: as `load_model` takes them.
        specs: of the passes that are filled together.
        shards: where the shards of each pass go, a folder or URL.
        home: folder with the copies of pictures that have no place of their own.
        n_threads: of the CPU's maths; the last digits depend on it.
    """

    model: str
    device: str | None
    specs: tuple[PassSpec, ...]
    shards: tuple[str, ...]
    home: str
    n_threads: int


class Looker:
    """Looks at batches; Ray Data keeps one in each actor.

    A batch that has its shards is not looked at again, so that after the loss of a worker only
    the batch that it was at costs twice.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.folders = [ShardFolder(place) for place in task.shards]
        self.shelf = Shelf(Path(task.home))

    def __call__(self, rows: Rows) -> Iterator[Rows]:
        """Write the shards of some batches.

        Args:
            rows: "batch", what `pack_batch` gave for each.

        Yields:
            "number" of each batch once its shards are there, or "error", its message and hint.
        """
        keep_to(self.task.n_threads)
        batches = [unpack_batch(text) for text in rows["batch"]]
        try:
            for number in self._fill(batches):
                yield {"number": [number], "error": [""], "hint": [""]}
        except EsmcError as error:
            yield {"number": [-1], "error": [error.message], "hint": [error.hint]}

    def _fill(self, batches: Sequence[Batch]) -> Iterator[int]:
        missing = [batch for batch in batches if not self._is_done(batch)]
        pictures = {image: picture for batch in missing for image, picture in batch.pictures}

        def open_image(image: int) -> Image.Image:
            return self.shelf.open(pictures[image])

        found = look(
            self.model,
            [batch.images for batch in missing],
            self.reader.prompts[0],
            open_image,
            self.read,
        )
        for batch in batches:  # in the same order each time that the task is tried
            if batch in missing:
                self._write(batch, found)
            yield batch.number

    def _is_done(self, batch: Batch) -> bool:
        return all(folder.has(batch.number) for folder in self.folders)

    def _write(self, batch: Batch, found: Iterator[tuple[np.ndarray, list[Callable]]]) -> None:
        """Write one batch's shards from its pieces, which are the next that are found."""
        pieces: list[list[tuple[np.ndarray, ...]]] = []
        n_found = 0
        while n_found < len(batch.images):
            images, arrays = next(found)
            pieces.append([wait() for wait in arrays])
            n_found += len(images)
        for folder, parts in zip(self.folders, zip(*pieces, strict=True), strict=True):
            tokens, probabilities = (
                np.concatenate(arrays, axis=2) for arrays in zip(*parts, strict=True)
            )
            folder.write(batch.number, Shard(batch.images, tokens, probabilities))

    def read(self, inputs: Any) -> list[Callable[[], Any]]:
        """The lens of each criterion for one batch."""
        return self.reader(inputs)

    @cached_property
    def model(self) -> VisionLanguageModel:
        model = load_model(self.task.model, device=self.task.device)
        expected = self.task.specs[0].fingerprint
        if model.fingerprint != expected:
            raise ModelError(
                f"The workers do not all have the same model: one has {model.fingerprint}, not "
                f"{expected}.",
                "Put the same files of the model and the same torch on all machines.",
            )
        return model

    @cached_property
    def reader(self) -> LensReader:
        return LensReader(self.model, self.task.specs)


@dataclass(frozen=True, eq=False)
class Batch:
    """Pictures that go through the model together.

    Attributes:
        number: of the batch in the pass.
        pictures: (batch,) their numbers in the collection, and what is known of them.
    """

    number: int
    pictures: tuple[tuple[int, Picture], ...]

    @property
    def images(self) -> np.ndarray:
        """(batch,) int64"""
        return np.array([image for image, _ in self.pictures], dtype=np.int64)


def pack_batch(number: int, images: np.ndarray, pictures: Sequence[Picture]) -> str:
    """A batch as text.

    Args:
        images: (batch,) numbers of its pictures.
        pictures: of the whole collection.
    """
    chosen = ((int(image), pictures[image]) for image in images)
    rows = [[image, it.digest, it.file, it.location] for image, it in chosen]
    return json.dumps([number, rows])  # in ASCII, so that a path that is not UTF-8 survives


def unpack_batch(text: str) -> Batch:
    """The batch that `pack_batch` packed; sizes of pictures are not kept."""
    number, rows = json.loads(text)
    pictures = tuple(
        (image, Picture(digest, file, 0, 0, 0, location)) for image, digest, file, location in rows
    )
    return Batch(number, pictures)
