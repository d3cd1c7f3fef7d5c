"""The exact hard margin against optimality conditions, other solvers and the closed forms of two points."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import minimize, nnls
from sklearn.svm import SVC

from advlab.errors import MeasurementError
from advlab.polynomials import max_margin as module
from advlab.polynomials.bases import BASES, bernstein_basis, chebyshev_basis
from advlab.polynomials.grids import equispaced, nearest_label, roots
from advlab.polynomials.max_margin import max_margin, nonnegative_least_squares
from advlab.polynomials.two_points import bernstein_classifier, chebyshev_classifier, chebyshev_classifier_roots

X = np.linspace(0, 1, 101)


def problem(seed: int, count: int = 20, size: int = 8) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Random points that some hyperplane through the origin separates."""
    random = np.random.default_rng(seed)
    features, normal = random.normal(size=(count, size)), random.normal(size=size)
    return features, np.sign(features @ normal)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("seed", range(20))
def test_the_optimality_conditions_hold(seed: int, scale: float) -> None:
    """They are sufficient: the problem is convex."""
    features, labels = problem(seed)
    features = features * scale
    found = max_margin(features, labels)
    scores = labels * (features @ found.weights)
    assert scores.min() == pytest.approx(1, abs=1e-10)
    assert (found.dual >= 0).all()
    assert found.weights == pytest.approx(features.T @ (found.dual * labels), rel=1e-10)
    assert found.dual * (scores - 1) == pytest.approx(np.zeros(len(labels)), abs=1e-9 * found.dual.max())
    assert found.margin == pytest.approx(1 / np.linalg.norm(found.weights))
    assert found.margin == pytest.approx((scores / np.linalg.norm(found.weights)).min())
    assert 0 < found.support <= features.shape[1]


@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_slsqp_finds(seed: int) -> None:
    features, labels = problem(seed, 15, 5)
    constraint = {
        "type": "ineq",
        "fun": lambda w: labels * (features @ w) - 1,
        "jac": lambda w: labels[:, None] * features,
    }
    start = max_margin(features[:, ::-1], labels).weights[::-1] * 3 + 0.1  # any will do
    other = minimize(
        lambda w: w @ w / 2, start, jac=lambda w: w, constraints=[constraint], method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )  # fmt: skip
    assert other.success
    assert max_margin(features, labels).weights == pytest.approx(other.x, abs=1e-5 * np.abs(other.x).max())


@pytest.mark.parametrize(("grid", "m"), [(equispaced, 10), (equispaced, 30), (roots, 20)])
def test_it_is_what_libsvm_finds(grid: object, m: int) -> None:
    """A soft margin with a large penalty; its bias is 0 for these points, which mirror each other."""
    x = grid(m)  # type: ignore[operator]
    features, labels = chebyshev_basis(x, 30), nearest_label(x)
    other = SVC(kernel="linear", C=1e6, tol=1e-9).fit(features, labels)
    assert other.intercept_ == pytest.approx([0], abs=1e-6)
    assert max_margin(features, labels).weights == pytest.approx(other.coef_[0], abs=1e-6)


def test_there_is_no_bias() -> None:
    """Of the two points 1 and 3 with labels -1 and 1, no line through the origin separates; with -1 and 3 it does."""
    with pytest.raises(ValueError, match="separates"):
        max_margin([[1.0], [3.0]], [-1, 1])
    assert max_margin([[-1.0], [3.0]], [-1, 1]).weights == pytest.approx([1.0])
    assert max_margin([[1.0, 1.0], [3.0, 1.0]], [-1, 1]).weights == pytest.approx([1.0, -2.0])


@pytest.mark.parametrize(
    ("features", "labels", "fault"),
    [
        ([[1.0, 0.0], [1.0, 0.0]], [1, -1], "separates"),
        ([[0.0, 0.0]], [1], "separates"),
        ([[1.0], [2.0]], [1, 0], "-1 or 1"),
        ([[1.0], [np.nan]], [1, -1], "finite"),
        ([[1.0], [2.0]], [1], r"\(N, D\)"),
        ([1.0, 2.0], [1, 1], r"\(N, D\)"),
        (np.zeros((0, 3)), [], r"\(N, D\)"),
        (np.zeros((3, 0)), [1, 1, 1], r"\(N, D\)"),
    ],
)
def test_what_has_no_solution_is_refused(features: object, labels: object, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        max_margin(features, labels)  # type: ignore[arg-type]


def test_a_solution_that_is_none_is_not_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "nonnegative_least_squares", lambda system, target: np.full(system.shape[1], 0.01))
    with pytest.raises(MeasurementError, match="ill-conditioned"):
        max_margin(*problem(0))


@pytest.mark.parametrize("seed", range(30))
def test_nonnegative_least_squares_is_scipys(seed: int) -> None:
    random = np.random.default_rng(seed)
    system = random.normal(size=(random.integers(2, 20), random.integers(1, 40)))
    target = random.normal(size=len(system))
    found = nonnegative_least_squares(system, target)
    assert (found >= 0).all()
    gradient = system.T @ (target - system @ found)
    assert gradient.max() < 1e-8
    assert gradient * found == pytest.approx(np.zeros(len(found)), abs=1e-10)
    assert np.linalg.norm(system @ found - target) == pytest.approx(nnls(system, target)[1], abs=1e-10)


def test_nonnegative_least_squares_of_points_that_repeat() -> None:
    """Two equal columns, a zero one, and one that only a negative weight would use."""
    system = np.array([[1.0, 1.0, 0.0, -1.0], [0.0, 0.0, 0.0, 1.0]])
    assert system @ nonnegative_least_squares(system, np.array([2.0, 0.0])) == pytest.approx([2, 0])
    assert nonnegative_least_squares(system, np.array([0.0, -1.0])).tolist() == [0, 0, 0, 0]


# two points


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 5, 9, 30, 31])
@pytest.mark.parametrize(
    ("basis", "closed"), [("bernstein", bernstein_classifier), ("chebyshev", chebyshev_classifier)]
)
def test_closed_forms_are_the_solutions(basis: str, closed: object, degree: int) -> None:
    trained = max_margin(BASES[basis]([0, 1], degree), [-1, 1])
    assert closed(X, degree) == pytest.approx(BASES[basis](X, degree) @ trained.weights, abs=1e-12)  # type: ignore[operator]


@pytest.mark.parametrize("degree", [1, 2, 3, 8, 9])
def test_equation_7_has_margin_one_for_odd_degrees_only(degree: int) -> None:
    orders = [2 * i + 1 for i in range((degree - 1) // 2 + 1)]
    equation = 2 / (degree + 1) * chebyshev_basis(X, degree)[:, orders].sum(axis=1)
    assert equation[-1] == pytest.approx(float(Fraction(degree + degree % 2, degree + 1)))
    assert equation / equation[-1] == pytest.approx(chebyshev_classifier(X, degree), abs=1e-12)


@pytest.mark.parametrize("degree", [1, 2, 3, 6, 31, 200])
def test_the_roots_of_g_are_all_in_the_interval(degree: int) -> None:
    found = chebyshev_classifier_roots(degree)
    assert len(found) == degree - 1 + degree % 2
    assert (np.diff(found) > 0).all()
    assert chebyshev_classifier(found, degree) == pytest.approx(np.zeros(len(found)), abs=1e-12)


def test_what_the_specification_says_of_f_31() -> None:
    assert abs(bernstein_classifier([0.4], 31)[0]) == pytest.approx(1.3e-7, abs=0.05e-7)
    assert bernstein_basis([0.5], 31).sum() == pytest.approx(1)


@pytest.mark.parametrize("closed", [bernstein_classifier, chebyshev_classifier])
def test_a_constant_is_no_classifier(closed: object) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        closed(X, 0)  # type: ignore[operator]
