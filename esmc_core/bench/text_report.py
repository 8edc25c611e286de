"""The benchmark of texts as Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Run = dict[str, Any]


def markdown(tasks: dict[str, Any], runs: Sequence[Run], settings: dict[str, Any]) -> str:
    """Tables of ACC and NMI in percent, one for each method, number of answers and sampling."""
    parts = [
        "# Texts",
        f"ACC / NMI in percent; embedder {settings['embedder']}; the true number of clusters, mean "
        f"of {settings['seeds']} seeds. “Before” is plain K-means. “No answers” is the clustering "
        "that the answers guide (neighbours averaged, small clusters merged), untuned and without "
        "any answer: so much of the gain is not the answers'. All judges are *simulated*: they "
        "answer from the labels with the accuracy that is given, over HTTP. “After” is with "
        "keep-or-discard: what the held-out answers do not like leaves plain K-means on the "
        "untuned embedder (marked –). The paper's figures are of Instructor-large or E5-large with "
        "GPT-3.5 as the judge, best of its variants.",
    ]
    most = max(run["n_answers"] for run in runs)
    main = [run for run in runs if run["n_answers"] == most]
    for key in dict.fromkeys(_group(run) for run in main):
        chosen = [run for run in main if _group(run) == key]
        method, n_answers, sampling = key
        parts.append(f"## {method}, {n_answers} questions, {sampling} sampling")
        parts.append(_table(tasks, chosen))
        parts.append(_means(tasks, chosen))
    if comparison := _samplings(tasks, main):
        parts += ["## Sampling", comparison]
    if len(main) < len(runs):
        parts += ["## Number of questions", _budget(tasks, runs)]
    parts.append("## Number of clusters")
    parts.append(_counts(tasks, main))
    return "\n\n".join(parts) + "\n"


def _group(run: Run) -> tuple[str, int, str]:
    return run["method"], run["n_answers"], run["sampling"]


def _table(tasks: dict[str, Any], runs: Sequence[Run]) -> str:
    accuracies = list(dict.fromkeys(run["accuracy"] for run in runs))
    titles = [f"after, simulated {accuracy:.0%}" for accuracy in accuracies]
    rows = [["task", "rows / classes", "before", "no answers", *titles, "ClusterLLM (paper)"]]
    for name in dict.fromkeys(run["task"] for run in runs):
        task = tasks[name]
        own = {run["accuracy"]: run for run in runs if run["task"] == name}
        published = task["published"]
        rows.append(
            [
                name,
                f"{task['n_rows']:,} / {task['n_classes']}",
                _figures(task["before"]),
                _figures(task["unguided"]),
                *(_cell(own.get(accuracy)) for accuracy in accuracies),
                f"{published[0]} / {published[1]}" if published else "",
            ]
        )
    return _rows(rows)


def _means(tasks: dict[str, Any], runs: Sequence[Run]) -> str:
    """How much is gained on average, with keep-or-discard and without."""
    names = dict.fromkeys(run["task"] for run in runs)
    free = {
        measure: float(
            np.mean([tasks[n]["unguided"][measure] - tasks[n]["before"][measure] for n in names])
        )
        for measure in ("acc_mean", "nmi_mean")
    }
    lines = [
        f"- no answers: mean gain ACC {free['acc_mean']:+.1f}, NMI {free['nmi_mean']:+.1f}",
    ]
    for accuracy in dict.fromkeys(run["accuracy"] for run in runs):
        chosen = [run for run in runs if run["accuracy"] == accuracy]
        gains = {
            (step, measure): [
                run[step][measure] - tasks[run["task"]]["before"][measure] for run in chosen
            ]
            for step in ("after", "tuned")
            for measure in ("acc_mean", "nmi_mean")
        }
        mean = {key: float(np.mean(values)) for key, values in gains.items()}
        seconds = max(run["report"]["seconds"] for run in chosen)
        lines.append(
            f"- simulated {accuracy:.0%}, {len(chosen)} tasks: mean gain "
            f"ACC {mean['after', 'acc_mean']:+.1f}, NMI {mean['after', 'nmi_mean']:+.1f} "
            f"(whatever the held-out answers say: {mean['tuned', 'acc_mean']:+.1f}, "
            f"{mean['tuned', 'nmi_mean']:+.1f}); worst task "
            f"{min(gains['after', 'acc_mean']):+.1f} ACC; kept "
            f"{sum(run['report']['is_kept'] for run in chosen)} of {len(chosen)}; tuning took "
            f"{seconds:.0f} s at most"
        )
    return "\n".join(lines)


def _samplings(tasks: dict[str, Any], runs: Sequence[Run]) -> str:
    """What entropy sampling gains over others, over the runs that both have."""

    def gains(sampling: str) -> dict[tuple[Any, ...], np.ndarray]:
        return {
            (run["task"], run["method"], run["accuracy"]): np.array(
                [run[step][m] for step in ("after", "tuned") for m in ("acc_mean", "nmi_mean")]
            )
            for run in runs
            if run["sampling"] == sampling
        }

    entropy, lines = gains("entropy"), []
    for sampling in dict.fromkeys(run["sampling"] for run in runs):
        other = gains(sampling)
        common = [key for key in entropy if key in other]
        if sampling == "entropy" or not common:
            continue
        more = np.mean([entropy[key] - other[key] for key in common], axis=0)
        n_better = sum(entropy[key][0] > other[key][0] for key in common)
        lines.append(
            f"- entropy against {sampling}, {len(common)} runs of each: ACC {more[0]:+.1f}, NMI "
            f"{more[1]:+.1f} (whatever the held-out answers say: {more[2]:+.1f}, {more[3]:+.1f}); "
            f"higher ACC in {n_better}"
        )
    return "\n".join(lines)


def _budget(tasks: dict[str, Any], runs: Sequence[Run]) -> str:
    """One row for each task that was measured with several numbers of questions."""
    counts = sorted({run["n_answers"] for run in runs})
    found: dict[tuple[Any, ...], dict[int, Run]] = {}
    for run in runs:
        key = run["task"], run["method"], run["sampling"], run["accuracy"]
        found.setdefault(key, {})[run["n_answers"]] = run
    rows = [["task", "judge", "before", *(f"{count:,} questions" for count in counts)]]
    for (task, method, sampling, accuracy), own in found.items():
        if len(own) > 1:
            judge = f"simulated {accuracy:.0%}, {sampling}, {method}"
            cells = [_cell(own.get(count)) for count in counts]
            rows.append([task, judge, _figures(tasks[task]["before"]), *cells])
    return _rows(rows)


def _counts(tasks: dict[str, Any], runs: Sequence[Run]) -> str:
    accuracies = list(dict.fromkeys(run["accuracy"] for run in runs))
    titles = [f"predicted, simulated {accuracy:.0%}" for accuracy in accuracies]
    rows = [["task", "true", *titles]]
    first = _group(runs[0])
    for name in dict.fromkeys(run["task"] for run in runs):
        own = {r["accuracy"]: r for r in runs if r["task"] == name and _group(r) == first}
        found = [own[a]["predicted_clusters"] if a in own else None for a in accuracies]
        predicted = ["" if count is None else str(count) for count in found]
        rows.append([name, str(tasks[name]["n_classes"]), *predicted])
    return _rows(rows)


def _cell(run: Run | None) -> str:
    if run is None:
        return ""
    return _figures(run["after"]) + ("" if run["report"]["is_kept"] else " –")


def _figures(metrics: dict[str, Any]) -> str:
    return f"{metrics['acc_mean']:.1f} / {metrics['nmi_mean']:.1f}"


def _rows(rows: Sequence[Sequence[str]]) -> str:
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])
