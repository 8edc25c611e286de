"""LLaVA-1.5 with random weights: it costs the time of the real one, and says nothing."""

from __future__ import annotations

from typing import Any

import torch

from esmc_core.errors import ModelError
from esmc_core.models.catalogue import PAPER
from esmc_core.models.family import FAMILIES
from esmc_core.models.loading import (
    best_device,
    best_dtype,
    free_memory,
    memory_need,
    read_config,
)
from esmc_core.models.model import VisionLanguageModel

LLAVA = FAMILIES[0]
_SENTENCES = [
    "USER: the color of the object is ASSISTANT:",
    "the type of the product is",
    "the background color is",
] * 4


def random_model(name: str | None = None, *, device: str | None = None) -> VisionLanguageModel:
    """A LLaVA-1.5 but for its weights.

    Args:
        name: a folder or hub id, of which only the configuration is read; LLaVA-1.5-7B if left,
            of which nothing is read at all.

    Raises:
        ModelError: it is no LLaVA-1.5, or the device has not enough memory.
    """
    name, device = name or PAPER, device or best_device()
    need, free = memory_need(name, device=device), free_memory(device)
    if need > free:
        raise ModelError(
            f"{name} needs {need / 1e9:.1f} GB on {device}, {free / 1e9:.1f} GB are free.",
            "Use a larger GPU, or leave --random-weights out.",
        )
    config = llava_7b_config() if name == PAPER else read_config(name)
    if config.model_type not in LLAVA.model_types:
        raise ModelError(
            f"{name} is no {LLAVA.title}, but {config.model_type}.",
            "Random weights are made for that family alone.",
        )
    return random_llava(config, name=name, device=device)


def llava_7b_config() -> Any:
    """The published configuration of LLaVA-1.5-7B."""
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig

    return LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=1024,
            intermediate_size=4096,
            num_hidden_layers=24,
            num_attention_heads=16,
            image_size=336,
            patch_size=14,
            projection_dim=768,
        ),
        text_config=LlamaConfig(
            vocab_size=32_064,
            hidden_size=4096,
            intermediate_size=11_008,
            num_hidden_layers=32,
            num_attention_heads=32,
            max_position_embeddings=4096,
        ),
        image_seq_length=576,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
    )


def random_llava(config: Any, *, name: str, device: str) -> VisionLanguageModel:
    """A LLaVA of that configuration, in the device's own number format.

    Its tokenizer knows the words of the benchmark, one token each, as the real one does.
    """
    from transformers import LlavaForConditionalGeneration

    processor = _processor(config)
    text_config = config.text_config
    text_config.bos_token_id, text_config.eos_token_id = 0, 1
    text_config.pad_token_id = processor.tokenizer.pad_token_id
    before = torch.get_default_dtype()
    torch.manual_seed(0)
    try:
        torch.set_default_dtype(best_dtype(device))
        with torch.device(device):  # drawn where they are used: on a CPU it would take minutes
            network = LlavaForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(before)
    network.eval().requires_grad_(False)
    return VisionLanguageModel(
        network, processor, LLAVA, name=f"{name} with random weights", fingerprint="random"
    )


def _processor(config: Any) -> Any:
    """Pictures and text as LLaVA-1.5 has them, with a small tokenizer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import CLIPImageProcessor, LlavaProcessor, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=min(config.text_config.vocab_size, 2_000),
        special_tokens=["<s>", "</s>", "<pad>", "<image>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_SENTENCES, trainer)
    side, patch = config.vision_config.image_size, config.vision_config.patch_size
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        **{"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"},
        extra_special_tokens={"image_token": "<image>"},
    )
    config.image_token_id = fast.convert_tokens_to_ids("<image>")
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessor(
            size={"shortest_edge": side}, crop_size={"height": side, "width": side}
        ),
        tokenizer=fast,
        patch_size=patch,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token="<image>",
    )
    processor.chat_template = LLAVA.template.replace("IMAGE", "<image>")
    return processor
