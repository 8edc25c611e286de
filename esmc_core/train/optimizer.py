"""Muon for the matrices, AdamW for the rest."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

ADAMW_SHARE = 0.5  # of the learning rate
MOMENTUM = 0.95
N_ITERATIONS = 5  # of Newton and Schulz
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def number_format(device: torch.device) -> torch.dtype:
    """bfloat16 where the device computes in it; a CPU without AVX-512 takes many times as long."""
    fast = device.type == "cuda" or torch.backends.cpu.get_cpu_capability() == "AVX512"
    return torch.bfloat16 if fast else torch.float32


def orthogonalise(matrix: Tensor) -> Tensor:
    """Bring all singular values of a matrix near 1, by Newton and Schulz's iteration.

    As `torch.optim.Muon` does it, whose bfloat16 not every CPU can multiply.
    """
    a, b, c = COEFFICIENTS
    is_tall = len(matrix) > matrix.shape[1]
    x = (matrix.T if is_tall else matrix).to(number_format(matrix.device))
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(N_ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.T if is_tall else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Orthogonalised momentum (Jordan et al. 2024), its steps scaled to AdamW's size.

    Args:
        parameters: of two or more dimensions; kernels are turned as (out, in * height * width).
    """

    def __init__(self, parameters: list[nn.Parameter], *, lr: float, weight_decay: float) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Use the gradients; parameters without one stay as they are."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                gradient = parameter.grad.reshape(len(parameter), -1)
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(gradient)
                momentum = state["momentum"]
                momentum.lerp_(gradient, 1 - MOMENTUM)
                step = orthogonalise(gradient.lerp(momentum, MOMENTUM))
                size = 0.2 * max(step.shape) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.sub_(step.view_as(parameter), alpha=group["lr"] * size)


class Optimizer:
    """One step for all parameters of a model and its throw-away head.

    Muon turns the hidden matrices, convolution kernels among them; AdamW takes embeddings, norms,
    biases and the head. Both share a learning rate.

    Args:
        model: its matrices of two or more dimensions but the embeddings go to Muon.
        others: further modules, all for AdamW.
    """

    def __init__(self, model: nn.Module, *others: nn.Module, weight_decay: float) -> None:
        embeddings = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
        everything = [*model.parameters(), *(p for m in others for p in m.parameters())]
        matrices = [p for p in model.parameters() if p.ndim > 1 and id(p) not in embeddings]
        taken = {id(p) for p in matrices}
        rest = [p for p in everything if id(p) not in taken]
        self.muon = Muon(matrices, lr=1.0, weight_decay=weight_decay)
        groups = [
            {"params": [p for p in rest if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.adamw = torch.optim.AdamW(groups, lr=1.0, betas=(0.9, 0.97), eps=1e-8)

    def step(self, learning_rate: float) -> None:
        """Use the gradients; parameters without one stay as they are."""
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
