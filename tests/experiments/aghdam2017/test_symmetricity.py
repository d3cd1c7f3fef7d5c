"""Figure 3 of aghdam2017: functions that are symmetric, isotropic, both or neither, and the claims."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from advlab.config import components
from advlab.probes.permutations import Permutations
from tests.helpers.networks import ScoreAgainstZero

Symmetricity = components.REGISTRIES["experiment"].load("symmetricity")


@pytest.mark.parametrize(
    ("name", "function"), [("constant", lambda x: x.sum(1) * 0 + 5), ("sum", lambda x: x.sum(1) / 6)]
)
def test_symmetric_scores_have_no_range(around: Any, measured: Any, name: str, function: Any) -> None:
    found = measured(around("symmetricity", ScoreAgainstZero(function)))
    assert found["range"].max() < 1e-6
    directions = measured(around("isotropy", ScoreAgainstZero(function)))
    large = directions[(directions["radius"] == 10) & (directions["norm"] == "l2")]["range"]
    assert (large > 1e-2).all() if name == "sum" else (large == 0).all()


def test_isotropic_implies_symmetric_and_not_the_converse(around: Any, measured: Any) -> None:
    """A function of the distance from the image alone is both; the sum of the pixels is symmetric and not isotropic."""
    probe: dict[str, Any] = {"samples": [0], "norm": ["l2"], "pixel_scale": [1]}
    centre = around("isotropy", ScoreAgainstZero(lambda x: x[:, 0]), **probe).data.images(torch.tensor([0])).flatten(1)
    functions = {"radial": lambda x: 1 - (x - centre).norm(dim=1) / 10, "sum": lambda x: x.sum(1) / 6}
    ranges, scores = {}, {}
    for name, function in functions.items():
        for experiment in ("isotropy", "symmetricity"):
            found = measured(around(experiment, ScoreAgainstZero(function), **probe)).set_index("radius")
            ranges[name, experiment], scores[name] = found["range"][10.0], found["mean_score"]
    assert ranges["radial", "isotropy"] < 1e-6
    assert ranges["radial", "symmetricity"] < 1e-6
    assert scores["radial"][0.1] - scores["radial"][10.0] > 0.1  # it is no constant
    assert ranges["sum", "symmetricity"] < 1e-6
    assert ranges["sum", "isotropy"] > 0.1


def test_one_pixel_is_not_symmetric(around: Any, measured: Any) -> None:
    found = measured(around("symmetricity", ScoreAgainstZero(lambda x: x[:, 0])))
    assert (found[(found["radius"] == 10) & (found["norm"] == "l2")]["range"] > 0.1).all()


def test_rows_equal_brute_force(around: Any, measured: Any) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 20), nn.Tanh(), nn.Linear(20, 3))
    ctx = around("symmetricity", network, samples=[2, 0])
    found = measured(ctx)
    double = network.double()
    for row in found.itertuples():
        noise = torch.empty(1, 20, 36)
        Permutations(ctx.draws).write_directions([(row.sample, [0.1, 1.0, 10.0].index(row.radius))], noise)
        v = noise[0].double()
        v *= row.radius / row.pixel_scale / (v[0].norm() if row.norm == "l2" else v[0].abs().max())
        x = ctx.data.images(torch.tensor([row.sample])).double()
        p = torch.softmax(double(x + v.view(20, 1, 6, 6)).detach(), 1)[:, row.label]
        assert row.range == pytest.approx(float(p.max() - p.min()), abs=2e-6)


def test_the_noise_floor_is_measured_at_epsilon_and_at_one(around: Any, measured: Any) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 20), nn.Tanh(), nn.Linear(20, 3))
    ctx = around("symmetricity", network, floor_samples=2)
    found = measured(ctx)
    floors = found.dropna(subset=["noise_floor"])
    assert set(zip(floors["sample"], floors["radius"], strict=True)) == {(0, 0.1), (0, 1.0), (1, 0.1), (1, 1.0)}
    assert ctx.forward.images == ctx.settings.experiment.cost(ctx).forwards


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_the_table_does_not_depend_on_the_batch_size(around: Any, measured: Any, batch: int) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))
    one, other = (measured(around("symmetricity", network, batch=size)) for size in (30, batch))
    numbers = one.select_dtypes("number").columns.drop("noise_floor")
    assert np.allclose(one[numbers], other[numbers], atol=1e-5)


def made_up(ranges: dict[float, float], floor: float, n: int = 50) -> pd.DataFrame:
    rows = [
        {
            "sample": i,
            "norm": "l2",
            "pixel_scale": 1.0,
            "direction": "random",
            "radius": r,
            "range": value,
            "noise_floor": floor,
            "max_error_probability": 0.5,
        }
        for r, value in ranges.items()
        for i in range(n)
    ]
    return pd.DataFrame(rows)


def test_claims_hold_on_the_papers_picture_and_fail_on_its_opposite() -> None:
    claims = Symmetricity(Symmetricity.Params()).claims
    paper = claims(made_up({0.1: 1e-5, 1.0: 1e-2, 10.0: 0.8}, 1e-9, n=80))
    assert {c.verdict for c in paper} == {"holds"}
    assert [c.networks for c in paper] == ["all"] * 3 + ["most"] * 2
    few = {c.claim: c.verdict for c in claims(made_up({0.1: 1e-5, 1.0: 1e-2, 10.0: 0.8}, 1e-9, n=50))}
    assert few.pop("more-at-1") == "undecided"  # 50 of 50 leave a share of .93 possible
    assert set(few.values()) == {"holds"}
    opposite = claims(made_up({0.1: 0.5, 1.0: 0.1, 10.0: 1e-3}, 0.1))
    assert {c.verdict for c in opposite} == {"does not hold"}


def test_the_figure_names_permutations(around: Any, measured: Any) -> None:
    found = measured(around("symmetricity", ScoreAgainstZero(lambda x: x[:, 0])))
    figure = Symmetricity(Symmetricity.Params()).plot(found)
    figure.canvas.draw()
    assert "permutations" in figure.axes[0].get_ylabel()
