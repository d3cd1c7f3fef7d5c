"""How steep the error of a learnt polynomial is at its training points: the objective of optimal points (barati2021, eq 8)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from advlab.polynomials.bases import Values, points_in_unit_interval
from advlab.polynomials.expected_loss import Hypotheses
from advlab.polynomials.grids import roots
from advlab.polynomials.polynomial import chebyshev_coefficients


def error_slopes(points: ArrayLike, hypotheses: Hypotheses = "basis") -> float:
    """The sum over x in X of E_H |(h_X - h)'(x)| (eq 8), for n points X and polynomials h of degree n on [0, 1].

    h_X is what is learnt from X labelled by h: the polynomial of degree n through the points (x, h(x)) whose coefficients
    on T*_0..T*_n have the least norm, as a maximum-margin classifier's have. One direction is left open: h - h_X is a multiple
    of q, the product of all (x - x_i) scaled to coefficients of norm 1, by <a, q> for the coefficients a of h. So the objective
    is E|<a, q>| sum of |q'(x_i)|. Of n + 1 points or more every X has the objective 0.

    Args:
        points: X, (n,) with n at least 1; points that coincide are the limit of points that approach each other.
        hypotheses: H, as in `expected_loss`: one of T*_0..T*_n, each as likely, or their Gaussian sums.

    Raises:
        ValueError: there is no point, or one lies outside [0, 1].
    """
    x = points_in_unit_interval(points)
    n = len(x)
    if not n:
        raise ValueError("the objective of equation 8 needs at least one point")
    largest = _log_product(roots(n + 1), x).max()  # products of many distances leave the range of floats

    def product(z: Values) -> Values:
        signs: Values = np.sign(z[:, None] - x).prod(axis=1)
        return signs * np.exp(_log_product(z, x) - largest)

    coefficients = chebyshev_coefficients(product, n)
    q = coefficients / np.linalg.norm(coefficients)
    slopes = np.exp(_log_product(x, x, skip=True) - largest) / np.linalg.norm(coefficients)
    multiple = np.abs(q).sum() / (n + 1) if hypotheses == "basis" else math.sqrt(2 / (math.pi * (n + 1)))
    return float(multiple * slopes.sum())


def _log_product(z: Values, x: Values, *, skip: bool = False) -> Values:
    """(K,) logarithms of the products of |z_k - x_i| over i, with `skip` over i other than k."""
    distances = np.abs(z[:, None] - x)
    if skip:
        np.fill_diagonal(distances, 1.0)
    with np.errstate(divide="ignore"):  # of a product 0
        logarithms: Values = np.log(distances).sum(axis=1)
    return logarithms
