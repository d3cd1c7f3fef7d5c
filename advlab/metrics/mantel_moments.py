"""Mantel's test without drawing permutations: exact moments of the statistic over all of them, and a normal tail."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from advlab.metrics.distances import point_count, squareform
from advlab.metrics.mantel import Mantel, checked_pair, correlation, standardise


class Moments(NamedTuple):
    """Moments of Mantel's Z over all T! permutations.

    Attributes:
        mean: (B,) float64.
        variance: (B,) float64.
    """

    mean: Tensor
    variance: Tensor


def mantel_moments(d_in: Tensor, d_out: Tensor) -> Moments:
    """Exact mean and variance of Z = sum over i < j of A[pi(i), pi(j)] B[i, j] over uniform permutations pi of T.

    Mantel (1967): E[Z^2] is a sum over two pairs of points each, which are equal, share one point, or share none; each of
    the three kinds contributes (sum over A) (sum over B) / (number of such), in O(T^2). Both matrices are centred first:
    this shifts Z by a constant and avoids the cancellation in E[Z^2] - E[Z]^2.

    Args:
        d_in: (B, T (T - 1) / 2) upper triangles of A.
        d_out: (B, T (T - 1) / 2) upper triangles of B.

    Raises:
        ValueError: the shapes differ, or T < 3.

    Examples:
        B selects one distance of A; permuting the three points makes it each of the three equally often:

        >>> moments = mantel_moments(torch.tensor([[1.0, 2.0, 6.0]]), torch.tensor([[0.0, 0.0, 1.0]]))
        >>> moments.mean.item(), round(moments.variance.item(), 9) == round((4 + 1 + 9) / 3, 9)
        (3.0, True)
    """
    a, b = (v.double() for v in checked_pair(d_in, d_out))
    n = point_count(a)
    mean = a.sum(1) * b.sum(1) / a.shape[1]
    (equal_a, one_a, none_a), (equal_b, one_b, none_b) = _sums(a), _sums(b)
    variance = equal_a * equal_b / math.comb(n, 2) + one_a * one_b / (n * (n - 1) * (n - 2))
    if n > 3:
        variance += none_a * none_b / (math.comb(n, 2) * math.comb(n - 2, 2))
    return Moments(mean, variance)


def _sums(condensed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sums of products of two centred entries whose pairs of points are equal, share one point, or share none; (B,) each."""
    centred = condensed - condensed.mean(1, keepdim=True)
    equal = centred.square().sum(1)
    one = squareform(centred).sum(2).square().sum(1) - 2 * equal  # (i, j) and (i, k) with j != k
    return equal, one, -equal - one  # the three add up to the square of the sum of centred entries, which is 0


def mantel_normal(d_in: Tensor, d_out: Tensor, *, squared: bool = False) -> Mantel:
    """`mantel_r` with the two-sided p of the normal law that has the mean (0) and the exact variance of the permuted r.

    This is an approximation of `mantel_test`: the permuted r is skewed, the more the fewer points there are, and a very
    small p is right in its order of magnitude only.

    Args:
        d_in: (B, T (T - 1) / 2) upper triangles of B distance matrices.
        d_out: (B, T (T - 1) / 2), those of the same points after a map.
        squared: as for `mantel_r`.

    Returns:
        r and p; both are NaN where `mantel_r` is.

    Raises:
        ValueError: the shapes differ, or T < 3.

    Examples:
        Of three points, permuting the distances makes r = 1, -1/2 and -1/2, of variance 1/2: r = 1 is sqrt(2) deviations
        from 0.

        >>> d = torch.tensor([[0.0, 0.0, 1.0]])
        >>> round(mantel_normal(d, d).p.item(), 6) == round(math.erfc(1.0), 6)
        True
    """
    a, b = checked_pair(d_in, d_out)
    a, b = standardise(a, squared), standardise(b, squared)
    r = correlation(a, b)
    variance = mantel_moments(a, b).variance
    return Mantel(r, torch.special.erfc(r.abs() / (2 * variance).sqrt()))
