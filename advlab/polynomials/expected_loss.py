"""The loss of a polynomial against itself, expected over a family: what hard training points maximise (barati2021)."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from advlab.polynomials.bases import Values, chebyshev_basis, orders
from advlab.polynomials.polynomial import critical_points, evaluate

Hypotheses = Literal["basis", "gaussian"]
VALUES_AT_ONCE = 1 << 20  # of h(x), for all drawn hypotheses h and points x that are held together: 8 MB


def basis_loss_coefficients(degree: int) -> Values:
    """The loss of eq 12 as a sum of c_i T*_i; its coefficients c_i, (2n + 1,).

    L(x) = 1/(n + 1) sum over i = 0..n of 1 - T*_i(x)^2 = 1/2 - (T*_0 + T*_2 + ... + T*_2n)(x) / (2 (n + 1)), because
    2 T_i^2 = 1 + T_2i. The same is 1/2 - (1 + U_2n(2x - 1)) / (4 (n + 1)).

    Raises:
        ValueError: n is below 0.
    """
    coefficients = np.zeros(2 * len(orders(degree)) - 1)
    coefficients[::2] = -0.5 / (degree + 1)
    coefficients[0] += 0.5
    return coefficients


def expected_loss(x: ArrayLike, degree: int, hypotheses: Hypotheses = "basis") -> Values:
    """E_H[max(0, 1 - h(x)^2)] of eq 11 in closed form: the hinge loss of h against its own prediction.

    Args:
        x: (N,) points in [0, 1].
        degree: n.
        hypotheses: H. `basis`: one of T*_0..T*_n, each as likely (eq 12), for which the maximum is never taken.
            `gaussian`: sums of a_i T*_i with independent Gaussian a_i of mean 0 and variance 1 / (n + 1), for which it
            is; the paper has no such family. Both losses fall as the sum of T*_i(x)^2 rises, and have the same maxima.

    Raises:
        ValueError: the degree is below 0, or a point lies outside [0, 1].
    """
    from scipy.special import erf  # not at the top: listing and describing need not wait for scipy

    if hypotheses == "basis":
        return evaluate(basis_loss_coefficients(degree), x)
    deviation = np.sqrt((chebyshev_basis(x, degree) ** 2).mean(axis=1))  # of h(x); never 0, T*_0 is among them
    inside = erf(1 / (deviation * math.sqrt(2)))  # the chance that |h(x)| < 1
    loss: Values = (1 - deviation**2) * inside + deviation * math.sqrt(2 / math.pi) * np.exp(-0.5 / deviation**2)
    return loss


def mean_loss(degree: int, hypotheses: Hypotheses = "basis") -> float:
    """The expected loss of a point drawn uniformly from [0, 1], by Gauss-Legendre quadrature (exact for `basis`)."""
    nodes, weights = np.polynomial.legendre.leggauss(4 * degree + 40)
    return float(weights @ expected_loss((nodes + 1) / 2, degree, hypotheses)) / 2


def sampled_loss(
    x: ArrayLike, degree: int, hypotheses: Hypotheses = "basis", *, draws: int, seed: int
) -> tuple[Values, Values]:
    """Eq 11 by Monte Carlo: the mean hinge loss over drawn hypotheses, and the mean's standard error.

    Args:
        x: (N,) points in [0, 1].
        degree: n.
        hypotheses: as in `expected_loss`.
        draws: hypotheses, at least 2.
        seed: of the draws.

    Returns:
        two arrays (N,).

    Raises:
        ValueError: fewer than 2 draws, a degree below 0, or a point outside [0, 1].
    """
    if draws < 2:
        raise ValueError(f"a mean with an error needs at least 2 draws, got {draws}")
    generator = np.random.default_rng(seed)
    features = chebyshev_basis(x, degree).T
    loss_sum, square_sum = np.zeros(features.shape[1]), np.zeros(features.shape[1])
    draws_at_once = max(1, VALUES_AT_ONCE // features.shape[1])
    for start in range(0, draws, draws_at_once):
        size = min(draws_at_once, draws - start)
        if hypotheses == "basis":
            values = features[generator.integers(degree + 1, size=size)]
        else:
            values = generator.normal(scale=(degree + 1) ** -0.5, size=(size, degree + 1)) @ features
        loss = np.maximum(0, 1 - values**2)
        loss_sum += loss.sum(axis=0)
        square_sum += (loss**2).sum(axis=0)
    mean = loss_sum / draws
    variance = np.maximum(0, square_sum / draws - mean**2) * draws / (draws - 1)
    return mean, np.sqrt(variance / draws)


def hardest_points(degree: int) -> Values:
    """The n points of (0, 1) where the expected loss has its local maxima, ascending; the same for both families.

    Raises:
        ValueError: the degree is below 1: the loss of a constant is one everywhere.
    """
    if degree < 1:
        raise ValueError(f"the expected loss needs a degree of at least 1, got {degree}")
    # between 0 and 1, U_2n has 2n - 1 simple extrema, of which the first, the third, ... are maxima of the loss
    return critical_points(basis_loss_coefficients(degree))[1:-1:2]
