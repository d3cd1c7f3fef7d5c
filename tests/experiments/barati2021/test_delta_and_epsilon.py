"""Section III.A of barati2021: what is left of delta and epsilon on growing grids, against a dense grid of points."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.polynomial.chebyshev import chebval

from advlab.config import components
from advlab.polynomials.bases import chebyshev_basis
from advlab.polynomials.grids import equispaced, nearest_label
from advlab.polynomials.max_margin import max_margin
from tests.helpers.data_free import measured_without_data

TrainingGrids = components.REGISTRIES["experiment"].load("training_grids")
FEW = {"grids": ["equispaced", "roots"], "sizes": [10, 80, 150, 500]}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return measured_without_data("training_grids", **FEW)


def numbers(table: pd.DataFrame, grid: str, quantity: str) -> dict[int, float]:
    rows = table[(table["grid"] == grid) & (table["quantity"] == quantity)]
    return dict(zip(rows["m"], rows["value"], strict=True))


def verdicts(table: pd.DataFrame, **sizes: int) -> dict[tuple[str, str], str]:
    experiment = TrainingGrids(TrainingGrids.Params(**FEW, **sizes))
    return {(claim.subset, claim.claim): claim.verdict for claim in experiment.claims(table)}


def test_delta_falls_and_epsilon_does_not_by_a_dense_grid(table: pd.DataFrame) -> None:
    """Section III.A: 29 times fewer errors from m = 10 to 80, and the worst of them moves from -.49 to -.33 only."""
    delta, least = (numbers(table, "equispaced", name) for name in ("wrong_share", "worst"))
    x = (np.arange(200_000) + 0.5) / 200_000
    for m, worst in ((10, -0.49), (80, -0.33)):
        weights = max_margin(chebyshev_basis(equispaced(m), 30), nearest_label(equispaced(m))).weights
        scores = chebval(2 * x - 1, weights) * np.sign(x - 0.5)
        assert least[m] == pytest.approx(scores.min(), abs=1e-6)
        assert least[m] == pytest.approx(worst, abs=5e-3)
        assert delta[m] == pytest.approx((scores < 0).mean(), abs=2e-5)
    assert delta[10] / delta[80] == pytest.approx(29, abs=0.5)
    claims = {c.claim: c for c in TrainingGrids(TrainingGrids.Params(**FEW)).claims(table)}
    assert claims["delta-vanishes"].estimate == delta[80] / delta[10]
    assert claims["epsilon-stays"].estimate == least[80] / least[10]
    names = ("delta-vanishes", "epsilon-stays", "epsilon-slower", "control-epsilon-vanishes")
    assert [claims[name].verdict for name in names] == ["holds"] * 4


def test_claims_about_delta_and_epsilon_turn_round(table: pd.DataFrame) -> None:
    """Errors as frequent at m = 80 as at 10, and shallow; and a Chebyshev grid that keeps deep ones."""
    other = table.copy()
    at_80 = other["m"] == 80
    other.loc[at_80 & (other["quantity"] == "wrong_share"), "value"] = 0.2
    other.loc[at_80 & (other["quantity"] == "worst"), "value"] = -0.05
    found = verdicts(other)
    names = ("delta-vanishes", "epsilon-stays", "epsilon-slower")
    assert [found["equispaced", name] for name in names] == ["does not hold"] * 3
    assert found["roots", "control-epsilon-vanishes"] == "does not hold"
    assert ("equispaced", "delta-vanishes") not in verdicts(table, many=500, few=150)  # nothing is wrong from 150 on
