"""Pictures made as large as a model takes them, as transformers does it where torchvision is there.

Without it transformers takes Pillow, which needs several times as long. The kernel here is the one
that torchvision calls; from Pillow's pictures it differs by one or two of 255 in a few values of a
thousand, by more only at hard edges of pictures three times as high as wide.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image

_MODES = {Image.Resampling.BILINEAR: "bilinear", Image.Resampling.BICUBIC: "bicubic"}


def can_resize(steps: Any) -> bool:
    """Whether a stock image processor brings every picture to one height and width, by `_MODES`."""
    size = steps.size
    return bool(
        steps.do_resize and steps.resample in _MODES and size.get("height") and size.get("width")
    )


def resized(picture: Image.Image, steps: Any) -> torch.Tensor:
    """(3, height, width) uint8 of an RGB picture.

    Args:
        steps: a stock image processor for which `can_resize` is true.
    """
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
    return torch.nn.functional.interpolate(
        pixels[None],
        (steps.size["height"], steps.size["width"]),
        mode=_MODES[steps.resample],
        antialias=True,
    )[0]
