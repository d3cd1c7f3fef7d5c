"""Mean curvature at boundary points against its closed form, the detector's numbers against scipy, and the verdicts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import mannwhitneyu
from torch import Tensor, nn

from advlab import testing
from advlab.plotting.style import style
from experiments.jetley2018.curvature_sign import CurvatureSign, area_against

IMAGES = torch.rand(30, 1, 4, 4, generator=torch.Generator().manual_seed(0)).mul(255).round() / 255


class Ball(nn.Module):
    """The first class lies outside of a ball around the grey image, the second within: mean curvature is 1 / radius."""

    radius = 1.2

    def forward(self, x: Tensor) -> Tensor:
        outside = (x - 0.5).flatten(1).square().sum(1)
        return torch.stack([outside, torch.full_like(outside, self.radius**2)], 1)


def measured(batch_size: int = 256) -> pd.DataFrame:
    labels = Ball()(IMAGES).argmax(1)
    options = {"experiment.samples": 30, "experiment.directions": 5}
    return testing.measured(testing.context("curvature_sign", Ball(), IMAGES, labels, options, batch_size=batch_size))


def test_the_curvature_of_a_ball_from_both_sides() -> None:
    """g bends away from the first class by 1 / radius at every boundary point, and towards the second."""
    table = measured()
    assert len(table) >= 8
    outside = table[table["label"] == 0]
    inside = table[table["label"] == 1]
    assert 0 < len(outside) < len(table)
    # DeepFool goes a little too far
    assert outside["natural"].to_numpy() == pytest.approx(1 / Ball.radius, rel=0.05)
    assert outside["adversarial"].to_numpy() == pytest.approx(-1 / Ball.radius, rel=0.05)
    assert inside["natural"].to_numpy() == pytest.approx(-1 / Ball.radius, rel=0.05)
    assert inside["adversarial"].to_numpy() == pytest.approx(1 / Ball.radius, rel=0.05)
    assert table["apart"].max() < 0.1
    distance = ((IMAGES[outside["sample"].tolist()] - 0.5).flatten(1).norm(dim=1) - Ball.radius).numpy()
    assert bool((outside["length"].to_numpy() >= 0.99 * distance).all())


def test_the_batch_does_not_matter() -> None:
    small, large = measured(3), measured(256)
    for column in ("natural", "adversarial", "noise"):
        assert small[column].to_numpy() == pytest.approx(large[column].to_numpy(), rel=1e-3)


def made_up(natural: Any, adversarial: Any, noise: Any) -> pd.DataFrame:
    columns = {"natural": natural, "adversarial": adversarial, "noise": noise}
    return pd.DataFrame({"run": "test", "sample": range(len(natural)), "apart": 0.1, **columns})


def test_the_area_under_the_roc_is_that_of_mann_and_whitney() -> None:
    generator = np.random.default_rng(0)
    natural, attacked = generator.normal(1, 1, 80).round(1), generator.normal(0, 1, 80).round(1)
    table = made_up(natural, attacked, natural)
    expected = mannwhitneyu(natural, attacked).statistic / 80**2
    assert area_against(table, "adversarial").estimate == pytest.approx(expected)
    assert area_against(table, "noise").estimate == pytest.approx(0.5)
    mirrored = made_up(-natural, -attacked, -natural)
    assert area_against(mirrored, "adversarial").estimate == pytest.approx(expected)
    assert math.isnan(area_against(made_up([math.nan], [1.0], [1.0]), "noise").estimate)


def test_an_image_without_a_curvature_says_nothing() -> None:
    """Where the gradient is 0 or DeepFool fails there is none, of either image of the pair."""
    table = made_up([2.0, 1.0, math.nan, 3.0], [-2.0, math.nan, -1.0, 1.0], [math.nan] * 4)
    (reversed_sign, *_) = CurvatureSign(CurvatureSign.Params()).claims(table.assign(noise=[1.0, -1.0, 1.0, 2.0]))
    assert (reversed_sign.estimate, reversed_sign.samples) == (0.5, 2)
    assert CurvatureSign(CurvatureSign.Params()).claims(table)[0].verdict == "not measured"
    (summary,) = CurvatureSign(CurvatureSign.Params()).summary(table).to_dict("records")
    assert math.isnan(summary["auc_noise"])
    assert summary["auc_adversarial"] == pytest.approx(8.5 / 9)


def test_verdicts() -> None:
    generator = np.random.default_rng(0)
    natural = generator.normal(3, 1, 200)

    def verdicts(table: pd.DataFrame) -> list[str]:
        return [claim.verdict for claim in CurvatureSign(CurvatureSign.Params()).claims(table)]

    assert verdicts(made_up(natural, -natural, natural)) == ["holds"] * 3
    assert verdicts(made_up(natural, natural, -natural)) == ["does not hold"] * 3
    assert verdicts(made_up(natural, -natural, -natural)) == ["does not hold", "holds", "does not hold"]
    half = np.where(np.arange(200) % 2, natural, -natural)  # noise reverses every other sign
    assert verdicts(made_up(natural, -natural, half))[0] == "undecided"
    assert verdicts(made_up(natural[:3], -natural[:3], natural[:3])) == ["undecided"] * 3
    assert verdicts(made_up([], [], []).astype({"natural": float})) == ["not measured"] * 3


@pytest.mark.parametrize("width", ["page", "column"])
def test_a_network_that_deepfool_does_not_fool_has_an_empty_figure(width: str) -> None:
    """Of a network that gives one class alone there is no row, and nothing is claimed."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    options = {"experiment.samples": 5, "experiment.directions": 3}
    table = testing.measured(
        testing.context("curvature_sign", network, torch.rand(6, 1, 2, 2), torch.zeros(6).long(), options)
    )
    assert not len(table)
    empty = table.assign(run=[]).reindex(columns=["run", "natural", "adversarial", "noise"])
    experiment = CurvatureSign(CurvatureSign.Params())
    assert {claim.verdict for claim in experiment.claims(empty)} == {"not measured"}
    with style(width):
        assert len(experiment.plot(empty).axes) == 2
