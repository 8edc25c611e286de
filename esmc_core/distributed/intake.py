"""Reading a collection's pictures on the workers: hash, size and thumbnail of each."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from esmc_core.images.collection import Picture, Refusal
from esmc_core.images.entry import Entry
from esmc_core.images.intake import Intake
from esmc_core.records import write_bytes

_FILES_A_TASK = 64


def run_intake(
    ray: ModuleType, intake: Intake, entries: Sequence[Entry | Refusal], *, n_workers: int
) -> None:
    """Fill the intake as `Intake.run` does, with files that the workers read.

    Args:
        entries: files at paths or URLs that all workers can read.
        n_workers: tasks at a time.

    Raises:
        Cancelled: the intake was asked to stop.
    """
    packed = []
    for entry in entries:
        if isinstance(entry, Refusal):
            intake.settle(entry)
        else:
            named = intake.name(entry)
            packed.append({"entry": json.dumps([named.file, *_pack_place(named)])})
    if not packed:
        return
    n_blocks = max(min(len(packed), 2 * n_workers), -(-len(packed) // _FILES_A_TASK))
    examined = ray.data.from_items(packed, override_num_blocks=n_blocks).map_batches(
        examine, batch_size=None, batch_format="numpy", concurrency=n_workers
    )
    for row in examined.iter_rows():
        result, thumbnail = _unpack(row)
        if isinstance(result, Picture):
            path = intake.thumbnail_path(result.digest)
            if thumbnail and not path.exists():
                write_bytes(path, thumbnail)
        intake.settle(result)
        intake.check_stop()


def examine(rows: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Read some files; runs on a worker.

    Args:
        rows: "entry", JSON of a file's name, whether it is at a path, and its place.

    Yields:
        "picture", its record as JSON or "", and "thumbnail", WebP; or "refusal".
    """
    with tempfile.TemporaryDirectory() as folder:
        intake = Intake(lambda digest: Path(folder, digest), Path(folder))
        for text in rows["entry"]:
            file, is_path, place = json.loads(text)
            result = intake.examine(Entry(file, Path(place) if is_path else place))
            if isinstance(result, Refusal):
                yield _row(refusal=json.dumps(asdict(result)))
                continue
            thumbnail = Path(folder, result.digest)
            yield _row(picture=json.dumps(asdict(result)), thumbnail=thumbnail.read_bytes())


def _row(*, picture: str = "", refusal: str = "", thumbnail: bytes = b"") -> dict[str, Any]:
    return {"picture": [picture], "refusal": [refusal], "thumbnail": [thumbnail]}


def _unpack(row: dict[str, Any]) -> tuple[Picture | Refusal, bytes]:
    if row["refusal"]:
        return Refusal(**json.loads(row["refusal"])), b""
    return Picture(**json.loads(row["picture"])), row["thumbnail"]


def _pack_place(entry: Entry) -> tuple[bool, str]:
    return isinstance(entry.content, Path), str(entry.content)
