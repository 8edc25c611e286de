"""What the commands do."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from esmc_core import extract_command
from esmc_core.console import Bar
from esmc_core.errors import InputError
from esmc_core.extract import run_hidden_pass, run_pass
from esmc_core.extract_command import tell_refusals
from esmc_core.images import Collection
from esmc_core.keywords import parse_keywords
from esmc_core.lens_store import LensStore
from esmc_core.models.loading import default_model, load_model
from esmc_core.models.model import VisionLanguageModel
from esmc_core.naming import mean_tokens
from esmc_core.records import write_bytes, write_json
from esmc_core.target import SAMPLE_SIZE, Heatmap, Score, make_heatmap
from esmc_core.workspace import Workspace

if TYPE_CHECKING:
    from esmc_core.cluster.clustering import ClusterSettings

_FLAT = (
    "The heatmap is flat: this model sees next to nothing to tell these pictures apart by this "
    "criterion. Say it in other words, or choose another --model."
)
SAMPLES = Path(__file__).resolve().parents[1] / "assets" / "samples"


def cluster(options: argparse.Namespace) -> None:
    """Write one row a readable picture: its cluster, the cluster's name, how sure it is."""
    from esmc_core.export import csv_bytes, parquet_bytes

    keywords = _keywords(options)
    workspace, collection, model, store = _open(options, at_least=options.clusters)
    position = _from_end(options.position, store.spec.n_positions)
    workspace.check_cell(store, options.layer or 0, position or 0)
    _look(workspace, collection, model, store)
    heatmap = _heatmap(store, model, keywords)
    layer = heatmap.suggested[0] if options.layer is None else options.layer
    position = heatmap.suggested[1] if position is None else position
    settings = _settings(options)
    hidden = None
    if settings.representation == "hidden" and model is not None:
        with Bar("Reading hidden states") as progress:
            hidden = run_hidden_pass(
                model,
                store,
                workspace.image_opener(collection),
                layer=layer,
                position=position,
                progress=progress,
            )
    found = workspace.cluster(store, settings, layer=layer, position=position, hidden=hidden)
    if heatmap.is_flat:
        print(f"{_FLAT} The clusters say little.", file=sys.stderr)
    table = workspace.table(collection, store, found)
    is_csv = options.out.suffix.lower() == ".csv"
    write_bytes(options.out, csv_bytes(table) if is_csv else parquet_bytes(table))
    sizes = ", ".join(f"{name} {n}" for name, n in zip(found.names, found.sizes, strict=True))
    print(f"{options.out}: layer {layer}, position {position}: {sizes}", file=sys.stderr)


def lens(options: argparse.Namespace) -> None:
    """Write the heatmap as JSON or as a page that opens without a network."""
    keywords = _keywords(options, score=options.score)
    workspace, collection, model, store = _open(options, at_least=1)
    _look(workspace, collection, model, store)
    heatmap = _heatmap(store, model, keywords, score=options.score)
    record = lens_record(store, heatmap)
    if options.out.suffix.lower() == ".json":
        text = json.dumps(record, indent=1, ensure_ascii=False)
    else:
        text = _lens_page(record, heatmap)
    write_bytes(options.out, text.encode())
    layer, position = heatmap.suggested
    best = heatmap.values[layer, position]
    print(
        f"{options.out}: suggested layer {layer}, position {position}, {best:.2f} {heatmap.unit}",
        file=sys.stderr,
    )
    if heatmap.is_flat:
        print(_FLAT, file=sys.stderr)


def lens_record(store: LensStore, heatmap: Heatmap) -> dict[str, Any]:
    """The heatmap with its most probable words, ready for JSON."""
    spec = store.spec
    images = store.sample(SAMPLE_SIZE)
    return {
        "criterion": spec.criterion,
        "model": spec.model,
        "lens": spec.lens,
        "score": heatmap.score,
        "unit": heatmap.unit,
        "n_images": heatmap.n_images,
        "n_layers": spec.n_layers,
        "n_positions": spec.n_positions,
        "tokens": store.token_texts(spec.token_ids),
        "n_criterion": spec.n_criterion,
        "values": [[round(float(value), 6) for value in row] for row in heatmap.values],
        "suggested": {"layer": heatmap.suggested[0], "position": heatmap.suggested[1]},
        "is_flat": heatmap.is_flat,
        "top_tokens": [
            [
                [
                    [text, round(share, 4)]
                    for text, share in mean_tokens(
                        store.cell(layer, position, images), store.token_texts, n_tokens=5
                    )
                ]
                for position in range(spec.n_positions)
            ]
            for layer in range(spec.n_layers + 1)
        ],
    }


def _lens_page(record: dict[str, Any], heatmap: Heatmap) -> str:
    from esmc_core.plots import heatmap_figure
    from esmc_core.spelling import plain_text

    hover = [
        [
            f"layer {layer}, position {position}<br>{heatmap.values[layer, position]:.3f} "
            f"{heatmap.unit}<br>" + "<br>".join(f"{text} {share:.2f}" for text, share in cell)
            for position, cell in enumerate(row)
        ]
        for layer, row in enumerate(record["top_tokens"])
    ]
    figure = heatmap_figure(
        heatmap.values,
        tokens=[plain_text(text) or "␣" for text in record["tokens"]],
        hover=hover,
        suggested=heatmap.suggested,
        title=f"{heatmap.score.capitalize()} of “{record['criterion']}”, {record['model']}",
        unit=heatmap.unit,
    )
    return str(figure.to_html(include_plotlyjs=True, full_html=True, div_id="heatmap"))


def text(options: argparse.Namespace) -> None:
    """The commands for texts."""
    from esmc_core import text_commands

    text_commands.cluster(options)


def bench(options: argparse.Namespace) -> None:
    """Measure; the tables go to stdout."""
    kinds = {"images": _bench_images, "texts": _bench_texts, "speed": _bench_speed}
    kinds[options.kind](options)


def _bench_texts(options: argparse.Namespace) -> None:
    """The method on labelled sets of texts."""
    from esmc_core.bench import texts

    texts.run(options)


def _bench_images(options: argparse.Namespace) -> None:
    """The method on labelled sets."""
    from esmc_core.bench import report
    from esmc_core.bench.case import Tools
    from esmc_core.bench.images import benchmark
    from esmc_core.bench.prompts import merge_prompts, read_prompts
    from esmc_core.bench.sets import read_sets

    prompts = merge_prompts(read_prompts(options.prompts) if options.prompts else {})
    sets = read_sets(options.data, options.sets)
    tools = Tools(Workspace(), _load(options), range(options.seeds), Bar)
    record = benchmark(tools, sets, prompts=prompts, with_rules=options.rules)
    if options.json is not None:
        write_json(options.json, record)
    if options.markdown is not None:
        write_bytes(options.markdown, report.as_markdown(record).encode())
    print(report.as_text(record))


def _bench_speed(options: argparse.Namespace) -> None:
    """The pass and the clustering, beside the paper's procedure."""
    from esmc_core.bench import speed_report
    from esmc_core.bench.random_model import random_model
    from esmc_core.bench.speed import measure_speed, speed_task

    workspace = Workspace()
    collection = _read(workspace, options.photos or SAMPLES, at_least=1)
    _check_device(options.device)
    if options.random_weights:
        model = random_model(options.model, device=options.device)
    else:
        model = _load(options)
    task = speed_task(
        on_gpu=model.device.type == "cuda",
        is_quick=options.quick,
        n_images=options.images,
        many_images=options.many_images,
        rounds=options.rounds,
    )
    opened = workspace.image_opener(collection)
    record = measure_speed(
        model,
        lambda number: opened(number % collection.n_images),
        folder=workspace.library.folder(collection.key),
        task=task,
        stage=Bar,
    )
    if options.json is not None:
        write_json(options.json, record)
    print(speed_report.as_text(record))


def extract(options: argparse.Namespace) -> None:
    """Look at the pictures and keep the lens, here or on Ray."""
    extract_command.extract(options, Bar)


def _open(
    options: argparse.Namespace, *, at_least: int
) -> tuple[Workspace, Collection, VisionLanguageModel | None, LensStore]:
    """The pass that is asked for; one that was extracted needs its model for little."""
    if extract_command.is_home(options.photos):
        return extract_command.find_pass(options)
    workspace = Workspace()
    model = _load(options)
    model.prompt(options.criterion)  # before the pictures are read
    collection = _read(workspace, options.photos, at_least=at_least)
    store = workspace.create_pass(collection, model, options.criterion, lens=options.lens)
    return workspace, collection, model, store


def _read(workspace: Workspace, photos: Path | str, *, at_least: int) -> Collection:
    with Bar("Reading pictures") as progress:
        collection = workspace.library.read_source(photos, progress=progress)
    tell_refusals(collection)
    if collection.n_images < at_least:
        raise InputError(
            f"{collection.n_images} different pictures cannot form {at_least} clusters.",
            f"Lower --clusters to {collection.n_images} or fewer.",
        )
    return collection


def _load(options: argparse.Namespace) -> VisionLanguageModel:
    _check_device(options.device)
    return load_model(options.model or default_model(options.device), device=options.device)


def _check_device(name: str | None) -> None:
    import torch

    try:
        torch.empty(0, device=name)
    except (AssertionError, RuntimeError) as error:  # what torch raises for a missing device
        raise InputError(f"There is no {name} on this computer.", "Leave --device out.") from error


def _look(
    workspace: Workspace,
    collection: Collection,
    model: VisionLanguageModel | None,
    store: LensStore,
) -> None:
    if model is None:  # the pass is complete
        return
    with Bar("Looking at pictures") as progress:
        opened, features = workspace.image_opener(collection), workspace.features(collection, model)
        run_pass(model, store, opened, features=features, progress=progress)


def _keywords(options: argparse.Namespace, *, score: Score | None = None) -> list[str]:
    if options.keywords is None and score != "keywords":
        return []
    return parse_keywords(options.keywords or "")


def _heatmap(
    store: LensStore,
    model: VisionLanguageModel | None,
    keywords: list[str],
    *,
    score: Score | None = None,
) -> Heatmap:
    score = score or ("keywords" if keywords else "information")
    tokens = [model.first_token(word) for word in keywords] if model is not None else []
    return make_heatmap(store, score=score, keyword_tokens=tokens)


def _settings(options: argparse.Namespace) -> ClusterSettings:
    """What was asked for; what was left open keeps its default."""
    from esmc_core.cluster.clustering import ClusterSettings

    names = ("alpha", "representation", "geometry")
    asked = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    use_head = not options.no_head
    return ClusterSettings(options.clusters, seed=options.seed, use_head=use_head, **asked)


def _from_end(position: int | None, n_positions: int) -> int | None:
    """The position that was asked for, counted from the end if it is negative."""
    if position is not None and -n_positions <= position < 0:
        return position + n_positions
    return position
