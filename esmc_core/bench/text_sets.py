"""The labelled sets of texts that ClusterLLM was measured on, and what its paper reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from esmc_core.errors import InputError
from esmc_core.texts.tables import read_table


@dataclass(frozen=True)
class TextTask:
    """One set seen from one perspective.

    Attributes:
        name: such as "clinc-domain".
        file: in the folder of the sets.
        label_column: of the true classes.
        perspective: as it stands in the question.
        published: the paper's (ACC, NMI) in percent, best of its variants; None where it has none.
    """

    name: str
    file: str
    label_column: str
    perspective: str
    published: tuple[float, float] | None = None


TASKS = (
    TextTask("bank77", "bank77.jsonl", "label", "intent", (71.2, 85.2)),
    TextTask("clinc", "clinc.jsonl", "label", "intent", (83.8, 94.0)),
    TextTask("clinc-domain", "clinc.jsonl", "domain", "domain"),
    TextTask("massive", "massive.jsonl", "label", "intent", (60.7, 77.6)),
    TextTask("massive-domain", "massive.jsonl", "domain", "domain"),
    TextTask("mtop", "mtop.jsonl", "label", "intent", (37.2, 74.5)),
    TextTask("mtop-domain", "mtop.jsonl", "domain", "domain"),
    TextTask("few_rel", "few_rel.jsonl", "label", "relation type", (53.0, 67.6)),
    TextTask("few_nerd", "few_nerd.jsonl", "label", "entity type", (40.6, 57.4)),
)


@dataclass(frozen=True)
class LabelledTexts:
    """A set in memory; (n_rows,) texts and labels."""

    task: TextTask
    texts: list[str]
    labels: list[str]


def find_tasks(folder: Path, names: Sequence[str] | None = None) -> list[TextTask]:
    """The tasks whose set lies in the folder, or those that were named.

    Raises:
        InputError: there is no such folder, task or set.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.", "Check the path.")
    known = {task.name: task for task in TASKS}
    unknown = [name for name in names or [] if name not in known]
    if unknown:
        raise InputError(f"There is no task {unknown[0]}.", f"Known are {', '.join(known)}.")
    chosen = [known[name] for name in names] if names else list(TASKS)
    missing = [task for task in chosen if not (folder / task.file).is_file()]
    if names and missing:
        raise InputError(f"{folder} has no {missing[0].file}.", "Put it there.")
    found = [task for task in chosen if task not in missing]
    if not found:
        raise InputError(f"{folder} has none of the sets.", f"Put {TASKS[0].file} there.")
    return found


def read_task(folder: Path, task: TextTask) -> LabelledTexts:
    """Read a set: one {"input", "label"[, "domain"]} a line."""
    table = read_table(folder / task.file)
    return LabelledTexts(task, table.column("input"), table.column(task.label_column))
