"""The pass on Ray: batches to the workers, their shards into the ordinary stores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
import torch

from esmc_core.distributed.intake import run_intake
from esmc_core.distributed.join import Join, join_left
from esmc_core.distributed.shards import shard_place
from esmc_core.distributed.worker import Description, Looker, Task, describe, pack_batch
from esmc_core.errors import Cancelled, EsmcError, ModelError
from esmc_core.extract import Progress, plan_batches
from esmc_core.images import Collection
from esmc_core.images.collection import Refusal
from esmc_core.images.entry import Entry
from esmc_core.images.intake import Intake
from esmc_core.lens_store import LensStore
from esmc_core.models.model import Lens
from esmc_core.workspace import Workspace

_BATCHES_A_TASK = 8
_TRIES = 5
"""How often a task is given out again; pictures that kill every worker must not go on for ever."""


@dataclass(frozen=True)
class RayPass:
    """How a pass runs on Ray.

    Args:
        model: hub id, folder or "bundled", as the workers find it.
        device: of each worker's model; the best one there if None.
        n_workers: actors, each with a model; if None one a GPU, or one a processor core.
        n_threads: of the CPU's maths in each actor; as many as torch takes here if None. The same
            number gives the same bits as the pass on one machine.
        shards: folder or URL that all workers write to; beside the store if None.
        looker: what an actor runs.
    """

    ray: ModuleType
    model: str
    device: str | None = None
    n_workers: int | None = None
    n_threads: int | None = None
    shards: str | None = None
    looker: type[Looker] = Looker

    @property
    def gpus_each(self) -> int:
        has_gpus = self.device in (None, "cuda") and self.ray.cluster_resources().get("GPU", 0)
        return 1 if has_gpus else 0

    @property
    def size(self) -> int:
        """Actors."""
        resource = "GPU" if self.gpus_each else "CPU"
        return self.n_workers or max(1, int(self.ray.cluster_resources().get(resource, 1)))

    def intake(self, intake: Intake, entries: Sequence[Entry | Refusal]) -> None:
        """Read a collection's files on the workers; for `Library.read_source`."""
        run_intake(self.ray, intake, entries, n_workers=max(self.size, os.cpu_count() or 1))

    def describe(
        self, criteria: Sequence[str], *, lens: Lens = "norm", batch_size: int | None = None
    ) -> Description:
        """What the passes of the workers' model will be like.

        Raises:
            InputError: a criterion cannot be read.
            ModelError: the workers cannot load the model.
        """
        options: dict[str, Any] = {"lens": lens, "batch_size": batch_size}
        if not self.gpus_each:
            found = describe(self.model, "cpu", criteria, **options)
        else:
            task = self.ray.remote(num_gpus=1, max_calls=1)(describe)
            found = self.ray.get(task.remote(self.model, self.device, criteria, **options))
        if isinstance(found, EsmcError):
            raise found
        return found

    def create_passes(
        self, workspace: Workspace, collection: Collection, found: Description
    ) -> list[LensStore]:
        """The passes over the collection, new or as they were left."""
        passes = workspace.passes_folder(collection.key)
        return [
            LensStore.create(
                passes,
                replace(spec, collection=collection.key, n_images=collection.n_images),
                found.vocabulary,
            )
            for spec in found.specs
        ]

    def fill(
        self,
        workspace: Workspace,
        collection: Collection,
        stores: Sequence[LensStore],
        *,
        shares: bool,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        """Fill the stores; what they or their shards hold already is not computed again.

        Args:
            shares: whether each picture is read once for all criteria.

        Raises:
            Cancelled: `should_stop` said so; the batches done so far stay.
            EsmcError: what a worker ran into.
        """
        for group in [stores] if shares else [[store] for store in stores]:
            join_left(group, self.shards, progress=progress)
            for some, batches in list(plan_batches(group)):
                with Join(some, self.shards, progress=progress) as join:
                    for number in self._look(workspace, collection, some, batches):
                        join.take(number)
                        if should_stop is not None and should_stop():
                            raise Cancelled()

    def _look(
        self,
        workspace: Workspace,
        collection: Collection,
        stores: Sequence[LensStore],
        batches: Sequence[np.ndarray],
    ) -> Iterator[int]:
        """The numbers of the batches as their shards get there."""
        size = stores[0].spec.batch_size
        row = np.empty_like(stores[0].order)
        row[stores[0].order] = np.arange(len(row))
        packed = [
            {"batch": pack_batch(int(row[batch[0]]) // size, batch, collection.pictures)}
            for batch in batches
        ]
        task = Task(
            model=self.model,
            device=self.device if self.gpus_each else "cpu",
            specs=tuple(store.spec for store in stores),
            shards=tuple(shard_place(store, self.shards) for store in stores),
            home=str(workspace.library.home),
            n_threads=self.n_threads or torch.get_num_threads(),
        )
        n_actors = min(self.size, len(packed))
        n_each = max(1, min(_BATCHES_A_TASK, len(packed) // (4 * n_actors)))
        found = self.ray.data.from_items(
            packed, override_num_blocks=-(-len(packed) // n_each)
        ).map_batches(
            self.looker,
            fn_constructor_args=(task,),
            batch_size=None,
            batch_format="numpy",
            compute=self.ray.data.ActorPoolStrategy(size=n_actors, max_tasks_in_flight_per_actor=2),
            num_cpus=1,
            num_gpus=self.gpus_each,
            max_task_retries=_TRIES,
        )
        try:
            for told in found.iter_rows():
                if told["error"]:
                    raise EsmcError(told["error"], told["hint"])
                yield int(told["number"])
        except self.ray.exceptions.RayActorError as error:
            raise ModelError(
                f"A worker was lost {_TRIES + 1} times over the same pictures.",
                "It may have too little memory: choose fewer workers or a smaller model.",
            ) from error
