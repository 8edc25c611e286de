"""A tiny sentence-transformers model of random weights, and texts for it."""

import json
from pathlib import Path

TOPICS = {
    "card": "card pin bank lost stolen arrive",
    "weather": "rain sun wind cold warm forecast",
    "music": "song play album band loud concert",
}
_FILLERS = "please can you tell me about the my a now today"


def tiny_texts(n_each: int = 20) -> tuple[list[str], list[str]]:
    """Different short texts of three topics, in turn, and their topics."""
    import numpy as np

    rng = np.random.default_rng(0)
    texts, topics = [], []
    for number in range(n_each):
        for topic, words in TOPICS.items():
            some = [*rng.choice(words.split(), 3), *rng.choice(_FILLERS.split(), 2)]
            texts.append(" ".join([*rng.permutation(some), f"n{number}"]))
            topics.append(topic)
    return texts, topics


def save_tiny_embedder(folder: Path, *, seed: int = 0) -> Path:
    """Save a BERT of two layers and 16 dimensions with mean pooling; returns the folder."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = " ".join([*TOPICS.values(), _FILLERS]).split()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = {word: i for i, word in enumerate([*special, *dict.fromkeys(words)])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    backend.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=ends)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=32,
    )
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    bert = folder / "bert"
    BertModel(config).save_pretrained(bert)
    tokenizer.save_pretrained(bert)
    transformer = Transformer(str(bert), max_seq_length=32)
    modules = [transformer, Pooling(16), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder / "model"))
    assert json.loads((folder / "model" / "modules.json").read_text())
    return folder / "model"
