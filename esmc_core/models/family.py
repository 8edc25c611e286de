"""What differs between architecture families; nothing else in the app knows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from esmc_core.errors import ModelError
from esmc_core.models.resizing import can_resize, resized

if TYPE_CHECKING:
    from PIL import Image
    from transformers import PreTrainedModel

MARK = "\ue000"
"""Stands for the criterion while the chat template is filled: no template writes it."""

PLAIN_TEMPLATE = (
    "{% for message in messages %}{% for item in message['content'] %}"
    "{% if item['type'] == 'image' %}IMAGE\n{% else %}{{ item['text'] }}{% endif %}"
    "{% endfor %}{% endfor %}"
)
LINE_TEMPLATE = PLAIN_TEMPLATE + "{{ '\\n' }}"
LLAVA_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() }}: "
    "{% for item in message['content'] %}"
    "{% if item['type'] == 'image' %}IMAGE\n{% else %}{{ item['text'] }}{% endif %}"
    "{% endfor %} {% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


@dataclass(frozen=True)
class Family:
    """A family of multimodal models that stock transformers classes load.

    All of them have a text decoder with `layers` and `norm`, and an unembedding; in what
    else they differ stands in these fields.

    Attributes:
        title: name shown to the user.
        model_types: values of `model_type` in config.json that belong to the family.
        template: Jinja template for checkpoints that bring none; IMAGE stands for the
            placeholder of the picture.
        picture_processor: name of a stock processor class of which only the parts for pictures
            and text are loaded; its part for videos needs packages that the app does without.
        max_aspect: longer side over shorter side of a picture that the processor accepts.
        max_pixels: larger pictures are made smaller, where the processor would turn each pixel
            of a photo into tokens, more than ten thousand of them.
        has_softcap: whether the model's head squeezes logits as its config says; the others
            leave that field of the config unused.
        shares_prefix: whether the picture is read the same whatever the criterion behind it, so
            that many criteria can be read behind one picture.
        same_size: whether every picture becomes one square of the same size, hence as many tokens.
            Then many criteria stand in one sequence behind it.
        counts_rows: whether a picture takes fewer positions than tokens, so that what follows it
            must be told where it stands.
    """

    title: str
    model_types: tuple[str, ...]
    template: str = PLAIN_TEMPLATE
    picture_processor: str | None = None
    max_aspect: float | None = None
    max_pixels: int | None = None
    has_softcap: bool = False
    shares_prefix: bool = True
    same_size: bool = False
    counts_rows: bool = False

    def load_processor(self, source: str | Path, **options: Any) -> Any:
        """The stock processor, with the checkpoint's chat template or the family's."""
        processor = self._processor_class().from_pretrained(source, **options)
        tokenizer = processor.tokenizer
        if not getattr(processor, "chat_template", None):
            own = tokenizer.chat_template
            processor.chat_template = own or self.template.replace("IMAGE", processor.image_token)
        if self.max_pixels is not None:
            size = processor.image_processor.size
            size["longest_edge"] = min(size["longest_edge"], self.max_pixels)
        return processor

    def load_model(self, source: str | Path, **options: Any) -> PreTrainedModel:
        """The stock model in eval mode.

        Raises:
            ModelError: it has a text decoder of another build than the family's.
        """
        from transformers import AutoModelForImageTextToText

        model = AutoModelForImageTextToText.from_pretrained(source, **options).eval()
        decoder = model.get_decoder()
        if not (hasattr(decoder, "layers") and hasattr(decoder, "norm")):
            raise ModelError(
                f"The text decoder {type(decoder).__name__} of {source} is not supported.",
                f"Use another {self.title} model.",
            )
        return model

    def prompt_text(self, processor: Any, criterion: str) -> tuple[str, int]:
        """The whole prompt with one placeholder for the picture, and where the criterion begins.

        Raises:
            ModelError: the chat template does not write the criterion once.
        """
        content = [{"type": "image"}, {"type": "text", "text": MARK}]
        text = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
        if text.count(MARK) != 1:
            raise ModelError(
                f"The chat template of this {self.title} model does not repeat the criterion.",
                "Use another model.",
            )
        return text.replace(MARK, criterion), text.index(MARK)

    def preprocess(
        self, processor: Any, pictures: Sequence[Image.Image], texts: Sequence[str]
    ) -> Any:
        """The model's inputs for one batch as tensors on the CPU, padded behind."""
        steps = processor.image_processor
        images: list[Any] = [self._within_aspect(picture) for picture in pictures]
        left_out = []
        if self.same_size and can_resize(steps):
            images = [resized(picture, steps) for picture in pictures]
            left_out += ["do_resize", "do_convert_rgb"]
        scales = self.same_size and steps.do_rescale and steps.do_normalize
        if scales:
            left_out += ["do_rescale", "do_normalize"]
        inputs = processor(
            images=[[image] for image in images],
            text=list(texts),
            return_tensors="pt",
            padding=True,
            padding_side="right",
            add_special_tokens=not begins_with_bos(processor.tokenizer, texts[0]),
            **dict.fromkeys(left_out, False),
        )
        inputs.pop("labels", None)
        if scales:
            inputs["pixel_values"] = _scaled(inputs["pixel_values"], steps)
        return inputs

    def layers(self, model: PreTrainedModel) -> torch.nn.ModuleList:
        """The blocks of the text decoder, first to last."""
        return model.get_decoder().layers

    def final_norm(self, model: PreTrainedModel) -> torch.nn.Module:
        """The norm between the last block and the unembedding."""
        return model.get_decoder().norm

    def logits(self, model: PreTrainedModel, hidden: torch.Tensor) -> torch.Tensor:
        """From (..., d_model) to (..., n_vocab), as the model's own head does it."""
        logits = model.get_output_embeddings()(hidden)
        config = self.text_config(model.config)
        cap = getattr(config, "final_logit_softcapping", None) if self.has_softcap else None
        return logits if cap is None else (logits / cap).tanh() * cap

    def positions_behind(
        self, model: PreTrainedModel, attention_mask: torch.Tensor, n_tokens: int
    ) -> dict[str, torch.Tensor]:
        """How `n_tokens` tokens are told where they stand, behind what the model has just read.

        Args:
            attention_mask: (n_images, n_read) of what it has read, padded in front.

        Returns:
            (3, n_images, n_tokens) `position_ids`, or nothing for models that count by themselves.
        """
        if not self.counts_rows:
            return {}
        # The model keeps what the picture saved on itself; it counts on only without padding.
        start = attention_mask.sum(dim=1, keepdim=True) + model.model.rope_deltas
        positions = start + torch.arange(n_tokens, device=start.device)
        return {"position_ids": positions.expand(3, -1, -1)}

    def text_config(self, config: Any) -> Any:
        """The part of the config that describes the text decoder."""
        return config.get_text_config()

    def _processor_class(self) -> Any:
        import transformers

        if self.picture_processor is None:
            return transformers.AutoProcessor
        stock = getattr(transformers, self.picture_processor)
        parts = classmethod(lambda _: ["image_processor", "tokenizer"])
        return type(self.picture_processor, (stock,), {"get_attributes": parts})

    def _within_aspect(self, picture: Image.Image) -> Image.Image:
        """The picture; a thinner one than the processor accepts is made broader."""
        least = max(picture.size) / (self.max_aspect or float("inf"))
        width, height = (max(side, -int(-least // 1)) for side in picture.size)
        return picture if (width, height) == picture.size else picture.resize((width, height))


class PaliGemmaFamily(Family):
    """PaliGemma's format is its processor's: no chat, <bos> and a newline around the text."""

    def load_processor(self, source: str | Path, **options: Any) -> Any:
        processor = super().load_processor(source, **options)
        bos = processor.tokenizer.bos_token
        processor.chat_template = self.template.replace("IMAGE\n", f"{processor.image_token}{bos}")
        return processor

    def _processor_class(self) -> Any:
        """The stock class without its step that writes <bos> and the newline into the text."""
        from transformers import PaliGemmaProcessor, ProcessorMixin

        as_written = {"prepare_inputs_layout": ProcessorMixin.prepare_inputs_layout}
        return type(PaliGemmaProcessor.__name__, (PaliGemmaProcessor,), as_written)


def _scaled(pixels: torch.Tensor, steps: Any) -> torch.Tensor:
    """Rescaled and normalised as the stock processor does it, but in one step.

    Args:
        pixels: (n_images, 3, height, width) uint8.
        steps: the stock image processor.
    """
    mean, std = (torch.tensor(of).view(-1, 1, 1) for of in (steps.image_mean, steps.image_std))
    return pixels.float().mul_(steps.rescale_factor / std).sub_(mean / std)


def begins_with_bos(tokenizer: Any, text: str) -> bool:
    """Whether the template wrote the token that the tokenizer would put in front."""
    return bool(tokenizer.bos_token) and text.startswith(tokenizer.bos_token)


_OWN_RESOLUTION: dict[str, Any] = {"max_aspect": 200, "max_pixels": 1280 * 28 * 28}

FAMILIES: tuple[Family, ...] = (
    Family("LLaVA-1.5", ("llava",), template=LLAVA_TEMPLATE, same_size=True),
    Family("LLaVA-NeXT", ("llava_next",), template=LLAVA_TEMPLATE),
    Family("LLaVA-OneVision", ("llava_onevision",), picture_processor="LlavaOnevisionProcessor"),
    Family(
        "Qwen2.5-VL",
        ("qwen2_5_vl",),
        picture_processor="Qwen2_5_VLProcessor",
        counts_rows=True,
        **_OWN_RESOLUTION,
    ),
    Family(
        "Qwen3-VL",
        ("qwen3_vl",),
        picture_processor="Qwen3VLProcessor",
        counts_rows=True,
        **_OWN_RESOLUTION,
    ),
    Family("Gemma 3", ("gemma3",)),
    Family("InternVL", ("internvl",), picture_processor="InternVLProcessor"),
    # SmolVLM's own processor asks for packages for videos; for pictures it is Idefics3's.
    Family("Idefics3 and SmolVLM", ("idefics3", "smolvlm"), picture_processor="Idefics3Processor"),
    # Its picture attends to the prompt behind it.
    PaliGemmaFamily(
        "PaliGemma", ("paligemma",), template=LINE_TEMPLATE, has_softcap=True, shares_prefix=False
    ),
)
