"""How much the elements of a gradient differ from each other (aghdam2017, section 2.1)."""

from __future__ import annotations

import torch
from torch import Tensor


def mean_pairwise_difference(values: Tensor) -> Tensor:
    """(n,) float64 mean of |g_i - g_j| over the pairs i < j of each row of (n, D) values.

    Computed from the sorted row as sum_k (2k - D - 1) g_(k) / C(D, 2), which takes O(D log D) instead of O(D^2).

    Raises:
        ValueError: there are fewer than two values in a row.

    Examples:
        The differences of 1, 2 and 4 are 1, 3 and 2.

        >>> mean_pairwise_difference(torch.tensor([[1.0, 4.0, 2.0]])).tolist()
        [2.0]
    """
    size = values.shape[-1]
    if values.ndim != 2 or size < 2:
        raise ValueError(f"rows of at least two values are needed, got {tuple(values.shape)}")
    ordered = values.double().sort(-1).values
    weights = 2 * torch.arange(1, size + 1, device=values.device, dtype=torch.float64) - size - 1
    return (ordered * weights).sum(-1) / (size * (size - 1) / 2)
