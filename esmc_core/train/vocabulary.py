"""The words that the training needs as single tokens, and the tokenizer made of them."""

from __future__ import annotations

from tokenizers import Tokenizer

from esmc_core.train import questions
from esmc_core.train.augment import TURN_NAMES
from esmc_core.train.data import Dataset, Record
from esmc_core.train.scenes import BACKGROUNDS, COLOURS, SHAPES
from esmc_core.train.tokenizer import sample_lines, split_words, train_tokenizer

N_CAPTIONS = 4000


def answer_words(records: list[Record]) -> list[str]:
    """Every word that an answer may hold, sorted."""
    labels = {word for record in records for word in record.labels.values()}
    made = {questions.UNKNOWN, "dark", "bright", *TURN_NAMES, *SHAPES, *COLOURS, *BACKGROUNDS}
    words = labels | made | set(questions.COLOURS)
    return sorted({soft for word in words for soft in questions.soften(word)})


def question_words(records: list[Record]) -> set[str]:
    """Every word that a question may hold."""
    texts = [*questions.WITH_NOUN, *questions.WITHOUT_NOUN, *questions.UNSEEN]
    texts += [t for lines in questions.SPECIAL.values() for t in lines]
    texts += [t for names in questions.ATTRIBUTES.values() for t in names]
    texts += [noun for record in records for noun in record.nouns]
    return split_words([*texts, *questions.STRANGERS, "object thing picture image"])


def build_tokenizer(data: Dataset, *, n_vocab: int, seed: int = 0) -> Tokenizer:
    """Train the tokenizer on the words of the data's questions and answers and on its captions."""
    words = {" " + word for word in answer_words(data.records)} | {"USER", " ASSISTANT"}
    for word in question_words(data.records):
        words |= {word, word.capitalize(), " " + word}
    captions = sample_lines(data.captions, N_CAPTIONS, seed=seed)
    return train_tokenizer(words, captions, n_vocab=n_vocab)
