"""A small byte-level BPE: every label and template word is one token, any text tokenizes."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable
from typing import Any

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

BOS, EOS, PAD, IMAGE = "<s>", "</s>", "<pad>", "<image>"
SPECIAL_TOKENS = [PAD, BOS, EOS, IMAGE]
PROMPT = "USER: <image>\n{question} ASSISTANT:"
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() + ': ' }}"
    "{% if message['content'] is string %}{{ message['content'] + ' ' }}{% else %}"
    "{% for part in message['content'] if part['type'] == 'image' %}{{ '<image>\\n' }}{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] + ' ' }}"
    "{% endfor %}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


def train_tokenizer(words: Iterable[str], texts: Iterable[str], *, n_vocab: int) -> Tokenizer:
    """Train the tokenizer.

    Args:
        words: words that have to be one token, with the space before them where there is one.
        texts: other text (captions), whose frequent pieces fill the rest of the vocabulary.
        n_vocab: size of the vocabulary, special tokens included.

    Raises:
        ValueError: the vocabulary is too small for the words.
    """
    level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    wanted = sorted({piece for word in words for piece, _ in level.pre_tokenize_str(word)})
    trainer = trainers.BpeTrainer(
        vocab_size=n_vocab,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=level.alphabet(),
        show_progress=False,
    )
    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer = level
    pieces.train_from_iterator(texts, trainer)
    merges = [tuple(merge) for merge in json.loads(pieces.to_str())["model"]["merges"]]
    tokens = dict.fromkeys([*SPECIAL_TOKENS, *sorted(level.alphabet()), *wanted])
    if len(tokens) > n_vocab:
        raise ValueError(f"{len(tokens)} tokens are needed, and the vocabulary has {n_vocab}")
    n_merges = 0
    while len(tokens) < n_vocab and n_merges < len(merges):
        tokens["".join(merges[n_merges])] = None
        n_merges += 1
    ids = {token: number for number, token in enumerate(tokens)}
    # What stands in the vocabulary as a whole is not put together from pieces.
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=merges[:n_merges], ignore_merges=True))
    tokenizer.add_special_tokens(SPECIAL_TOKENS)
    tokenizer.normalizer = small_letters()
    tokenizer.pre_tokenizer = level
    tokenizer.decoder = decoders.ByteLevel()
    bos = (BOS, tokenizer.token_to_id(BOS))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[bos]
    )
    return tokenizer


def small_letters() -> normalizers.Normalizer:
    """All in small letters, but for the template's roles: "Color" is the same word as "color"."""
    roles = ("USER:", "ASSISTANT:")
    kept = [normalizers.Replace(role.lower(), role) for role in roles]
    return normalizers.Sequence([normalizers.Lowercase(), *kept])


def split_words(texts: Iterable[str]) -> set[str]:
    """The lower-case words in some texts."""
    return {w for text in texts for w in re.findall(r"[a-z]+", text.lower())}


def answer_id(tokenizer: Tokenizer, word: str) -> int:
    """Token id of " word"; raises KeyError where it is not a single token."""
    ids = tokenizer.encode(" " + word, add_special_tokens=False).ids
    if len(ids) != 1:
        raise KeyError(word)
    return ids[0]


def special_id(tokenizer: Tokenizer, token: str) -> int:
    """Token id of a special token; raises KeyError where the tokenizer lacks it."""
    number = tokenizer.token_to_id(token)
    if number is None:
        raise KeyError(token)
    return number


def sample_lines(lines: list[str], n: int, *, seed: int) -> list[str]:
    """A seeded sample of at most n lines."""
    return random.Random(seed).sample(lines, min(n, len(lines)))


def fast_tokenizer(tokenizer: Tokenizer) -> Any:
    """Wrap as a stock `PreTrainedTokenizerFast` with the chat template of LLaVA-1.5."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        extra_special_tokens={"image_token": IMAGE},
        chat_template=CHAT_TEMPLATE,
        padding_side="right",
        clean_up_tokenization_spaces=False,
        model_max_length=2048,
    )
