"""Figure 4 of aghdam2017: maps that keep or lose the topology in closed form, controls, and claims."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from advlab.experiments.aghdam2017 import linearised_measure
from safetensors.numpy import load_file
from scipy.spatial.distance import pdist, squareform
from scipy.stats import pearsonr
from torch import nn

from advlab.config import components
from advlab.probes import neighbourhood
from advlab.probes.draws import Draws
from advlab.store.atomic import StorageError
from tests.helpers.networks import LinearFeatures

Topology = components.EXPERIMENTS.load("topology")


@pytest.mark.parametrize("scale", [1.0, 1e-3, 50.0])
def test_orthogonal_and_scaled_maps_keep_the_topology(around: Any, measured: Any, scale: float) -> None:
    torch.manual_seed(0)
    rotation, _ = torch.linalg.qr(torch.randn(36, 36))
    found = measured(around("topology", LinearFeatures(scale * rotation)))
    kept = found[found["source"] != "random map"]
    assert kept["mantel_r"].to_numpy() == pytest.approx(1, abs=2e-4)  # float32 features at radius .1 / 255
    assert kept["deviation"].max() < 1e-2
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


def test_the_linearisation_is_the_networks_jacobian(around: Any, measured: Any) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 20), nn.Tanh(), nn.Linear(20, 3))
    found = measured(around("topology", network, norm=["l2"], pixel_scale=[1]))
    by = found.pivot(index=["sample", "radius"], columns="source", values="mantel_r").reset_index()
    near, far = by[by["radius"] == 0.1], by[by["radius"] == 10]
    assert near["network"].to_numpy() == pytest.approx(near["linearisation"].to_numpy(), abs=1e-2)
    assert (far["network"] - far["linearisation"]).abs().min() > 1e-2  # tanh saturates


@pytest.mark.parametrize("outputs", [5, 200])
def test_the_random_map_is_as_correlated_as_theory_says(around: Any, measured: Any, outputs: int) -> None:
    network = LinearFeatures(torch.eye(36)[torch.arange(outputs) % 36])
    found = measured(around("topology", network, count=8, trials=100, params={"linearisation": False}))
    r = found[(found["source"] == "random map") & (found["norm"] == "l2")]["mantel_r"]
    # independent maps: their mean is within a few standard errors of sqrt(R / (R + 2 D))
    assert r.mean() == pytest.approx(math.sqrt(outputs / (outputs + 72)), abs=4 * r.std() / math.sqrt(len(r)) + 0.01)
    assert set(found["source"]) == {"network", "random map"}


@pytest.mark.parametrize("batch", [1, 7, 33, 1000])
def test_the_table_does_not_depend_on_the_batch_size(around: Any, measured: Any, tmp_path: Any, batch: int) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))
    tables = [
        measured(around("topology", network, batch=size, cache=tmp_path / str(size), params={"permutations": 19}))
        for size in (20, batch)
    ]
    numbers = tables[0].select_dtypes("number").columns.drop(["rounding", "p_value"])
    assert np.allclose(tables[0][numbers], tables[1][numbers], atol=2e-3, equal_nan=True)


def test_the_sweep_is_made_once_for_isotropy_topology_and_lipschitz(around: Any, measured: Any) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))
    first = around("isotropy", network, floor_samples=0)
    alone = measured(first)
    assert first.forward.images == 3 * (2 * 3 * 20 + 1)
    for name, more in (
        ("topology", {"params": {"linearisation": False}}),
        ("isotropy", {}),
        ("isotropy", {"keep": False}),
    ):
        ctx = around(name, network, floor_samples=0, **more)
        again = measured(ctx)
        assert ctx.forward.images == 0
        if name == "isotropy":
            pd.testing.assert_frame_equal(alone, again)
    lipschitz = around("lipschitz", network, floor_samples=0)
    before = lipschitz.forward.images  # the normalisers'
    measured(lipschitz)
    assert lipschitz.forward.images == before
    other = around("topology", network, floor_samples=0, trials=21)  # other draws are another sweep
    measured(other)
    assert other.forward.images == 3 * (2 * 3 * 21 + 1)


def test_what_is_kept_has_the_names_that_earlier_versions_gave_it(around: Any, measured: Any) -> None:
    """Sweeps that were kept before are found and read again."""
    ctx = around("topology", LinearFeatures(torch.eye(36)[:9]))
    table = measured(ctx)
    (file,) = ctx.artifacts.root.glob("neighbourhood/*/arrays.safetensors")
    arrays = load_file(file)
    assert set(arrays) == {"clean", "deficit", "hit", "length", "moved", "inner", "outer", "width"}
    around_samples = (2, 3, 3, 20)  # readings, samples, radii, trials
    assert arrays["clean"].shape == (3,)
    assert arrays["deficit"].shape == arrays["hit"].shape == arrays["length"].shape == around_samples
    assert arrays["moved"].shape == (1, *around_samples)
    assert arrays["inner"].shape == (*around_samples[:3], 190)
    assert arrays["outer"].shape == (1, *around_samples[:3], 190)
    assert arrays["width"].tolist() == [9]
    again = around("topology", LinearFeatures(torch.eye(36)[:9]))
    pd.testing.assert_frame_equal(measured(again), table)


def test_a_full_cache_costs_no_result(
    around: Any, measured: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    network = LinearFeatures(torch.eye(36)[:9])
    kept = measured(around("isotropy", network))
    ctx = around("isotropy", network, trials=21)

    def full(*_: Any) -> None:
        raise StorageError("no space left on device")

    monkeypatch.setattr(ctx.artifacts, "put", full)
    assert len(measured(ctx)) == len(kept)
    assert "the distances are not kept for other experiments: no space left" in caplog.text


def test_isotropy_needs_no_features(around: Any, measured: Any) -> None:
    class Bare(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([x.sum((1, 2, 3)), -x.sum((1, 2, 3))], 1)

    assert len(measured(around("isotropy", Bare()))) == 18
    kept = around("isotropy", LinearFeatures(torch.eye(36)), keep=False, floor_samples=0)
    measured(kept)
    assert not list(kept.artifacts.root.glob("neighbourhood/*"))


def test_layers_that_are_swept_apart_give_the_same(
    around: Any, measured: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 9), nn.Tanh(), nn.Linear(9, 5))
    together = measured(around("topology", network, layer=["all"], params={"test": "normal"}))
    monkeypatch.setattr(neighbourhood, "FEATURE_VALUES_AT_ONCE", 20 * 70)
    assert neighbourhood.layer_groups([64, 64, 9, 9], 20) == [[0], [1], [2, 3]]
    ctx = around("topology", network, layer=["all"], params={"test": "normal"}, cache=tmp_path / "other", batch=7)
    apart = measured(ctx)
    assert apart["mantel_r"].to_numpy() == pytest.approx(together["mantel_r"].to_numpy(), abs=1e-3)


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
    one = measured(around("topology", network, layer=["1"], params={"permutations": 9}))
    same = found[found["layer"] == "1"]["mantel_r"].to_numpy()
    network_and_linear = (found[found["layer"] == "1"]["source"] != "random map").to_numpy()
    assert one["mantel_r"].to_numpy()[network_and_linear] == pytest.approx(same[network_and_linear], abs=1e-6)
    figure = Topology(Topology.Params()).plot(found)
    figure.canvas.draw()


def test_clipping_is_seen_by_the_linearisation(around: Any, measured: Any) -> None:
    torch.manual_seed(0)
    rotation, _ = torch.linalg.qr(torch.randn(36, 36))
    found = measured(around("topology", LinearFeatures(rotation), clip=True))
    assert found[found["source"] == "linearisation"]["mantel_r"].to_numpy() == pytest.approx(1, abs=2e-4)


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


def made_up(network: float, linear: float, random: float, n: int = 40) -> pd.DataFrame:
    rows = [
        {
            "pixels": 36, "features": 9,
            "sample": s, "layer": "auto", "norm": "l2", "pixel_scale": 1.0, "direction": "random", "radius": r,
            "source": source, "mantel_r": value + 0.001 * (s % 3),
        }
        for s in range(n) for r in (0.1, 1.0) for source, value in
        (("network", network), ("linearisation", linear), ("random map", random))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def verdicts(frame: pd.DataFrame) -> dict[str, str]:
    return {claim.claim: claim.verdict for claim in Topology(Topology.Params()).claims(frame)}


def test_claims_hold_on_the_papers_picture_and_fail_on_its_opposite() -> None:
    assert set(verdicts(made_up(0.01, 0.05, 0.4)).values()) == {"holds"}
    assert set(verdicts(made_up(0.9, 0.8, 0.2)).values()) == {"does not hold"}
    found = verdicts(made_up(-0.9, -0.8, 0.2))  # far below the band is outside it as well
    assert found["uncorrelated"] == found["uncorrelated-at-epsilon"] == "does not hold"


def test_claims_without_a_control_are_not_measured() -> None:
    frame = made_up(0.01, 0.05, 0.4)
    found = verdicts(frame[frame["source"] == "network"])
    assert found["affine-suffices"] == found["more-than-linear"] == found["more-than-random"] == "not measured"


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


@pytest.mark.parametrize("runs", [1, 2, 5])
def test_the_figure_has_a_panel_a_run_and_reading(
    around: Any, measured: Callable[..., pd.DataFrame], runs: int
) -> None:
    found = measured(around("topology", LinearFeatures(torch.eye(36)[:9])))
    frames = [found.assign(run=f"network {n} $x$ <b>") for n in range(runs)]
    figure = Topology(Topology.Params()).plot(pd.concat(frames))
    figure.canvas.draw()
    panels = [axis for axis in figure.axes if axis.axison and axis.get_xlabel()]
    assert len(panels) == 2 * runs
    for axis in panels:
        assert sum(len(c.get_offsets()) for c in axis.collections) == 9  # a dot for each (sample, radius)
        assert len(axis.lines) == 3


@pytest.mark.parametrize("layers", [["auto"], ["1", "3", "2"]])
@pytest.mark.parametrize("clip", [False, True])
def test_the_linearisation_is_the_same_by_rows_and_by_products(
    around: Any, measured: Any, monkeypatch: pytest.MonkeyPatch, layers: list[str], clip: bool
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 20), nn.Tanh(), nn.Linear(20, 8), nn.Tanh(), nn.Linear(8, 3))
    ctx = around("topology", network, layer=layers, clip=clip)
    assert linearised_measure.whole_jacobian_is_cheaper(ctx, 20)
    assert not linearised_measure.whole_jacobian_is_cheaper(ctx, 1000)
    rows = measured(ctx)
    monkeypatch.setattr(linearised_measure, "whole_jacobian_is_cheaper", lambda *_: False)
    calls: list[int] = []
    real = linearised_measure.TangentProducts.__call__

    def counted(self: Any, x: Any, v: Any) -> Any:
        calls.append(v.shape[1])
        return real(self, x, v)

    monkeypatch.setattr(linearised_measure.TangentProducts, "__call__", counted)
    products = measured(ctx)
    assert rows["mantel_r"].to_numpy() == pytest.approx(products["mantel_r"].to_numpy(), abs=1e-5)
    samples, probe = ctx.prepared["samples"], ctx.settings.probe
    assert len(calls) == len(samples) * len(probe.radii) * (len(probe.readings) if clip else 1)  # all layers at once
    monkeypatch.setattr("advlab.probes.neighbourhood.FEATURE_VALUES_AT_ONCE", 1)
    apart = measured(ctx)
    assert len(calls) == len(samples) * len(probe.radii) * (len(probe.readings) if clip else 1) * (1 + len(layers))
    assert rows["mantel_r"].to_numpy() == pytest.approx(apart["mantel_r"].to_numpy(), abs=1e-5)


@pytest.mark.parametrize("experiment", ["topology", "lipschitz"])
def test_a_layer_that_is_not_there_is_refused_before_a_run_is_begun(around: Any, experiment: str) -> None:
    with pytest.raises(Exception, match=r"toy has no layer 'nope'"):
        around(experiment, LinearFeatures(torch.eye(36)), layer=["nope"])
