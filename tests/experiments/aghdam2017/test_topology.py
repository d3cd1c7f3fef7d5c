"""Figure 4 of aghdam2017: maps that keep or lose the topology in closed form, controls, and claims."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist, squareform
from scipy.stats import pearsonr
from torch import nn

from advlab.config import components
from advlab.probes.draws import Draws
from tests.helpers.networks import LinearFeatures

Topology = components.REGISTRIES["experiment"].load("topology")


@pytest.mark.parametrize("scale", [1.0, 1e-3, 50.0])
def test_orthogonal_and_scaled_maps_keep_the_topology(around: Any, measured: Any, scale: float) -> None:
    torch.manual_seed(0)
    rotation, _ = torch.linalg.qr(torch.randn(36, 36))
    found = measured(around("topology", LinearFeatures(scale * rotation)))
    kept = found[found["source"] != "random map"]
    assert kept["mantel_r"].to_numpy() == pytest.approx(1, abs=2e-4)  # float32 features at radius .1 / 255
    assert kept["deviation"].max() < 1e-2
    assert (kept["nearest_kept"] == 1).all()
    assert kept["scale"].to_numpy() == pytest.approx(scale, rel=1e-3)
    assert (found[found["source"] == "network"]["p_value"] <= 2 / 1000).all()
    assert (found[found["source"] == "random map"]["mantel_r"] < 0.95).all()


def test_r_equals_brute_force_in_float64(around: Any, measured: Any) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 20), nn.Tanh(), nn.Linear(20, 3))
    ctx = around("topology", network, samples=[2, 0], params={"permutations": 9})
    found = measured(ctx)
    double = network.double()
    source = Draws(seed=0, dataset="toy/test", size=36, device=torch.device("cpu"), portable=True)
    checked = 0
    for row in found[found["source"] == "network"].itertuples():
        noise = torch.empty(1, 20, 36)
        source.write_directions([(row.sample, [0.1, 1.0, 10.0].index(row.radius))], noise)
        v = noise[0].double()
        length = v.norm(dim=1) if row.norm == "l2" else v.abs().amax(1)
        v = v * (row.radius / row.pixel_scale / length)[:, None]
        x = ctx.data.images(torch.tensor([row.sample])).double().flatten(1)
        features = double[:3]((x + v).view(-1, 1, 6, 6)).detach()
        expected = pearsonr(pdist(v.numpy()), pdist(features.numpy()))[0]
        assert row.mantel_r == pytest.approx(expected, abs=5e-3 if row.radius < 1 else 1e-4)
        checked += 1
    assert checked == 12


def test_nearest_neighbours_and_alpha_equal_brute_force_in_float64(around: Any, measured: Any) -> None:
    torch.manual_seed(0)
    weight = torch.randn(30, 36)
    found = measured(around("topology", LinearFeatures(weight), samples=[2, 0], params={"permutations": 9}))
    source = Draws(seed=0, dataset="toy/test", size=36, device=torch.device("cpu"), portable=True)
    rows = found[(found["source"] == "network") & (found["norm"] == "l2") & (found["radius"] > 0.5)]
    shares = []
    for row in rows.itertuples():
        noise = torch.empty(1, 20, 36)
        source.write_directions([(row.sample, [0.1, 1.0, 10.0].index(row.radius))], noise)
        v = torch.nn.functional.normalize(noise[0].double()) * row.radius
        inner, outer = (squareform(pdist(points.numpy())) for points in (v, v @ weight.double().T))
        alpha = np.linalg.solve(inner, outer)
        off = alpha - np.trace(alpha) / 20 * np.eye(20)
        assert row.deviation == pytest.approx(np.linalg.norm(off) / np.linalg.norm(alpha), rel=1e-3)
        nearest = [(d + np.diag([np.inf] * 20)).argmin(1) for d in (inner, outer)]
        assert row.nearest_kept == pytest.approx((nearest[0] == nearest[1]).mean())
        shares.append(row.nearest_kept)
    assert len(shares) == 4
    assert 1 / 19 < np.mean(shares) < 1


def test_p_is_that_of_permutations_one_by_one(around: Any, measured: Any) -> None:
    """A single feature keeps so little that p is anything."""
    torch.manual_seed(0)
    weight = torch.randn(1, 36)
    ctx = around("topology", LinearFeatures(weight), params={"permutations": 999})
    found = measured(ctx)
    source = Draws(seed=0, dataset="toy/test", size=36, device=torch.device("cpu"), portable=True)
    random, pairs = np.random.default_rng(7), []
    for row in found[(found["source"] == "network") & (found["norm"] == "l2")].itertuples():
        noise = torch.empty(1, 20, 36)
        source.write_directions([(row.sample, [0.1, 1.0, 10.0].index(row.radius))], noise)
        v = torch.nn.functional.normalize(noise[0].double())
        inner, outer = squareform(pdist(v.numpy())), pdist((v @ weight.double().T).numpy())
        r = abs(pearsonr(squareform(inner), outer)[0])
        orders = [random.permutation(20) for _ in range(999)]
        hits = sum(abs(pearsonr(squareform(inner[np.ix_(k, k)]), outer)[0]) >= r for k in orders)
        pairs.append((row.p_value, (1 + hits) / 1000))
    ours, by_hand = np.array(pairs).T
    assert np.abs(ours - by_hand).max() < 0.09  # four standard errors of the difference at p = .5
    assert ours.min() < 0.1
    assert ours.max() > 0.4


@pytest.mark.parametrize("outputs", [5, 200])
def test_the_random_map_is_as_correlated_as_theory_says(around: Any, measured: Any, outputs: int) -> None:
    network = LinearFeatures(torch.eye(36)[torch.arange(outputs) % 36])
    found = measured(around("topology", network, count=8, trials=100, params={"linearisation": False}))
    r = found[(found["source"] == "random map") & (found["norm"] == "l2")]["mantel_r"]
    # independent maps: their mean is within a few standard errors of sqrt(R / (R + 2 D))
    assert r.mean() == pytest.approx(math.sqrt(outputs / (outputs + 72)), abs=4 * r.std() / math.sqrt(len(r)) + 0.01)
    assert set(found["source"]) == {"network", "random map"}


def test_every_layer_is_measured_in_its_order(around: Any, measured: Any) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Flatten(),
        nn.Linear(64, 9),
        nn.Tanh(),
        nn.Linear(9, 5),
    )
    found = measured(around("topology", network, layer=["all"], params={"permutations": 9}))
    assert list(dict.fromkeys(found["layer"])) == ["0", "1", "4", "5"]
    widths = found.groupby("depth")["features"].first().tolist()
    assert widths == [64, 64, 9, 9]
    found = found[~found["source"].str.startswith("random layers")]
    one = measured(around("topology", network, layer=["1"], params={"permutations": 9}))
    same = found[found["layer"] == "1"]["mantel_r"].to_numpy()
    network_and_linear = (found[found["layer"] == "1"]["source"] != "random map").to_numpy()
    assert one["mantel_r"].to_numpy()[network_and_linear] == pytest.approx(same[network_and_linear], abs=1e-6)
    figure = Topology(Topology.Params()).plot(found)
    figure.draw_without_rendering()


def test_features_that_do_not_move_have_no_correlation(around: Any, measured: Any) -> None:
    found = measured(around("topology", LinearFeatures(torch.zeros(4, 36))))
    own = found[found["source"] == "network"]
    assert own["mantel_r"].isna().all()
    assert own["p_value"].isna().all()
    Topology(Topology.Params()).plot(found).canvas.draw()
    assert {c.verdict for c in Topology(Topology.Params()).claims(found)} <= {"not measured", "undecided"}


def test_too_few_directions_are_refused(around: Any) -> None:
    with pytest.raises(Exception, match=r"probe\.trials: topology compares distances of at least 4 points"):
        around("topology", LinearFeatures(torch.eye(36)), trials=3)


def test_the_summary_has_a_row_for_each_source(around: Any, measured: Any) -> None:
    found = measured(around("topology", LinearFeatures(torch.eye(36)[:9])))
    summary = Topology(Topology.Params()).summary(found)
    assert len(summary) == 2 * 3
    random = summary[summary["source"] == "random map"]
    one_length = random["norm"] == "l2"
    assert random[one_length]["expected_r"].to_numpy() == pytest.approx(math.sqrt(9 / (9 + 72)))
    assert random[~one_length]["expected_r"].isna().all()
    own = found[(found["source"] == "network") & (found["norm"] == "l2")]
    assert summary.iloc[0]["median_r"] == pytest.approx(own["mantel_r"].median())


@pytest.mark.parametrize("experiment", ["topology", "lipschitz"])
def test_a_layer_that_is_not_there_is_refused_before_a_run_is_begun(around: Any, experiment: str) -> None:
    with pytest.raises(Exception, match=r"toy has no layer 'nope'"):
        around(experiment, LinearFeatures(torch.eye(36)), layer=["nope"])
