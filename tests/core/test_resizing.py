"""Pictures are made as large as the stock processor makes them, but for rounding."""

import numpy as np
import pytest
import torch
from PIL import Image

from esmc_core.models.loading import load_model
from esmc_core.models.resizing import can_resize, resized

SIZES = [(300, 200), (40, 500), (144, 144), (20, 30), (1000, 700)]


@pytest.fixture(scope="module")
def model():
    return load_model("bundled", device="cpu")


def photo(size):
    """Without hard edges: beyond them the two overshoot otherwise in tall pictures."""
    noise = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BILINEAR)


@pytest.mark.parametrize("size", SIZES)
def test_pixels_are_those_of_pillow(model, size):
    steps = model.processor.image_processor
    assert can_resize(steps)
    ours = resized(photo(size), steps).int()
    side = (steps.size["width"], steps.size["height"])
    theirs = np.asarray(photo(size).resize(side, Image.Resampling(steps.resample)))
    difference = (ours - torch.from_numpy(theirs.copy()).permute(2, 0, 1).int()).abs()
    assert difference.max() <= 2


def test_the_inputs_are_those_of_the_stock_processor(model):
    pictures, prompt = [photo(size) for size in SIZES], model.prompt("the color is")
    ours = model.preprocess(pictures, [prompt] * len(pictures))
    theirs = model.processor(
        images=[[picture] for picture in pictures],
        text=[prompt.text] * len(pictures),
        return_tensors="pt",
    )
    assert ours["pixel_values"].is_contiguous()
    assert ours["pixel_values"].dtype == theirs["pixel_values"].dtype
    step = 1 / 255 / min(model.processor.image_processor.image_std)
    assert (ours["pixel_values"] - theirs["pixel_values"]).abs().max() <= 2.01 * step


def test_processors_that_cut_or_sample_otherwise_keep_their_own_way(model):
    from transformers import CLIPImageProcessor

    assert not can_resize(CLIPImageProcessor(size={"shortest_edge": 336}))
    square = {"height": 28, "width": 28}
    assert not can_resize(CLIPImageProcessor(size=square, resample=Image.Resampling.LANCZOS))
    assert not can_resize(CLIPImageProcessor(size=square, do_resize=False))
