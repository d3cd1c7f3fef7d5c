"""Mantel's test without permutations: the exact moments of the statistic over all of them, and a normal tail."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from advlab.metrics.distances import points_of, square
from advlab.metrics.mantel import Mantel, check_pair, mantel_r, standardise


class Moments(NamedTuple):
    """Over all T! permutations.

    Attributes:
        mean: (B,) float64.
        variance: (B,) float64.
    """

    mean: Tensor
    variance: Tensor


def mantel_moments(d_in: Tensor, d_out: Tensor) -> Moments:
    """Exact mean and variance of Z = sum over i < j of A[pi(i), pi(j)] B[i, j] when all T! permutations pi are as likely.

    Mantel (1967): E[Z^2] falls into the pairs of pairs that are equal, that share one point and that share none; each
    kind contributes (sum over A) (sum over B) / (number of such). O(T^2). Both matrices are centred first: that moves Z by
    a constant, and saves the digits that E[Z^2] - E[Z]^2 would lose.

    Args:
        d_in: (B, T (T - 1) / 2) upper triangles of A.
        d_out: the same of B.

    Raises:
        ValueError: the shapes differ, or T < 3.
    """
    a, b = (v.double() for v in check_pair(d_in, d_out))
    n = points_of(a)
    mean = a.sum(1) * b.sum(1) / a.shape[1]
    (equal_a, one_a, none_a), (equal_b, one_b, none_b) = _sums(a), _sums(b)
    variance = equal_a * equal_b / math.comb(n, 2) + one_a * one_b / (n * (n - 1) * (n - 2))
    if n > 3:
        variance += none_a * none_b / (math.comb(n, 2) * math.comb(n - 2, 2))
    return Moments(mean, variance)


def _sums(condensed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sums of products of two centred entries, over ordered pairs of pairs that are equal, share one point, or none."""
    centred = condensed - condensed.mean(1, keepdim=True)
    equal = centred.square().sum(1)
    one = square(centred).sum(2).square().sum(1) - 2 * equal  # (i, j), (i, k) with j != k
    return equal, one, -equal - one  # all together: the squared sum of the centred, 0


def mantel_normal(d_in: Tensor, d_out: Tensor, *, squared: bool = False) -> Mantel:
    """`mantel_r` with the two-sided p of a normal law that has the mean (0) and the exact variance of the permuted r.

    An approximation: the permuted r is skewed, the more the fewer the points, and a tail far out is only an order of
    magnitude. `mantel_test` is the test.

    Args:
        d_in: (B, T (T - 1) / 2) upper triangles.
        d_out: the same of the matrices to compare with.
        squared: as `mantel_r`.

    Returns:
        r and p; both NaN where r is.

    Raises:
        ValueError: the shapes differ, or T < 3.
    """
    a, b = check_pair(d_in, d_out)
    r = mantel_r(a, b, squared=squared)
    variance = mantel_moments(standardise(a, squared), standardise(b, squared)).variance
    return Mantel(r, torch.special.erfc(r.abs() / (2 * variance).sqrt()))
