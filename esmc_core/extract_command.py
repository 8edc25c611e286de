"""`python -m esmc_core extract`: the pass alone, on this machine or on Ray."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from esmc_core.config import Config
from esmc_core.errors import InputError, ModelError
from esmc_core.extract import run_passes
from esmc_core.images import Collection
from esmc_core.lens_store import LensStore
from esmc_core.models.catalogue import BUNDLED
from esmc_core.models.loading import default_model, load_model
from esmc_core.models.model import VisionLanguageModel
from esmc_core.threads import keep_to
from esmc_core.workspace import Workspace

Bar: TypeAlias = Callable[[str], AbstractContextManager[Callable[[int, int | None], None]]]


def extract(options: argparse.Namespace, bar: Bar) -> None:
    """Fill the lens stores of some criteria under the home folder `options.out`.

    Args:
        bar: makes a progress bar of a title.
    """
    workspace = Workspace(replace(Config.from_env(), home=home_for(options.out)))
    if options.threads:
        keep_to(options.threads)
    criteria = list(dict.fromkeys(" ".join(words.split()) for words in options.criterion))
    run = _extract_on_ray if options.engine == "ray" else _extract_here
    collection = run(workspace, criteria, options, bar)
    print(
        f"{collection.n_images:,} pictures, {len(criteria)} criteria, collection "
        f"{collection.key} in {workspace.config.home}",
        file=sys.stderr,
    )


def home_for(out: Path) -> Path:
    """The folder that becomes, or is, a home of collections.

    Raises:
        InputError: it is a file, or a folder of other things.
    """
    home = out.expanduser().resolve()
    if home.exists() and not home.is_dir():
        raise InputError(f"{out} is a file.", "Give a folder as --out.")
    if home.is_dir() and any(home.iterdir()) and not is_home(home):
        raise InputError(f"{out} holds other things.", "Give an empty or new folder as --out.")
    return home


def is_home(place: Path | str) -> bool:
    """Whether collections lie there."""
    return isinstance(place, Path) and (place / "collections").is_dir()


def find_pass(
    options: argparse.Namespace,
) -> tuple[Workspace, Collection, VisionLanguageModel | None, LensStore]:
    """The finished pass of `options.criterion` in the home folder `options.photos`.

    Its model is loaded only where its words or hidden states are asked for.

    Raises:
        InputError: there is no such pass, or more than one.
        ModelError: the model is needed and is not the one of the pass.
    """
    workspace = Workspace(replace(Config.from_env(), home=options.photos.resolve()))
    criterion = " ".join(options.criterion.split())
    passes = [
        (collection.key, found)
        for collection in workspace.library.list()
        for found in workspace.list_passes(collection.key)
    ]
    fitting = [
        (collection, found.key)
        for collection, found in passes
        if found.criterion == criterion and options.model in (None, found.model)
    ]
    if len(fitting) != 1:
        known = "; ".join(f"“{found.criterion}”, {found.model}" for _, found in passes)
        raise InputError(
            f"{options.photos} has {len(fitting)} passes of “{criterion}”, not one.",
            f"It has: {known or 'none'}. Extract it, or name the --model.",
        )
    collection, key = fitting[0]
    store = workspace.open_pass(collection, key)
    workspace.check_complete(store)
    is_hidden = getattr(options, "representation", None) == "hidden"
    model = None
    if options.keywords or is_hidden:
        model = load_model(store.spec.model, device=options.device)
        if is_hidden and model.fingerprint != store.spec.fingerprint:
            raise ModelError(
                f"{store.spec.model} is not the same here as in the pass.",
                "Cluster where the pass ran, or by the vocabulary.",
            )
    return workspace, workspace.library.load(collection), model, store


def _extract_here(
    workspace: Workspace, criteria: list[str], options: argparse.Namespace, bar: Bar
) -> Collection:
    for name in ("workers", "shards", "address"):
        if getattr(options, name) is not None:
            raise InputError(f"--{name} is for the ray engine.", "Add --engine ray.")
    model = load_model(options.model or default_model(options.device), device=options.device)
    for criterion in criteria:
        model.prompt(criterion)  # before the pictures are read
    with bar("Reading pictures") as progress:
        collection = workspace.library.read_source(options.photos, progress=progress)
    tell_refusals(collection)
    stores = [
        workspace.create_pass(
            collection, model, words, lens=options.lens, batch_size=options.batch_size
        )
        for words in criteria
    ]
    with bar("Looking at pictures") as progress:
        opened, features = workspace.image_opener(collection), workspace.features(collection, model)
        run_passes(model, stores, opened, features=features, progress=progress)
    return collection


def _extract_on_ray(
    workspace: Workspace, criteria: list[str], options: argparse.Namespace, bar: Bar
) -> Collection:
    from esmc_core.distributed.run import RayPass
    from esmc_core.distributed.session import LOCAL, ray_session

    with ray_session(options.address or LOCAL, n_workers=options.workers) as ray:
        task = RayPass(
            ray,
            options.model or BUNDLED,
            device=options.device,
            n_workers=options.workers,
            shards=options.shards,
        )
        found = task.describe(criteria, lens=options.lens, batch_size=options.batch_size)
        with bar("Reading pictures") as progress:
            collection = workspace.library.read_source(
                options.photos, progress=progress, run=task.intake
            )
        tell_refusals(collection)
        stores = task.create_passes(workspace, collection, found)
        with bar("Looking at pictures") as progress:
            task.fill(workspace, collection, stores, shares=found.shares, progress=progress)
    return collection


def tell_refusals(collection: Collection) -> None:
    """Name on stderr each file that was not read, and why."""
    for refusal in collection.refusals:
        print(f"not read: {refusal.file}: {refusal.reason}", file=sys.stderr)
