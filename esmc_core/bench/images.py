"""`bench images`: the image method measured on labelled collections, and its record.

The record, which `--json` writes, holds plain JSON:

- `version`; `model`, `fingerprint`; `seeds`; `settings` (the defaults that were measured);
  `embedder` (of the text answers); `titles`: row key → what it is; `mean_of`: how many criteria.
- `criteria`: one entry a set and column, with `set`, `criterion`, `prompt`, `n_images`,
  `n_labelled`, `n_unused` (labels of files that are missing, unreadable or duplicates),
  `n_clusters`, `information_bits` (of the best cell), `is_flat` (the warning
  fires), `suggested` (`layer`, `position`, `token`), `cell_nmi` ((n_layers + 1) × n_positions,
  K-means at every cell by the first seed), `published` (see `bench.published`, or null) and
  `rows`: row key → figures.
- Figures: `nmi`, `rand_index`, `ari`, `accuracy`, each with `mean`, `sd` (between seeds) and
  `per_seed`; `before_head`: the same of the NMI of K-means alone, null where there is no head;
  `layer`, `position` of the cell, null where there is none; `oracle`: true where true labels
  chose anything; `partitions`: a digest of each seed's labels.
- `mean`: row key → figures averaged over the criteria, seed by seed.
- `paraphrases`: entries of `set`, `criterion`, `prompt`, `information_bits`, `is_flat`,
  `figures` (of the headline).
- `probes`: entries of `set`, `prompt`, `information_bits`, `is_flat`.

Row keys: `headline`, `no_head`, `argmax`, the variants of `bench.variants`, `alpha_chosen`, the
rules of `bench.rules` where asked for, the baselines of `bench.baselines`, and, chosen with true
labels, `oracle_epoch` and `oracle_cell`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from esmc_core.bench.baselines import BASELINES, baseline_runs
from esmc_core.bench.case import Case, Tools
from esmc_core.bench.measure import (
    Figures,
    average,
    measure,
    nmi_by_cell,
    oracle_cell,
    oracle_epoch,
    summarise,
)
from esmc_core.bench.prompts import NONSENSE, PARAPHRASES, PROBES, Prompts, prompt_for
from esmc_core.bench.published import PUBLISHED
from esmc_core.bench.rules import RULES, choose_alpha, rule_runs
from esmc_core.bench.runs import Run
from esmc_core.bench.sets import Labels, count_classes
from esmc_core.bench.text_features import embedder_name
from esmc_core.bench.variants import HEADLINE, VARIANTS
from esmc_core.cluster.clustering import ClusterSettings
from esmc_core.images import Collection
from esmc_core.records import key_of
from esmc_core.target import Heatmap

VERSION = 1

Cell = tuple[int | None, int | None]
"""(layer, position), or no cell at all."""

TITLES = {
    "headline": HEADLINE.title,
    "no_head": "without the head: K-means alone",
    "argmax": "the head's own argmax",
    **{variant.key: variant.title for variant in VARIANTS},
    "alpha_chosen": "α chosen by agreement between seeds",
    **{key: f"rule: {rule.title}" for key, rule in RULES.items()},
    "oracle_epoch": "oracle epoch (chosen with the labels)",
    "oracle_cell": "oracle cell (chosen with the labels)",
    **BASELINES,
}
"""Row key → title, in the order of the tables."""


@dataclass(frozen=True)
class _Set:
    """A set that has been read in; truths: column → (n_images,) classes."""

    folder: Path
    labels: Labels
    collection: Collection
    truths: Mapping[str, Sequence[str]]


def benchmark(
    tools: Tools,
    sets: Mapping[Path, Labels],
    *,
    prompts: Prompts,
    with_rules: bool = False,
) -> dict[str, Any]:
    """Measure every criterion of some sets; see the module for the record.

    Args:
        sets: folder → its labels.
        prompts: set → column → prompt.
        with_rules: also the rules of `bench.rules`.

    Raises:
        InputError: a set has no pictures, or a column too few classes.
    """
    criteria: list[dict[str, Any]] = []
    paraphrases: list[dict[str, Any]] = []
    probes: list[dict[str, Any]] = []
    for one in [_read(tools, folder, labels, prompts) for folder, labels in sets.items()]:
        known = one.folder.name.lower()
        for column, truth in one.truths.items():
            prompt = prompt_for(column, prompts.get(known, {}))
            case = Case(tools, one.collection, prompt, count_classes(truth))
            name = {"set": one.folder.name, "criterion": column}
            unused = {"n_unused": one.labels.count_unused(one.collection, column)}
            found = measure_case(case, truth, name, with_rules=with_rules)
            criteria.append(name | unused | found)
            for other in PARAPHRASES.get(known, {}).get(column, ()):
                figures = _measure_paraphrase(replace(case, prompt=other), truth)
                paraphrases.append(name | figures)
        for prompt in (*PROBES.get(known, ()), NONSENSE):
            heatmap = Case(tools, one.collection, prompt, 1).heatmap()
            probes.append({"set": one.folder.name, "prompt": prompt} | _warning(heatmap))
    return {
        "version": VERSION,
        "model": tools.model.name,
        "fingerprint": tools.model.fingerprint,
        "seeds": list(tools.seeds),
        "settings": asdict(ClusterSettings()),
        "embedder": embedder_name(),
        "titles": TITLES,
        "criteria": criteria,
        "mean_of": len(criteria),
        "mean": _mean_rows([criterion["rows"] for criterion in criteria]),
        "paraphrases": paraphrases,
        "probes": probes,
    }


def measure_case(
    case: Case, truth: Sequence[str], name: Mapping[str, str], *, with_rules: bool = False
) -> dict[str, Any]:
    """All rows of one criterion.

    Args:
        truth: (n_images,) the classes, "" where not known; used for figures and oracles only.
        name: `set` and `criterion`, to find what is published.
    """
    heatmap, store = case.heatmap(), case.store()
    layer, position = heatmap.suggested
    nmi = nmi_by_cell(case.labels_by_cell(), truth)
    rows = _label_free_rows(case, truth) | _oracle_rows(case, truth, oracle_cell(nmi))
    if with_rules:
        for key, runs in rule_runs(case).items():
            rows[key] = (
                _head_row(runs, truth)
                if RULES[key].has_head
                else _row([run.labels for run in runs], truth)
            )
    for key in BASELINES:
        rows[key] = _row([run.labels for run in baseline_runs(case, key)], truth)
    published = PUBLISHED.get((name["set"].lower(), name["criterion"]))
    return {
        "prompt": case.prompt,
        "n_images": case.collection.n_images,
        "n_labelled": sum(1 for label in truth if label),
        "n_clusters": case.n_clusters,
        **_warning(heatmap),
        "suggested": {
            "layer": layer,
            "position": position,
            "token": store.spec.token_texts[position],
        },
        "cell_nmi": np.round(nmi, 4).tolist(),
        "published": asdict(published) if published else None,
        "rows": {key: rows[key] for key in TITLES if key in rows},
    }


def _label_free_rows(case: Case, truth: Sequence[str]) -> dict[str, dict[str, Any]]:
    headline = case.runs(HEADLINE, watch=True)
    cell = case.cell(HEADLINE)
    rows = {
        "headline": _head_row(headline, truth, cell),
        "no_head": _row([run.before_head for run in headline], truth, cell),
        "argmax": _row([run.argmax for run in headline], truth, cell),
    }
    by_alpha = {case.settings.alpha: headline}
    for variant in VARIANTS:
        runs = case.runs(variant)
        rows[variant.key] = _head_row(runs, truth, case.cell(variant))
        if set(variant.changes) == {"alpha"}:
            by_alpha[variant.changes["alpha"]] = runs
    alpha = choose_alpha(
        {alpha: [run.labels for run in runs] for alpha, runs in by_alpha.items()},
        default=case.settings.alpha,
    )
    rows["alpha_chosen"] = _head_row(by_alpha[alpha], truth, cell) | {"alpha": alpha}
    return rows


def _oracle_rows(
    case: Case, truth: Sequence[str], best: tuple[int, int]
) -> dict[str, dict[str, Any]]:
    watched = case.runs(HEADLINE, watch=True)
    epochs = [oracle_epoch(run.by_epoch, truth) for run in watched]
    found = {
        "oracle_epoch": _row(epochs, truth, case.cell(HEADLINE)),
        "oracle_cell": _head_row(case.runs(HEADLINE, cell=best), truth, best),
    }
    return {key: row | {"oracle": True} for key, row in found.items()}


def _measure_paraphrase(case: Case, truth: Sequence[str]) -> dict[str, Any]:
    runs = case.runs(HEADLINE)
    figures = _head_row(runs, truth, case.cell(HEADLINE))
    return {"prompt": case.prompt, **_warning(case.heatmap()), "figures": figures}


def _head_row(
    runs: Sequence[Run], truth: Sequence[str], cell: Cell = (None, None)
) -> dict[str, Any]:
    before = measure([run.before_head for run in runs], truth)["nmi"]
    return _row([run.labels for run in runs], truth, cell) | {"before_head": before}


def _row(
    partitions: Sequence[np.ndarray],
    truth: Sequence[str],
    cell: Cell = (None, None),
) -> dict[str, Any]:
    return {
        **measure(partitions, truth),
        "before_head": None,
        "layer": cell[0],
        "position": cell[1],
        "oracle": False,
        "partitions": [key_of(labels=labels.tolist()) for labels in partitions],
    }


def _warning(heatmap: Heatmap) -> dict[str, Any]:
    return {"information_bits": round(heatmap.best_bits, 4), "is_flat": heatmap.is_flat}


def _mean_rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, Figures]:
    """The rows that every criterion has, averaged."""
    found: dict[str, Any] = {}
    for key in TITLES:
        if rows and all(key in own for own in rows):
            each = [own[key] for own in rows]
            found[key] = average(each)
            before = [row["before_head"] for row in each]
            found[key]["before_head"] = (
                summarise(np.mean([b["per_seed"] for b in before], axis=0).tolist())
                if all(before)
                else None
            )
    return found


def _read(tools: Tools, folder: Path, labels: Labels, prompts: Prompts) -> _Set:
    """Read a set's pictures, and check its labels before anything is measured.

    Where columns of the set have prompts of their own, only those are measured.
    """
    with tools.stage(f"{folder.name}: reading") as progress:
        read = tools.workspace.library.read_folder(folder, progress=progress)
    collection = replace(read, name=folder.name)  # the library may have it under another one
    own = prompts.get(folder.name.lower(), {})
    columns = [column for column in labels.columns if column in own] or labels.columns
    truths = {column: labels.truth(collection, column) for column in columns}
    return _Set(folder, labels, collection, truths)
