"""A home folder with a large collection and a finished pass over it, made without a model.

`python -m tests.large_home HOME N_IMAGES` makes one by hand.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from esmc_core.config import Config
from esmc_core.images import Collection
from esmc_core.images.collection import Picture, collection_key
from esmc_core.images.thumbnail import write_thumbnail
from esmc_core.lens_store import LensStore, PassSpec
from esmc_core.records import write_bytes
from esmc_core.workspace import Workspace

SAMPLES = Path(__file__).parents[1] / "assets" / "samples"
CONCEPTS = ("red", "blue", "green", "black", "white", "yellow", "gray", "brown", "pink", "orange")
TOKEN_TEXTS = ("▁the", "▁color", "▁of", "▁the", "▁car", "▁is", "▁\n", "▁Answer")
N_LAYERS, N_VOCAB, TOP_K = 5, 32_000, 50
_N_OWN, _N_COMMON = 30, 60  # candidates for the top tokens of an image
_CHUNK = 5_000


def make_large_home(home: Path, n_images: int, *, seed: int = 0) -> tuple[Collection, LensStore]:
    """Fill `home` with n_images different pictures and a finished pass over them."""
    workspace = Workspace(Config(home))
    collection = _make_collection(workspace, n_images)
    spec = PassSpec(
        collection=collection.key,
        model="made up",
        fingerprint="",
        criterion="the color of the car is",
        lens="norm",
        n_images=n_images,
        n_layers=N_LAYERS,
        n_vocab=N_VOCAB,
        top_k=TOP_K,
        token_ids=tuple(range(len(TOKEN_TEXTS))),
        token_texts=TOKEN_TEXTS,
        n_criterion=6,
        batch_size=16,
    )
    store = LensStore.create(workspace.passes_folder(collection.key), spec, vocabulary())
    rng = np.random.default_rng(seed)
    concepts = rng.integers(len(CONCEPTS), size=(2, n_images))
    for images in np.array_split(store.order, max(1, n_images // _CHUNK)):
        store.write(images, *_batch(concepts[:, images], rng))
    return collection, store


def vocabulary() -> list[str]:
    """(N_VOCAB,) texts: the spellings of each concept's words, then words that say nothing."""
    words = [word for name in CONCEPTS for word in (name, *(f"{name}{i}" for i in range(9)))]
    spellings = [text for word in words for text in (f"▁{word}", f"▁{word.title()}", word)]
    return [*spellings, *(f"▁word{i}" for i in range(N_VOCAB - len(spellings)))]


def _make_collection(workspace: Workspace, n_images: int) -> Collection:
    """The sample pictures again and again, each time with other bytes at the end of the file."""
    sources = [path.read_bytes() for path in sorted(SAMPLES.glob("*.jpg"))]
    library = workspace.library
    thumbnails = []
    with tempfile.TemporaryDirectory(dir=_made(library.home)) as folder:
        for i, path in enumerate(sorted(SAMPLES.glob("*.jpg"))):
            write_thumbnail(Path(folder, f"{i}.webp"), Image.open(path).convert("RGB"))
            thumbnails.append(Path(folder, f"{i}.webp").read_bytes())
    with tempfile.TemporaryDirectory(dir=library.home) as folder:
        pictures = []
        for i in range(n_images):
            content = sources[i % len(sources)] + str(i).encode()
            digest = hashlib.sha256(content).hexdigest()
            Path(folder, digest).write_bytes(content)
            write_bytes(library.thumbnail_path(digest), thumbnails[i % len(sources)])
            file = f"shelf {i // 1000:03}/picture {i:06}.jpg"
            pictures.append(Picture(digest, file, 96, 96, len(content), ""))
        created = "2025-01-01T00:00:00+00:00"
        collection = Collection(
            collection_key(pictures), f"{n_images:,} pictures", "made up", created, tuple(pictures)
        )
        return library.save(collection, Path(folder))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _batch(concepts: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Tokens and probabilities of some images at all cells.

    The two halves of the prompt speak of two properties of the picture, the surer the later the
    layer; what follows the criterion is as its last word.

    Args:
        concepts: (2, n_images) which concept each property is.
    """
    shape = (N_LAYERS + 1, len(TOKEN_TEXTS), concepts.shape[1], TOP_K)
    tokens, probabilities = np.empty(shape, np.int32), np.empty(shape, np.float16)
    for layer in range(N_LAYERS + 1):
        for half in range(2):
            positions = slice(0, 4) if half == 0 else slice(4, None)
            drawn = draw_answers(concepts[half], 0.2 + 0.12 * layer, rng)
            tokens[layer, positions], probabilities[layer, positions] = drawn
    return tokens, probabilities


def draw_answers(
    concepts: np.ndarray, sureness: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(n_images, TOP_K) tokens and probabilities, most probable first.

    A share `sureness` of the mass lies on the spellings of the concept's words, the rest on words
    that are drawn with a long tail.
    """
    n_images = len(concepts)
    own = concepts[:, None] * _N_OWN + np.arange(_N_OWN)
    first = len(CONCEPTS) * _N_OWN
    rank = np.exp(rng.uniform(0, np.log(N_VOCAB - first), (n_images, _N_COMMON)))
    common = first - 1 + rank.astype(np.int64)
    common.sort(axis=1)
    repeated = np.zeros(common.shape, dtype=bool)
    repeated[:, 1:] = common[:, 1:] == common[:, :-1]
    weights = rng.gamma(0.3, size=(n_images, _N_OWN)) / (1 + np.arange(_N_OWN))
    others = rng.gamma(0.3, size=common.shape) * ~repeated
    share = np.clip(rng.normal(sureness, 0.1, (n_images, 1)), 0.02, 0.95)
    weights *= share / weights.sum(axis=1, keepdims=True)
    others *= (1 - share) / others.sum(axis=1, keepdims=True)
    tokens, mass = np.hstack([own, common]), np.hstack([weights, others])
    order = np.argsort(-mass, axis=1)[:, :TOP_K]
    found = np.take_along_axis(mass, order, axis=1).astype(np.float16)
    return np.take_along_axis(tokens, order, axis=1).astype(np.int32), found


if __name__ == "__main__":
    make_large_home(Path(sys.argv[1]), int(sys.argv[2]))
