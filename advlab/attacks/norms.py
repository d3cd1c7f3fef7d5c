"""Norms of perturbations and gradients."""

from __future__ import annotations

import torch
from torch import Tensor

ORDERS = {"l1": 1.0, "l2": 2.0, "linf": float("inf")}


def norms_of_each(v: Tensor, norm: str) -> Tensor:
    """(n,) norms of the n parts of a tensor (n, ...), in the norm "l1", "l2" or "linf".

    >>> norms_of_each(torch.tensor([[[3.0, -4.0]]]), "l2").tolist()
    [5.0]
    >>> norms_of_each(torch.tensor([[3.0, -4.0], [0.0, 1.0]]), "linf").tolist()
    [4.0, 1.0]
    """
    return torch.linalg.vector_norm(v.flatten(1), ord=ORDERS[norm], dim=1)
