"""Figure 1 of aghdam2017 against closed forms, brute force in float64, and its own claims.

Longer than other files: one figure, from its rows to its claims, on networks that are given by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.collections import PathCollection
from torch import Tensor, nn

from advlab import testing
from advlab.config import components
from advlab.data.images import ImageData, tensor_digest
from advlab.lab import NetworkContext
from advlab.models.classifier import Classifier, frozen
from advlab.probes.draws import Draws
from advlab.store.tables import from_csv, to_csv

Isotropy = components.REGISTRIES["experiment"].load("isotropy")
SHAPE = (1, 6, 6)


class Score(nn.Module):
    """A network of two classes whose first logit is a given function of the flattened image, the other 0."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.head = nn.Linear(1, 2, bias=False)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[1.0], [0.0]]))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.function(x.flatten(1))[:, None])
        return out


def images(count: int) -> ImageData:
    pixels = torch.randint(0, 256, (count, *SHAPE), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    labels = torch.zeros(count, dtype=torch.int64)
    return ImageData("toy", "test", ("a", "b"), labels, SHAPE, tensor_digest(pixels), pixels)


def context(
    network: nn.Module,
    tmp_path: Any,
    *,
    count: int = 4,
    batch: int = 30,
    samples: list[int] | None = None,
    **probe: Any,
) -> NetworkContext:
    """A context over random images, as the runner would make it."""
    options = {"radii": [0.1, 1, 10], "trials": 20, "samples": count, **probe}
    return testing.context(
        "isotropy",
        Classifier(network.eval(), name="toy", shape=SHAPE, mean=None, std=None),
        images(count),
        options={f"probe.{key}": value for key, value in options.items()},
        samples=samples if samples is not None else list(range(count)),
        batch_size=batch,
        folder=tmp_path,
    )


def table(ctx: NetworkContext) -> pd.DataFrame:
    return testing.measured(ctx).drop(columns="run")


def test_a_constant_score_is_isotropic(tmp_path: Any) -> None:
    found = table(context(Score(lambda x: x.sum(1) * 0 + 5), tmp_path))
    assert (found["range"] == 0).all()
    assert found["mean_score"].to_numpy() == pytest.approx(1 / (1 + math.exp(-5)), abs=1e-9)


def test_a_radial_score_is_isotropic_where_the_sum_is_not(tmp_path: Any) -> None:
    data = images(4)
    centre = data.images(torch.arange(1)).flatten(1)
    radial = table(context(Score(lambda x: 6 - (x - centre.to(x.dtype)).square().sum(1) / 100), tmp_path, count=1))
    total = table(context(Score(lambda x: x.sum(1) / 6), tmp_path, count=1))
    l2 = (radial["norm"] == "l2").to_numpy()
    # what is left of a radial score's range is float32: at most some 1e-7 of the logit, times q
    assert radial["range"][l2].max() < 1e-8
    assert (total["range"][l2] > 1e3 * radial["range"][l2].clip(lower=1e-12)).all()


def test_rows_equal_brute_force_in_float64(tmp_path: Any) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 20), nn.Tanh(), nn.Linear(20, 3))
    ctx = context(network, tmp_path, samples=[2, 0])
    found = table(ctx)
    assert ctx.data is not None
    double = network.double()
    source = Draws(seed=0, dataset="toy/test", size=36, device=torch.device("cpu"), portable=True)
    for row in found.itertuples():
        k = [0.1, 1.0, 10.0].index(row.radius)
        noise = torch.empty(1, 20, 36)
        source.write_directions([(row.sample, k)], noise)
        v = noise[0].double()
        length = v.norm(dim=1) if row.norm == "l2" else v.abs().amax(1)
        x = ctx.data.images(torch.tensor([row.sample])).double().flatten(1)
        moved = x + v * (row.radius / row.pixel_scale / length)[:, None]
        logits = double(moved.view(20, *SHAPE)).detach()
        p = torch.softmax(logits, 1)[:, row.label]
        assert row.range == pytest.approx(float(p.max() - p.min()), abs=2e-6)
        assert row.mean_score == pytest.approx(float(p.mean()), abs=2e-6)
        assert row.misclassified == int((logits.argmax(1) != row.label).sum())
        clean = torch.softmax(double(x.view(1, *SHAPE)).detach(), 1)[0, row.label]
        clean = torch.softmax(double(x.view(1, *SHAPE)).detach(), 1)[0, row.label]
        assert row.clean_error_probability == pytest.approx(1 - float(clean), abs=2e-6)


@pytest.mark.parametrize("batch", [1, 7, 33, 1000])
def test_the_table_does_not_depend_on_the_batch_size(tmp_path: Any, batch: int) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))
    one, other = table(context(network, tmp_path)), table(context(network, tmp_path, batch=batch))
    numbers = one.select_dtypes("number").columns.drop("noise_floor")
    assert np.allclose(one[numbers], other[numbers], atol=1e-5)


def test_the_noise_floor_is_small_against_the_range_and_measured_where_asked(tmp_path: Any) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 20), nn.Tanh(), nn.Linear(20, 3))
    found = table(context(network, tmp_path, floor_samples=2))
    floors = found.dropna(subset=["noise_floor"])
    assert set(zip(floors["sample"], floors["norm"], strict=True)) == {(0, "l2"), (0, "linf"), (1, "l2"), (1, "linf")}
    assert (floors["radius"] == 0.1).all()
    assert (floors["noise_floor"] > 0).all()
    assert (floors["noise_floor"] < 1e-6).all()


def test_scores_that_are_not_finite_are_counted(tmp_path: Any) -> None:
    found = table(context(Score(lambda x: torch.where(x[:, 0] > 0.5, torch.nan, x.sum(1))), tmp_path))
    some = found["nonfinite"]
    assert ((some >= 0) & (some <= 20)).all()
    assert some.sum() > 0
    assert found.loc[some == 20, "range"].isna().all()
    assert found.loc[(some > 0) & (some < 20), "range"].notna().all()


def test_misclassified_counts_directions_not_samples(tmp_path: Any) -> None:
    found = table(context(Score(lambda x: x.sum(1) - 18), tmp_path, count=1))
    big = found[(found["norm"] == "l2") & (found["radius"] == 10)]
    assert 0 < int(big["misclassified"].iloc[0]) < 20


def made_up(ranges: dict[float, list[float]], floor: float = 1e-9) -> pd.DataFrame:
    """A table of one reading with given ranges a radius."""
    rows = [
        {
            "sample": i,
            "norm": "l2",
            "pixel_scale": 1.0,
            "direction": "random",
            "radius": r,
            "range": value,
            "noise_floor": floor if r < 1 else np.nan,
            "max_error_probability": 2 * value + 1e-300,
        }
        for r, values in ranges.items()
        for i, value in enumerate(values)
    ]
    return pd.DataFrame(rows)


def verdicts(frame: pd.DataFrame) -> dict[str, str]:
    return {claim.claim: claim.verdict for claim in Isotropy(Isotropy.Params()).claims(frame)}


def test_claims_hold_on_the_papers_picture_and_fail_on_its_opposite() -> None:
    n = 300
    paper = made_up({0.1: [1e-4] * n, 1.0: [1e-2] * n, 10.0: [0.8] * n})
    assert set(verdicts(paper).values()) == {"holds"}
    opposite = made_up({0.1: [0.5] * n, 1.0: [0.1] * n, 10.0: [1e-3] * n}, floor=0.1)
    assert set(verdicts(opposite).values()) == {"does not hold"}


def test_claims_are_undecided_where_few_samples_say_little() -> None:
    few = verdicts(made_up({0.1: [1e-4] * 3, 1.0: [1e-2] * 3, 10.0: [0.8] * 3}))
    assert few["more-at-1"] == "undecided"
    assert few["very-at-10"] == "undecided"  # three samples say nothing about a median
    assert verdicts(made_up({0.1: [1e-4] * 6, 1.0: [1e-2] * 6, 10.0: [0.8] * 6}))["very-at-10"] == "holds"


def test_claims_without_their_radius_are_not_measured() -> None:
    found = verdicts(made_up({0.1: [1e-4] * 50, 2.0: [1e-2] * 50}))
    assert found["more-at-1"] == found["very-at-10"] == found["most-samples-at-10"] == "not measured"
    assert found["small-at-epsilon"] == "holds"


def test_a_range_below_ten_noise_floors_does_not_count() -> None:
    found = verdicts(made_up({0.1: [1e-9] * 50, 1.0: [1e-2] * 50, 10.0: [0.8] * 50}, floor=1e-9))
    assert found["anisotropic-at-epsilon"] == "does not hold"


def test_ranges_of_the_surest_samples_count_by_their_own_floors() -> None:
    """Both scale with 1 - s: at 1e-20 a range of a hundred floors is one, and at a floor of 0 it is beyond any."""
    sure = made_up({0.1: [1e-20] * 50, 1.0: [1e-2] * 50, 10.0: [0.8] * 50}, floor=1e-22)
    (claim,) = (c for c in Isotropy(Isotropy.Params()).claims(sure) if c.claim == "anisotropic-at-epsilon")
    assert (claim.verdict, claim.estimate) == ("holds", pytest.approx(100))
    assert verdicts(sure.assign(noise_floor=0.0))["anisotropic-at-epsilon"] == "holds"
    assert verdicts(sure.assign(range=0.0, noise_floor=0.0))["anisotropic-at-epsilon"] == "does not hold"


def test_samples_below_the_resolution_of_float64_are_told_and_decide_nothing() -> None:
    def judged(unknown: int) -> Any:
        table = made_up({0.1: [1e-4] * (50 - unknown) + [0.0] * unknown, 1.0: [1e-2] * 50, 10.0: [0.8] * 50})
        table.loc[(table["radius"] == 0.1) & (table["range"] == 0), "max_error_probability"] = 0.0
        return next(c for c in Isotropy(Isotropy.Params()).claims(table) if c.claim == "anisotropic-at-epsilon")

    some, many = judged(5), judged(40)
    assert some.quantity.endswith("; of 5 of 50 samples 1 - s is below the resolution of float64")
    assert (some.verdict, some.samples, many.verdict) == ("holds", 50, "undecided")
    assert judged(50).verdict == "not measured"
    assert "float64" not in judged(0).quantity


def test_cells_are_a_function_of_the_configuration_alone(tmp_path: Any) -> None:
    network = Score(lambda x: x.sum(1))
    ids = [
        [c.id for c in ctx.settings.experiment.cells(ctx)]
        for ctx in (context(network, tmp_path, batch=b) for b in (1, 64))
    ]
    assert ids[0] == ids[1]
    ctx = context(network, tmp_path)
    cells = ctx.settings.experiment.cells(ctx)
    assert [s for cell in cells for s in cell.payload["samples"]] == ctx.prepared["samples"]


def test_the_cost_is_what_is_spent(tmp_path: Any) -> None:
    ctx = context(Score(lambda x: x.sum(1)), tmp_path)
    table(ctx)
    assert ctx.forward is not None
    assert ctx.forward.images == ctx.settings.experiment.cost(ctx).forwards


@pytest.mark.parametrize("runs", [1, 2, 5])
def test_the_figure_has_a_panel_a_run_and_reading(tmp_path: Any, runs: int) -> None:
    found = table(context(Score(lambda x: x.sum(1) / 6), tmp_path))
    names = ["lenet on $x$ <img onerror=1> " + "long " * 20, *map(str, range(runs - 1))]
    figure = Isotropy(Isotropy.Params()).plot(pd.concat([found.assign(run=name) for name in names]))
    figure.canvas.draw()
    axes: list[Any] = list(figure.axes)
    panels = [axis for axis in axes if axis.axison and axis.get_xlabel()]
    assert len(panels) == 2 * runs
    for axis in panels:
        drawn = sum(len(np.asarray(c.get_offsets())) for c in axis.collections if isinstance(c, PathCollection))
        assert drawn == 4 * 3 + 4  # every row, and the noise floor of each sample at epsilon
        assert axis.get_xlabel()


def test_a_table_of_zeros_can_be_drawn(tmp_path: Any) -> None:
    found = table(context(Score(lambda x: x.sum(1) * 0 + 5), tmp_path))
    Isotropy(Isotropy.Params()).plot(found.assign(run="constant")).canvas.draw()


def test_rows_survive_csv(tmp_path: Any) -> None:
    experiment = Isotropy(Isotropy.Params())
    ctx = context(Score(lambda x: x.sum(1)), tmp_path, count=1)
    assert ctx.classifier is not None
    with frozen(ctx.classifier), torch.inference_mode():
        rows = experiment.measure(ctx, experiment.cells(ctx)[0])
    again = from_csv(to_csv(rows, experiment.Row), experiment.Row)
    assert to_csv(again, experiment.Row) == to_csv(rows, experiment.Row)
