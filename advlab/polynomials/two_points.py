"""The maximum-margin classifiers of S = {(0, -), (1, +)} in both bases, in closed form (barati2021, figure 1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from advlab.polynomials.bases import Values, points_in_unit_interval


def bernstein_classifier(x: ArrayLike, degree: int) -> Values:
    """f_n(x) = x^n - (1 - x)^n (eq 5), of margin 1 at both points; its only root is 1/2.

    Args:
        x: points in [0, 1].
        degree: n, at least 1.

    Raises:
        ValueError: the degree is below 1, or a point lies outside [0, 1].
    """
    points = points_in_unit_interval(x)
    return points ** separating_degree(degree) - (1 - points) ** degree


def chebyshev_classifier(x: ArrayLike, degree: int) -> Values:
    """g_n(x) = U_k(2x - 1) / (k + 1) with k the largest odd number up to n, of margin 1 at both points.

    For odd n it is eq 7, since T_1 + T_3 + ... + T_k = U_k / 2. For even n, eq 7 gives n / (n + 1) at x = 1, because
    its factor 2 / (n + 1) counts the even orders, whose weights are 0; the classifier of margin 1 has 2 / n. The signs
    are the same.

    Args:
        x: points in [0, 1].
        degree: n, at least 1.

    Raises:
        ValueError: the degree is below 1, or a point lies outside [0, 1].
    """
    from scipy.special import eval_chebyu  # not at the top: listing and describing need not wait for scipy

    k = odd_order(degree)
    values: Values = eval_chebyu(k, 2 * points_in_unit_interval(x) - 1) / (k + 1)
    return values


def chebyshev_classifier_roots(degree: int) -> Values:
    """The k roots of g_n in (0, 1), ascending: (1 + cos(j pi / (k + 1))) / 2 for j = k..1.

    Raises:
        ValueError: the degree is below 1.
    """
    k = odd_order(degree)
    return (1 + np.cos(np.arange(k, 0, -1) * np.pi / (k + 1))) / 2


def odd_order(degree: int) -> int:
    """The largest odd number up to n.

    Raises:
        ValueError: n is below 1.
    """
    return separating_degree(degree) - 1 + degree % 2


def separating_degree(degree: int) -> int:
    """The degree, if polynomials of that degree can tell 0 from 1.

    Raises:
        ValueError: it is below 1.
    """
    if degree < 1:
        raise ValueError(f"a polynomial of degree {degree} cannot tell 0 from 1: the degree must be at least 1")
    return degree
