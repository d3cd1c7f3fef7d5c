"""Figure 1 of barati2021: the numbers of the specification, a closed form of the shares, and the claims."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from advlab.config import components
from advlab.config.settings import resolve
from advlab.errors import ConfigError
from tests.helpers.data_free import measured_without_data

BernsteinChebyshev = components.REGISTRIES["experiment"].load("bernstein_chebyshev")


def measured(**options: Any) -> pd.DataFrame:
    return measured_without_data("bernstein_chebyshev", **options)


def number(table: pd.DataFrame, basis: str, n: int, quantity: str) -> float:
    rows = table[(table["basis"] == basis) & (table["degree"] == n) & (table["quantity"] == quantity)]
    return float(rows["value"].item())


def agreement(n: int) -> float:
    """Share of [0, 1] where sin((n + 1) t) / sin t has the sign of cos t, with 2x - 1 = cos t, for odd n."""
    edges = np.cos(np.arange((n + 1) // 2 + 1) * np.pi / (n + 1))  # of the right half, from 1 down to 0
    return float((edges[:-1] - edges[1:])[::2].sum())


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return measured()


def test_the_shares_of_the_specification(table: pd.DataFrame) -> None:
    for n, share in {1: 1.0, 3: 0.293, 5: 0.634, 9: 0.579, 31: 0.475}.items():
        assert 1 - number(table, "chebyshev", n, "wrong_share") == pytest.approx(share, abs=5e-4)
        assert number(table, "bernstein", n, "wrong_share") == 0


def test_the_shares_are_their_closed_form_and_those_of_even_degrees_their_predecessors() -> None:
    found = measured(degrees=[3, 4, 7, 9, 10, 101, 500])
    for n in (3, 4, 7, 9, 10, 101, 500):
        wrong = number(found, "chebyshev", n, "wrong_share")
        assert 1 - wrong == pytest.approx(agreement(n - 1 + n % 2), abs=1e-12)
        assert number(found, "chebyshev", n, "sign_changes") == n - 1 + n % 2


def test_the_share_stays_above_one_half_for_every_fourth_odd_degree() -> None:
    """The finding: "at most half of the time" is false for n = 5, 9, 13, ..., however large, and true for 3, 7, 11, ..."""
    for n in range(3, 400, 2):
        assert (agreement(n) > 0.5) == (n % 4 == 1)
        assert abs(agreement(n) - 0.5) < 1 / n


def test_neither_sequence_is_uniform_and_both_are_inside(table: pd.DataFrame) -> None:
    for basis in ("bernstein", "chebyshev"):
        assert number(table, basis, 31, "sup") == pytest.approx(1, abs=1e-12)
    assert number(table, "bernstein", 31, "at_point") == pytest.approx(1.3e-7, abs=0.05e-7)
    assert number(table, "bernstein", 31, "sup_inside") == pytest.approx(0.9**31 - 0.1**31, abs=1e-12)
    x = np.linspace(0.1, 0.9, 100_001)
    t = np.arccos(2 * x - 1)
    assert number(table, "chebyshev", 31, "sup_inside") == pytest.approx(
        abs(np.sin(32 * t) / (32 * np.sin(t))).max(), abs=1e-6
    )
    assert number(table, "chebyshev", 31, "longest_piece") == pytest.approx(math.sin(math.pi / 32) / 2)


def verdicts(found: pd.DataFrame, **options: Any) -> dict[str, str]:
    experiment = BernsteinChebyshev(BernsteinChebyshev.Params(**options))
    return {claim.claim: claim.verdict for claim in experiment.claims(found)}


def test_claims(table: pd.DataFrame) -> None:
    assert {name: verdict for name, verdict in verdicts(table).items() if "critical" not in name} == {
        "at-most-half-n3": "holds", "at-most-half-n5": "does not hold", "at-most-half-n9": "does not hold",
        "at-most-half-n31": "holds", "dense": "holds", "not-uniform": "holds", "uniform": "does not hold", "robust": "holds",
    }  # fmt: skip


def test_claims_of_made_up_numbers_turn_round(table: pd.DataFrame) -> None:
    other = table.copy()
    other.loc[other["quantity"] == "wrong_share", "value"] = 0.51
    other.loc[other["quantity"] == "sup", "value"] = 0.01
    other.loc[other["quantity"] == "longest_piece", "value"] = 0.5
    found = verdicts(other)
    assert found["at-most-half-n5"] == "holds"
    assert found["uniform"] == "holds"
    assert found["robust"] == found["not-uniform"] == found["dense"] == "does not hold"


def test_a_small_degree_says_nothing_about_large_ones() -> None:
    found = verdicts(measured(degrees=[1, 5]), degrees=[1, 5])
    assert found["dense"] == "not measured"
    assert "at-most-half-n1" not in found


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"degrees": [0, 3]}, "degrees must be from 1"),
        ({"degrees": [3, 3]}, "once"),
        ({"degrees": [2000]}, "to 1000"),
        ({"degrees": []}, "degrees"),
        ({"degrees": [2.5]}, "whole number"),
        ({"resolution": 1}, "resolution"),
        ({"inside": 0.5}, "inside"),
        ({"point": 0}, "point"),
        ({"half": 1}, "half"),
        ({"degree": [3]}, "degrees"),
    ],
)
def test_wrong_values_are_refused(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        resolve({"experiment": {"name": "bernstein_chebyshev", **options}})


def test_groups_are_none_and_refused_when_named() -> None:
    for group, name in (("model", "lenet"), ("dataset", "digits"), ("probe", "sphere"), ("attack", "fgs")):
        with pytest.raises(ConfigError, match=f"uses no {group}"):
            resolve({group: {"name": name}, "experiment": {"name": "bernstein_chebyshev"}}, frozenset([group]))
    nodes = resolve({"model": {"name": "lenet"}, "experiment": {"name": "bernstein_chebyshev"}}).nodes
    assert nodes["model"] == {"name": "none"}


@pytest.mark.parametrize("runs", [1, 2])
def test_the_figure_and_the_summary(table: pd.DataFrame, runs: int) -> None:
    several = pd.concat([table.assign(run=f"run $x$ {i}") for i in range(runs)])
    experiment = BernsteinChebyshev(BernsteinChebyshev.Params())
    figure = experiment.plot(several)
    figure.canvas.draw()
    assert len(figure.axes) == 7 * runs  # with the strip of critical points
    assert "63.4 %" in figure.axes[2].get_title()
    numbers = experiment.summary(several)
    assert len(numbers) == 5 * runs
    assert numbers["share where signs agree"][1] == pytest.approx(0.2929, abs=1e-4)


def test_one_even_degree_can_be_drawn() -> None:
    for n in (1, 2):
        BernsteinChebyshev(BernsteinChebyshev.Params(degrees=[n])).plot(measured(degrees=[n])).canvas.draw()
