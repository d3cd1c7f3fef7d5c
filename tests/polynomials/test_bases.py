"""The bases and the grids against their definitions, written out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from advlab.polynomials.bases import BASES, bernstein_basis, chebyshev_basis
from advlab.polynomials.grids import (
    GRIDS,
    equispaced,
    lobatto,
    lobatto_interior,
    nearest_label,
    roots,
    roots_and_boundary,
)

X = np.linspace(0, 1, 41)


@pytest.mark.parametrize("degree", [0, 1, 2, 7, 30])
def test_bernstein_is_equation_3(degree: int) -> None:
    expected = [[math.comb(degree, i) * x**i * (1 - x) ** (degree - i) for i in range(degree + 1)] for x in X]
    assert bernstein_basis(X, degree) == pytest.approx(np.array(expected), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("degree", [0, 1, 2, 7, 30])
def test_chebyshev_follows_its_recurrence(degree: int) -> None:
    columns = [np.ones_like(X), 2 * X - 1]
    while len(columns) <= degree:
        columns.append(2 * (2 * X - 1) * columns[-1] - columns[-2])
    assert chebyshev_basis(X, degree) == pytest.approx(np.stack(columns[: degree + 1], axis=1), abs=1e-12)


def test_at_the_ends_they_are_what_the_paper_says() -> None:
    n = 9
    assert bernstein_basis([0, 1], n).tolist() == [[1.0] + [0.0] * n, [0.0] * n + [1.0]]
    assert chebyshev_basis([0, 1], n).tolist() == [[(-1.0) ** i for i in range(n + 1)], [1.0] * (n + 1)]


def test_bernstein_of_a_high_degree_overflows_nowhere() -> None:
    values = bernstein_basis(X, 3000)
    assert np.isfinite(values).all()
    assert values.sum(axis=1) == pytest.approx(np.ones(len(X)), rel=1e-9)


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("x", [[-0.1], [1.1], [math.nan]])
def test_points_outside_are_refused(basis: str, x: list[float]) -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        BASES[basis](x, 3)


@pytest.mark.parametrize("basis", BASES)
def test_a_negative_degree_is_refused(basis: str) -> None:
    with pytest.raises(ValueError, match="degree"):
        BASES[basis]([0.5], -1)


# grids


@pytest.mark.parametrize("m", [2, 5, 20])
def test_grids_are_where_their_polynomials_say(m: int) -> None:
    def cheb(n: int, x: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        return np.cos(n * np.arccos(2 * x - 1))

    assert equispaced(m).tolist() == pytest.approx([i / (m - 1) for i in range(m)])
    assert cheb(m, roots(m)) == pytest.approx(np.zeros(m), abs=1e-12)
    assert abs(cheb(m - 1, lobatto(m))) == pytest.approx(np.ones(m), abs=1e-12)
    assert roots_and_boundary(m)[1:-1].tolist() == roots(m).tolist()
    assert (lobatto(m)[0], lobatto(m)[-1]) == (0, 1)
    for name, grid in GRIDS.items():
        points = grid(m + 2)
        assert len(points) == m + 2 + {"roots+boundary": 2, "lobatto_interior": -2}.get(name, 0)
        assert (np.diff(points) > 0).all()
        assert points == pytest.approx(1 - points[::-1], abs=1e-15)
        assert (0 in points, 1 in points) == (name not in ("roots", "lobatto_interior"),) * 2
    assert lobatto_interior(m + 2).tolist() == lobatto(m + 2)[1:-1].tolist()


@pytest.mark.parametrize(
    ("name", "m"), [("equispaced", 1), ("roots", 0), ("roots+boundary", 0), ("lobatto", 1), ("lobatto_interior", 2)]
)
def test_grids_that_are_too_small_are_refused(name: str, m: int) -> None:
    with pytest.raises(ValueError, match=f"got {m}"):
        GRIDS[name](m)


@pytest.mark.parametrize("name", GRIDS)
def test_labels_are_the_nearest_neighbours(name: str) -> None:
    for x, label in zip(GRIDS[name](10), nearest_label(GRIDS[name](10)), strict=True):
        assert label == (1 if abs(x - 1) < abs(x) else -1)
    with pytest.raises(ValueError, match="even number"):
        nearest_label(GRIDS[name](11))
