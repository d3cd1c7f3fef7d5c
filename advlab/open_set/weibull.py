"""Two-parameter Weibull distributions of the largest distances of each class, by maximum likelihood (libMR's fit_high).

A distance d is translated to d - s + T, s the smallest distance of the tail. Everything is computed from log1p((d - s) / T), so
that no digits are lost where T is far larger than the distances.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from advlab.errors import ArgumentError

BISECTIONS = 60  # of sigma in (0, 1]: to the last bit of float64
ROUNDING = 1e-13  # distances that differ by less, and by less than this part of them, are equal
SATURATED = 30.0  # exponent from which 1 - exp(-exp(.)) is 1; larger ones would have NaN as their gradient


class WeibullTails(NamedTuple):
    """A Weibull distribution for each of C classes.

    Attributes:
        smallest: (C,) smallest distance of each tail, s.
        shape: (C,) k.
        log_ratio: (C,) log(lambda / T), lambda the scale.
        translation: T.
    """

    smallest: Tensor
    shape: Tensor
    log_ratio: Tensor
    translation: float

    @property
    def scale(self) -> Tensor:
        """(C,) lambda."""
        return self.translation * self.log_ratio.exp()

    def exceeded(self, distances: Tensor) -> Tensor:
        """(n, C) w = 1 - exp(-((d - s + T) / lambda)^k) of distances (n, C); 0 where d - s + T is not positive.

        >>> tails = WeibullTails(torch.zeros(1), torch.ones(1), torch.zeros(1), 1.0)
        >>> tails.exceeded(torch.tensor([[0.0], [-2.0]])).round(decimals=4).tolist()
        [[0.6320999860763550], [0.0]]
        """
        ratio = (distances - self.smallest) / self.translation
        inside = ratio > -1
        exponent = self.shape * (torch.log1p(ratio.where(inside, 0.0)) - self.log_ratio)
        w = -torch.expm1(-exponent.clamp(max=SATURATED).exp())
        return w.where(inside, 0.0)


def fit_tails(distances: Sequence[Tensor], *, tail_size: int, translation: float = 1.0) -> WeibullTails:
    """Fits a Weibull distribution to the `tail_size` largest distances of each class (libMR, fit_high).

    Args:
        distances: of each of C classes, (n_c,) distances; where they are fewer than the tail, all of them are taken.
        tail_size: at least 2.
        translation: T above 0: 1 in libMR of 2017, 10000 in OSDN's.

    Raises:
        ArgumentError: the tail of a class has fewer than two different distances.
    """
    fitted = [fit_tail(values, tail_size, translation, f"class {c}") for c, values in enumerate(distances)]
    smallest, shape, log_ratio = (torch.stack(column) for column in zip(*fitted, strict=True))
    return WeibullTails(smallest, shape, log_ratio, translation)


def fit_tail(distances: Tensor, tail_size: int, translation: float, name: str) -> tuple[Tensor, Tensor, Tensor]:
    """() s, k and log(lambda / T) of one class in float64.

    With z = (ln y - max ln y) / range and sigma = 1 / (k range), the likelihood is largest where
    sigma + mean z - sum z e^(z / sigma) / sum e^(z / sigma) = 0, whose left side rises with sigma and is positive at 1.

    Raises:
        ArgumentError: there are fewer than two different distances, or some are NaN or infinite.
    """
    if unknown := int((~distances.isfinite()).sum()):
        raise ArgumentError(
            f"{unknown} of the {len(distances)} distances of {name} are NaN or infinite, so that no Weibull distribution can be "
            "fitted: the network's activations are not finite: check its weights, or take another layer"
        )
    tail = distances.double().sort(descending=True).values[:tail_size]
    if len(tail) < 2:
        raise ArgumentError(
            f"the tail of {name} has {len(tail)} distances, and two are the least that a Weibull distribution can be fitted to: "
            "take more training images of the class"
        )
    if not bool(tail[0] - tail[-1] > ROUNDING * tail[0].abs().clamp(min=1)):
        same = "all" if len(tail) == len(distances) else f"the largest {len(tail)}"
        raise ArgumentError(
            f"{same} of the {len(distances)} distances of {name} are equal, so that no Weibull distribution can be fitted: "
            + (
                "the network's activations do not tell its images apart: take another layer, or another network"
                if same == "all"
                else "take a larger tail_size"
            )
        )
    logs = torch.log1p((tail - tail[-1]) / translation)  # of y / T
    largest, extent = logs[0], logs[0] - logs[-1]
    z = (logs - largest) / extent
    low, high = torch.zeros_like(largest), torch.ones_like(largest)
    for _ in range(BISECTIONS):
        sigma = (low + high) / 2
        weights = (z / sigma).exp()
        positive = sigma + z.mean() - (z * weights).sum() / weights.sum() > 0
        low, high = torch.where(positive, low, sigma), torch.where(positive, sigma, high)
    log_ratio = largest + extent * high * (z / high).exp().mean().log()
    return tail[-1], 1 / (high * extent), log_ratio
