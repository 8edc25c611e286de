"""What differs between architecture families; nothing else in the app knows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


class Family:
    """A family of multimodal models that stock transformers classes load.

    The defaults hold for the families whose text decoder has `layers` and `norm`; a family
    that differs overrides the one method that differs.

    Attributes:
        title: name shown to the user.
        model_types: values of `model_type` in config.json that belong to the family.
        chat_template: Jinja template for checkpoints that bring none.
    """

    title: str
    model_types: tuple[str, ...]
    chat_template: str

    def load_processor(self, source: str | Path, **options: Any) -> Any:
        """The stock processor, with a chat template."""
        from transformers import AutoProcessor

        processor = AutoProcessor.from_pretrained(source, **options)
        if not getattr(processor, "chat_template", None):
            processor.chat_template = processor.tokenizer.chat_template or self.chat_template
        return processor

    def load_model(self, source: str | Path, **options: Any) -> PreTrainedModel:
        """The stock model in eval mode."""
        from transformers import AutoModelForImageTextToText

        return AutoModelForImageTextToText.from_pretrained(source, **options).eval()

    def layers(self, model: PreTrainedModel) -> torch.nn.ModuleList:
        """The blocks of the text decoder, first to last."""
        return model.get_decoder().layers

    def final_norm(self, model: PreTrainedModel) -> torch.nn.Module:
        """The norm between the last block and the unembedding."""
        return model.get_decoder().norm

    def unembedding(self, model: PreTrainedModel) -> torch.nn.Module:
        """W_u, from d_model to the vocabulary."""
        return model.get_output_embeddings()

    def text_config(self, config: Any) -> Any:
        """The part of the config that describes the text decoder."""
        return config.get_text_config()


class LlavaFamily(Family):
    """LLaVA-1.5: a vision tower's tokens in front of a Llama (or Mistral, Vicuna …) decoder."""

    title = "LLaVA-1.5"
    model_types = ("llava",)
    chat_template = (
        "{% for message in messages %}{{ message['role'].upper() }}: "
        "{% for item in message['content'] %}"
        "{% if item['type'] == 'image' %}<image>\n{% else %}{{ item['text'] }}{% endif %}"
        "{% endfor %} {% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
    )


FAMILIES: tuple[Family, ...] = (LlavaFamily(),)
