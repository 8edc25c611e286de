"""`bench texts`: the method on labelled sets of texts, with simulated judges."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from esmc_core.bench.text_report import markdown
from esmc_core.bench.text_run import Subject, Variant, prepare, run_variant, variant_key
from esmc_core.bench.text_sets import TextTask, find_tasks, read_task
from esmc_core.config import Config
from esmc_core.errors import InputError
from esmc_core.records import read_json, write_bytes, write_json
from esmc_core.texts.campaign import N_ROUNDS
from esmc_core.texts.embedder import load_embedder
from esmc_core.texts.embeddings import EmbeddingCache
from esmc_core.texts.guided import GuideSettings
from esmc_core.texts.tuning import TuneSettings

METHODS, SAMPLINGS = ("adapter", "full"), ("entropy", "paper", "random")
_VERSION = 2


def run(options: argparse.Namespace) -> None:
    """Measure what has not been measured yet; every finished run is in the JSON at once."""
    tasks = find_tasks(options.folder, options.tasks)
    variants = _variants(options)
    settings = _settings(options)
    record = _open(options.json)
    cache = EmbeddingCache(Config.from_env().home)
    embedder = load_embedder(options.embedder)
    settings["embedder_fingerprint"] = embedder.fingerprint
    for task in tasks:
        open_variants = [
            variant
            for variant in variants
            if variant_key(task.name, variant, settings) not in record["runs"]
        ]
        if not open_variants:
            continue
        _say(task.name)
        data = read_task(options.folder, task)
        known = record["tasks"].get(task.name)
        if known is not None and known["settings"] != settings:
            known = None
        subject = prepare(data, embedder, cache, n_seeds=options.seeds, known=known)
        _keep_task(record, task, subject, settings)
        write_json(options.json, record)
        for variant in open_variants:
            started = time.monotonic()
            found = run_variant(
                subject,
                variant,
                embedder,
                cache,
                n_seeds=options.seeds,
                with_count=variant.sampling == "entropy" and not options.no_count,
            )
            key = variant_key(task.name, variant, settings)
            record["runs"][key] = {
                "task": task.name,
                "judge": f"simulated, right in {variant.accuracy:.0%}",
                **dataclasses.asdict(variant),
                **found,
                "seconds": round(time.monotonic() - started, 1),
                "made": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            write_json(options.json, record)
            _say(_line(variant, record["runs"][key], subject))
    if options.markdown is not None:
        wanted = _measured(record, tasks, settings)
        write_bytes(options.markdown, markdown(record["tasks"], wanted, settings).encode())


def _variants(options: argparse.Namespace) -> list[Variant]:
    try:
        accuracies = [float(text) for text in options.accuracies]
        answers = [int(text) for text in options.answers]
    except ValueError as error:
        raise InputError(f"This is no list of numbers ({error}).", "Write 1.0,0.9.") from None
    if not all(0 <= accuracy <= 1 for accuracy in accuracies) or min(answers, default=0) < 1:
        raise InputError("An accuracy or a number of answers is out of range.", "Change it.")
    for names, known in (
        (options.samplings, SAMPLINGS),
        (options.methods, METHODS),
    ):
        if wrong := [name for name in names if name not in known]:
            raise InputError(f"There is no {wrong[0]}.", f"Known are {', '.join(known)}.")
    return [
        Variant(accuracy, sampling, n_answers, method)
        for method in options.methods
        for n_answers in answers
        for sampling in options.samplings
        for accuracy in accuracies
    ]


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """What, beside the variant, decides the figures; another choice is measured anew."""
    tuning = dataclasses.asdict(TuneSettings())
    del tuning["method"]
    return {
        "version": _VERSION,
        "embedder": options.embedder,
        "seeds": options.seeds,
        "tuning": tuning,
        "guide": dataclasses.asdict(GuideSettings()),
        "rounds": N_ROUNDS,
    }


def _open(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"tasks": {}, "runs": {}}
    record = read_json(path)
    if not isinstance(record, dict) or not {"tasks", "runs"} <= set(record):
        raise InputError(f"{path} is not of this benchmark.", "Give another --json.")
    return record


def _measured(
    record: dict[str, Any], tasks: list[TextTask], settings: dict[str, Any]
) -> list[dict[str, Any]]:
    """All runs of the tasks and settings, whichever command made them, in the tables' order."""
    names = [task.name for task in tasks]
    found = []
    for key, run in record["runs"].items():
        variant = Variant(*(run[field.name] for field in dataclasses.fields(Variant)))
        if run["task"] in names and key == variant_key(run["task"], variant, settings):
            found.append(run)
    return sorted(
        found,
        key=lambda run: (
            METHODS.index(run["method"]),
            SAMPLINGS.index(run["sampling"]),
            -run["n_answers"],
            names.index(run["task"]),
            -run["accuracy"],
        ),
    )


def _keep_task(
    record: dict[str, Any], task: TextTask, subject: Subject, settings: dict[str, Any]
) -> None:
    record["tasks"][task.name] = {
        "perspective": task.perspective,
        "n_rows": len(subject.rows),
        "n_texts": subject.collection.n_texts,
        "n_classes": subject.n_classes,
        "published": task.published,
        "before": subject.before,
        "unguided": subject.unguided,
        "settings": dict(settings),
    }


def _line(variant: Variant, found: dict[str, Any], subject: Subject) -> str:
    before, tuned, report = subject.before, found["tuned"], found["report"]
    return (
        f"  simulated {variant.accuracy:.0%}, {variant.sampling}, {variant.n_answers}, "
        f"{variant.method}: ACC {before['acc_mean']:.1f} → {tuned['acc_mean']:.1f}, "
        f"NMI {before['nmi_mean']:.1f} → {tuned['nmi_mean']:.1f}, held out "
        f"{report['before']:.3f} → {report['after']:.3f} ± {report['error']:.3f} "
        f"({'kept' if report['is_kept'] else 'not kept'}), k {found['predicted_clusters']} of "
        f"{subject.n_classes}, {found['seconds']:.0f} s"
    )


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
