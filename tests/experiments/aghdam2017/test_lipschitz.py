"""Figure 6 of aghdam2017: ratios of linear maps in closed form, the Jacobian's norm, normalisers, fits and claims.

Longer than other files: one figure, from its ratios to its claims.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from advlab.experiments.aghdam2017.lipschitz_fits import fits
from matplotlib.collections import LineCollection, PathCollection
from torch import nn

from advlab.config import components
from advlab.config.settings import resolve
from advlab.errors import ConfigError
from advlab.probes.draws import Draws
from advlab.statistics import share_interval
from tests.helpers.networks import LinearFeatures

Lipschitz = components.REGISTRIES["experiment"].load("lipschitz")


def test_a_scaled_rotation_has_one_ratio_everywhere(around: Any, measured: Any) -> None:
    torch.manual_seed(0)
    rotation, _ = torch.linalg.qr(torch.randn(36, 36))
    found = measured(around("lipschitz", LinearFeatures(0.75 * rotation)))
    assert found["least_ratio"].to_numpy() == pytest.approx(0.75, rel=2e-3)
    assert found["largest_ratio"].to_numpy() == pytest.approx(0.75, rel=2e-3)
    assert found["jacobian_norm"].to_numpy() == pytest.approx(0.75, rel=1e-5)
    assert found["jacobian_converged"].all()
    assert (found["contracted"] == 20).all()
    assert found["global_bound"].to_numpy() == pytest.approx(0.75, rel=1e-5)


def test_ratios_of_a_linear_map_lie_below_its_largest_singular_value(around: Any, measured: Any) -> None:
    torch.manual_seed(0)
    weight = 10 * torch.randn(8, 36)
    found = measured(around("lipschitz", LinearFeatures(weight)))
    top = float(torch.linalg.svdvals(weight.double())[0])
    assert found["jacobian_norm"].to_numpy() == pytest.approx(top, rel=1e-4)
    assert (found["largest_ratio"] <= top * 1.002).all()
    assert (found["largest_ratio"] > 0.3 * top).all()
    assert (found["least_ratio"] > 1).all()
    assert (found["contracted"] == 0).all()


def test_lengths_follow_the_reading(around: Any, measured: Any) -> None:
    found = measured(around("lipschitz", LinearFeatures(torch.eye(36))))
    l2 = found[found["norm"] == "l2"]
    assert l2["length"].to_numpy() == pytest.approx(l2["radius"].to_numpy(), rel=1e-5)
    linf = found[found["norm"] == "linf"]
    # E||v||_2 of 36 uniform values scaled to the largest magnitude r is about r 6 / sqrt(3), a bit more
    expected = linf["radius"].to_numpy() / 255 * 6 / np.sqrt(3)
    assert linf["length"].to_numpy() == pytest.approx(expected, rel=0.1)


def test_the_normaliser_is_the_ratio_of_the_ranges(around: Any, measured: Any) -> None:
    torch.manual_seed(0)
    weight = torch.randn(8, 36)
    ctx = around("lipschitz", LinearFeatures(weight), count=5)
    found = measured(ctx)
    x = ctx.data.images(torch.arange(5)).flatten(1)
    features = x @ weight.T
    expected = float((x.max() - x.min()) / (features.max() - features.min()))
    assert found["normaliser"].to_numpy() == pytest.approx(expected, rel=1e-5)
    assert found["pixel_range"].to_numpy() == pytest.approx(float(x.max() - x.min()), rel=1e-6)
    ratio = found["largest_ratio"] * expected
    assert ((found["contracted_normalised"] == 20) == (ratio < 1)).all()
    fewer = around("lipschitz", LinearFeatures(weight), count=5, params={"images": 2})
    assert fewer.prepared["ranges"] != ctx.prepared["ranges"]


def test_rows_equal_brute_force(around: Any, measured: Any) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 20), nn.Tanh(), nn.Linear(20, 3))
    ctx = around("lipschitz", network, samples=[2, 0])
    found = measured(ctx)
    double = network.double()
    source = Draws(seed=0, dataset="toy/test", size=36, device=torch.device("cpu"), portable=True)
    for row in found.itertuples():
        noise = torch.empty(1, 20, 36)
        source.write_directions([(row.sample, [0.1, 1.0, 10.0].index(row.radius))], noise)
        v = noise[0].double()
        v *= (row.radius / row.pixel_scale / (v.norm(dim=1) if row.norm == "l2" else v.abs().amax(1)))[:, None]
        x = ctx.data.images(torch.tensor([row.sample])).double().flatten(1)
        moved = (double[:3](x + v) - double[:3](x)).norm(dim=1).detach()
        ratio = moved / v.norm(dim=1)
        assert row.moved == pytest.approx(float(moved.mean()), rel=2e-3)
        assert row.largest_ratio == pytest.approx(float(ratio.max()), rel=5e-3)
        assert row.least_ratio == pytest.approx(float(ratio.min()), rel=5e-3)
        jacobian = torch.autograd.functional.jacobian(lambda z: double[:3](z)[0], x)[:, 0]
        assert row.jacobian_norm == pytest.approx(float(torch.linalg.svdvals(jacobian)[0]), rel=1e-4)


@pytest.mark.parametrize("direction", ["fgv", "deepfool"])
def test_adversarial_directions_move_features_further_than_random_ones(
    around: Any, measured: Any, direction: str
) -> None:
    torch.manual_seed(0)
    head = nn.Linear(20, 2)
    with torch.no_grad():
        head.bias.copy_(torch.tensor([1.0, 0.0]))
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 20), nn.Tanh(), head)
    adversarial = measured(around("lipschitz", network, direction=direction))
    random = measured(around("lipschitz", network))
    near = adversarial["radius"] == 0.1
    assert set(adversarial["direction"]) == {direction}
    assert (adversarial["length"] - random["length"])[adversarial["norm"] == "l2"].abs().max() < 1e-4  # equal lengths
    assert adversarial["moved"][near].mean() > 1.3 * random["moved"][near].mean()


def test_the_fits_are_those_of_a_known_curve() -> None:
    radius = np.arange(1.0, 21)
    table = pd.DataFrame(
        {
            "radius": radius,
            "length": radius,
            "moved": 3 * radius + 0.5 * radius**2,
            "normaliser": 2.0,
            "pixel_range": 1.0,
        }
    )
    line, parabola = fits(table)
    assert parabola == pytest.approx([1, 6, 0], abs=1e-9)
    assert line == pytest.approx(np.polyfit(radius, 6 * radius + radius**2, 1))
    line, parabola = fits(table.assign(pixel_range=4.0))  # both axes a quarter: the same slope
    assert line == pytest.approx(np.polyfit(radius / 4, (6 * radius + radius**2) / 4, 1))
    line, parabola = fits(table[:2])
    assert line == pytest.approx([6 + 3, -2])
    assert np.isnan(parabola).all()


#: columns of other statements, which have a file of their own
LATER = [
    "clean_error_probability", "moved", "score_moved", "score_follows", "contracted_elementwise", "elementwise_largest_ratio"
]  # fmt: skip


def made_up(ratio: float, steepest: float, converged: bool = True, n: int = 40) -> pd.DataFrame:
    rows = [
        {
            "sample": s, "layer": "auto", "norm": "l2", "pixel_scale": 1.0, "direction": "random", "radius": r,
            "trials": 100, "nonfinite": 0, "contracted": 100 * (ratio < 1), "contracted_normalised": 100 * (ratio < 1),
            "largest_ratio": ratio, "normaliser": 1.0, "pixel_range": 1.0, "jacobian_norm": steepest,
            "jacobian_converged": converged, "global_bound": 1 + steepest, "ascended_norm": np.nan,
            **dict.fromkeys(LATER, np.nan),
        }
        for s in range(n) for r in (0.1, 1.0)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def verdicts(frame: pd.DataFrame) -> dict[str, str]:
    """Those about the reading itself: not per element, nor about scores at one radius."""
    claims = Lipschitz(Lipschitz.Params()).claims(frame)
    return {claim.claim: claim.verdict for claim in claims if claim.subset == "l2, 0..1"}


def test_claims_hold_on_the_papers_picture_and_fail_on_its_opposite() -> None:
    paper = verdicts(made_up(0.1, 0.4))
    assert {v for name, v in paper.items() if not name.startswith("global")} == {"holds"}
    assert paper["global-above-1-raw"] == "undecided"  # 0.4 is all that was seen of the global constant
    opposite = verdicts(made_up(2, 5))
    assert {v for name, v in opposite.items() if not name.startswith("global")} == {"does not hold"}
    assert opposite["global-above-1-raw"] == opposite["global-above-1-normalised"] == "holds"


def test_a_singular_value_that_has_not_converged_shows_no_contraction() -> None:
    assert verdicts(made_up(0.1, 0.4, converged=False))["contraction-at-x-raw"] == "not measured"
    assert verdicts(made_up(0.1, 1.4, converged=False))["contraction-at-x-raw"] == "does not hold"
    frame = made_up(0.1, 0.4)
    frame.loc[frame["sample"] < 25, "jacobian_converged"] = False  # of 25 of 40 nobody knows, 15 are below 1
    assert verdicts(frame)["contraction-at-x-raw"] == "undecided"


@pytest.mark.parametrize(("seen", "verdict"), [(0.87, "undecided"), (1.07, "holds")])
def test_the_largest_of_the_samples_bounds_the_global_constant_from_below(seen: float, verdict: str) -> None:
    frame = made_up(0.1, 0.4, n=2)
    frame.loc[0, "jacobian_norm"] = seen
    (claim,) = [c for c in Lipschitz(Lipschitz.Params()).claims(frame) if c.claim == "global-above-1-raw"]
    assert (claim.verdict, claim.bound, claim.estimate, claim.samples) == (verdict, ">=", seen, 0)


def test_directions_of_a_sample_are_no_samples() -> None:
    """Six samples with all of 200 directions contracted: the share of samples has the interval of six."""
    claims = {c.claim: c for c in Lipschitz(Lipschitz.Params()).claims(made_up(0.1, 0.4, n=6))}
    claim = claims["contraction-raw"]
    assert (claim.estimate, claim.samples) == (1, 6)
    assert (claim.low, claim.high) == share_interval([True] * 6)[1:3]


def test_offsets_of_the_features_cancel(around: Any, measured: Any) -> None:
    torch.manual_seed(0)
    features, head = nn.Linear(36, 8), nn.Linear(8, 2)
    tables = []
    for offset in (0.0, 100.0):
        with torch.no_grad():
            features.bias.fill_(offset)
        network = nn.Sequential(nn.Flatten(), features, head)
        tables.append(measured(around("lipschitz", network, norm=["l2"], pixel_scale=[1], radii=[1, 10])))
    for column in ("normaliser", "moved", "largest_ratio", "jacobian_norm"):
        assert tables[1][column].to_numpy() == pytest.approx(tables[0][column].to_numpy(), rel=1e-3)


def test_one_radius_has_no_fit(around: Any, measured: Any) -> None:
    found = measured(
        around("lipschitz", LinearFeatures(torch.randn(8, 36)), radii=[1], norm=["linf"], pixel_scale=[255])
    )
    assert all(np.isnan(fit).all() for fit in fits(found))


@pytest.mark.parametrize("experiment", ["lipschitz", "topology"])
def test_bfloat16_is_refused(experiment: str) -> None:
    nodes: Any = {
        "dataset": {"name": "digits"}, "model": {"name": "lenet"}, "probe": {"name": "sphere"},
        "experiment": {"name": experiment}, "run": {"precision": "bf16"},
    }  # fmt: skip
    with pytest.raises(ConfigError, match="bfloat16 rounds away: take float32"):
        resolve(nodes)


def test_features_that_do_not_move_are_drawn(around: Any, measured: Any) -> None:
    found = measured(around("lipschitz", LinearFeatures(torch.zeros(4, 36))))
    assert (found["moved"] == 0).all()
    assert found["normaliser"].isna().all()
    Lipschitz(Lipschitz.Params()).plot(found).canvas.draw()
    found = found.assign(sample=range(len(found)))
    decided = {c.claim: c.verdict for c in Lipschitz(Lipschitz.Params()).claims(found[found["norm"] == "l2"])}
    assert decided["contraction-normalised"] == decided["contraction-of-all-normalised"] == "not measured"
    assert decided["contraction-raw"] == "holds"


@pytest.mark.parametrize("runs", [1, 3])
def test_the_figure_has_a_panel_a_run_and_reading(around: Any, measured: Any, runs: int) -> None:
    torch.manual_seed(0)
    found = measured(around("lipschitz", LinearFeatures(torch.randn(8, 36))))
    frames = [found.assign(run=f"network {n} $x$ <b>") for n in range(runs)]
    figure = Lipschitz(Lipschitz.Params()).plot(pd.concat(frames))
    figure.canvas.draw()
    panels = [axis for axis in figure.axes if axis.axison and axis.get_xlabel()]
    assert len(panels) == 2 * runs
    assert all((axis.get_xscale(), axis.get_yscale()) == ("log", "log") for axis in panels)


def test_the_figure_shows_raw_ratios_with_normalised_ones_on_the_right(around: Any, measured: Any) -> None:
    """Points, spread over T, both limits L = 1, the bounds and the fits, where features range over a third of the pixels'."""
    torch.manual_seed(0)
    found = measured(around("lipschitz", LinearFeatures(torch.randn(8, 36)), norm=["l2"], pixel_scale=[1]))
    found = found.assign(run="one", pixel_range=0.25, normaliser=3.0, ascended_norm=20.0, global_bound=50.0)
    figure = Lipschitz(Lipschitz.Params()).plot(found)
    figure.draw_without_rendering()
    axis: Any = figure.axes[0]
    (bars,) = (c for c in axis.collections if isinstance(c, LineCollection))
    (points,) = (c for c in axis.collections if isinstance(c, PathCollection))
    places, heights = np.asarray(points.get_offsets()).T
    assert heights == pytest.approx(found["moved"] / found["length"], rel=1e-6)
    assert places == pytest.approx(found["radius"], rel=0.03)  # beside each other
    ends = np.array([segment[:, 1] for segment in bars.get_segments()])
    assert ends == pytest.approx(found[["least_ratio", "largest_ratio"]].to_numpy(), rel=1e-6)
    flat = {float(line.get_ydata()[0]) for line in axis.lines if len(set(line.get_ydata())) == 1}
    assert sorted(flat) == pytest.approx(sorted([1, 1 / 3, found["jacobian_norm"].median(), 20, 50]), rel=1e-6)
    fits = [line for line in axis.lines if len(line.get_xdata()) == 100]
    assert len(fits) == 2
    for line in fits:  # of a linear map the lengths are proportional, so that their fits are flat ratios
        assert line.get_ydata()[50:] == pytest.approx(heights.mean(), rel=0.2)
    (right,) = axis.child_axes
    assert np.array(right.get_ylim()) == pytest.approx(3 * np.array(axis.get_ylim()))


def test_a_global_bound_far_above_is_written_and_not_drawn(around: Any, measured: Any) -> None:
    found = measured(around("lipschitz", LinearFeatures(torch.eye(36)[:8]), norm=["l2"], pixel_scale=[1]))
    axis = Lipschitz(Lipschitz.Params()).plot(found.assign(global_bound=3e41)).axes[0]
    assert axis.get_ylim()[1] < 1000
    assert [text.get_text() for text in axis.texts] == ["bound 3e41 ↑"]
