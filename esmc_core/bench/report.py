"""The record of `bench images` as tables, for a terminal or for Markdown."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Record = Mapping[str, Any]

MARGIN = 0.005
"""A smaller difference in NMI counts as none."""

_FOUR = ("nmi", "rand_index", "ari", "accuracy")
_FOUR_TITLES = ("NMI", "RI", "ARI", "ACC")
_PAPER_COLUMN = {
    "headline": "esmc_nmi",
    "no_head": "no_head_nmi",
    "text_output": "output_nmi",
}


@dataclass(frozen=True)
class Table:
    """A table with a title; the first column is words, the others are figures."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def as_text(self) -> str:
        """Aligned columns."""
        lines = [list(self.header), *map(list, self.rows)]
        widths = [max(_width(line[i]) for line in lines) for i in range(len(self.header))]
        shown = [
            "  ".join(_pad(cell, w, i) for i, (cell, w) in _cells(line, widths)) for line in lines
        ]
        shown.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([self.title, *([self.note] if self.note else []), "", *shown])

    def as_markdown(self) -> str:
        """A GitHub table."""
        lines = [self.header, ["---", *["---:"] * (len(self.header) - 1)], *self.rows]
        table = ["| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines]
        return "\n".join([f"### {self.title}", "", *([self.note, ""] if self.note else []), *table])


def make_tables(record: Record) -> list[Table]:
    """All tables of a record, the headline first."""
    tables = [_headline(record), _ways(record)]
    tables += [_criterion(record, each) for each in record["criteria"]]
    if record["paraphrases"]:
        tables.append(_paraphrases(record))
    return [*tables, _warnings(record)]


def as_text(record: Record) -> str:
    """Everything for a terminal."""
    return "\n\n\n".join([_title(record), *(table.as_text() for table in make_tables(record))])


def as_markdown(record: Record) -> str:
    """Everything for a Markdown file."""
    return "\n\n".join([_title(record), *(t.as_markdown() for t in make_tables(record))]) + "\n"


def _title(record: Record) -> str:
    seeds = len(record["seeds"])
    return (
        f"Model {record['model']} ({record['fingerprint']}), {seeds} "
        f"{'seed' if seeds == 1 else 'seeds'}, mean ± standard deviation between seeds; "
        f"text answers embedded by {record['embedder']}."
    )


def _headline(record: Record) -> Table:
    header = ["set, criterion", "K", "pictures", *_FOUR_TITLES, "no head", "oracle epoch"]
    rows = []
    for each in record["criteria"]:
        own = each["rows"]
        rows.append(
            [
                f"{each['set']} {each['criterion']}" + (" (flat)" if each["is_flat"] else ""),
                str(each["n_clusters"]),
                str(each["n_labelled"]),
                *(_spread(own["headline"][name]) for name in _FOUR),
                _spread(own["no_head"]["nmi"]),
                _spread(own["oracle_epoch"]["nmi"]),
                _published(each, "esmc_nmi"),
                _published(each, "esmc_ri"),
            ]
        )
    mean = record["mean"]
    rows.append(
        [
            f"mean of {record['mean_of']}",
            "",
            "",
            *(_spread(mean["headline"][name]) for name in _FOUR),
            _spread(mean["no_head"]["nmi"]),
            _spread(mean["oracle_epoch"]["nmi"]),
            "",
            "",
        ]
    )
    return Table(
        "Label-free result of the last epoch, the app's defaults",
        [*header, "paper NMI", "paper RI"],
        rows,
        "“no head” and “oracle epoch” are NMI; the paper's figures are of LLaVA-1.5-7B, on the "
        "whole sets, at the oracle epoch.",
    )


def _ways(record: Record) -> Table:
    rows = [
        [record["titles"][key], *_figures(figures), *_against_headline(record, key)]
        for key, figures in record["mean"].items()
    ]
    return Table(
        f"Every way, mean over {record['mean_of']} criteria",
        ["way", *_FOUR_TITLES, "NMI before its head", "Δ NMI", "better", "worse"],
        rows,
        f"“Δ NMI”: against the first row; “better” and “worse”: on how many criteria by more than "
        f"{MARGIN}.",
    )


def _against_headline(record: Record, key: str) -> list[str]:
    """The difference of the means, and on how many criteria a way is better, and worse."""
    if key == "headline":
        return ["", "", ""]
    differences = [
        each["rows"][key]["nmi"]["mean"] - each["rows"]["headline"]["nmi"]["mean"]
        for each in record["criteria"]
    ]
    mean = sum(differences) / len(differences)
    better = sum(difference > MARGIN for difference in differences)
    worse = sum(difference < -MARGIN for difference in differences)
    return [f"{mean:+.3f}", str(better), str(worse)]


def _criterion(record: Record, each: Record) -> Table:
    rows = []
    for key, figures in each["rows"].items():
        title = record["titles"][key]
        if "alpha" in figures:
            title += f": {figures['alpha']}"
        paper = _published(each, _PAPER_COLUMN[key]) if key in _PAPER_COLUMN else ""
        cell = "" if figures["layer"] is None else f"{figures['layer']}, {figures['position']}"
        rows.append([title, cell, *_figures(figures), paper])
    best = each["published"]
    if best:
        shown = f"{best['best_other_nmi']:.3f}"
        rows.append([f"best other published: {best['best_other']}", *[""] * 6, shown])
    remarks = "; FLAT: the warning fires" if each["is_flat"] else ""
    if each["n_unused"]:
        remarks += (
            f"; {each['n_unused']} labels of files that are missing, unreadable or duplicates"
        )
    return Table(
        f"{each['set']}: {each['criterion']}",
        ["way", "cell", *_FOUR_TITLES, "NMI before its head", "paper NMI"],
        rows,
        f"“{each['prompt']}”, {each['n_labelled']} of {each['n_images']} pictures labelled, "
        f"K = {each['n_clusters']}, {each['information_bits']:.2f} bits{remarks}",
    )


def _paraphrases(record: Record) -> Table:
    rows = []
    for each in record["criteria"]:
        same = {"set": each["set"], "criterion": each["criterion"]}
        others = [p for p in record["paraphrases"] if same.items() <= p.items()]
        if others:
            rows.append(_asked(each | {"figures": each["rows"]["headline"]}))
            rows += [_asked(other) for other in others]
    return Table(
        "The same question in other words",
        ["set, prompt", *_FOUR_TITLES, "bits", "warning"],
        rows,
    )


def _asked(each: Record) -> list[str]:
    return [
        f"{each['set']} “{each['prompt']}”",
        *(_spread(each["figures"][name]) for name in _FOUR),
        *_bits(each),
    ]


def _warnings(record: Record) -> Table:
    asked = [*record["criteria"], *record["probes"]]
    return Table(
        "The flat-heatmap warning",
        ["set, prompt", "bits", "warning"],
        [[f"{each['set']} “{each['prompt']}”", *_bits(each)] for each in asked],
        "It should fire where the model cannot tell the pictures apart by the question.",
    )


def _bits(each: Record) -> list[str]:
    return [f"{each['information_bits']:.2f}", "flat" if each["is_flat"] else "-"]


def _figures(figures: Record) -> list[str]:
    before = figures["before_head"]
    return [*(_spread(figures[name]) for name in _FOUR), _spread(before) if before else ""]


def _spread(figure: Record) -> str:
    return f"{figure['mean']:.3f} ± {figure['sd']:.3f}"


def _published(each: Record, name: str) -> str:
    return f"{each['published'][name]:.3f}" if each["published"] else ""


def _cells(line: Sequence[str], widths: Sequence[int]) -> Any:
    return enumerate(zip(line, widths, strict=True))


def _pad(cell: str, width: int, column: int) -> str:
    space = " " * (width - _width(cell))
    return cell + space if column == 0 else space + cell


def _width(text: str) -> int:
    """Columns that a text takes in a terminal."""
    shown = [letter for letter in text if not unicodedata.combining(letter)]
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in shown)
