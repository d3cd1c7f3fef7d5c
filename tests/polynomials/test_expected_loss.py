"""The expected loss of figure 3 against its definition, quadrature and the numbers of the specification."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import eval_chebyu

from advlab.polynomials.bases import chebyshev_basis
from advlab.polynomials.expected_loss import Hypotheses, expected_loss, hardest_points, mean_loss, sampled_loss
from advlab.polynomials.grids import lobatto, roots

X = np.linspace(0, 1, 1001)


@pytest.mark.parametrize("n", [0, 1, 2, 10, 31])
def test_the_closed_form_is_equation_12(n: int) -> None:
    brute = sum(1 - chebyshev_basis(X, n)[:, i] ** 2 for i in range(n + 1)) / (n + 1)
    assert expected_loss(X, n) == pytest.approx(brute, abs=1e-13)


@pytest.mark.parametrize("n", [1, 10, 15])
def test_and_what_the_specification_says(n: int) -> None:
    assert expected_loss(X, n) == pytest.approx(0.5 - (1 + eval_chebyu(2 * n, 2 * X - 1)) / (4 * (n + 1)), abs=1e-12)
    assert expected_loss(roots(n), n) == pytest.approx(np.full(n, 0.5), abs=1e-12)
    assert expected_loss(lobatto(n + 1)[1:-1], n) == pytest.approx(np.full(n - 1, n / (2 * (n + 1))), abs=1e-12)
    assert expected_loss([0, 1], n) == pytest.approx([0, 0], abs=1e-12)


def test_the_maxima_of_figure_3() -> None:
    points = hardest_points(10)
    assert points[:5] == pytest.approx([0.0114, 0.0660, 0.1591, 0.2826, 0.4253], abs=1e-4)
    assert points == pytest.approx(1 - points[::-1], abs=1e-12)
    assert expected_loss(points, 10)[:3] == pytest.approx([0.582, 0.523, 0.508], abs=5e-4)
    assert expected_loss(points, 10)[3:5] == pytest.approx([0.5025, 0.5003], abs=1e-4)
    assert roots(10)[:5] == pytest.approx([0.0062, 0.0545, 0.1464, 0.2730, 0.4218], abs=1e-4)
    assert abs(points - roots(10)).max() == pytest.approx(0.0127, abs=1e-4)


@pytest.mark.parametrize("family", ["basis", "gaussian"])
@pytest.mark.parametrize("n", [1, 2, 5, 10, 40])
def test_local_maxima_are_those_of_a_dense_grid_for_both_families(n: int, family: Hypotheses) -> None:
    x = (1 - np.cos(np.linspace(0, np.pi, 40_001))) / 2
    loss = expected_loss(x, n, family)
    peaks = x[1:-1][(loss[1:-1] > loss[:-2]) & (loss[1:-1] >= loss[2:])]
    assert hardest_points(n) == pytest.approx(peaks, abs=1e-4)


@pytest.mark.parametrize("n", [1, 4, 10])
def test_the_gaussian_form_is_its_integral(n: int) -> None:
    for x in (0.0, 0.07, 0.5, 0.9):
        s = float(np.sqrt((chebyshev_basis([x], n) ** 2).sum() / (n + 1)))
        expected, _ = quad(lambda h: (1 - h * h) * np.exp(-h * h / (2 * s * s)) / (s * np.sqrt(2 * np.pi)), -1, 1)  # noqa: B023
        assert expected_loss([x], n, "gaussian")[0] == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("family", ["basis", "gaussian"])
def test_drawn_hypotheses_agree_with_the_closed_form(family: Hypotheses) -> None:
    x = lobatto(41)
    means, errors = sampled_loss(x, 10, family, draws=40_000, seed=3)
    assert abs(means - expected_loss(x, 10, family)).max() < 4.5 * errors.max()
    assert (errors[1:-1] > 1e-4).all()
    assert errors.max() < 3e-3
    again, _ = sampled_loss(x, 10, family, draws=40_000, seed=4)
    assert abs(again - means).max() > 1e-5  # another seed draws others


def test_the_standard_error_is_that_of_the_draws() -> None:
    many = np.array([sampled_loss([0.03], 10, draws=50, seed=seed) for seed in range(400)])[..., 0]
    assert many[:, 0].std() == pytest.approx(many[:, 1].mean(), rel=0.15)


@pytest.mark.parametrize("family", ["basis", "gaussian"])
def test_the_mean_is_that_of_a_dense_grid(family: Hypotheses) -> None:
    x = (np.arange(200_000) + 0.5) / 200_000
    assert mean_loss(10, family) == pytest.approx(expected_loss(x, 10, family).mean(), abs=1e-7)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="degree"):
        hardest_points(0)
    with pytest.raises(ValueError, match="degree"):
        expected_loss([0.5], -1)
    with pytest.raises(ValueError, match="draws"):
        sampled_loss([0.5], 3, draws=1, seed=0)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        expected_loss([1.5], 3)
