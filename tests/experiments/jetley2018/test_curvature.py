"""Spectra, overlaps and flipping norms against closed forms, verdicts on made-up tables, and a network without curvature.

Longer than other files: the tests share a network whose curvature is known, and a table of verdicts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from advlab import testing
from advlab.geometry.mean_hessian import CurvatureBasis
from advlab.statistics import Claim
from experiments.jetley2018.curvature import Curvature
from experiments.jetley2018.curvature_claims import flat_share
from experiments.jetley2018.curvature_measure import flips, followed_ranks, overlap
from tests.helpers.commands import Ended

IMAGES = torch.rand(40, 1, 3, 3, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(40) % 3


class Quadratic(nn.Module):
    """The second of three scores is a quadratic form with the eigenvalues 4, -3 and 0 along the first three pixels."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.linear = nn.Linear(9, 3)
        torch.manual_seed(3)
        nn.init.normal_(self.linear.weight)

    def forward(self, x: Tensor) -> Tensor:
        z = x.flatten(1)
        logits: Tensor = self.linear(z)
        form = 0.5 * self.scale * (4 * z[:, 0].square() - 3 * z[:, 1].square())
        return logits + torch.stack([0 * form, form, 0 * form], 1)


def table_of(network: nn.Module, **options: Any) -> pd.DataFrame:
    params = {"points": 8, "iterations": 50, "classes": [1], "images": 5, "directions": 2, "top": 1, **options}
    ctx = testing.context(
        "curvature", network.eval(), IMAGES, LABELS, {f"experiment.{name}": value for name, value in params.items()}
    )
    return testing.measured(ctx)


def test_a_quadratic_score_gives_its_curvatures_and_directions() -> None:
    table = table_of(Quadratic())
    principal = table[table["direction"] == "principal"].sort_values("rank")
    expected = [4.0, *[0.0] * 7, -3.0]
    assert principal["curvature"].tolist() == pytest.approx(expected, abs=1e-4)
    assert principal["rayleigh"].tolist() == pytest.approx(expected, abs=1e-4)
    assert principal["residual"].iloc[[0, -1]].max() < 1e-4
    assert principal["overlap_positive"].iloc[0] == pytest.approx(1, abs=1e-6)
    assert principal["overlap_negative"].iloc[0] == pytest.approx(1, abs=1e-6)
    (summary,) = Curvature(Curvature.Params()).summary(table).to_dict("records")
    assert summary["flat"] == pytest.approx(7 / 9)
    assert summary["most_negative"] == pytest.approx(-3, abs=1e-4)
    # the gradient changes by lambda h within a step
    steepest = principal["bend"] * summary["most_positive"] / principal["curvature"].abs()
    assert steepest.iloc[0] == pytest.approx(steepest.iloc[-1], rel=1e-3)


def test_exact_hessians_of_two_steps_are_one_artifact_and_have_each_its_bend() -> None:
    """The step enters `bend` alone: the second run finds the basis of the first one in the cache."""
    options: dict[str, Any] = {
        "points": 8,
        "iterations": 50,
        "classes": [1],
        "images": 5,
        "directions": 1,
        "halves": False,
        "top": 1,
    }
    ctx = testing.context(
        "curvature", Quadratic().eval(), IMAGES, LABELS, {f"experiment.{k}": v for k, v in options.items()}
    )
    tables = []
    for step in (0.1, 0.4):
        experiment = Curvature(Curvature.Params(**options, hessian="autograd", step=step))
        tables.append(testing.measured(replace(ctx, settings=replace(ctx.settings, experiment=experiment), stages={})))
    assert [set(table["step"].dropna()) for table in tables] == [{0.1}, {0.4}]
    bends = [table["bend"].max() for table in tables]
    assert bends[1] == pytest.approx(4 * bends[0])


def claims_of(table: pd.DataFrame, **params: Any) -> dict[tuple[str, str], Claim]:
    return {(claim.claim, claim.subset): claim for claim in Curvature(Curvature.Params(**params)).claims(table)}


@pytest.mark.parametrize("basis", ["dense", "lanczos"])
def test_a_linear_network_has_no_curvature_and_the_claims_say_so(basis: str) -> None:
    linear = table_of(Quadratic(0.0), classes=[0, 1, 2], basis=basis, pairs=2)
    assert linear["bend"].max() < 1e-4
    claims = claims_of(linear)
    curved = claims["curved", "classes"]
    assert curved.estimate == 0
    assert "at most" in curved.quantity
    others = [claim for (name, _), claim in claims.items() if name != "curved"]
    assert {claim.verdict for claim in others} == {"not measured"}
    assert claims_of(table_of(Quadratic()))["curved", "classes"].estimate == 1


def test_the_verdict_over_six_linear_classes_is_that_there_is_no_curvature() -> None:
    flat = made_up(bend=0.0)
    assert claims_of(flat)["curved", "classes"].verdict == "does not hold"
    assert claims_of(made_up())["curved", "classes"].verdict == "holds"


def test_flipping_norms_of_a_linear_network() -> None:
    """The margin over the slope along the direction, on the nearer side; beyond the limit there is none."""
    torch.manual_seed(0)
    weight = torch.randn(2, 9)
    images, v = torch.rand(7, 1, 3, 3), torch.randn(1, 1, 3, 3)
    v = v / v.norm()

    def forward(x: Tensor) -> Tensor:
        return x.flatten(1) @ weight.T

    margin = (forward(images)[:, 0] - forward(images)[:, 1]).abs()
    expected = (margin / (forward(v)[0, 0] - forward(v)[0, 1]).abs()).double()
    limit = float(expected.sort().values[4]) * 1.1
    found = flips(forward, images, v, limit)
    assert found["flipped"] == pytest.approx(5 / 7)
    assert found["flip_norm"] == pytest.approx(float(expected.median()), rel=0.01)
    assert flips(forward, images, v, limit)["flip_norm"] == flips(forward, images, -v, limit)["flip_norm"]
    assert flips(forward, images, v, float(expected.min()) / 2) == {"images": 7, "flipped": 0.0, "flip_norm": math.inf}


def test_overlap_of_subspaces() -> None:
    """Rotations inside the subspace do not matter; of orthogonal ones it is 0, of random ones k / D."""
    q = torch.linalg.qr(torch.randn(40, 40, generator=torch.Generator().manual_seed(1)))[0].T

    def basis(rows: Tensor) -> CurvatureBasis:
        return CurvatureBasis(rows, torch.zeros(40), torch.zeros(40), torch.zeros(40), 0.0)

    turned = q.clone()
    turned[:2] = torch.tensor([[0.6, 0.8], [-0.8, 0.6]]) @ q[:2]
    assert overlap([basis(q), basis(turned)], slice(0, 2)) == pytest.approx(1, abs=1e-6)
    assert overlap([basis(q), basis(q.flip(0))], slice(0, 5)) == pytest.approx(0, abs=1e-6)
    eye = basis(torch.eye(40))
    overlaps = [overlap([eye, basis(random)], slice(-8, None)) for random in rotations(30)]
    assert np.mean(overlaps) == pytest.approx(8 / 40, rel=0.1)
    assert math.isnan(overlap([], slice(0, 2)))


def rotations(count: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [torch.linalg.qr(torch.randn(40, 40, generator=generator))[0] for _ in range(count)]


def test_which_directions_are_followed() -> None:
    curvatures = [float(c) for c in range(50, -51, -1)]
    followed = sorted(followed_ranks(curvatures, 3))
    assert followed == [0, 6, 49, 51, 94, 100]  # ranks 1, 7 and 50 of either sign
    assert followed_ranks([0.0, 0.0], 3) == set()
    assert followed_ranks(curvatures, 0) == set()


def test_the_share_of_flat_directions() -> None:
    values = np.array([5.0, 1.0, 0.1, 0.0, -0.2, -4.0])
    assert flat_share(values, 6, 0.25) == 3 / 6
    ends = np.array([5.0, 0.2, -0.1, -4.0])  # of Lanczos; those between are as flat
    assert flat_share(ends, 100, 0.25) == 98 / 100
    assert math.isnan(flat_share(ends, 100, 0.15))
    assert flat_share(np.zeros(4), 100, 0.0) == 1
    # those between -.2 and -3 may be curved, and those between 4 and .2, though known ones of small curvature are beside them
    assert math.isnan(flat_share(np.array([-0.1, -0.2, -3.0, -5.0]), 100, 0.25))
    assert math.isnan(flat_share(np.array([5.0, 4.0, 0.2, 0.1]), 100, 0.25))


def made_up(*, classes: int = 12, bend: float = 1.0, falling: bool = True, overlap: float = 0.9) -> pd.DataFrame:
    """Tables in which curvature falls with rank by a power of 2, and the flipping norm rises with it or falls too."""
    rows = []
    for target in range(classes):
        for i in range(40):
            sign, rank = (1, i) if i < 20 else (-1, 39 - i)
            strength = 2.0 ** -(rank + 0.01 * target)
            rows.append(
                {
                    "run": "test", "target": target, "target_name": f"c{target}", "direction": "principal", "rank": i + 1,
                    "size": 40, "found": 40, "points": 9, "step": 0.8, "curvature": sign * strength,
                    "rayleigh": sign * strength, "residual": 0.1, "asymmetry": 0.2, "bend": bend * strength, "top": 3,
                    "overlap_positive": overlap, "overlap_negative": overlap, "images": 10, "flipped": 1.0,
                    "flip_norm": 1 / strength if falling else strength, "limit": 14.0,
                }
            )  # fmt: skip
        rows.append(
            {**rows[-1], "direction": "random", "rank": 1, "curvature": math.nan, "bend": math.nan, "flip_norm": 10}
        )
    return pd.DataFrame(rows)


def test_verdicts() -> None:
    for of, verdict in ((made_up(), "holds"), (made_up(falling=False, overlap=0.2), "does not hold")):
        claims = claims_of(of)
        decided = {key: claim.verdict for key, claim in claims.items() if key[0] != "curved"}
        # one flat direction in forty is curved in neither table
        assert decided.pop(("mostly-flat", "classes")) == "holds"
        assert decided.pop(("curved-below-random", "classes")) == "holds"
        assert set(decided.values()) == {verdict}
        assert len([key for key in claims if key[0] == "higher-curvature-lower-norm-of-a-class"]) == 24
    steep = made_up().assign(curvature=lambda t: np.sign(t["curvature"]), flip_norm=11.0)
    assert claims_of(steep)["mostly-flat", "classes"].verdict == "does not hold"
    assert claims_of(steep)["curved-below-random", "classes"].verdict == "does not hold"
    beyond = made_up().assign(flip_norm=math.inf)
    assert claims_of(beyond)["curved-below-random", "classes"].verdict == "not measured"
    one = beyond.assign(flip_norm=lambda t: t["flip_norm"].where((t["target"] > 0) | (t["direction"] == "random"), 3.0))
    assert claims_of(one)["curved-below-random", "classes"].estimate == 1
    assert claims_of(one)["curved-below-random", "classes"].verdict == "undecided"  # of eleven classes nothing is known
    # of the two ends the more curved one is compared: the other may flip at the smallest norm of all
    ends = made_up().assign(
        flip_norm=lambda t: (
            t["flip_norm"].where(t["rank"] != 1, 11.0).where((t["rank"] != 40) | (t["direction"] == "random"), 1.0)
        ),
        curvature=lambda t: t["curvature"].where(t["rank"] != 40, -0.5),
    )
    assert claims_of(ends)["curved-below-random", "classes"].verdict == "does not hold"
    few = claims_of(made_up(classes=2))
    assert few["mostly-flat", "classes"].verdict == "undecided"
    assert few["higher-curvature-lower-norm-of-a-class", "positive, c0"].verdict == "holds"


def test_the_batch_does_not_matter() -> None:
    network = Quadratic().eval()
    tables = []
    for batch_size in (3, 256):
        options = {
            "experiment.points": 8,
            "experiment.iterations": 50,
            "experiment.classes": [1],
            "experiment.directions": 2,
        }
        tables.append(
            testing.measured(testing.context("curvature", network, IMAGES, LABELS, options, batch_size=batch_size))
        )
    for column in ("curvature", "flipped", "flip_norm"):
        assert tables[0][column].to_numpy() == pytest.approx(
            tables[1][column].to_numpy(), rel=1e-3, abs=1e-5, nan_ok=True
        )


def test_a_class_that_there_is_not(cli: Callable[..., Ended]) -> None:
    ended = cli("experiment=curvature", "dataset=digits", "model=lenet", "run.preset=tiny", "experiment.classes=[12]")
    assert ended.code == 2
    assert "classes 0 to 9" in ended.err
