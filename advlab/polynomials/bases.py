"""Two bases of the polynomials of degree n on [0, 1], as feature maps: Bernstein's, and shifted Chebyshev polynomials."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]


def points_in_unit_interval(x: ArrayLike) -> Values:
    """The points as float64.

    Raises:
        ValueError: one of them lies outside [0, 1].
    """
    points = np.asarray(x, dtype=np.float64)
    if not ((points >= 0) & (points <= 1)).all():  # NaN lies outside as well
        raise ValueError("the points must lie in [0, 1]")
    return points


def bernstein_basis(x: ArrayLike, degree: int) -> Values:
    """b_{i,n}(x) = C(n, i) x^i (1 - x)^(n - i) for i = 0..n (barati2021, eq 3).

    Args:
        x: (N,) points in [0, 1].
        degree: n.

    Returns:
        (N, n + 1) values.

    Raises:
        ValueError: the degree is below 0, or a point lies outside [0, 1].
    """
    from scipy.special import gammaln, xlog1py, xlogy  # not at the top: listing and describing need not wait for scipy

    i, points = orders(degree), points_in_unit_interval(x)[:, None]
    log_binomials = gammaln(degree + 1) - gammaln(i + 1) - gammaln(degree - i + 1)  # C(n, i) itself overflows
    values: Values = np.exp(log_binomials + xlogy(i, points) + xlog1py(degree - i, -points))
    return values


def chebyshev_basis(x: ArrayLike, degree: int) -> Values:
    """T*_i(x) = T_i(2x - 1) for i = 0..n (barati2021, section III.A).

    Args:
        x: (N,) points in [0, 1].
        degree: n.

    Returns:
        (N, n + 1) values.

    Raises:
        ValueError: the degree is below 0, or a point lies outside [0, 1].
    """
    orders(degree)
    values: Values = chebyshev.chebvander(2 * points_in_unit_interval(x) - 1, degree).astype(np.float64, copy=False)
    return values


def orders(degree: int) -> NDArray[Any]:
    """The orders 0..n of the members of a basis of degree n.

    Raises:
        ValueError: n is below 0.
    """
    if degree < 0:
        raise ValueError(f"a polynomial's degree must be 0 or more, got {degree}")
    return np.arange(degree + 1)


BASES: dict[str, Callable[[ArrayLike, int], Values]] = {"chebyshev": chebyshev_basis, "bernstein": bernstein_basis}
