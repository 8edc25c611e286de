"""A run's averaged weights as a folder that stock Hugging Face classes load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from esmc_core.errors import InputError
from esmc_core.train import loop
from esmc_core.train.architecture import GRID, IMAGE_SIZE, MEAN, STD, Shape
from esmc_core.train.launch import load_tokenizer
from esmc_core.train.tokenizer import (
    BOS,
    CHAT_TEMPLATE,
    EOS,
    PAD,
    fast_tokenizer,
    special_id,
)

FIGURES = "training.json"


def averaged_model(folder: Path, tokenizer: Tokenizer) -> Any:
    """The model of a run's checkpoint with its averaged weights, in evaluation mode.

    Raises:
        InputError: the folder has no checkpoint.
    """
    path = folder / loop.CHECKPOINT
    if not path.exists():
        raise InputError(f"No checkpoint in {folder}.", "Give the folder of a run.")
    state = torch.load(path, map_location="cpu", weights_only=True)
    shape = Shape(**state["settings"]["shape"])
    return loop.fill_model(shape, tokenizer, state["average"])


def build_image_processor() -> Any:
    """Squeeze the whole picture to a square, scale and normalise: what the training saw."""
    from transformers import CLIPImageProcessorPil

    return CLIPImageProcessorPil(
        do_resize=True,
        size={"height": IMAGE_SIZE, "width": IMAGE_SIZE},
        resample=3,
        do_center_crop=False,
        do_rescale=True,
        do_normalize=True,
        image_mean=list(MEAN),
        image_std=list(STD),
        do_convert_rgb=True,
    )


def export_model(model: Any, tokenizer: Tokenizer, folder: Path) -> None:
    """Write configuration, fp16 weights, tokenizer and processor."""
    from transformers import GenerationConfig, LlavaProcessor

    folder.mkdir(parents=True, exist_ok=True)
    model = model.half()
    model.generation_config = GenerationConfig(
        bos_token_id=special_id(tokenizer, BOS),
        eos_token_id=special_id(tokenizer, EOS),
        pad_token_id=special_id(tokenizer, PAD),
        max_new_tokens=4,
    )
    model.save_pretrained(folder, safe_serialization=True)
    (folder / "model.safetensors").chmod(0o644)
    processor = LlavaProcessor(
        image_processor=build_image_processor(),
        tokenizer=fast_tokenizer(tokenizer),
        patch_size=IMAGE_SIZE // GRID,
        vision_feature_select_strategy="full",
        num_additional_image_tokens=0,
        chat_template=CHAT_TEMPLATE,
    )
    processor.save_pretrained(folder)


def export_run(run: Path, folder: Path) -> None:
    """Export a run's checkpoint; see `export_model`."""
    tokenizer = load_tokenizer(run)
    export_model(averaged_model(run, tokenizer), tokenizer, folder)
    lines = [json.loads(line) for line in (run / loop.LOG).read_text().splitlines()]
    measured = [line for line in lines if "validation" in line]
    if measured:
        (folder / FIGURES).write_text(json.dumps(measured[-1], indent=1) + "\n")
