"""The record of `bench speed` as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from esmc_core.bench.report import Table

Record = Mapping[str, Any]


def as_text(record: Record) -> str:
    """Everything that was measured."""
    tables = [_ratios(record), _passes(record), _parts(record)]
    if record["memory"]:
        tables.append(_memory(record))
    return "\n\n".join(table.as_text() for table in tables)


def _ratios(record: Record) -> Table:
    three, later = record["three_criteria_vs_one"], record["later_criterion_vs_first"]
    same = "same labels" if record["head_same_labels"] else "other labels"
    rows = [
        ("the pass, of the model alone", f"{100 * record['pass_vs_forward']:.0f} %"),
        (
            f"the pass, against the paper's procedure, {record['paper_tokens']:.0f} tokens",
            _times(record["pass_vs_paper"]),
        ),
        (
            f"the same, where it ends with the answer, {record['paper_short_tokens']:.0f} tokens",
            _times(record["pass_vs_paper_short"]),
        ),
        (
            "three criteria, against one",
            "read one by one" if three is None else f"{three:.2f} × the time",
        ),
        (
            "a later criterion, against the first",
            "looked at again" if later is None else f"{later:.2f} × the time",
        ),
        (f"K-means and head, against the paper's ({same})", _times(record["head_vs_paper"])),
        ("of the limit for matrix products", f"{100 * record['share_of_limit']:.0f} %"),
    ]
    where = f"{record['device']} {record['device_name']}".strip()
    note = (
        f"{record['model']} on {where}, {record['dtype']}, {record['n_threads']} threads, "
        f"{record['n_images']:,} images in batches of {record['batch_size']}, "
        f"{record['rounds']} turns"
    )
    return Table("How fast", ("", "ratio"), rows, note)


def _passes(record: Record) -> Table:
    rows = [
        ("model alone, inputs ready", _rate(record["forward_images_per_s"])),
        ("pass, one criterion", _rate(record["images_per_s"])),
        (
            f"paper's procedure, {record['paper_n_images']} images",
            _rate(record["paper_images_per_s"]),
        ),
        (
            "paper's procedure that ends with the answer",
            _rate(record["paper_short_images_per_s"]),
        ),
        ("K-means and head", f"{record['head_s']:.2f} s"),
        (
            f"K-means and head, the paper's, from {record['head_paper_epochs']} of its epochs",
            f"{record['head_paper_s']:.1f} s",
        ),
        ("matrix products", f"{record['matrix_tflops']:.2f} TFLOP/s"),
    ]
    if "head_100000_s" in record:
        rows.append(("K-means and head, 100,000 rows", f"{record['head_100000_s']:.2f} s"))
    return Table("In figures", ("", "images/s or s"), rows)


def _parts(record: Record) -> Table:
    vision = record["vision"]
    note = (
        f"Visual features kept for a later criterion would take {vision['kb_per_image']:,.0f} kB "
        f"an image and save {100 * vision['share_of_forward']:.0f} % of the model's time."
    )
    rows = [(name, f"{ms:.2f}") for name, ms in record["ms_per_image"].items()]
    return Table("Parts of the pass, each by itself", ("", "ms an image"), rows, note)


def _memory(record: Record) -> Table:
    rows = []
    for found in record["memory"].values():
        device = "" if found["device_mb"] is None else f"{found['device_mb']:,.0f}"
        rows.append(
            (
                f"{found['n_images']:,} images",
                f"{found['images_per_s']:.1f}",
                device,
                f"{found['process_mb']:,.0f}",
            )
        )
    header = ("", "images/s", "device, peak MB", "process, MB")
    return Table("Memory", header, rows)


def _rate(images_per_s: float) -> str:
    return f"{images_per_s:.{3 if images_per_s < 1 else 1}f} images/s"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} × as fast"
