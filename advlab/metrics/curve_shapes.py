"""Shapes of scores along directions: mirror symmetry, monotonicity, and how much of them is a sum of functions of one variable."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Curves = np.ndarray[Any, Any]


class Symmetry(NamedTuple):
    """Of each of n curves, the best of its mirrors.

    Attributes:
        r2: (n,) R^2 of the mirrored curve as a prediction of the curve; NaN of a constant one.
        center: (n,) twice the index of s_0, so that a centre between two points is whole.
    """

    r2: Curves
    center: Curves


def mirror_symmetry(curves: Curves) -> Symmetry:
    """How well F(s_0 + u) predicts F(s_0 - u), at the s_0 for which it does best (jetley2018, section 1).

    R^2 = 1 - sum (F(s) - F(2 s_0 - s))^2 / sum (F(s) - mean F)^2 over the points whose mirror image was measured as well. It is 1
    for a function that is even about s_0, -1 in the mean for independent values, and -3 for a straight line about any s_0. The
    candidates for s_0 are the points and the midpoints between two in the middle half of the grid, so that at least half
    of the curve is compared; of equally good ones the most central.

    Args:
        curves: (n, m) values at m equally spaced s.

    Examples:
        A parabola about the second of five points, and a straight line:

        >>> s = np.arange(5.0)
        >>> [values.tolist() for values in mirror_symmetry(np.stack([(s - 1) ** 2, s]))]
        [[1.0, -3.0], [2, 4]]
    """
    values = np.asarray(curves, dtype=float)
    n, m = values.shape
    best, center = np.full(n, -np.inf), np.full(n, m - 1)
    middle = m - 1  # twice the index of the middle
    reach = middle // 2  # twice a quarter of the grid
    for doubled in sorted(range(middle - reach, middle + reach + 1), key=lambda k: (abs(k - middle), k)):
        first, last = max(0, doubled - (m - 1)), min(m - 1, doubled)
        part = values[:, first : last + 1]
        spread = ((part - part.mean(1, keepdims=True)) ** 2).sum(1)
        errors = ((part - part[:, ::-1]) ** 2).sum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            r2 = np.where(spread > 0, 1 - errors / spread, -np.inf)
        better = r2 > best
        best, center = np.where(better, r2, best), np.where(better, doubled, center)
    return Symmetry(np.where(np.isinf(best) | (np.ptp(values, axis=1) == 0), np.nan, best), center)


def monotonicity(curves: Curves, center: Curves) -> Curves:
    """(n,) net change over total variation, |F(end) - F(s_0)| / sum |F(s_k+1) - F(s_k)|, of the worse of the two half-lines.

    1 if and only if the curve is monotonic on either side of s_0; 0 where one side comes back to where it began. A side that
    is constant counts 1. Of a centre between two points, the sides begin at these.

    Args:
        curves: (n, m) values.
        center: (n,) twice the index of s_0.

    Examples:
        >>> monotonicity(np.array([[4.0, 1.0, 0.0, 1.0, 4.0], [1.0, 0.0, 0.0, 3.0, 2.0]]), np.array([4, 4])).tolist()
        [1.0, 0.5]
    """
    values = np.asarray(curves, dtype=float)
    worse = np.ones(len(values))
    for k, (curve, doubled) in enumerate(zip(values, np.asarray(center, dtype=int), strict=True)):
        for side in (curve[: doubled // 2 + 1], curve[(doubled + 1) // 2 :]):
            variation = np.abs(np.diff(side)).sum()
            if variation > 0:
                worse[k] = min(worse[k], abs(side[-1] - side[0]) / variation)
    return worse


class Separability(NamedTuple):
    """A table F(s_j, image_i) against its best sum G(s_j) + H(image_i): two-way analysis of variance without interaction.

    Attributes:
        explained: share of the variance of F that the sum explains. It is near 1 as well where F hardly depends on s.
        shape: share of the variance along s, within the images, that the common shape G explains: 1 only if all curves are
            shifted copies of one.
        interaction: (n,) sum of squares of each image that the sum leaves.
        total: (n,) each image's sum of squares about the mean of all values.
        within: (n,) each image's sum of squares about its own mean.
    """

    explained: float
    shape: float
    interaction: Curves
    total: Curves
    within: Curves


def separability(curves: Curves) -> Separability:
    """Additive separability of n curves at the same m places (jetley2018, section 1: F = G(i^d) + H(i^perp)).

    The best sum in the squares takes the means: G(s_j) + H(image_i) = mean_i F + mean_j F - mean F. Both shares are NaN where
    there is no variance to explain.

    Args:
        curves: (n, m) values, a row an image.

    Examples:
        >>> sums = np.array([[0.0, 1.0, 4.0], [10.0, 11.0, 14.0]])
        >>> separability(sums).explained, separability(sums * [[1], [-1]]).shape
        (1.0, 0.0)
    """
    values = np.asarray(curves, dtype=float)
    within = values - values.mean(1, keepdims=True)
    left = ((within - within.mean(0)) ** 2).sum(1)
    total, within_squares = ((values - values.mean()) ** 2).sum(1), (within**2).sum(1)
    return Separability(explained(left, total), explained(left, within_squares), left, total, within_squares)


def explained(left: Curves, total: Curves) -> float:
    """1 - sum left / sum total; NaN without a total.

    Examples:
        >>> explained(np.array([1.0, 0.0]), np.array([2.0, 2.0]))
        0.75
    """
    return float(1 - left.sum() / total.sum()) if total.sum() > 0 else float("nan")


def linearised(left: Curves, total: Curves) -> Curves:
    """(n,) numbers, one an image, whose mean is 1 - sum left / sum total, for the interval of that ratio of sums (delta method).

    Args:
        left: (n,) sums of squares that are left.
        total: (n,) sums of squares.

    Examples:
        >>> linearised(np.array([1.0, 0.0]), np.array([2.0, 2.0])).tolist()
        [0.5, 1.0]
    """
    share = explained(left, total)
    if np.isnan(share):
        return np.full(len(left), np.nan)
    return np.asarray(share - (left - (1 - share) * total) / total.mean())


def interaction_share(grids: Curves) -> Curves:
    """(n,) share of the variance of F(s, t) over a grid of steps along two directions that no sum A(s) + B(t) explains.

    0: the directions change the score independently of each other; NaN of an image whose score is constant on the grid.

    Args:
        grids: (n, p, q) values of each image.

    Examples:
        s + t, and s t about the middle of either:

        >>> s = np.array([-1.0, 0.0, 1.0])
        >>> interaction_share(np.stack([s[:, None] + s, s[:, None] * s])).tolist()
        [0.0, 1.0]
    """
    values = np.asarray(grids, dtype=float)
    centred = values - values.mean((1, 2), keepdims=True)
    left = centred - centred.mean(1, keepdims=True) - centred.mean(2, keepdims=True)
    total = (centred**2).sum((1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, (left**2).sum((1, 2)) / total, np.nan)
