"""Figure 3 of barati2021: the numbers of the specification, Monte Carlo, and the claims."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from advlab.config import components
from advlab.config.settings import resolve
from advlab.errors import ConfigError
from advlab.store.tables import from_csv, to_csv

HardPoints = components.REGISTRIES["experiment"].load("hard_points")


def measured(seed: int = 0, **options: Any) -> pd.DataFrame:
    settings = resolve({"experiment": {"name": "hard_points", **options}, "run": {"seed": seed}})
    experiment, ctx = settings.experiment, SimpleNamespace(settings=settings)
    rows = [row for cell in experiment.cells(ctx) for row in experiment.measure(ctx, cell)]
    text = to_csv(rows[-20:], experiment.Row)
    assert to_csv(from_csv(text, experiment.Row), experiment.Row) == text
    return pd.DataFrame([vars(row) for row in rows]).assign(run="here")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return measured()


def rows_of(table: pd.DataFrame, quantity: str, family: str = "basis") -> pd.DataFrame:
    return table[(table["quantity"] == quantity) & (table["hypotheses"] == family)]


def test_the_numbers_of_the_specification(table: pd.DataFrame) -> None:
    node, end, lobatto, maximum = (rows_of(table, name) for name in ("node", "end", "lobatto", "maximum"))
    assert node["value"].to_numpy() == pytest.approx(np.full(10, 0.5), abs=1e-12)
    assert lobatto["value"].to_numpy() == pytest.approx(np.full(9, 10 / 22), abs=1e-12)
    assert end["value"].to_numpy() == pytest.approx([0, 0], abs=1e-12)
    assert end["x"].tolist() == [0, 1]
    assert maximum["x"].to_numpy()[:5] == pytest.approx([0.0114, 0.0660, 0.1591, 0.2826, 0.4253], abs=1e-4)
    assert node["x"].to_numpy()[:5] == pytest.approx([0.0062, 0.0545, 0.1464, 0.2730, 0.4218], abs=1e-4)
    assert maximum["value"].to_numpy()[:5] == pytest.approx([0.582, 0.523, 0.508, 0.5025, 0.5003], abs=5e-4)
    assert rows_of(table, "curve")["value"].max() <= maximum["value"].max() + 1e-12


@pytest.mark.parametrize("family", ["basis", "gaussian"])
def test_monte_carlo_covers_the_closed_form(table: pd.DataFrame, family: str) -> None:
    sampled, curve = rows_of(table, "sampled", family), rows_of(table, "curve", family)
    apart = abs(sampled["value"].to_numpy() - curve["value"].to_numpy())
    errors = sampled["standard_error"].to_numpy()
    inside = errors > 1e-9
    assert inside.sum() >= len(errors) - 2
    assert (apart[inside] / errors[inside]).max() < 4.5
    other = rows_of(measured(seed=1, hypotheses=[family]), "sampled", family)
    assert abs(other["value"].to_numpy() - sampled["value"].to_numpy()).max() > 1e-4


def verdicts(found: pd.DataFrame) -> dict[tuple[str, str], str]:
    return {(c.subset, c.claim): c.verdict for c in HardPoints(HardPoints.Params()).claims(found)}


def test_claims(table: pd.DataFrame) -> None:
    found = verdicts(table)
    for family in ("basis", "gaussian"):
        assert found[family, "close"] == found[family, "better-than-uniform"] == "holds"
        assert found[family, "optimal"] == found[family, "boundary"] == "does not hold"


def test_claims_of_made_up_numbers_turn_round(table: pd.DataFrame) -> None:
    other = table.copy()
    other.loc[other["quantity"] == "maximum", "x"] += 0.1
    other.loc[other["quantity"].isin(["maximum", "end"]), "value"] = 0.9
    other.loc[other["quantity"] == "node", "value"] = 0.9
    other.loc[other["quantity"] == "mean", "value"] = 0.2
    found = verdicts(other)
    assert found["basis", "close"] == "does not hold"
    assert found["basis", "optimal"] == found["basis", "boundary"] == found["basis", "better-than-uniform"] == "holds"
    other.loc[other["quantity"] == "mean", "value"] = 0.95
    assert verdicts(other)["basis", "better-than-uniform"] == "does not hold"


def test_equation_8_is_smaller_at_uniform_points_than_at_nodes_and_hard_points(table: pd.DataFrame) -> None:
    """No optimal points in the sense of (8): the nodes' closed form is 2 n sum of 1 / sin t over n + 1."""
    t = (2 * np.arange(10) + 1) * np.pi / 20
    assert rows_of(table, "slope_node")["value"].item() == pytest.approx((20 / np.sin(t)).sum() / 11)
    assert len(rows_of(table, "slope_drawn", "gaussian")) == 1000
    found = verdicts(table)
    for family in ("basis", "gaussian"):
        assert found[family, "slopes-nodes"] == found[family, "slopes-hard-points"] == "does not hold"
    assert (found["basis", "slopes-equispaced"], found["gaussian", "slopes-equispaced"]) == ("holds", "does not hold")
    other = table.copy()
    other.loc[other["quantity"].isin(["slope_node", "slope_maximum"]), "value"] = 0.0
    turned = verdicts(other)
    assert {turned[family, "slopes-nodes"] for family in ("basis", "gaussian")} == {"holds"}
    assert {turned[family, "slopes-hard-points"] for family in ("basis", "gaussian")} == {"holds"}
    assert ("basis", "slopes-nodes") not in verdicts(table[~table["quantity"].str.startswith("slope")])  # version 1
    assert verdicts(table[table["quantity"] != "slope_drawn"])["basis", "slopes-nodes"] == "not measured"
    again = rows_of(measured(seed=1, sets=20), "slope_drawn")["value"].to_numpy()
    assert not np.isin(again, rows_of(table, "slope_drawn")["value"]).any()


@pytest.mark.parametrize("n", [1, 2, 40])
def test_other_degrees_are_summed_up_and_drawn(n: int) -> None:
    found = measured(degree=n, draws=100)
    experiment = HardPoints(HardPoints.Params(degree=n))
    assert len(experiment.claims(found)) == (8 if n == 1 else 14)  # equation 8 is about several points
    assert len(experiment.summary(found)) == 2
    experiment.plot(found).canvas.draw()
    assert len(rows_of(found, "maximum")) == n


@pytest.mark.parametrize(("draws", "runs"), [(0, 1), (50, 1), (50, 3)])
def test_the_figure(draws: int, runs: int) -> None:
    found = measured(draws=draws)
    several = pd.concat([found.assign(run=f"run $x$ {i}") for i in range(runs)])
    experiment = HardPoints(HardPoints.Params())
    figure = experiment.plot(several)
    figure.canvas.draw()
    assert len(figure.axes) == 2 * runs
    nodes = np.asarray(figure.axes[0].collections[1 if draws else 0].get_offsets())
    assert len(nodes) == 10
    assert nodes[:, 1] == pytest.approx(np.full(10, 0.5))
    assert experiment.summary(several)["Monte Carlo off by, at most"].isna().all() == (draws == 0)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"degree": 0}, "degree must be from 1"),
        ({"degree": 301}, "to 300"),
        ({"hypotheses": []}, "hypotheses"),
        ({"hypotheses": ["basis", "basis"]}, "each once"),
        ({"hypotheses": ["uniform"]}, "basis"),
        ({"draws": 1}, "draws"),
        ({"draws": -5}, "draws"),
        ({"draws": 1.5}, "whole number"),
        ({"resolution": 1}, "resolution"),
        ({"close": 0}, "close"),
        ({"optimal": 1}, "optimal"),
    ],
)
def test_wrong_values_are_refused(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        resolve({"experiment": {"name": "hard_points", **options}})
