"""What gradients and Hessians say of isotropy: closed-form counterexamples, dense Hessians in float64, and the claims.

Longer than other files: one figure, from its measures to its claims, on networks that are given by hand.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from advlab.config import components
from advlab.errors import ConfigError
from advlab.geometry.dispersion import mean_pairwise_difference
from advlab.lab import NetworkContext
from advlab.models.classifier import frozen
from advlab.store.tables import from_csv, to_csv

GradientIsotropy = components.REGISTRIES["experiment"].load("gradient_isotropy")
D = 36
Around = Callable[..., NetworkContext]
Measured = Callable[[NetworkContext], pd.DataFrame]


class Logit(nn.Module):
    """Two classes; the logit of the score of the first is a given function of (n, D) pixels minus those of the image."""

    centre: Tensor

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.head = nn.Linear(1, 2, bias=False)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[1.0], [0.0]]))
        self.register_buffer("centre", torch.zeros(D))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.function(x.flatten(1) - self.centre)[:, None])
        return out


def logit(
    around: Around,
    measured: Measured,
    function: Callable[[Tensor], Tensor],
    *,
    of: str = "logit",
    norm: str = "l2",
    **probe: Any,
) -> pd.DataFrame:
    """The rows of one norm around the one image at which `function` has its origin."""
    network = Logit(function)
    params = probe.pop("params", {})
    ctx = around("gradient_isotropy", network, count=1, params={"of": of, **params}, **probe)
    assert ctx.data is not None
    network.centre.copy_(ctx.data.images(torch.arange(1)).flatten())
    found = measured(ctx)
    return found[found["norm"] == norm].set_index("radius")


def test_the_papers_condition_is_not_sufficient(around: Around, measured: Measured) -> None:
    """The sum of the pixels: identical elements and H = 0, and yet the score differs between directions."""
    found = logit(around, measured, lambda v: v.sum(1))
    assert found["dispersion"].max() < 1e-6
    assert (found["hessian_norm"] == 0).all()
    assert found["range"][1.0] > 1
    assert found["gradient_norm"].to_numpy() == pytest.approx(6, rel=1e-5)  # what isotropy needs says so
    # and with a third-order term it is not symmetric: the same pixels in another order give another value
    cubic = logit(around, measured, lambda v: v.sum(1) + v[:, 0] ** 3)
    assert cubic["dispersion"].max() < 1e-6
    assert (cubic["hessian_norm"] < 1e-5).all()
    v = torch.arange(D, dtype=torch.float64)[None]
    assert float(v[0, 0] ** 3) != float(v.flip(1)[0, 0] ** 3)


def test_the_papers_condition_is_not_necessary(around: Around, measured: Measured) -> None:
    """(||v||^2 - R^2) v_1 is 0 on the sphere of radius R; (sum of v)^2 is symmetric."""
    sphere = logit(around, measured, lambda v: (v.square().sum(1) - 1) * v[:, 0])
    assert sphere["range"][1.0] < 1e-5
    assert sphere["range"][0.1] > 1e-2
    assert sphere["dispersion"].to_numpy() == pytest.approx(2 / D, rel=1e-4)  # one element of D is -1
    symmetric = logit(around, measured, lambda v: v.sum(1).square())
    assert symmetric["isotropic"].to_numpy() == pytest.approx(math.sqrt(1 - 1 / D), rel=1e-4)  # no c I
    assert symmetric["symmetric"].max() < 1e-2
    assert symmetric["dispersion"].max() < 1e-5


def test_a_radial_score_has_nothing_to_measure(around: Around, measured: Measured) -> None:
    found = logit(around, measured, lambda v: 3 - v.square().sum(1))
    assert found["range"][1.0] < 1e-5
    assert found["gradient_norm"].max() < 1e-5
    assert found["isotropic"].max() < 1e-2
    assert found["predicted"].max() < 1e-3


@pytest.mark.parametrize("of", ["score", "logit"])
@pytest.mark.parametrize("sharpness", [1.0, 40.0])
@pytest.mark.parametrize("directions", [D - 1, D])  # random signs, and all unit vectors
def test_measures_are_those_of_the_dense_hessian(
    around: Around, measured: Measured, of: str, sharpness: float, directions: int
) -> None:
    """Also where 1 - score is 1e-20: nothing is lost to it."""
    torch.manual_seed(0)
    last = nn.Linear(12, 3)
    network = nn.Sequential(nn.Flatten(), nn.Linear(D, 12), nn.Tanh(), last)
    with torch.no_grad():
        last.weight.mul_(sharpness)
        last.bias.copy_(torch.tensor([0.6, 0.2, 0.1]) * sharpness * 2)
    ctx = around("gradient_isotropy", network, count=3, params={"of": of, "directions": directions})
    found = measured(ctx).query("norm == 'l2' and radius == 1").set_index("sample")
    assert ctx.data is not None
    network = network.double().requires_grad_(False)

    def against(x: Tensor) -> Tensor:
        z = network(x[None])[0]
        return z[1:].logsumexp(0) - z[0]

    def value(x: Tensor) -> Tensor:
        return -against(x) if of == "logit" else -torch.sigmoid(against(x))

    for sample, row in found.iterrows():
        x = ctx.data.images(torch.tensor([sample])).double().flatten()
        g = torch.autograd.functional.jacobian(value, x)
        h = torch.autograd.functional.hessian(value, x)
        assert isinstance(g, Tensor)
        assert isinstance(h, Tensor)
        if of == "score" and sharpness > 1:
            assert float(-value(x)) < 1e-6
        assert row["clean_error_probability"] == pytest.approx(float(torch.sigmoid(against(x))), rel=1e-3)
        assert row["gradient_norm"] == pytest.approx(float(g.norm()), rel=1e-3)
        assert row["dispersion"] == pytest.approx(float(mean_pairwise_difference(g[None])), rel=1e-3)
        assert row["relative_dispersion"] == pytest.approx(row["dispersion"] / float(g.abs().mean()), rel=1e-3)
        assert row["hessian_norm"] == pytest.approx(
            float(h.norm()), abs=4 * row["hessian_norm_error"] + 1e-3 * float(h.norm())
        )
        rest = float((h - h.trace() / D * torch.eye(D, dtype=h.dtype)).norm() / h.norm())
        assert row["isotropic"] == pytest.approx(rest, abs=4 * row["isotropic_error"] + 1e-3)
        assert row["symmetric"] <= row["isotropic"] + 1e-9
        assert row["trace"] == pytest.approx(float(h.trace()), abs=4 * row["trace_error"] + 1e-3 * float(h.norm()))
        assert row["hessian_norm_low"] <= row["hessian_norm"] <= row["hessian_norm_high"]
        assert row["isotropic_low"] <= row["isotropic"] <= row["isotropic_high"] <= 1
        assert (row["hessian_norm_error"] == row["isotropic_error"] == row["trace_error"] == 0) == (directions == D)
        assert (row["hessian_norm_low"] == row["hessian_norm_high"]) == (directions == D)


@pytest.mark.parametrize(
    ("function", "norm"), [("linear", "l2"), ("quadratic", "l2"), ("both", "l2"), ("linear", "linf")]
)
def test_the_predicted_range_is_the_mean_range(around: Around, measured: Measured, function: str, norm: str) -> None:
    torch.manual_seed(0)
    a = torch.randn(D)
    b = torch.randn(D, D)
    terms = {"linear": (1, 0), "quadratic": (0, 1), "both": (1, 1)}[function]
    radii = [float(r) for r in 0.5 + np.arange(60) * 1e-6]  # sixty ranges at one radius, nearly
    found = logit(
        around, measured, lambda v: terms[0] * (v @ a) + terms[1] * ((v @ b) * v).sum(1), radii=radii, trials=50,
        params={"directions": 300}, norm=norm,
    )  # fmt: skip
    error = float((found["range"] / found["predicted"]).mean() - 1)
    # D = 36 directions are not quite normal, and a quadratic form is skewed
    assert abs(error) < (0.04 if function == "linear" else 0.12)


def test_ranges_are_those_of_isotropy(around: Around, measured: Measured) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))
    one, other = (measured(around(name, network)) for name in ("gradient_isotropy", "isotropy"))
    keys = ["norm", "radius", "sample"]
    one, other = (frame.sort_values(keys) for frame in (one, other))
    assert one["range"].to_numpy() == pytest.approx(other["range"].to_numpy(), rel=1e-12)
    as_logits = measured(around("gradient_isotropy", network, params={"of": "logit"})).sort_values(keys)
    q = other[["min_error_probability", "max_error_probability"]].to_numpy()
    odds = np.log(q / (1 - q))
    assert as_logits["range"].to_numpy() == pytest.approx(odds[:, 1] - odds[:, 0], rel=1e-9)


@pytest.mark.parametrize("step", [0.0, 0.5])
def test_neither_batches_nor_cells_matter_and_the_cost_is_what_is_spent(
    around: Around, measured: Measured, step: float, tmp_path: Any
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))
    params = {"step": step, "directions": 5}
    tables = []
    for batch in (1, 2, 60):
        ctx = around("gradient_isotropy", network, batch=batch, params=params, cache=tmp_path / str(batch))
        assert ctx.classifier is not None
        passed: list[int] = []
        with contextlib.ExitStack() as hooks:
            handle = ctx.classifier.register_forward_hook(lambda _, x, __, passed=passed: passed.append(len(x[0])))
            hooks.callback(handle.remove)
            tables.append(measured(ctx))
        assert ctx.forward is not None
        cost = ctx.settings.experiment.cost(ctx)
        assert ctx.counts.backwards == cost.backwards
        assert ctx.counts.forwards + ctx.forward.images == cost.forwards == sum(passed)
        assert ctx.counts.images == 0
    numbers = tables[0].select_dtypes("number").columns
    for other in tables[1:]:
        assert np.allclose(tables[0][numbers], other[numbers], rtol=1e-3, atol=1e-6, equal_nan=True)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_scores_that_are_not_finite_are_counted(around: Around, measured: Measured) -> None:
    found = logit(around, measured, lambda v: torch.where(v[:, 0] > 0, torch.nan, v.sum(1)))
    assert ((found["nonfinite"] > 0) & (found["nonfinite"] < 20)).all()
    assert found["range"].notna().all()


def made_up(rho: dict[float, float], count: int = 60, hessian: float = 1.0, apart: float = 0.5) -> pd.DataFrame:
    """A table whose ranges follow the gradient with given strengths a radius.

    Args:
        rho: radius -> strength.
        count: of samples.
        hessian: how its norm follows the gradient.
        apart: relative distance of gradient and Hessian from what isotropy asks, by the paper.
    """
    generator = np.random.default_rng(0)
    g = generator.normal(size=count)
    rows = []
    for radius, strength in rho.items():
        noise = generator.normal(size=count)
        ranges = np.exp(strength * g + math.sqrt(1 - strength**2) * noise)
        for i in range(count):
            h = math.exp(hessian * g[i] + (1 - abs(hessian)) * noise[i])
            rows.append(
                {"sample": i, "norm": "l2", "pixel_scale": 1.0, "radius": radius, "range": ranges[i], "of": "score"}
                | {"dispersion": math.exp(g[i]), "gradient_norm": 30 * math.exp(g[i]), "hessian_norm": h}
                | {"hessian_norm_error": 0.02 * h, "isotropic_low": apart}
                | dict.fromkeys(("relative_dispersion", "isotropic", "symmetric", "predicted"), apart + 1e-4 * i)
            )
    return pd.DataFrame(rows).assign(run="toy")


#: claims about the image alone, and not about any radius
ALWAYS = {"elements-differ", "hessian-not-cI"}


def verdicts(frame: pd.DataFrame) -> dict[str, str]:
    return {claim.claim: claim.verdict for claim in GradientIsotropy(GradientIsotropy.Params()).claims(frame)}


def test_claims_hold_on_the_papers_picture_and_fail_on_its_opposite() -> None:
    assert set(verdicts(made_up({0.1: 0.95, 1.0: 0.8, 10.0: 0.0})).values()) == {"holds"}
    assert set(verdicts(made_up({0.1: 0.0, 1.0: 0.5, 10.0: 0.95}, apart=0.01)).values()) == {"does not hold"}
    assert verdicts(made_up({0.1: 0.95, 10.0: 0.0}, hessian=-1.0))["flat-hessian"] == "does not hold"


def test_claims_without_their_radius_or_samples_are_not_judged() -> None:
    about_radii = {
        name: verdict for name, verdict in verdicts(made_up({2.0: 0.9, 3.0: 0.9})).items() if name not in ALWAYS
    }
    assert set(about_radii.values()) == {"not measured"}
    assert set(verdicts(made_up({0.1: 0.9, 10.0: 0.1}, count=4)).values()) == {"undecided"}
    flat = made_up({0.1: 0.9, 10.0: 0.1}).assign(range=0.0)  # a constant has no rank
    assert {verdict for name, verdict in verdicts(flat).items() if name not in ALWAYS} == {"not measured"}
    former = made_up({0.1: 0.9, 10.0: 0.1}).drop(columns="isotropic_low")
    assert verdicts(former)["hessian-not-cI"] == "not measured"


def test_the_summary_sets_the_measures_side_by_side() -> None:
    table = made_up({0.1: 0.95, 1.0: 0.8, 10.0: 0.0})
    found = GradientIsotropy(GradientIsotropy.Params()).summary(table).set_index("measure")
    assert found.loc["dispersion", "rho_0.1"] > 0.9 > found.loc["dispersion", "rho_1"]
    assert found.loc["dispersion", "low_10"] < 0 < found.loc["dispersion", "high_10"]
    assert found.loc["dispersion", "rho_gradient_norm"] == 1
    assert len(found) == 7


@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize("radii", [[0.1], [0.1, 1, 10, 20]])
def test_the_figure_has_a_row_a_run_and_reading(
    around: Around, measured: Measured, runs: int, radii: list[float]
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(D, 12), nn.Tanh(), nn.Linear(12, 3))
    found = measured(around("gradient_isotropy", network, count=4, radii=radii))
    names = ["lenet on $x$ <img onerror=1> " + "long " * 20, "b", "c"][:runs]
    figure = GradientIsotropy(GradientIsotropy.Params()).plot(pd.concat([found.assign(run=name) for name in names]))
    figure.canvas.draw()
    assert len(figure.axes) == 5 * 2 * runs
    dots = sum(len(c.get_offsets()) for axis in figure.axes for c in axis.collections if hasattr(c, "_sizes"))
    assert dots >= 4 * 2 * runs * 4 * min(3, len(radii))


def test_what_is_constant_can_be_drawn(around: Around, measured: Measured) -> None:
    constant = measured(around("gradient_isotropy", Logit(lambda v: v.sum(1) * 0 + 5)))
    assert (constant["range"] == 0).all()
    assert constant["isotropic"].isna().all()
    experiment = GradientIsotropy(GradientIsotropy.Params())
    experiment.plot(constant).canvas.draw()
    assert experiment.summary(constant)["rho_1"].isna().all()


def test_rows_survive_csv(around: Around) -> None:
    ctx = around("gradient_isotropy", Logit(lambda v: v.sum(1) * 0 + 5), count=1)
    experiment = ctx.settings.experiment
    assert ctx.classifier is not None
    with frozen(ctx.classifier), torch.inference_mode():
        rows = experiment.measure(ctx, experiment.cells(ctx)[0])
    again = from_csv(to_csv(rows, experiment.Row), experiment.Row)
    assert to_csv(again, experiment.Row) == to_csv(rows, experiment.Row)


@pytest.mark.parametrize(
    ("params", "probe", "message"),
    [
        ({"directions": 1}, {}, "directions"),
        ({"step": -1.0}, {}, "step"),
        ({"step": math.inf}, {}, "step"),
        ({"correlation": 1.0}, {}, "correlation"),
        ({"of": "softmax"}, {}, "of"),
        ({}, {"direction": "fgv"}, "probe.direction"),
        ({}, {"layer": ["all"]}, "probe.layer"),
    ],
)
def test_bad_parameters_are_named(around: Around, params: dict[str, Any], probe: dict[str, Any], message: str) -> None:
    def build() -> None:
        settings = around("gradient_isotropy", Logit(lambda v: v.sum(1)), params=params, **probe).settings
        settings.experiment.check(settings)

    with pytest.raises((ValueError, ConfigError), match=message):
        build()
