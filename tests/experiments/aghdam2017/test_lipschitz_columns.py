"""Figure 6: scores, normalisers of single elements and ascended norms against brute force in float64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from advlab.experiments.aghdam2017.lipschitz_score_measure import rank_correlations
from scipy.stats import spearmanr
from torch import Tensor, nn

from advlab import testing
from advlab.config import components
from advlab.lab import NetworkContext
from advlab.probes.draws import Draws
from tests.helpers.networks import LinearFeatures

Lipschitz = components.REGISTRIES["experiment"].load("lipschitz")


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 20), nn.Tanh(), nn.Linear(20, 3))


def perturbations(row: Any) -> Tensor:
    """(T, 36) float64 of one row of the toy's table."""
    source = Draws(seed=0, dataset="toy/test", size=36, device=torch.device("cpu"), portable=True)
    noise = torch.empty(1, 20, 36)
    source.write_directions([(row.sample, [0.1, 1.0, 10.0].index(row.radius))], noise)
    v = noise[0].double()
    return v * (row.radius / row.pixel_scale / (v.norm(dim=1) if row.norm == "l2" else v.abs().amax(1)))[:, None]


def pixels(ctx: NetworkContext, *samples: int) -> Tensor:
    return ctx.data.images(torch.tensor(samples)).double().flatten(1)


def test_scores_equal_brute_force(around: Any, measured: Any) -> None:
    ctx = around("lipschitz", network(), samples=[2, 0])
    found, double = measured(ctx), network().double()
    for row in found.itertuples():
        x, v = pixels(ctx, row.sample), perturbations(row)
        with torch.no_grad():
            clean, scores = (double(images).softmax(1)[:, row.label] for images in (x, x + v))
            moved = (double[:3](x + v) - double[:3](x)).norm(dim=1)
        assert row.clean_error_probability == pytest.approx(1 - clean.item(), rel=1e-5)
        assert row.score_moved == pytest.approx((scores - clean).abs().mean().item(), rel=1e-3)
        expected = spearmanr(moved, (scores - clean).abs())[0]
        assert row.score_follows == pytest.approx(
            expected, abs=0.02
        )  # ranks of nearly equal lengths may swap in float32


def test_normalisers_of_single_elements_equal_brute_force(around: Any, measured: Any) -> None:
    toy = network()
    with torch.no_grad():
        next(toy.parameters())[4] = 0  # a feature that never changes
    ctx = around("lipschitz", toy, count=5)
    found, double = measured(ctx), toy.double()
    x = pixels(ctx, *range(5))
    pixel_range = x.amax(0) - x.amin(0)
    with torch.no_grad():
        features = double[:3](x)
    feature_range = features.amax(0) - features.amin(0)
    varying = feature_range > 0
    assert set(found["constant_features"]) == {1}
    assert set(found["constant_pixels"]) == {0}
    for row in found.itertuples():
        v = perturbations(row)
        with torch.no_grad():
            moved = double[:3](x[row.sample] + v) - features[row.sample]
        of_image = (v / pixel_range).norm(dim=1)
        of_features = (moved / feature_range)[:, varying].norm(dim=1)
        assert row.elementwise_length == pytest.approx(of_image.mean().item(), rel=1e-3)
        assert row.elementwise_moved == pytest.approx(of_features.mean().item(), rel=5e-3)
        ratio = of_features / of_image
        assert row.elementwise_largest_ratio == pytest.approx(ratio.max().item(), rel=1e-2)
        assert abs(row.contracted_elementwise - (ratio < 1).sum().item()) <= (abs(ratio - 1) < 1e-2).sum().item()


def test_elements_that_never_change_are_left_out_and_counted() -> None:
    """Of the identity each element is normalised as its pixel is: the ratio is 1, whatever is left out."""
    images = torch.rand(5, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    images[:, :, 0] = 0.5
    options = {"probe.radii": [0.1, 10], "probe.trials": 8, "experiment.starts": 0}
    labels, identity = torch.zeros(5, dtype=torch.int64), LinearFeatures(torch.eye(36))
    found = testing.measured(testing.context("lipschitz", identity, images, labels, options, samples=[0, 3]))
    assert set(found["constant_pixels"]) == set(found["constant_features"]) == {6}
    assert found["elementwise_largest_ratio"].to_numpy() == pytest.approx(1, rel=1e-3)
    assert (found["elementwise_length"] > found["length"]).all()  # ranges are below 1


def test_features_without_any_range_are_not_contracted(around: Any, measured: Any) -> None:
    found = measured(around("lipschitz", LinearFeatures(torch.zeros(4, 36))))
    assert found["contracted_elementwise"].isna().all()
    assert set(found["constant_features"]) == {4}


def test_numbers_do_not_depend_on_batches_and_groups_of_layers(
    around: Any, measured: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"layer": ["1", "2"], "params": {"starts": 2, "steps": 5}}
    tables = [measured(around("lipschitz", network(), **options))]
    tables += [
        measured(around("lipschitz", network(), batch=batch, cache=tmp_path / str(batch), **options))
        for batch in (7, 1000)
    ]
    monkeypatch.setattr("advlab.probes.neighbourhood.FEATURE_VALUES_AT_ONCE", 1)
    tables.append(measured(around("lipschitz", network(), cache=tmp_path / "groups", **options)))
    columns = ["score_moved", "elementwise_length", "elementwise_moved", "elementwise_largest_ratio", "ascended_norm"]
    for table in tables[1:]:
        for column in columns:
            assert table[column].to_numpy() == pytest.approx(tables[0][column].to_numpy(), rel=2e-3), column


class Squares(nn.Module):
    """Features x^2, whose Jacobian is 2 x on the diagonal: 2 at most in [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(36, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(x.flatten(1).square())
        return out


def test_the_ascended_norm_is_the_largest_in_the_box(around: Any, measured: Any) -> None:
    found = measured(around("lipschitz", Squares(), layer=["auto"], params={"starts": 1, "steps": 30}))
    assert found["ascended_norm"].to_numpy() == pytest.approx(2, rel=1e-5)
    assert found["jacobian_norm"].max() < 2
    weight = torch.randn(8, 36, generator=torch.Generator().manual_seed(0))
    linear = measured(around("lipschitz", LinearFeatures(weight), params={"starts": 2, "steps": 5}))
    top = float(torch.linalg.svdvals(weight.double())[0])
    assert linear["ascended_norm"].to_numpy() == pytest.approx(top, rel=1e-3)
    without = measured(around("lipschitz", Squares(), params={"starts": 0, "elementwise": False}))
    assert (
        without[["ascended_norm", "elementwise_length", "contracted_elementwise", "constant_pixels"]].isna().all(None)
    )


def test_what_ascent_reaches_decides_the_global_constant(around: Any, measured: Any) -> None:
    found = measured(around("lipschitz", LinearFeatures(0.4 * torch.eye(36)), params={"starts": 0}))
    found = found[found["norm"] == "l2"].assign(normaliser=0.5)

    def verdicts(table: pd.DataFrame) -> dict[str, tuple[str, float]]:
        claims = Lipschitz(Lipschitz.Params()).claims(table)
        return {c.claim: (c.verdict, c.estimate) for c in claims if c.claim.startswith("global-above-1")}

    assert verdicts(found)["global-above-1-raw"][1] == pytest.approx(0.4)
    reached = verdicts(found.assign(ascended_norm=3.0))
    assert reached["global-above-1-raw"] == ("holds", 3.0)
    assert reached["global-above-1-normalised"] == ("holds", 1.5)


def test_rank_correlations_leave_out_what_is_not_finite() -> None:
    random = np.random.default_rng(0)
    x, y = random.integers(0, 5, (2, 3, 30)).astype(float)  # with ties
    x[1, 4], y[1, 7], y[2] = np.nan, np.inf, 3
    found = rank_correlations(torch.from_numpy(x), torch.from_numpy(y))
    kept = np.isfinite(x[1]) & np.isfinite(y[1])
    assert found[:2] == pytest.approx([spearmanr(x[0], y[0])[0], spearmanr(x[1][kept], y[1][kept])[0]])
    assert np.isnan(found[2])
    assert np.isnan(rank_correlations(torch.tensor([1.0, 2, torch.nan]), torch.tensor([1.0, 2, 3])))
