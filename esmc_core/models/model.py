"""A multimodal language model: prompts, hidden states at the prompt's positions, the lens."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from PIL import Image
from transformers.modeling_outputs import BaseModelOutputWithPooling

from esmc_core.errors import InputError, ModelError
from esmc_core.models.family import Family

MAX_CRITERION_CHARACTERS = 500
IMAGE_FEATURES = "image_features"
"""Name among the inputs of what the vision tower made of the pictures, instead of their pixels."""
Lens = Literal["norm", "raw"]


@dataclass(frozen=True)
class Prompt:
    """A criterion as a model reads it.

    Attributes:
        criterion: the user's words.
        text: the whole prompt with the image placeholder.
        token_ids: (n_positions,) from the criterion's first token to the prompt's last.
        token_texts: (n_positions,) what each token stands for.
        n_criterion: how many of the positions are the criterion's; the rest is the template's.
        prefix_ids: what stands before them, the picture as one placeholder.
    """

    criterion: str
    text: str
    token_ids: tuple[int, ...]
    token_texts: tuple[str, ...]
    n_criterion: int
    prefix_ids: tuple[int, ...]

    @property
    def n_positions(self) -> int:
        return len(self.token_ids)


class VisionLanguageModel:
    """A loaded model of one family; load it with `esmc_core.models.loading.load_model`.

    Attributes:
        name: hub id, folder or "bundled".
        fingerprint: hex digest of the weights and settings that decide the numbers.
        n_layers: blocks of the text decoder; `layer` runs from 0 (embeddings) to n_layers.
        d_model: width of the hidden state.
        n_vocab: rows of the unembedding.
    """

    def __init__(
        self, network: Any, processor: Any, family: Family, *, name: str, fingerprint: str
    ) -> None:
        self.network, self.processor, self.family = network, processor, family
        self.name, self.fingerprint = name, fingerprint
        text_config = family.text_config(network.config)
        self.n_layers = len(family.layers(network))
        self.d_model = int(text_config.hidden_size)
        self.n_vocab = int(network.get_output_embeddings().weight.shape[0])
        self.max_positions = int(getattr(text_config, "max_position_embeddings", 4096))
        self.n_parameters = sum(weight.numel() for weight in network.parameters())
        self._recorder = threading.local()
        self._add_hooks()

    @property
    def device(self) -> torch.device:
        return self.network.device

    @property
    def dtype(self) -> torch.dtype:
        return self.network.dtype

    def prompt(self, criterion: str) -> Prompt:
        """Put the criterion into the model's chat template.

        Raises:
            InputError: the criterion is empty, has no words, is too long, or contains one of
                the model's control tokens.
        """
        criterion = self._check(criterion)
        text, start = self.family.prompt_text(self.processor, criterion)
        encoded = self.processor.tokenizer(text, return_offsets_mapping=True)
        ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
        first = next(i for i, (_, stop) in enumerate(offsets) if stop > start)
        stop = start + len(criterion)
        n_criterion = sum(begin < stop for begin, _ in offsets[first:])
        token_ids, prefix_ids = tuple(ids[first:]), tuple(ids[:first])
        token_texts = tuple(self.token_texts(token_ids))
        return Prompt(criterion, text, token_ids, token_texts, n_criterion, prefix_ids)

    def preprocess(self, pictures: Sequence[Image.Image], prompts: Sequence[Prompt]) -> Any:
        """The model's inputs on the CPU for one batch; shorter prompts are padded behind.

        Raises:
            InputError: picture and prompt are longer than the model reads.
            ModelError: the checkpoint's files do not let the prompt's tokens stand at its end.
        """
        texts = [prompt.text for prompt in prompts]
        inputs = self.family.preprocess(self.processor, pictures, texts)
        n_tokens = inputs["input_ids"].shape[1]
        if n_tokens > self.max_positions:
            raise InputError(
                f"Picture and prompt have {n_tokens} tokens, {self.name} reads "
                f"{self.max_positions}.",
                "Shorten the criterion.",
            )
        lengths = inputs["attention_mask"].sum(dim=1).tolist()
        for ids, stop, prompt in zip(inputs["input_ids"].tolist(), lengths, prompts, strict=True):
            if tuple(ids[stop - prompt.n_positions : stop]) != prompt.token_ids:
                raise ModelError(
                    f"{self.name} does not read the criterion after the picture.",
                    "Its chat template must write the picture first. Use another model.",
                )
        return inputs

    @torch.inference_mode()
    def hidden_states(self, inputs: Any, *, n_positions: int) -> torch.Tensor:
        """A_l(k) of every layer at the last positions of each prompt.

        Args:
            inputs: what `preprocess` gave.
            n_positions: how many positions, counted from each prompt's own end.

        Returns:
            (n_layers + 1, n_images, n_positions, d_model) on the device, before the final
            norm at every layer, the last one included.
        """
        inputs = inputs.to(self.device, dtype=self.dtype, non_blocking=True)
        lengths = inputs["attention_mask"].sum(dim=1)
        offsets = torch.arange(-n_positions, 0, device=self.device)
        positions = lengths[:, None] + offsets[None, :]
        with self.recording(positions) as states:
            self.run(inputs, use_cache=False, logits_to_keep=1)
        return torch.stack(states)

    def run(self, inputs: Mapping[str, Any], **options: Any) -> Any:
        """The network on inputs that hold pictures, or their features."""
        inputs = dict(inputs)
        features = inputs.pop(IMAGE_FEATURES, None)
        if features is not None:
            # A list, whatever the type says: so the stock model hands it from part to part.
            seen: Any = BaseModelOutputWithPooling()
            seen.pooler_output = list(features)
            inputs["mm_encoder_outputs"] = {"image": seen}
        return self.network(**inputs, **options)

    @torch.inference_mode()
    def image_features(self, inputs: Any) -> torch.Tensor:
        """What the vision tower hands to the decoder, averaged over each picture's tokens.

        The prompt plays no part in it.

        Args:
            inputs: what `preprocess` gave.

        Returns:
            (n_images, d_model) float32 on the device.
        """
        inputs = inputs.to(self.device, dtype=self.dtype)
        is_image = (inputs["input_ids"] == self.network.config.image_token_id)[..., None]
        kept: list[torch.Tensor] = []

        def keep(_module: Any, args: tuple, kwargs: dict) -> None:
            hidden = (args[0] if args else kwargs["hidden_states"]).float()
            kept.append((hidden * is_image).sum(dim=1) / is_image.sum(dim=1))

        hook = self.family.layers(self.network)[0].register_forward_pre_hook(keep, with_kwargs=True)
        try:
            self.network(**inputs, use_cache=False, logits_to_keep=1)
        finally:
            hook.remove()
        return kept[0]

    @torch.inference_mode()
    def generate(self, inputs: Any, *, max_new_tokens: int) -> list[str]:
        """The model's answers in words, the most probable token at each step.

        Args:
            inputs: what `preprocess` gave for prompts of the same length.

        Returns:
            (n_images,) texts without control tokens.

        Raises:
            ValueError: some prompt is padded; behind padding a model does not answer.
        """
        if not inputs["attention_mask"].all():
            raise ValueError("prompts of different lengths cannot be answered in one batch")
        inputs = inputs.to(self.device, dtype=self.dtype)
        tokenizer = self.processor.tokenizer
        tokens = self.network.generate(
            **inputs,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            num_beams=1,
            pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id,
        )
        answers = tokens[:, inputs["input_ids"].shape[1] :]
        texts = tokenizer.batch_decode(answers, skip_special_tokens=True)
        return [text.strip() for text in texts]

    def logits(self, hidden: torch.Tensor, *, layer: int, lens: Lens = "norm") -> torch.Tensor:
        """E_l(k) = W_u · norm(A_l(k)), the logit lens; W_u is the model's own head.

        Args:
            hidden: (..., d_model), the state before the final norm.
            layer: where it was taken. With lens="raw" the norm is left out, but at the last
                layer, whose recorded state is the normed one in the paper's code.

        Returns:
            (..., n_vocab)
        """
        if lens == "norm" or layer == self.n_layers:
            hidden = self.family.final_norm(self.network)(hidden)
        return self.family.logits(self.network, hidden)

    def token_texts(self, token_ids: Sequence[int]) -> list[str]:
        """The tokenizer's own pieces with their word markers; "" for ids it does not know."""
        pieces = self.processor.tokenizer.convert_ids_to_tokens([int(i) for i in token_ids])
        return ["" if piece is None else piece for piece in pieces]

    def vocabulary(self) -> list[str]:
        """(n_vocab,) the text of every row of the unembedding."""
        known = len(self.processor.tokenizer)
        return self.token_texts(range(min(known, self.n_vocab))) + [""] * (self.n_vocab - known)

    def first_token(self, word: str) -> int:
        """The id of the first token of `word` as it stands within a sentence."""
        ids = self.processor.tokenizer(f" {word.strip()}", add_special_tokens=False)["input_ids"]
        texts = self.token_texts(ids)
        return next((i for i, text in zip(ids, texts, strict=True) if text.strip("▁Ġ ")), ids[0])

    @contextmanager
    def recording(self, positions: torch.Tensor) -> Iterator[list[torch.Tensor]]:
        """Keep every layer's state at `positions` (n_images, n_positions) of the next pass.

        Of the calling thread's pass: others may run beside it.
        """
        states: list[torch.Tensor] = []
        rows = torch.arange(len(positions), device=positions.device)[:, None]
        self._recorder.keep = lambda hidden: states.append(hidden[rows, positions])
        try:
            yield states
        finally:
            del self._recorder.keep

    def _add_hooks(self) -> None:
        """Show each layer's state to whoever records in the thread that computes it."""
        recorder = self._recorder

        def before(_module: Any, args: tuple, kwargs: dict) -> None:
            if hasattr(recorder, "keep"):
                recorder.keep(args[0] if args else kwargs["hidden_states"])

        def after(_module: Any, _args: tuple, output: Any) -> None:
            if hasattr(recorder, "keep"):
                recorder.keep(output[0] if isinstance(output, tuple) else output)

        layers = self.family.layers(self.network)
        layers[0].register_forward_pre_hook(before, with_kwargs=True)
        for layer in layers:
            layer.register_forward_hook(after)

    def _check(self, criterion: str) -> str:
        criterion = " ".join(criterion.split())
        example = 'Write it in words, such as "the color of the car is".'
        if not criterion:
            raise InputError("The criterion is empty.", example)
        if len(criterion) > MAX_CRITERION_CHARACTERS:
            raise InputError(
                f"The criterion has {len(criterion):,} characters, the limit is "
                f"{MAX_CRITERION_CHARACTERS}.",
                "A short phrase works best.",
            )
        if not any(character.isalnum() for character in criterion):
            raise InputError(f"The criterion “{criterion}” has no words.", example)
        for token in self._control_tokens():
            if token in criterion:
                raise InputError(
                    f"The criterion “{criterion}” has {token}, a control token of {self.name}.",
                    "Leave it out.",
                )
        return criterion

    def _control_tokens(self) -> set[str]:
        """What the tokenizer reads as a sign for the model, not as words."""
        tokenizer = self.processor.tokenizer
        added = tokenizer.added_tokens_decoder.values()
        special = {token.content for token in added if token.special}
        return {self.processor.image_token, *tokenizer.all_special_tokens, *special}
