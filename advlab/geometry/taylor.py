"""Predictions of a second-order Taylor expansion for a function over directions of one length (aghdam2017, eq 3)."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from scipy.special import ndtr
from torch import Tensor


def deviation_on_sphere(gradient_norm: Tensor, hessian_rest: Tensor, size: int, length: float) -> Tensor:
    """(n,) standard deviation of g'v + v'Hv / 2 over v uniform on the sphere of radius l in D dimensions.

    Its square is l^2 ||g||^2 / D + l^4 ||H - c I||_F^2 / (2 D (D + 2)) with c = tr H / D: the linear and the quadratic term
    are uncorrelated, being odd and even in v.

    Args:
        gradient_norm: (n,) ||g||.
        hessian_rest: (n,) ||H - c I||_F.
        size: D.
        length: l.

    Examples:
        A linear function of D = 4 values with ||g|| = 6 deviates by 6 / sqrt(4) on the unit sphere.

        >>> deviation_on_sphere(torch.tensor([6.0]), torch.tensor([0.0]), size=4, length=1.0).tolist()
        [3.0]
    """
    linear = length * gradient_norm / math.sqrt(size)
    return torch.hypot(linear, length**2 * hessian_rest / math.sqrt(2 * size * (size + 2)))


def euclidean(radius: float, norm: str, size: int) -> float:
    """Mean Euclidean length of v ~ U(-1, 1)^D that is scaled to a radius in the given norm.

    It is the radius itself for "l2". Otherwise the largest entry is the radius: then it is about sqrt(D / 3) (D + 1) / D
    radii, because the mean of the largest of D uniform |v_i| is D / (D + 1).

    Examples:
        >>> euclidean(2.0, "l2", size=300), round(euclidean(1.0, "linf", size=300), 4)
        (2.0, 10.0333)
    """
    return radius if norm == "l2" else radius * math.sqrt(size / 3) * (size + 1) / size


@lru_cache
def normal_range(trials: int) -> float:
    """Mean of max - min of T standard normal draws: the integral of 1 - F^T - (1 - F)^T (Tippett 1925).

    Examples:
        Of two draws it is 2 / sqrt(pi).

        >>> round(normal_range(2), 6) == round(2 / math.sqrt(math.pi), 6)
        True
    """
    x = np.linspace(-12, 12, 24001)
    return float(np.trapezoid(1 - ndtr(x) ** trials - ndtr(-x) ** trials, x))
