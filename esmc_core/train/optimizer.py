"""Muon for the matrices, AdamW for the rest."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

ADAMW_SHARE = 0.5  # of the learning rate


class Optimizer:
    """One step for all parameters of a model and its throw-away head.

    Muon (orthogonalised momentum) turns the hidden matrices, convolution kernels among them as
    (out, in * height * width); AdamW takes embeddings, norms, biases and the head. Muon's steps are
    scaled to AdamW's size, so that both share a learning rate.

    Args:
        model: its matrices of two or more dimensions but the embeddings go to Muon.
        others: further modules, all for AdamW.
    """

    def __init__(self, model: nn.Module, *others: nn.Module, weight_decay: float) -> None:
        embeddings = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
        everything = [*model.parameters(), *(p for m in others for p in m.parameters())]
        self.matrices = [p for p in model.parameters() if p.ndim > 1 and id(p) not in embeddings]
        taken = {id(p) for p in self.matrices}
        rest = [p for p in everything if id(p) not in taken]
        # The optimizer of torch takes matrices only: these share their memory with the kernels.
        self.views = [nn.Parameter(p.data.view(len(p), -1)) for p in self.matrices]
        self.muon = torch.optim.Muon(
            self.views, lr=1.0, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
        )
        groups = [
            {"params": [p for p in rest if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.adamw = torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.97), eps=1e-8)

    def step(self, learning_rate: float) -> None:
        """Use the gradients; parameters without one stay as they are."""
        for matrix, view in zip(self.matrices, self.views, strict=True):
            view.grad = None if matrix.grad is None else matrix.grad.reshape(view.shape)
        for optimizer, share in ((self.muon, 1.0), (self.adamw, ADAMW_SHARE)):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * share
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Both optimizers' states."""
        return {"muon": self.muon.state_dict(), "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.muon.load_state_dict(state["muon"])
        self.adamw.load_state_dict(state["adamw"])
