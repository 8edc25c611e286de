"""Small pictures on disk, made once for each content."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from esmc_core.records import write_bytes

LONGEST_SIDE = 256
_QUALITY = 80
_REDUCING_GAP = 2.0


def write_thumbnail(path: Path, picture: Image.Image) -> None:
    """Write an RGB picture as WebP, atomically. It is shrunk in place, never enlarged."""
    picture.thumbnail(
        (LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP
    )
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=_QUALITY, method=2)
    write_bytes(path, buffer.getvalue())
