"""The prediction of section IV-B of barati2021: what is drawn, that training sees it, and claims on made-up tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from advlab.experiments.barati2021.random_mlp import random_mlp  # type: ignore[import-not-found]
from advlab.experiments.barati2021.sample_complexity_measure import (  # type: ignore[import-not-found]
    FIRST_HYPOTHESIS,
    point_densities,
    spread,
)

from advlab import testing
from advlab.config import components
from advlab.config.settings import resolve
from advlab.errors import AdvlabError
from advlab.lab import DeviceContext
from advlab.store.tables import to_csv
from advlab.training.batched_mlps import BatchedMLPs

SampleComplexity = components.REGISTRIES["experiment"].load("sample_complexity")
SMALL = {"teachers": 2, "sizes": [20, 60], "hypotheses": 3, "pool": 2000, "steps": 60}


def context(tmp_path: Any, **params: Any) -> DeviceContext:
    settings = resolve({"experiment": {"name": "sample_complexity", **SMALL, **params}, "run": {}})
    ctx: DeviceContext = testing.context(settings, folder=tmp_path)
    return ctx


def rows(ctx: DeviceContext) -> list[Any]:
    experiment = ctx.settings.experiment
    return [row for cell in experiment.cells(ctx) for row in experiment.measure(ctx, cell)]


def test_one_row_a_density_and_size_and_the_same_again(tmp_path: Any) -> None:
    found = rows(context(tmp_path))
    keys = {(r.teacher, r.density, r.points) for r in found}
    assert len(found) == len(keys) == 2 * 4 * 2
    for row in found:
        assert 0.2 < row.agreement <= 1
        assert row.fitted > 0.6  # it was trained on its own points
    assert to_csv(found, SampleComplexity.Row) == to_csv(rows(context(tmp_path)), SampleComplexity.Row)


def test_more_points_help(tmp_path: Any) -> None:
    found = pd.DataFrame([vars(r) for r in rows(context(tmp_path, teachers=3, sizes=[10, 400], steps=300))])
    means = found[found["density"] == "uniform"].groupby("points")["agreement"].mean()
    assert means[400] > means[10] + 0.1


@pytest.mark.parametrize("loss", ["label", "margin"])
def test_the_densities(tmp_path: Any, loss: str) -> None:
    """The expectation against the mean of hand-written losses of the same networks; points follow the objective."""
    ctx = context(tmp_path, loss=loss)
    pool = torch.rand(200, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        found = point_densities(ctx.settings.experiment, ctx, random_mlp(0), pool)
        total = np.zeros(200)
        for k in range(3):
            z = random_mlp(FIRST_HYPOTHESIS + k)(pool[:, :, None, None]).double().numpy()
            p = np.exp(z - z.max(1, keepdims=True))
            total += -np.log(p.max(1) / p.sum(1)) if loss == "label" else np.maximum(0, 1 - z**2).mean(1)
    assert (found["uniform"] == 1).all()
    assert found["expected"].numpy() == pytest.approx(total / 3, rel=1e-4, abs=1e-6)
    assert not np.allclose(found["adversarial"], found["hard"])
    assert all((values > 0).all() for values in found.values())


def test_the_sure_regions_get_fewer_adversarial_points(tmp_path: Any) -> None:
    """Where the teacher's loss is largest, points drawn in proportion to it agree less with a network that fits badly."""
    ctx = context(tmp_path, sizes=[300], pool=4000, steps=20, teachers=1)
    found = {r.density: r for r in rows(ctx)}
    assert found["adversarial"].fitted < found["uniform"].fitted - 0.05


def test_agreement_by_hand(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Students that always say class 4: what is counted, where and on which points, against float64 by hand."""
    given: list[tuple[torch.Tensor, torch.Tensor]] = []

    def two(shape: tuple[int, ...]) -> torch.Tensor:
        return torch.nn.functional.one_hot(torch.full(shape, 4), 5).float()

    monkeypatch.setattr(BatchedMLPs, "fit", lambda self, x, y, **rest: given.extend(zip(x, y, strict=True)))
    monkeypatch.setattr(BatchedMLPs, "__call__", lambda self, x: two((len(self.weights[0]), len(x))))
    monkeypatch.setattr(BatchedMLPs, "logits_of", lambda self, k, x: two((len(x),)))
    found = rows(context(tmp_path, teachers=1, sizes=[30]))

    def logits(points: Any) -> Any:
        z = points
        weights = [p.detach().double().numpy() for p in random_mlp(0).parameters()][::2]
        for matrix in weights[:-1]:
            z = np.tanh(z @ matrix.T)
        return z @ weights[-1].T

    ticks = np.linspace(-1, 1, 101)
    z = logits(np.array([(a, b) for a in ticks for b in ticks]))
    right = z.argmax(1) == 4
    unsure = np.log(np.exp(z - z.max(1, keepdims=True)).sum(1))  # -log max softmax
    unsure[len(z) // 2] = np.log(5)  # at the origin all logits are 0
    largest = unsure >= np.quantile(unsure, 0.9)
    assert [row.density for row in found] == ["uniform", "adversarial", "hard", "expected"]
    for row, (points, labels) in zip(found, given, strict=True):
        assert row.agreement == pytest.approx(right.mean(), abs=3e-4)  # the class of the origin is a tie
        assert row.at_boundary == pytest.approx(right[largest].mean(), abs=3e-3)
        truth = logits(points.double().numpy()).argmax(1)
        assert (labels.numpy() == truth).all()
        assert row.fitted == pytest.approx((truth == 4).mean())
    assert 0.05 < right.mean() < 0.6
    assert abs(right[largest].mean() - right.mean()) > 0.01


def test_the_spread_of_a_density(tmp_path: Any) -> None:
    assert spread(torch.full((50,), 3.0)) == pytest.approx(1)
    assert spread(torch.tensor([0.0, 2.0, 2.0, 0.0])) == pytest.approx(0.5)
    assert spread(torch.tensor([1.0, 3.0])) == pytest.approx(16 / 20)
    found = {row.density: row.spread for row in rows(context(tmp_path, teachers=1, sizes=[20]))}
    assert found["uniform"] == 1
    assert 0 < found["adversarial"] < found["hard"] < 1


def made_up(gains: dict[str, float], teachers: int = 6) -> pd.DataFrame:
    random = np.random.default_rng(0)
    lines = []
    for teacher in range(teachers):
        base = 0.8 + 0.05 * random.random()
        for points in (50, 100):
            for density in ("uniform", "adversarial", "hard", "expected"):
                value = base + gains.get(density, 0.0) + 0.0005 * random.random()
                lines.append({"run": "run", "teacher": teacher, "density": density, "points": points, "loss": "label",
                              "spread": 1.0, "agreement": value, "at_boundary": value, "fitted": 1.0})  # fmt: skip
    return pd.DataFrame(lines)


def verdicts(table: pd.DataFrame) -> dict[str, str]:
    return {c.claim: c.verdict for c in SampleComplexity(SampleComplexity.Params()).claims(table)}


def test_claims_hold_on_the_prediction_and_fail_on_its_opposite() -> None:
    assert set(verdicts(made_up({"adversarial": 0.1, "hard": 0.02})).values()) == {"holds"}
    assert set(verdicts(made_up({"adversarial": -0.1, "expected": 0.1})).values()) == {"does not hold"}
    assert set(verdicts(made_up({"adversarial": 0.1}, teachers=3)).values()) == {"undecided"}


@pytest.mark.parametrize("runs", [1, 2])
def test_the_figure(runs: int) -> None:
    table = pd.concat([made_up({"adversarial": 0.1}).assign(run=f"run {n}") for n in range(runs)])
    experiment = SampleComplexity(SampleComplexity.Params())
    figure = experiment.plot(table)
    figure.canvas.draw()
    axes: list[Any] = list(figure.axes)
    assert len(axes) == 3 * runs
    assert all(len(axis.lines) == 4 for axis in axes)
    assert len(experiment.summary(table)) == 8 * runs


@pytest.mark.parametrize(
    "params",
    [{"teachers": 0}, {"sizes": [10, 5]}, {"sizes": []}, {"pool": 10}, {"lr": 0}, {"init": "zero"}, {"helpful": 2}],
)
def test_bad_parameters(params: dict[str, Any]) -> None:
    with pytest.raises(AdvlabError, match=next(iter(params))):
        resolve({"experiment": {"name": "sample_complexity", **params}, "run": {}})
