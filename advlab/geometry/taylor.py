"""What a second-order Taylor expansion says of a function over directions of one length (aghdam2017, eq 3)."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor


def deviation_on_sphere(gradient_norm: Tensor, hessian_rest: Tensor, size: int, length: float) -> Tensor:
    """(n,) standard deviation of g'v + v'Hv / 2 over v uniform on the sphere of radius l in D dimensions.

    Its square is l^2 ||g||^2 / D + l^4 ||H - c I||_F^2 / (2 D (D + 2)) with c = tr H / D: odd and even moments do not mix.

    Args:
        gradient_norm: (n,) ||g||.
        hessian_rest: (n,) ||H - c I||_F.
        size: D.
        length: l.
    """
    linear = length * gradient_norm / math.sqrt(size)
    return torch.hypot(linear, length**2 * hessian_rest / math.sqrt(2 * size * (size + 2)))


def euclidean(radius: float, norm: str, size: int) -> float:
    """Length of v ~ U(-1, 1)^D scaled to a radius, in the mean: the radius itself, or about sqrt(D / 3) of the largest."""
    return radius if norm == "l2" else radius * math.sqrt(size / 3) * (size + 1) / size


@lru_cache
def normal_range(trials: int) -> float:
    """Mean of max - min of T standard normal draws: the integral of 1 - F^T - (1 - F)^T (Tippett 1925)."""
    x = np.linspace(-12, 12, 24001)
    return float(np.trapezoid(1 - ndtr(x) ** trials - ndtr(-x) ** trials, x))
