"""Section III.B of barati2021: critical points of g_n - f_n by dense sign changes, and the grids beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from advlab.experiments.barati2021.critical_points import (  # type: ignore[import-not-found]
    critical_points_of_error,
    largest_distance,
)

from advlab.config import components
from tests.helpers.data_free import measured_without_data

BernsteinChebyshev = components.REGISTRIES["experiment"].load("bernstein_chebyshev")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return measured_without_data("bernstein_chebyshev", degrees=[2, 9, 31])


def slope(t: Any, n: int) -> Any:
    """d/dx of g_n - f_n at 2x - 1 = cos t, for odd n: both in closed form, without a basis of polynomials."""
    sine, x = np.sin(t), (1 + np.cos(t)) / 2
    of_g = ((n + 1) * np.cos((n + 1) * t) * sine - np.sin((n + 1) * t) * np.cos(t)) / ((n + 1) * sine**2)
    return of_g * (-2 / sine) - n * (x ** (n - 1) + (1 - x) ** (n - 1))


@pytest.mark.parametrize("n", [3, 9, 31, 101])
def test_critical_points_by_sign_changes_and_bisection(n: int) -> None:
    t = np.linspace(1e-3, np.pi - 1e-3, 400 * n)
    changes = np.flatnonzero(np.diff(np.sign(slope(t, n))))
    low, high = t[changes], t[changes + 1]
    for _ in range(60):
        middle = (low + high) / 2
        same = np.sign(slope(middle, n)) == np.sign(slope(low, n))
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    found, values = critical_points_of_error(n)
    assert found == pytest.approx(np.sort((1 + np.cos(low)) / 2), abs=1e-9)
    assert len(found) == n - 1
    assert (np.diff(np.sign(values - np.convolve(values, [0.5, 0.5], "same"))) != 0).any()


def test_the_distances_of_the_specification(table: pd.DataFrame) -> None:
    of_31 = table[(table["degree"] == 31) & (table["basis"] == "difference")].set_index("quantity")["value"]
    assert of_31["from_roots"] == pytest.approx(0.0246, abs=5e-5)
    assert of_31["from_lobatto"] == pytest.approx(0.0107, abs=5e-5)
    points = table[(table["degree"] == 31) & (table["quantity"] == "critical")]["x"].to_numpy()
    grid = np.arange(31) / 30
    assert of_31["from_equispaced"] == pytest.approx(max(min(abs(x - y) for y in grid) for x in points))
    assert not ((table["degree"] == 2) & (table["basis"] == "difference")).any()  # f_2 = g_2


def test_distances_by_hand() -> None:
    assert largest_distance(np.array([0.1, 0.5]), np.array([0.0, 0.2, 0.45, 1.0])) == pytest.approx(0.1)


def verdicts(table: pd.DataFrame) -> dict[tuple[str, str], str]:
    experiment = BernsteinChebyshev(BernsteinChebyshev.Params(degrees=[2, 9, 31]))
    return {(claim.subset, claim.claim): claim.verdict for claim in experiment.claims(table)}


def test_claims_hold_and_turn_round(table: pd.DataFrame) -> None:
    """The paper's statement depends on the Chebyshev grid that is meant: T*_n alternates with the critical points."""
    found = verdicts(table)
    grids = {subset: verdict for (subset, name), verdict in found.items() if name == "critical-points"}
    assert grids == {"roots": "does not hold", "next_roots": "holds", "lobatto": "holds"}
    assert found["equispaced", "control-not-critical-points"] == "holds"
    other = table.copy()
    distances = other["quantity"].str.startswith("from_")
    other.loc[distances, "value"] = 0.02 - other.loc[distances, "value"].clip(upper=0.0199)
    turned = verdicts(other)
    assert turned["roots", "critical-points"] == "holds"
    assert turned["equispaced", "control-not-critical-points"] == "does not hold"
    old = table[table["basis"] != "difference"]  # of version 1
    assert not any("critical" in name for _, name in verdicts(old))
