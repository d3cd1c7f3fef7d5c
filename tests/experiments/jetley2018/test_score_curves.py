"""Figure 1 of jetley2018 on networks whose scores along a direction are known, and its claims on made-up tables."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from advlab import testing
from advlab.plotting.pixels import decode
from experiments.jetley2018.score_curves_claims import separable
from experiments.jetley2018.score_curves_measure import curve_columns, shifted
from tests.helpers.quadratic_network import FALLS, RISES, Quadratic, U, six_by_six_images


def context(network: nn.Module, **options: Any) -> Any:
    given = {"points": 20, "classes": [0], "steps": 20, "range": 2.0, "samples": 30, **options}
    return testing.context(
        "score_curves",
        network,
        *six_by_six_images(80),
        options={f"experiment.{name}": value for name, value in given.items()},
    )


@pytest.fixture(scope="module")
def measured() -> tuple[Any, pd.DataFrame]:
    ctx = context(Quadratic())
    return ctx, testing.measured(ctx)


def test_a_parabola_is_symmetric_monotonic_and_separable_in_its_component(measured: tuple[Any, pd.DataFrame]) -> None:
    table = measured[1]
    rows = table[(table["direction"] == "positive") & (table["index"] == 1)]
    assert (rows["curvature"] - RISES).abs().max() < 1e-2
    assert (rows["symmetry"] > 0.95).all()  # centres lie between the points
    assert (rows["monotonicity"] > 0.99).all()
    x = six_by_six_images(80)[0].double().flatten(1)[rows["sample"].tolist()]
    along = (x @ U).numpy()
    sign = np.sign(np.corrcoef(rows["center"], along)[0, 1])  # of the direction that was found: s_0 = -x.d
    assert rows["center"].to_numpy() == pytest.approx(sign * along, abs=0.06)  # midpoints are .05 apart
    assert rows["component"].to_numpy() == pytest.approx(-sign * (along - along.mean()), abs=1e-3)
    assert separable(rows, "aligned_left", "aligned_within").estimate > 0.999
    assert (
        separable(rows, "left", "within").estimate < separable(rows, "aligned_left", "aligned_within").estimate - 0.01
    )
    assert (rows["interaction"] < 1e-3).all()
    assert set(rows["partner"]) == {"negative"}
    assert rows["slope"].median() == pytest.approx(RISES * 2.0 / 2, rel=0.1)  # lambda |s| in the mean over |s| <= 2
    negative = table[(table["direction"] == "negative") & (table["index"] == 1)]
    assert (negative["curvature"] - FALLS).abs().max() < 1e-2
    assert (negative["symmetry"] > 0.95).all()


def test_claims_about_it_hold_and_the_footnote_is_about_mnist_alone(measured: tuple[Any, pd.DataFrame]) -> None:
    ctx, table = measured
    claims = {(claim.claim, claim.subset): claim for claim in ctx.settings.experiment.claims(table)}
    for kind in ("positive", "negative"):
        for name in ("symmetry", "monotonicity", "separability-of-component"):
            assert claims[name, f"class 0, {kind}"].verdict == "holds", (name, kind)
    for name in ("separability", "common-shape"):  # of the step alone: the images begin at different components
        assert claims[name, "class 0, positive"].verdict == "does not hold"
    assert claims["independence", "class 0, positive and negative"].verdict == "holds"
    assert not [name for name, _ in claims if name == "footnote-8"]
    mnist = table.assign(dataset="mnist")
    found = {claim.claim: claim for claim in ctx.settings.experiment.claims(mnist)}
    assert found["footnote-8"].estimate == 0
    assert found["footnote-8"].verdict == "undecided"
    many = pd.concat([mnist.assign(target=k) for k in range(10)])
    lopsided = many.assign(
        symmetry=np.where((many["target"] == 3) & (many["direction"] == "positive"), 0.2, many["symmetry"])
    )
    verdicts = {(c.claim, c.subset): c.verdict for c in ctx.settings.experiment.claims(lopsided)}
    assert verdicts["footnote-8", "over classes"] == "holds"
    assert verdicts["symmetry", "class 3, positive"] == "does not hold"
    assert verdicts["most-classes-symmetry", "over classes, positive"] == "holds"
    none = {c.claim: c.verdict for c in ctx.settings.experiment.claims(many.assign(symmetry=0.2, monotonicity=0.2))}
    assert none["most-classes-symmetry"] == none["most-classes-monotonicity"] == "does not hold"


def test_a_linear_network_has_straight_lines_and_no_curvature() -> None:
    torch.manual_seed(0)
    ctx = context(nn.Sequential(nn.Flatten(), nn.Linear(36, 3)), directions=1, samples=12)
    table = testing.measured(ctx)
    curved = table[table["direction"].isin(["positive", "negative"])]
    assert curved["curvature"].abs().max() < 1e-3
    assert curved["symmetry"].median() == pytest.approx(-3, abs=0.2)
    assert curved["monotonicity"].min() > 0.98
    assert separable(curved[curved["direction"] == "positive"], "left", "total").estimate > 0.999
    assert curved["interaction"].max() < 1e-3
    flat = ctx.settings.experiment.claims(table.assign(curvature=0.0))  # without a direction of either sign
    assert {claim.verdict for claim in flat if claim.claim in ("symmetry", "independence")} == {"not measured"}


def test_the_film_strip_holds_the_direction_and_the_images_as_they_are_classified(
    measured: tuple[Any, pd.DataFrame],
) -> None:
    _, table = measured
    rows = table[(table["direction"] == "negative") & (table["index"] == 1) & table["pixels"].astype(bool)]
    assert len(rows) == 1
    row = rows.iloc[0]
    assert row["prediction"] == 0  # of the class, which the negative direction leaves
    direction, *moved = np.split(decode(row), 6, axis=2)
    x = six_by_six_images(80)[0][row["sample"]]
    d = torch.from_numpy(direction.copy()).double().flatten() - 127.5
    d = (d / d.norm()).reshape(x.shape)
    predictions = [int(k) for k in row["predictions"].split()]
    steps, names = [int(k) for k in row["shown_steps"].split()], json.loads(row["shown_names"])
    assert steps == [0, 10, 20, 30, 40]
    for step, name, image in zip(steps, names, moved, strict=True):
        at = (x + (step - 20) / 10 * d).clamp(0, 1) * 255
        assert np.abs(image.astype(float) - at.numpy()).max() < 4  # the direction itself is in 256 levels
        assert name == f"class {predictions[step]}"
    scores = np.array(row["scores"].split(), dtype=float)
    with torch.no_grad():
        assert scores[20] == pytest.approx(float(Quadratic()(x[None])[0, 0]), rel=1e-4)
    assert names[0] != "class 0"
    assert names[-1] != "class 0"


def test_curves_are_shifted_to_the_component_that_they_are_functions_of() -> None:
    lengths, component = np.linspace(-3, 3, 61), np.array([-0.5, 0.0, 0.7])
    curves = (lengths + component[:, None]) ** 2 + np.array([[1.0], [5.0], [-2.0]])
    aligned = shifted(curves, lengths, component)
    assert np.ptp(aligned - aligned.mean(1, keepdims=True), axis=0).max() < 0.01  # of linear interpolation
    columns = curve_columns(curves, lengths, component)
    assert columns["center"] == pytest.approx(-component)
    assert np.isnan(curve_columns(curves, lengths, 5 * component)["aligned_left"]).all()  # no common range


def test_a_share_without_variance_is_not_measured() -> None:
    rows = pd.DataFrame({"left": np.zeros(5), "total": np.zeros(5)})
    assert np.isnan(separable(rows, "left", "total").estimate)
    assert np.isnan(separable(rows.iloc[:0], "left", "total").estimate)
