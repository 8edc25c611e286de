"""What the ESMC paper's released code does, plainly re-implemented, to be timed beside the app.

One image at a time: the model generates an answer with 5 beams and up to 512 tokens, of which
nothing is used; the hidden states of the first step are read by the unembedding, without the final
norm, and a float32 softmax over the whole vocabulary. At one cell, K-means and one epoch of the
head alternate, 200 times, on dense rows of the vocabulary's width.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.cluster import KMeans
from torch import nn

from esmc_core.cluster.pseudo_labels import choose_pseudo_labels
from esmc_core.models.model import Prompt, VisionLanguageModel

N_BEAMS = 5
MAX_NEW_TOKENS = 512
EPOCHS = 200


@torch.inference_mode()
def read_image(
    model: VisionLanguageModel,
    picture: Image.Image,
    prompt: Prompt,
    *,
    max_new_tokens: int = MAX_NEW_TOKENS,
    to_the_cap: bool = False,
    top_k: int = 50,
) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Generate, then read every layer at the positions from the criterion on.

    Args:
        to_the_cap: follow the beams for all of the tokens, also behind the end of an answer.

    Returns:
        tokens: (n_layers + 1, n_positions, top_k) on the CPU.
        probabilities: the same shape, float32.
        n_steps: tokens that each beam was followed for.
    """
    inputs = model.preprocess([picture], [prompt]).to(model.device, dtype=model.dtype)
    tokenizer = model.processor.tokenizer
    answer: Any = model.network.generate(
        **inputs,
        num_beams=N_BEAMS,
        max_new_tokens=max_new_tokens,
        min_new_tokens=max_new_tokens if to_the_cap else None,
        do_sample=False,
        pad_token_id=tokenizer.pad_token_id or 0,
        output_hidden_states=True,
        return_dict_in_generate=True,
    )
    found = []
    for states in answer.hidden_states[0]:  # (n_beams, n_tokens, d_model), a layer
        logits = model.network.get_output_embeddings()(states[0, -prompt.n_positions :])
        found.append(logits.float().softmax(dim=-1).topk(min(top_k, logits.shape[-1]), dim=-1))
    tokens = torch.stack([top.indices.cpu() for top in found])
    probabilities = torch.stack([top.values.cpu() for top in found])
    return tokens, probabilities, len(answer.hidden_states)


def cluster(
    rows: np.ndarray,
    centroids: np.ndarray,
    head: nn.Sequential,
    *,
    alpha: float,
    learning_rate: float,
    epochs: int = EPOCHS,
    n_whole: int = EPOCHS,
    batch_size: int = 4096,
) -> Iterator[np.ndarray]:
    """K-means on the rows, pseudo-labels, an epoch of the head, K-means on its outputs; repeated.

    Confidence is measured against the image's own centroid: the paper's script takes that of the
    true label, which no user has.

    Args:
        rows: (n_images, n_vocab) float32, dense.
        centroids: (n_clusters, n_vocab) to start K-means from, in each epoch.
        head: Linear(n_vocab, 512), ReLU, Linear(512, n_clusters), on any device.
        n_whole: epochs that do all that the paper's do. In later ones only the head learns, and the
            last gives labels: from the same start K-means on the rows finds the same, and labels
            before the last are not used.

    Yields:
        (n_images,) labels of the whole epochs, and of the last.
    """
    device = next(head.parameters()).device
    inputs = torch.from_numpy(rows).to(device)
    optimizer = torch.optim.Adam(head.parameters(), lr=learning_rate)
    pseudo = np.empty(0)
    for epoch in range(epochs):
        if epoch < n_whole:
            pseudo = _pseudo_labels(rows, centroids, alpha)
        chosen = torch.from_numpy(np.flatnonzero(pseudo >= 0)).to(device)
        targets = torch.from_numpy(pseudo).to(device)
        for batch in chosen.split(batch_size):
            optimizer.zero_grad()
            nn.functional.cross_entropy(head(inputs[batch]), targets[batch]).backward()
            optimizer.step()
        if n_whole <= epoch < epochs - 1:
            continue
        with torch.no_grad():
            outputs = head(inputs).cpu().numpy()
        taught = [outputs[pseudo == k].mean(axis=0) for k in range(len(centroids))]
        found = KMeans(len(centroids), init=np.stack(taught), n_init=1).fit(outputs)
        yield found.labels_.astype(np.int64)


def _pseudo_labels(rows: np.ndarray, centroids: np.ndarray, alpha: float) -> np.ndarray:
    found = KMeans(len(centroids), init=centroids, n_init=1).fit(rows)
    distances = np.square(rows - found.cluster_centers_[found.labels_]).sum(axis=1)
    return choose_pseudo_labels(found.labels_.astype(np.int64), distances, alpha=alpha)
