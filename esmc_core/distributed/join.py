"""Shards become rows of the ordinary store, while the workers go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType

from esmc_core.distributed.shards import ShardFolder, fits, shard_place
from esmc_core.errors import StoreError
from esmc_core.extract import Progress
from esmc_core.lens_store import LensStore
from esmc_core.write_behind import WriteBehind


class Join:
    """Puts shards into stores as they come.

    The shards stay until the stores are complete: a worker's task that is tried again finds
    there what it need not compute.

    Args:
        stores: of one collection, which are filled together.
        place: where the shards are, see `shard_place`.
        progress: called with the images finished, on average over the stores, and those in all.
    """

    def __init__(
        self, stores: Sequence[LensStore], place: str | None, *, progress: Progress | None = None
    ) -> None:
        self._stores, self._progress = stores, progress
        self._folders = [ShardFolder(shard_place(store, place)) for store in stores]
        self._writer = WriteBehind(stores, on_commit=self._report)

    def take(self, number: int) -> None:
        """Join the shards of one batch.

        Raises:
            StoreError: one is missing, damaged, or of another pass.
        """
        for store, folder in zip(self._stores, self._folders, strict=True):
            if not self._put(store, folder, number):
                raise StoreError(
                    f"The shard {number} in {folder.place} is not of this pass.",
                    "Give another --shards, and a folder or URL that all workers share.",
                )

    def take_left(self) -> None:
        """Join all shards that are there; those of other batches are left out."""
        for store, folder in zip(self._stores, self._folders, strict=True):
            for number in folder.numbers():
                self._put(store, folder, number)

    def clear(self) -> None:
        """Delete all shards, which are in the stores."""
        for folder in self._folders:
            folder.clear()

    def __enter__(self) -> Join:
        self._writer.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.__exit__(kind, error, trace)
        if error is None:
            self.clear()

    def _put(self, store: LensStore, folder: ShardFolder, number: int) -> bool:
        shard = folder.read(number)
        if not fits(store, number, shard):
            return False
        self._writer.put(store, shard.images, lambda: (shard.tokens, shard.probabilities))
        return True

    def _report(self) -> None:
        if self._progress is not None:
            n_done = sum(store.n_done for store in self._stores) // len(self._stores)
            self._progress(n_done, self._stores[0].spec.n_images)


def join_left(
    stores: Sequence[LensStore], place: str | None, *, progress: Callable | None = None
) -> None:
    """Join the shards that an earlier run has left, and delete them."""
    with Join(stores, place, progress=progress) as join:
        join.take_left()
