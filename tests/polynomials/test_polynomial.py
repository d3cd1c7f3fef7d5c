"""Shares, extrema and intervals of polynomials against a dense grid and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial.chebyshev import chebder

from advlab.polynomials.bases import Values, bernstein_basis
from advlab.polynomials.polynomial import (  # fmt: skip
    chebyshev_coefficients,
    critical_points,
    evaluate,
    extreme_scores,
    inner_extrema,
    largest_value,
    longest_interval,
    real_roots,
    wrong_share,
)

DENSE = (np.arange(400_000) + 0.5) / 400_000


def random_polynomial(seed: int, degree: int = 12) -> Values:
    return np.random.default_rng(seed).normal(size=degree + 1)


@pytest.mark.parametrize("seed", range(8))
def test_shares_and_extrema_are_those_of_a_dense_grid(seed: int) -> None:
    c = random_polynomial(seed)
    f = evaluate(c, DENSE)
    side = np.sign(DENSE - 0.5)
    breaks = real_roots(c)
    assert wrong_share(lambda x: evaluate(c, x), breaks) == pytest.approx((f * side < 0).mean(), abs=1e-4)
    assert wrong_share(lambda x: evaluate(c, x), [*breaks, 0.123]) == pytest.approx((f * side < 0).mean(), abs=1e-4)
    assert largest_value(lambda x: evaluate(c, x), 12) == pytest.approx(abs(f).max(), abs=1e-3)
    inside = (DENSE > 0.2) & (DENSE < 0.7)
    assert largest_value(lambda x: evaluate(c, x), 12, low=0.2, high=0.7) == pytest.approx(
        abs(f[inside]).max(), abs=1e-3
    )
    scores = extreme_scores(c)
    assert scores.min() == pytest.approx((f * side).min(), abs=1e-3)
    assert abs(scores).max() == pytest.approx(abs(f).max(), abs=1e-3)
    assert abs(1 - scores).max() == pytest.approx(abs(side - f).max(), abs=1e-3)
    signs = np.flatnonzero(np.diff(np.sign(f)))
    lengths = np.diff([0, *((signs + 1) / len(DENSE)), 1])
    assert longest_interval(lambda x: evaluate(c, x), breaks) == pytest.approx(lengths.max(), abs=1e-4)


def test_the_centre_counts_with_both_labels() -> None:
    """f = 1/2 everywhere: wrong on the left half, by 1/2 less than nothing."""
    assert sorted(set(extreme_scores([0.5, 0.0, 0.0]).tolist())) == [-0.5, 0.5]
    assert wrong_share(lambda x: evaluate([0.5], x), []) == 0.5


@pytest.mark.parametrize("seed", range(8))
def test_extrema_are_those_of_a_dense_grid_and_complex_roots_of_the_slope_are_none(seed: int) -> None:
    f = evaluate(random_polynomial(seed), DENSE)
    turns = np.flatnonzero(np.diff(np.sign(np.diff(f)))) + 1
    assert inner_extrema(random_polynomial(seed)) == pytest.approx(DENSE[turns], abs=1e-5)
    rising = chebyshev_coefficients(lambda x: (x - 0.3) ** 3 + 0.01 * x, 3)  # its slope has the roots .3 ± .058i
    assert len(real_roots(chebder(rising)))
    assert inner_extrema(rising).size == 0
    assert inner_extrema([0, 0, 0, 1.0]) == pytest.approx([0.25, 0.75])


def test_roots_and_critical_points_by_hand() -> None:
    """T*_3 = cos 3t has the roots of its grid; its extrema lie where it is 1 or -1."""
    c = [0, 0, 0, 1.0]
    assert real_roots(c) == pytest.approx([(1 - np.cos(t)) / 2 for t in np.pi * np.array([1, 3, 5]) / 6])
    assert critical_points(c) == pytest.approx([0, 0.25, 0.75, 1])
    assert real_roots([0, 1, 0, 1e-18]) == pytest.approx([0.5])  # of rounding errors no roots are made
    assert len(real_roots([1.0])) == 0


def test_a_double_root_is_kept() -> None:
    """(x - 0.3)^2 has one point where it may change its sign, and does not."""
    c = chebyshev_coefficients(lambda x: (x - 0.3) ** 2, 2)
    assert real_roots(c) == pytest.approx([0.3, 0.3], abs=1e-6)
    assert wrong_share(lambda x: (x - 0.3) ** 2, real_roots(c)) == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("degree", [1, 5, 30])
def test_coefficients_of_another_basis(degree: int) -> None:
    weights = np.random.default_rng(degree).normal(size=degree + 1)
    c = chebyshev_coefficients(lambda x: bernstein_basis(x, degree) @ weights, degree)
    assert evaluate(c, DENSE[::1000]) == pytest.approx(bernstein_basis(DENSE[::1000], degree) @ weights, abs=1e-12)
