"""Exact numbers about a polynomial on [0, 1]: where its sign is wrong, where it is extreme, and how large it becomes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike

from advlab.polynomials.bases import Values, chebyshev_basis
from advlab.polynomials.grids import roots

ROUNDING = 1e-12  # points of [0, 1] that are nearer to each other count as one
RealFunction = Callable[[Values], Values]


def wrong_share(function: RealFunction, breaks: ArrayLike) -> float:
    """Share of [0, 1] where the sign of a function is not that of x - 1/2.

    Args:
        function: of (N,) points.
        breaks: its roots in (0, 1). Points that are no roots only split an interval, and change nothing.
    """
    widths, middles = intervals(breaks)
    return float(widths[np.sign(function(middles)) != np.sign(middles - 0.5)].sum())


def longest_interval(function: RealFunction, breaks: ArrayLike) -> float:
    """Length of the longest interval on which a function keeps its sign; `breaks` are its roots in (0, 1)."""
    widths, middles = intervals(breaks)
    signs = np.sign(function(middles))
    starts = np.concatenate([[0], np.flatnonzero(np.diff(signs)) + 1])
    return float(np.add.reduceat(widths, starts).max())


def intervals(breaks: ArrayLike) -> tuple[Values, Values]:
    """Lengths and middles of the intervals between 0, 1/2, 1 and `breaks`, from the left."""
    edges = np.unique(np.concatenate([[0.0, 0.5, 1.0], np.asarray(breaks, dtype=np.float64)]))
    edges = edges[(edges >= 0) & (edges <= 1)]
    edges = edges[np.concatenate([[True], np.diff(edges) > ROUNDING])]  # a root that should be 1/2 is not quite
    return np.diff(edges), (edges[1:] + edges[:-1]) / 2


def real_roots(coefficients: ArrayLike) -> Values:
    """Points of (0, 1), ascending, that hold all roots there of the polynomial sum of c_i T*_i.

    They are the real parts of all roots, which are the eigenvalues of the colleague matrix (Good 1961). Rounding turns a
    double root into a pair of complex ones, which is not lost in this way; on the other hand, some points may be no roots.
    """
    trimmed = chebyshev.chebtrim(coefficients, tol=1e-14 * np.abs(coefficients).max())
    real = (np.real(chebyshev.chebroots(trimmed)) + 1) / 2
    return np.sort(real[(real > 0) & (real < 1)])


def critical_points(coefficients: ArrayLike) -> Values:
    """Points of [0, 1], ascending, that hold all extrema of the polynomial sum of c_i T*_i, and both ends."""
    derivative = chebyshev.chebder(np.asarray(coefficients, dtype=np.float64))
    return np.concatenate([[0.0], real_roots(derivative), [1.0]])


def inner_extrema(coefficients: ArrayLike) -> Values:
    """Points of (0, 1), ascending, where the polynomial sum of c_i T*_i has a local maximum or minimum: its slope changes sign."""
    slope, points = chebyshev.chebder(np.asarray(coefficients, dtype=np.float64)), critical_points(coefficients)
    points = points[np.concatenate([[True], np.diff(points) > ROUNDING])]  # a pair of complex roots is one point
    signs = np.sign(chebyshev.chebval(points[1:] + points[:-1] - 1, slope))  # in the middle of each interval
    return points[1:-1][signs[1:] != signs[:-1]]


def extreme_scores(coefficients: ArrayLike) -> Values:
    """The scores y f(x) of a polynomial f = sum of c_i T*_i at all points of [0, 1] where they may be extreme.

    The label y is the sign of x - 1/2; at 1/2, which has none, both are taken. The least score is below 0 where a sign is
    wrong, and the largest |score| is the largest |f|.
    """
    points = critical_points(coefficients)
    at_centre = evaluate(coefficients, [0.5])
    return np.concatenate([np.sign(points - 0.5) * evaluate(coefficients, points), at_centre, -at_centre])


def distance_from_labels(coefficients: ArrayLike, *, apart: float) -> float:
    """The largest |f(x) - y| of a polynomial f = sum of c_i T*_i where |x - 1/2| >= `apart`; y is the sign of x - 1/2.

    The labels jump at 1/2: with `apart` 0 no continuous function comes nearer than 1.
    """
    points = critical_points(coefficients)
    sides = np.clip(points, 0.0, 0.5 - apart), np.clip(points, 0.5 + apart, 1.0)  # the nearer end may be extreme
    return max(float(np.abs(evaluate(coefficients, x) - y).max()) for x, y in zip(sides, (-1.0, 1.0), strict=True))


def largest_value(function: RealFunction, degree: int, *, low: float = 0.0, high: float = 1.0) -> float:
    """The largest |f| on [low, high] of a polynomial of degree n, given as a function of (N,) points."""
    points = critical_points(chebyshev_coefficients(function, degree))
    inside = np.clip(points, low, high)  # a point outside is replaced by the nearer end, which may be extreme
    return float(np.abs(function(inside)).max())


def chebyshev_coefficients(function: RealFunction, degree: int) -> Values:
    """(n + 1,) c_i of a polynomial of degree n as sum of c_i T*_i, by interpolation at the roots of T*_{n+1}."""
    points = roots(degree + 1)
    coefficients: Values = chebyshev_basis(points, degree).T @ function(points) * (2 / len(points))
    coefficients[0] /= 2
    return coefficients


def evaluate(coefficients: ArrayLike, x: ArrayLike) -> Values:
    """The polynomial sum of c_i T*_i at (N,) points in [0, 1]."""
    weights = np.asarray(coefficients, dtype=np.float64)
    return chebyshev_basis(x, len(weights) - 1) @ weights
