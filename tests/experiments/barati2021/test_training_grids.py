"""Figure 2 of barati2021: the numbers of the specification, and the claims."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from advlab.config import components
from advlab.config.settings import resolve
from advlab.errors import ConfigError
from tests.helpers.data_free import measured_without_data

TrainingGrids = components.REGISTRIES["experiment"].load("training_grids")
E_M = {2: 0.474, 10: 0.281, 20: 0.041, 30: 0.021, 40: 0.0146, 60: 0.0123, 80: 0.0098, 100: 0.0028, 150: 0, 500: 0}
C_M = {10: 0.332, 16: 0, 20: 0, 30: 0, 100: 0, 500: 0}
LOBATTO = {16: 0.193, 20: 0, 30: 0, 100: 0, 500: 0}


def measured(**options: Any) -> pd.DataFrame:
    return measured_without_data("training_grids", **options)


def numbers(table: pd.DataFrame, grid: str, quantity: str) -> dict[int, float]:
    rows = table[(table["grid"] == grid) & (table["quantity"] == quantity)]
    return dict(zip(rows["m"], rows["value"], strict=True))


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return measured()


@pytest.mark.parametrize(
    ("grid", "expected"),
    [("equispaced", E_M), ("roots", C_M), ("roots+boundary", {16: 0, 500: 0}), ("lobatto", LOBATTO)],
)
def test_the_shares_of_the_specification(table: pd.DataFrame, grid: str, expected: dict[int, float]) -> None:
    found = numbers(table, grid, "wrong_share")
    for m, share in expected.items():
        assert found[m] == pytest.approx(share, abs=5e-4)
        assert (found[m] == 0) == (share == 0)


def test_the_largest_values_of_the_specification(table: pd.DataFrame) -> None:
    found = numbers(table, "equispaced", "sup")
    assert found[30] == pytest.approx(1.7, abs=0.05)
    assert found[500] == pytest.approx(24.6, abs=0.05)


def test_lobatto_without_its_ends(table: pd.DataFrame) -> None:
    """The specification's .002 is y f of a grid of 20,001 points beside 1/2, where y f is 0."""
    assert numbers(table, "lobatto", "worst")[20] == 0
    assert numbers(table, "lobatto_interior", "worst")[20] == pytest.approx(-0.348, abs=5e-4)
    curve = measured(grids=["lobatto"], sizes=[20], resolution=20_001).query("quantity == 'curve'")
    scores = np.interp(np.linspace(0, 1, 20_001), curve["x"], curve["value"]) * np.sign(np.linspace(0, 1, 20_001) - 0.5)
    assert np.delete(scores, 10_000).min() == pytest.approx(0.002, abs=5e-4)


def test_every_curve_has_margin_one_on_its_points_and_the_shares_of_a_dense_grid() -> None:
    found = measured(sizes=[2, 10, 40], resolution=4002)
    for (_, _), part in found.groupby(["grid", "m"]):
        rows = {name: values for name, values in part.groupby("quantity")}  # noqa: C416
        f = np.interp(rows["label"]["x"], rows["curve"]["x"], rows["curve"]["value"])
        assert (f * rows["label"]["value"]).min() == pytest.approx(1, abs=1e-3)
        x = (np.arange(20_000) + 0.5) / 20_000
        dense = np.interp(x, rows["curve"]["x"], rows["curve"]["value"])
        assert rows["wrong_share"]["value"].item() == pytest.approx((dense * (x - 0.5) < 0).mean(), abs=2e-4)
        assert rows["sup"]["value"].item() == pytest.approx(abs(rows["curve"]["value"]).max(), abs=1e-3)
        far = abs(x - 0.5) >= 0.1
        distance = abs(np.sign(x - 0.5) - dense)[far].max()
        assert rows["uniform_distance"]["value"].item() == pytest.approx(distance, abs=0.002)


def test_distances_from_the_labels_are_the_specifications(table: pd.DataFrame) -> None:
    """Away from the jump, where a continuous function can follow: m = 30."""
    assert numbers(table, "roots", "uniform_distance")[30] == pytest.approx(0.154, abs=5e-4)
    assert numbers(table, "equispaced", "uniform_distance")[30] == pytest.approx(1.298, abs=5e-4)
    everywhere = numbers(measured(sizes=[30], grids=["roots"], apart=1e-9), "roots", "uniform_distance")[30]
    assert everywhere > 0.999  # the criterion would be met by no polynomial


def test_bernstein_features_are_wrong_nowhere_and_grow_all_the_same() -> None:
    """The control: the same grids and degree, the paper's basis that "guarantees uniform convergence"."""
    found = measured(basis="bernstein", sizes=[2, 10, 30, 100, 500])
    rows = found[found["quantity"] == "wrong_share"]
    assert (rows["value"] == 0).all()
    assert numbers(found, "equispaced", "sup")[500] > 50


def test_other_degrees() -> None:
    found = measured(degree=1, sizes=[2, 4], grids=["equispaced"])
    curve = found[(found["quantity"] == "curve") & (found["m"] == 2)]
    assert curve["value"].to_numpy() == pytest.approx(2 * curve["x"].to_numpy() - 1)
    assert set(numbers(found, "equispaced", "wrong_share").values()) == {0}
    assert numbers(measured(degree=120, sizes=[60], grids=["equispaced"]), "equispaced", "wrong_share")[60] > 0.05


def verdicts(found: pd.DataFrame, **options: Any) -> dict[tuple[str, str], str]:
    experiment = TrainingGrids(TrainingGrids.Params(**options))
    return {(claim.subset, claim.claim): claim.verdict for claim in experiment.claims(found)}


def test_claims(table: pd.DataFrame) -> None:
    found = verdicts(table)
    for grid in ("roots", "roots+boundary", "lobatto"):
        assert found[grid, "converges"] == "holds"
        assert found[grid, "uniform"] == "holds"
        assert found[grid, "uniform-for-all-m"] == "does not hold"
    assert found["equispaced", "not-uniform"] == "holds"
    for m in (40, 60, 80, 100, 150, 500):
        assert found["equispaced", f"no-convergence-m{m}"] == ("holds" if m <= 100 else "does not hold")
    lost = {name: verdict for (subset, name), verdict in found.items() if subset == "lobatto without the ends"}
    assert lost == {"boundary-few": "holds", "boundary-many": "does not hold"}
    kept = {name: verdict for (subset, name), verdict in found.items() if subset == "roots+boundary without the ends"}
    assert kept == {"boundary-few": "does not hold", "boundary-many": "does not hold"}


def test_claims_of_made_up_numbers_turn_round(table: pd.DataFrame) -> None:
    other = table.copy()
    other.loc[(other["quantity"] == "wrong_share") & (other["grid"] != "equispaced"), "value"] = 0.1
    other.loc[(other["quantity"] == "wrong_share") & (other["grid"] == "equispaced"), "value"] = 0
    other.loc[other["quantity"] == "uniform_distance", "value"] = 0.6
    other.loc[(other["quantity"] == "worst") & (other["grid"] == "roots"), "value"] = -1.0
    found = verdicts(other)
    assert found["roots", "converges"] == "does not hold"
    assert found["roots", "uniform"] == "does not hold"
    assert found["equispaced", "no-convergence-m40"] == "does not hold"
    assert found["roots+boundary without the ends", "boundary-many"] == "holds"


def test_what_was_not_measured_is_not_judged() -> None:
    few = {"sizes": [2, 10], "grids": ["equispaced", "roots"]}
    found = verdicts(measured(**few), **few)
    names = ("converges", "uniform", "uniform-for-all-m")
    assert found == {("roots", name): "not measured" for name in names}


def test_uniform_convergence_is_judged_at_the_first_size_and_at_all_that_follow(table: pd.DataFrame) -> None:
    other = table.copy()
    is_distance = other["quantity"] == "uniform_distance"
    other.loc[is_distance, "value"] = 0.4
    found = verdicts(other)
    assert (found["roots", "uniform"], found["roots", "uniform-for-all-m"]) == ("holds", "holds")
    assert found["equispaced", "not-uniform"] == "does not hold"
    other.loc[is_distance & (other["m"] == 150), "value"] = 0.6  # one size is enough
    assert verdicts(other)["roots", "uniform-for-all-m"] == "does not hold"


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"degree": 0}, "degree must be from 1"),
        ({"degree": 10**6}, "to 1000"),
        ({"sizes": [3]}, "even, got 3"),
        ({"sizes": [1]}, "from 2 to 100000, got"),
        ({"sizes": [0]}, "from 2"),
        ({"sizes": [-4]}, "from 2"),
        ({"sizes": [10**6]}, "to 100000"),
        ({"sizes": [10, 10]}, "each once"),
        ({"sizes": []}, "at least one"),
        ({"grids": []}, "at least one"),
        ({"grids": ["chebyshev"]}, "equispaced"),
        ({"grids": ["lobatto_interior"], "sizes": [2]}, "no points"),
        ({"basis": "fourier"}, "bernstein"),
        ({"resolution": -1}, "resolution"),
        ({"converged": 0}, "above 0"),
        ({"drawn_grids": ["E"]}, "roots"),
        ({"few": 80}, "below many"),
    ],
)
def test_wrong_values_are_refused(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        resolve({"experiment": {"name": "training_grids", **options}})


def test_a_lost_grid_is_left_out_and_ids_are_file_names(table: pd.DataFrame) -> None:
    experiment = TrainingGrids(TrainingGrids.Params())
    cells = experiment.cells(SimpleNamespace())
    assert [cell.id for cell in cells] == ["equispaced", "roots", "roots-boundary", "lobatto", "lobatto_interior"]
    assert 2 not in numbers(table, "lobatto_interior", "worst")
    assert len(table.groupby(["grid", "m"])) == 5 * 11 - 1


@pytest.mark.parametrize("runs", [1, 2])
def test_the_figure_has_the_papers_rows_and_the_summary_all_sizes(table: pd.DataFrame, runs: int) -> None:
    several = pd.concat([table.assign(run=f"run $x$ {i}") for i in range(runs)])
    experiment = TrainingGrids(TrainingGrids.Params())
    figure = experiment.plot(several)
    figure.canvas.draw()
    titles = [axis.get_title() for axis in figure.axes]
    assert len(titles) == runs * 2 * 4 + 3
    assert "$m = 30$: 0 % wrong" in titles[1]  # roots above
    assert "$m = 30$: 2.1 % wrong" in titles[5]  # equispaced below
    summary = experiment.summary(several)
    assert list(summary["grid"][:5]) == ["equispaced", "roots", "roots+boundary", "lobatto", "lobatto_interior"]
    assert summary["wrong share, m = 20"][0] == pytest.approx(0.041, abs=5e-4)


def test_what_is_not_measured_is_not_drawn() -> None:
    options = {"sizes": [4, 8], "grids": ["lobatto", "lobatto_interior"], "degree": 3}
    figure = TrainingGrids(TrainingGrids.Params(**options)).plot(measured(**options))
    figure.canvas.draw()
    assert len(figure.axes) == 2 * 2 + 3
