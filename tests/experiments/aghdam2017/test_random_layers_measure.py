"""Stacks of random layers beside a network: which layers have a map, what a stack keeps, and against weights in full."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from advlab.experiments.aghdam2017.random_layers_measure import mapped_layers
from scipy.spatial.distance import pdist
from scipy.stats import pearsonr
from torch import nn

from advlab.probes.draws import Draws


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3)
    )


def test_layers_that_transform_have_a_map(around: Any) -> None:
    ctx = around("topology", network(), layer=["all"])
    layers, widths = ["0", "1", "2", "4", "5"], [64, 64, 16, 16, 16]
    assert ctx.classifier.layers() == layers
    assert mapped_layers(ctx, layers, widths) == [True, False, True, True, False]
    assert mapped_layers(ctx, ["auto"], [36]) == [False]


def test_stacks_are_measured_with_several_layers_alone(around: Any, measured: Any) -> None:
    params = {"permutations": 9, "linearisation": False}
    several = measured(around("topology", network(), layer=["all"], params=params))
    assert list(dict.fromkeys(several["source"])) == ["network", "random map", "random layers", "random layers, relu"]
    r = several.pivot_table(index=["sample", "norm", "radius"], columns=["source", "layer"], values="mantel_r")
    for source in ("random layers", "random layers, relu"):
        for layer, before in (("1", "0"), ("5", "4")):  # which pass on what they are given
            assert r[source, layer].tolist() == r[source, before].tolist()
    first = r["random layers", "0"]
    assert first.mean() == pytest.approx(math.sqrt(64 / (64 + 72)), abs=0.1)  # as after one random map
    assert r["random layers", "5"].mean() < r["random layers", "2"].mean() < first.mean()
    without = measured(around("topology", network(), layer=["all"], params={**params, "random_layers": False}))
    assert set(without["source"]) == {"network", "random map"}
    assert set(measured(around("topology", network(), params=params))["source"]) == {"network", "random map"}


def test_the_table_does_not_depend_on_the_other_samples_of_a_cell(around: Any, measured: Any) -> None:
    params = {"permutations": 9, "linearisation": False}
    both = measured(around("topology", network(), layer=["all"], samples=[0, 2], params=params))
    one = measured(around("topology", network(), layer=["all"], samples=[2], params=params))
    same = both[both["sample"] == 2]
    assert same["mantel_r"].to_numpy() == pytest.approx(one["mantel_r"].to_numpy(), abs=1e-5)


@pytest.mark.parametrize("relu", [False, True])
def test_r_is_that_of_weights_in_full(around: Any, measured: Any, relu: bool) -> None:
    """The mean over samples, of Mantel's r after each layer, for weights drawn in full around the same images in float64."""
    params = {"permutations": 9, "linearisation": False}
    samples = list(range(40))
    ctx = around(
        "topology", network(), layer=["all"], count=40, norm=["l2"], pixel_scale=[1], radii=[10], params=params
    )
    found = measured(ctx)
    source = Draws(seed=0, dataset="toy/test", size=36, device=torch.device("cpu"), portable=True)
    expected: dict[str, list[float]] = {"0": [], "2": [], "4": []}
    for sample in samples:
        noise = torch.empty(1, 20, 36)
        source.write_directions([(sample, 0)], noise)
        v = 10 * torch.nn.functional.normalize(noise[0].double())
        points = ctx.data.images(torch.tensor([sample])).double().flatten(1) + v
        before = pdist(v.numpy())
        for layer, width in (("0", 64), ("2", 16), ("4", 16)):
            points = points @ torch.randn(points.shape[1], width, dtype=torch.float64)
            points = torch.relu(points) if relu else points
            expected[layer].append(pearsonr(before, pdist(points.numpy()))[0])
    rows = found[found["source"] == ("random layers, relu" if relu else "random layers")]
    for layer, values in expected.items():
        error = math.hypot(np.std(values), rows[rows["layer"] == layer]["mantel_r"].std()) / math.sqrt(40)
        assert rows[rows["layer"] == layer]["mantel_r"].mean() == pytest.approx(np.mean(values), abs=4 * error)
    assert np.mean(expected["4"]) < 0.8 * np.mean(expected["0"])
