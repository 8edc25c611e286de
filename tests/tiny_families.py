"""Tiny random models of every family, in folders laid out as the hub's are."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers
from tokenizers import decoders, normalizers, pre_tokenizers, trainers
from transformers import AutoModelForImageTextToText, PreTrainedTokenizerFast

from tests.tiny_models import CORPUS

TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 7,
}
M_ROPE = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10_000.0}
SOFTCAP = 2.0
SQUARE = {"height": 28, "width": 28}
PINPOINTS = [[28, 56], [56, 28], [56, 56]]


@dataclass(frozen=True)
class Tiny:
    """What a tiny model of a family is made of.

    Attributes:
        processor: name of the stock processor class, as the hub's folders have it.
        images: name and settings of the image processor.
        prompt: the whole prompt for a criterion, IMAGE and CRITERION standing for theirs.
        image_token: what the processor repeats for the picture's parts.
        around: what the expanded prompt has directly before the last run of image tokens, and
            directly behind it.
        config: from a tokenizer to the model's configuration.
        special: tokens beside <pad>, <bos> and <eos>.
        named: special tokens that the tokenizer gives by an attribute of that name.
        settings: what processor_config.json holds.
        inputs: what the model needs beside token ids, attention mask and pixels.
        one_length: pictures of all shapes take the same number of tokens.
        spaces: the tokenizer writes "▁" for a space, as SentencePiece does, instead of bytes.
        bos: the tokenizer puts <bos> in front.
        placeholder: what stands for the picture in the prompt, if it is not the image token.
    """

    processor: str
    images: tuple[str, dict[str, Any]]
    prompt: str
    around: tuple[str, str]
    config: Callable[[Any], Any]
    image_token: str = "<image>"
    special: tuple[str, ...] = ()
    named: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    inputs: frozenset[str] = frozenset()
    one_length: bool = False
    spaces: bool = False
    bos: bool = False
    placeholder: str = ""


def _qwen_special(*more: str) -> tuple[str, ...]:
    vision = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    return ("<|im_start|>", "<|im_end|>", *vision, *more)


def _qwen_ids(tokenizer: Any) -> dict[str, int]:
    names = ("vision_start", "vision_end", "image_pad", "video_pad")
    fields = ("vision_start_token_id", "vision_end_token_id", "image_token_id", "video_token_id")
    ids = tokenizer.convert_tokens_to_ids([f"<|{name}|>" for name in names])
    return dict(zip(fields, ids, strict=True))


def _qwen25(tokenizer: Any) -> Any:
    return transformers.Qwen2_5_VLConfig(
        text_config={**TEXT, "vocab_size": len(tokenizer), "rope_parameters": M_ROPE},
        vision_config={
            **{"depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2},
            **{"out_hidden_size": 32, "window_size": 56, "fullatt_block_indexes": [1]},
        },
        **_qwen_ids(tokenizer),
    )


def _qwen3(tokenizer: Any) -> Any:
    return transformers.Qwen3VLConfig(
        text_config={
            **{**TEXT, "vocab_size": len(tokenizer), "head_dim": 8},
            "rope_parameters": {**M_ROPE, "mrope_interleaved": True},
        },
        vision_config={
            **{"depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2},
            **{"out_hidden_size": 32, "deepstack_visual_indexes": [0]},
            "num_position_embeddings": 16,
        },
        **_qwen_ids(tokenizer),
    )


def _gemma3(tokenizer: Any) -> Any:
    image, boi, eoi = tokenizer.convert_tokens_to_ids(
        ["<image_soft_token>", "<start_of_image>", "<end_of_image>"]
    )
    return transformers.Gemma3Config(
        text_config={
            **{**TEXT, "vocab_size": len(tokenizer), "head_dim": 8, "sliding_window": 12},
            "layer_types": ["sliding_attention", "full_attention"],
            # The class for pictures and text leaves this unused, the one for text heeds it.
            "final_logit_softcapping": SOFTCAP,
        },
        vision_config={"model_type": "siglip_vision_model", **VISION, "vision_use_head": False},
        **{"image_token_index": image, "boi_token_index": boi, "eoi_token_index": eoi},
        mm_tokens_per_image=4,
    )


def _paligemma(tokenizer: Any, **text: Any) -> Any:
    image = tokenizer.convert_tokens_to_ids("<image>")
    return transformers.PaliGemmaConfig(
        text_config={**TEXT, "vocab_size": len(tokenizer), "head_dim": 8, **text},
        vision_config={
            **{"model_type": "siglip_vision_model", **VISION},
            **{"projection_dim": 32, "vision_use_head": False},
        },
        image_token_index=image,
        projection_dim=32,
    )


def _paligemma2(tokenizer: Any) -> Any:
    return _paligemma(
        tokenizer, model_type="gemma2", sliding_window=16, final_logit_softcapping=SOFTCAP
    )


def _internvl(tokenizer: Any) -> Any:
    return transformers.InternVLConfig(
        text_config={"model_type": "qwen2", **TEXT, "vocab_size": len(tokenizer)},
        vision_config={**VISION, "image_size": [28, 28], "patch_size": [7, 7]},
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )


def _idefics(kind: str) -> Callable[[Any], Any]:
    def config(tokenizer: Any) -> Any:
        return transformers.AutoConfig.for_model(
            kind,
            text_config={"model_type": "llama", **TEXT, "vocab_size": len(tokenizer)},
            vision_config=VISION,
            image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
            scale_factor=2,
        )

    return config


def _llava(kind: str, text: str, vision: str, **more: Any) -> Callable[[Any], Any]:
    def config(tokenizer: Any) -> Any:
        return transformers.AutoConfig.for_model(
            kind,
            text_config={"model_type": text, **TEXT, "vocab_size": len(tokenizer)},
            vision_config={"model_type": vision, **VISION, "vision_use_head": False},
            image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
            image_grid_pinpoints=PINPOINTS,
            **more,
        )

    return config


_QWEN_PROMPT = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
    "<|vision_start|>IMAGE<|vision_end|>CRITERION<|im_end|>\n<|im_start|>assistant\n"
)
_IDEFICS_SPECIAL = (
    *("<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>"),
    *(f"<row_{row}_col_{column}>" for row in range(1, 5) for column in range(1, 5)),
)
_IDEFICS_SETTINGS = {"size": {"longest_edge": 56}, "max_image_size": {"longest_edge": 28}}
_IDEFICS_AROUND = ("<fake_token_around_image><global-img>", "<fake_token_around_image>")

TINY: dict[str, Tiny] = {
    "llava-next": Tiny(
        processor="LlavaNextProcessor",
        images=(
            "LlavaNextImageProcessor",
            {"size": {"shortest_edge": 28}, "crop_size": SQUARE, "image_grid_pinpoints": PINPOINTS},
        ),
        prompt="[INST] IMAGE\nCRITERION [/INST]",
        around=("[INST] ", "\nthe"),
        config=_llava("llava_next", "mistral", "clip_vision_model"),
        special=("<image>",),
        settings={
            **{"patch_size": 7, "num_additional_image_tokens": 1},
            "vision_feature_select_strategy": "default",
        },
        inputs=frozenset({"image_sizes"}),
        spaces=True,
        bos=True,
    ),
    "llava-onevision": Tiny(
        processor="LlavaOnevisionProcessor",
        images=(
            "LlavaOnevisionImageProcessor",
            {"size": SQUARE, "image_grid_pinpoints": PINPOINTS},
        ),
        prompt="<|im_start|>user IMAGE\nCRITERION<|im_end|><|im_start|>assistant\n",
        around=("user ", "\nthe"),
        config=_llava("llava_onevision", "qwen2", "siglip_vision_model"),
        special=("<|im_start|>", "<|im_end|>", "<image>", "<video>"),
        settings={
            **{"num_image_tokens": 16, "vision_feature_select_strategy": "full"},
            "vision_aspect_ratio": "anyres_max_9",
        },
        inputs=frozenset({"image_sizes"}),
    ),
    "qwen2.5-vl": Tiny(
        processor="Qwen2_5_VLProcessor",
        images=(
            "Qwen2VLImageProcessor",
            {"min_pixels": 3136, "max_pixels": 7056, "patch_size": 14, "merge_size": 2},
        ),
        prompt=_QWEN_PROMPT,
        around=("<|vision_start|>", "<|vision_end|>"),
        config=_qwen25,
        image_token="<|image_pad|>",
        special=_qwen_special(),
        inputs=frozenset({"image_grid_thw", "mm_token_type_ids"}),
    ),
    "qwen3-vl": Tiny(
        processor="Qwen3VLProcessor",
        images=(
            "Qwen2VLImageProcessorFast",
            {
                "size": {"shortest_edge": 4096, "longest_edge": 9216},
                **{"patch_size": 16, "merge_size": 2},
            },
        ),
        prompt=_QWEN_PROMPT.split("<|im_end|>\n", 1)[1],
        around=("<|vision_start|>", "<|vision_end|>"),
        config=_qwen3,
        image_token="<|image_pad|>",
        special=_qwen_special(),
        inputs=frozenset({"image_grid_thw", "mm_token_type_ids"}),
    ),
    "gemma-3": Tiny(
        processor="Gemma3Processor",
        images=("Gemma3ImageProcessor", {"size": SQUARE, "do_pan_and_scan": None}),
        prompt=("<bos><start_of_turn>user\nIMAGECRITERION<end_of_turn>\n<start_of_turn>model\n"),
        around=("\n\n<start_of_image>", "<end_of_image>\n\nthe"),
        config=_gemma3,
        image_token="<image_soft_token>",
        special=(
            *("<start_of_turn>", "<end_of_turn>"),
            *("<start_of_image>", "<end_of_image>", "<image_soft_token>"),
        ),
        named={
            "boi_token": "<start_of_image>",
            "eoi_token": "<end_of_image>",
            "image_token": "<image_soft_token>",
        },
        settings={"image_seq_length": 4},
        inputs=frozenset({"token_type_ids"}),
        one_length=True,
        spaces=True,
        bos=True,
        placeholder="<start_of_image>",
    ),
    "internvl": Tiny(
        processor="InternVLProcessor",
        images=("GotOcr2ImageProcessorFast", {"size": SQUARE, "max_patches": 4}),
        prompt="<|im_start|>user\nIMAGE\nCRITERION<|im_end|>\n<|im_start|>assistant\n",
        around=("<img>", "</img>\nthe"),
        config=_internvl,
        image_token="<IMG_CONTEXT>",
        special=("<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>"),
        named={
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        },
        settings={"image_seq_length": 4},
    ),
    "idefics3": Tiny(
        processor="Idefics3Processor",
        images=("Idefics3ImageProcessor", _IDEFICS_SETTINGS),
        prompt="<bos>User:IMAGECRITERION<end_of_utterance>\nAssistant:",
        around=_IDEFICS_AROUND,
        config=_idefics("idefics3"),
        special=_IDEFICS_SPECIAL,
        settings={"image_seq_len": 4},
        inputs=frozenset({"pixel_attention_mask"}),
        bos=True,
    ),
    "smolvlm": Tiny(
        processor="SmolVLMProcessor",
        images=("SmolVLMImageProcessor", _IDEFICS_SETTINGS),
        prompt="<bos>User:IMAGECRITERION<end_of_utterance>\nAssistant:",
        around=_IDEFICS_AROUND,
        config=_idefics("smolvlm"),
        special=_IDEFICS_SPECIAL,
        settings={"image_seq_len": 4},
        inputs=frozenset({"pixel_attention_mask"}),
    ),
    "paligemma": Tiny(
        processor="PaliGemmaProcessor",
        images=("SiglipImageProcessor", {"size": SQUARE, "image_seq_length": 16}),
        prompt="IMAGE<bos>CRITERION\n",
        around=("", "<bos>the"),
        config=_paligemma,
        special=("<image>",),
        inputs=frozenset({"token_type_ids"}),
        one_length=True,
        spaces=True,
        bos=True,
    ),
    "paligemma-2": Tiny(
        processor="PaliGemmaProcessor",
        images=("SiglipImageProcessor", {"size": SQUARE, "image_seq_length": 16}),
        prompt="IMAGE<bos>CRITERION\n",
        around=("", "<bos>the"),
        config=_paligemma2,
        special=("<image>",),
        inputs=frozenset({"token_type_ids"}),
        one_length=True,
        spaces=True,
        bos=True,
    ),
}


def save_tiny(name: str, folder: Path) -> Path:
    """Write the tiny model of that name with all that a folder of the hub holds beside it."""
    tiny = TINY[name]
    tokenizer = _tokenizer(tiny)
    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(tiny.config(tokenizer))
    for weight in model.parameters():
        if weight.dim() > 1:  # stock initialisation is so small that every picture looks alike
            torch.nn.init.normal_(weight, std=0.2)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    kind, settings = tiny.images
    _write(folder, "preprocessor_config", image_processor_type=kind, **settings)
    _write(folder, "processor_config", processor_class=tiny.processor, **tiny.settings)
    if not name.startswith("paligemma"):
        template = _template(tiny)
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return folder


def _tokenizer(tiny: Tiny) -> PreTrainedTokenizerFast:
    special = ["<pad>", "<bos>", "<eos>", "<unk>", *tiny.special]
    model = tokenizers.models.BPE(unk_token="<unk>", byte_fallback=tiny.spaces)
    tokenizer = tokenizers.Tokenizer(model)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if tiny.spaces:
        special += [f"<0x{byte:02X}>" for byte in range(256)]
        alphabet = sorted({*"".join(CORPUS), "▁", "\n"} - {" "})
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
        tokenizer.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
        )
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=len(special) + len(alphabet) + 100,
        special_tokens=special,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    if tiny.bos:
        tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
            single="<bos> $A", special_tokens=[("<bos>", 1)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        **{"pad_token": "<pad>", "bos_token": "<bos>", "eos_token": "<eos>"},
        extra_special_tokens=tiny.named or list(tiny.special),
    )


def _template(tiny: Tiny) -> str:
    """A chat template that writes the prompt, but no literal of the criterion."""
    before, rest = tiny.prompt.split("IMAGE")
    between, after = rest.split("CRITERION")
    image = json.dumps((tiny.placeholder or tiny.image_token) + between)
    return (
        f"{{{{ {json.dumps(before)} }}}}{{% for message in messages %}}"
        "{% for item in message['content'] %}"
        f"{{% if item['type'] == 'image' %}}{{{{ {image} }}}}"
        "{% else %}{{ item['text'] | trim }}{% endif %}{% endfor %}{% endfor %}"
        f"{{% if add_generation_prompt %}}{{{{ {json.dumps(after)} }}}}{{% endif %}}"
    )


def _write(folder: Path, name: str, **record: Any) -> None:
    (folder / f"{name}.json").write_text(json.dumps(record), encoding="utf-8")
