"""The bundled model's shape, and its forward over many questions about one picture."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

IMAGE_SIZE = 144
GRID = 3  # image tokens a side: 144 / 16, halved twice by the tower
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Shape:
    """Sizes of the model; the defaults are those of the bundled one."""

    widths: tuple[int, int, int] = (192, 224, 288)
    depths: tuple[int, int, int] = (1, 2, 4)
    heads: tuple[int, int, int] = (6, 7, 9)
    d_model: int = 192
    n_layers: int = 5
    n_heads: int = 6
    d_mlp: int = 512
    n_vocab: int = 1280


def build_model(shape: Shape, *, image_token_id: int, pad_token_id: int) -> Any:
    """A `LlavaForConditionalGeneration` with fresh weights: LeViT tower, Llama decoder."""
    from transformers import LevitConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    vision = LevitConfig(
        image_size=IMAGE_SIZE,
        hidden_sizes=list(shape.widths),
        depths=list(shape.depths),
        num_attention_heads=list(shape.heads),
    )
    # LLaVA sizes its projector by this name, which LeViT's configuration lacks.
    vision.hidden_size = shape.widths[-1]
    vision.output_hidden_states = True
    text = LlamaConfig(
        vocab_size=shape.n_vocab,
        hidden_size=shape.d_model,
        intermediate_size=shape.d_mlp,
        num_hidden_layers=shape.n_layers,
        num_attention_heads=shape.n_heads,
        num_key_value_heads=shape.n_heads,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        pad_token_id=pad_token_id,
        bos_token_id=1,
        eos_token_id=2,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=image_token_id,
        image_seq_length=GRID * GRID,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        tie_word_embeddings=True,
    )
    config.pad_token_id = pad_token_id
    model = LlavaForConditionalGeneration(config)
    start_tower(model.model.vision_tower)
    return model


@torch.no_grad()
def start_tower(tower: nn.Module) -> None:
    """Weights that keep the scale from layer to layer; every residual branch begins at zero."""
    for module in tower.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
    for name, module in tower.named_modules():
        if name.endswith(("module.projection", "module.linear_down")):
            module.batch_norm.weight.zero_()


class AnswerHead(nn.Module):
    """A throw-away head: pooled image features to answer words, one block of logits an attribute.

    It gets the vision tower going before the decoder has learned to ask it anything.
    """

    def __init__(self, d_model: int, n_attributes: int, n_answers: int) -> None:
        super().__init__()
        self.n_attributes, self.n_answers = n_attributes, n_answers
        self.linear = nn.Linear(d_model, n_attributes * n_answers)
        # It says nothing at first, so that it cannot harm a tower that has learned already.
        nn.init.zeros_(self.linear.weight)

    def forward(self, features: Tensor) -> Tensor:
        """(n_images, n_image_tokens, d_model) to (n_images, n_attributes, n_answers)."""
        return self.linear(features.mean(1)).view(-1, self.n_attributes, self.n_answers)


@dataclass
class Packed:
    """Several questions behind one picture, a row a picture.

    Args:
        input_ids: (n_images, n_tokens) prefix, then the questions one after another, then padding.
        position_ids: (n_images, n_tokens) each question starts again after the prefix.
        branch: (n_images, n_tokens) 0 prefix, 1.. question, -1 padding.
        read_row, read_column: (n_reads,) where a next token is read.
    """

    input_ids: Tensor
    position_ids: Tensor
    branch: Tensor
    read_row: Tensor
    read_column: Tensor

    def to(self, device: torch.device) -> Packed:
        """The same on another device."""
        return Packed(*(getattr(self, part.name).to(device) for part in fields(self)))


def branch_mask(branch: Tensor, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Additive mask (n_images, 1, n_tokens, n_tokens): causal, own branch and the prefix only.

    A float mask, since eager attention reads a boolean one wrongly.
    """
    n_tokens = branch.shape[1]
    causal = torch.ones(n_tokens, n_tokens, dtype=torch.bool, device=branch.device).tril()
    same = (branch[:, :, None] == branch[:, None, :]) | (branch[:, None, :] == 0)
    mask = torch.zeros(same.shape, dtype=dtype, device=branch.device)
    return mask.masked_fill_(~(same & causal), torch.finfo(dtype).min)[:, None]


def image_features(model: Any, pixel_values: Tensor) -> Tensor:
    """What the decoder gets of the pictures: (n_images, n_image_tokens, d_model)."""
    image = model.model.get_image_features(
        pixel_values=pixel_values,
        vision_feature_layer=model.config.vision_feature_layer,
        vision_feature_select_strategy=model.config.vision_feature_select_strategy,
        return_dict=True,
    )
    return torch.stack(list(image.pooler_output))


def packed_forward(model: Any, pixel_values: Tensor, packed: Packed) -> tuple[Tensor, Tensor]:
    """Next-token logits at the places to read, and the image features.

    Equal to the stock forward of each question alone, since the picture comes first and attention
    is causal.

    Args:
        model: LlavaForConditionalGeneration.
        pixel_values: (n_images, 3, IMAGE_SIZE, IMAGE_SIZE) normalised.

    Returns:
        logits: (n_reads, n_vocab); features: (n_images, n_image_tokens, d_model).
    """
    inner = model.model
    features = image_features(model, pixel_values)
    embeddings = inner.get_input_embeddings()(packed.input_ids)
    place = (packed.input_ids == model.config.image_token_id)[..., None]
    embeddings = embeddings.masked_scatter(place, features.to(embeddings.dtype))
    hidden = inner.language_model(
        inputs_embeds=embeddings,
        attention_mask=branch_mask(packed.branch),
        position_ids=packed.position_ids,
        use_cache=False,
    ).last_hidden_state
    read = hidden[packed.read_row, packed.read_column]
    return model.lm_head(read), features
