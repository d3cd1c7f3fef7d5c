"""The objective of equation 8 of barati2021 against polynomials that are learnt, one by one, from drawn hypotheses."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial import chebyshev

from advlab.polynomials.bases import Values, chebyshev_basis
from advlab.polynomials.error_slopes import error_slopes
from advlab.polynomials.grids import equispaced, lobatto, roots


def slopes_of(coefficients: Values, points: Values) -> Values:
    """Derivatives on [0, 1] of the sum of c_i T*_i."""
    return np.asarray(2 * chebyshev.chebval(2 * points - 1, chebyshev.chebder(coefficients)), dtype=np.float64)


def learnt_errors(points: Values, hypotheses: Values) -> float:
    """Mean over hypotheses (K, n + 1) of the summed |slopes|, where each is learnt by least squares of least norm."""
    features = chebyshev_basis(points, len(points))
    total = 0.0
    for h in hypotheses:
        learnt = np.linalg.lstsq(features, features @ h, rcond=None)[0]
        assert features @ learnt == pytest.approx(features @ h, abs=1e-8)
        total += abs(slopes_of(learnt - h, points)).sum()
    return total / len(hypotheses)


SETS = [equispaced(7), lobatto(6), roots(8), np.sort(np.random.default_rng(0).random(6)), np.array([0.3])]


@pytest.mark.parametrize("points", SETS, ids=len)
def test_the_basis_learnt_one_by_one(points: Values) -> None:
    assert error_slopes(points, "basis") == pytest.approx(learnt_errors(points, np.eye(len(points) + 1)), rel=1e-6)


@pytest.mark.parametrize("points", SETS, ids=len)
def test_gaussian_sums_by_monte_carlo(points: Values) -> None:
    drawn = np.random.default_rng(1).normal(scale=(len(points) + 1) ** -0.5, size=(4000, len(points) + 1))
    assert error_slopes(points, "gaussian") == pytest.approx(learnt_errors(points, drawn), rel=0.05)


@pytest.mark.parametrize("n", [2, 10, 31, 300])
def test_nodes_in_closed_form(n: int) -> None:
    """There q = T*_n, whose slopes at its roots are 2 n / sin t: only T*_n is not learnt from them."""
    t = (2 * np.arange(n) + 1) * np.pi / (2 * n)
    assert error_slopes(roots(n), "basis") == pytest.approx((2 * n / np.sin(t)).sum() / (n + 1), rel=1e-9)
    expected = (2 * n / np.sin(t)).sum() * np.sqrt(2 / (np.pi * (n + 1)))
    assert error_slopes(roots(n), "gaussian") == pytest.approx(expected, rel=1e-9)


def test_pairs_that_coincide_solve_equation_8() -> None:
    """At a double root the slope is 0: its infimum over distinct points is 0, and no grid reaches it."""
    pairs = np.array([0.1, 0.1, 0.4, 0.4, 0.8, 0.8])
    assert error_slopes(pairs) == 0
    assert 0 < error_slopes(pairs + 1e-6 * np.array([-1, 1] * 3)) < 1e-3


def test_what_has_no_objective_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        error_slopes([])
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        error_slopes([0.5, 1.5])
