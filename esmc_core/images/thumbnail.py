"""Small pictures on disk, made once for each content."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from esmc_core.records import write_bytes

LONGEST_SIDE = 128
_QUALITY = 80


def write_thumbnail(path: Path, picture: Image.Image) -> None:
    """Write `picture` (RGB, at most LONGEST_SIDE pixels) as WebP, atomically."""
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=_QUALITY, method=2)
    write_bytes(path, buffer.getvalue())
