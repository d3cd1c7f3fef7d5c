"""Figure 4 of barati2021: its numbers against brute force, and claims that made-up tables pass and fail."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from advlab.experiments.barati2021.decision_boundary import (  # type: ignore[import-not-found]
    area_under_roc,
    boundary_distance,
)
from advlab.experiments.barati2021.random_mlp import random_mlp  # type: ignore[import-not-found]

from advlab import testing
from advlab.config import components
from advlab.config.settings import resolve
from advlab.errors import AdvlabError
from advlab.lab import DeviceContext
from advlab.store.tables import to_csv

MLPObjectives = components.REGISTRIES["experiment"].load("mlp_objectives")


def context(tmp_path: Any, **params: Any) -> DeviceContext:
    node = {"name": "mlp_objectives", "networks": 2, "resolution": 11, "near": 0.3, **params}
    settings = resolve({"experiment": node, "run": {}})
    ctx: DeviceContext = testing.context(settings, folder=tmp_path)
    return ctx


def rows(ctx: DeviceContext) -> list[Any]:
    experiment = ctx.settings.experiment
    with torch.inference_mode():
        return [row for cell in experiment.cells(ctx) for row in experiment.measure(ctx, cell)]


@pytest.mark.parametrize("loss", ["label", "entropy", "margin", "square"])
def test_rows_equal_the_network_written_out_in_float64(tmp_path: Any, loss: str) -> None:
    ctx = context(tmp_path, loss=loss, networks=1)
    found = rows(ctx)
    assert len(found) == 121
    weights = [p.detach().double().numpy() for p in random_mlp(0).parameters()]
    assert [w.shape for w in weights[::2]] == [(100, 2), (100, 100), (100, 100), (5, 100)]
    assert all((bias == 0).all() for bias in weights[1::2])
    for row in found:
        z = np.array([row.x1, row.x2])
        for matrix in weights[0:6:2]:
            z = np.tanh(matrix @ z)
        logits = weights[6] @ z
        for outputs, value in ((logits, row.adversarial), (z, row.hard)):
            p = np.exp(outputs - outputs.max())
            p /= p.sum()
            expected = {
                "label": -math.log(p.max()),
                "entropy": float(-(p[p > 0] * np.log(p[p > 0])).sum()),
                "margin": float(np.maximum(0, 1 - outputs**2).mean()),
                "square": float((1 - outputs**2).mean()),
            }[loss]
            assert value == pytest.approx(expected, rel=1e-3, abs=1e-5)
        if (row.x1, row.x2) != (0, 0):
            assert row.output == int(logits.argmax())


def test_the_weights_are_standard_normal() -> None:
    weights = torch.cat([p.detach().flatten() for p in random_mlp(3).parameters() if p.ndim > 1])
    assert abs(float(weights.mean())) < 0.03
    assert float(weights.std()) == pytest.approx(1, abs=0.03)
    assert random_mlp(3).digest() == random_mlp(3).digest() != random_mlp(4).digest()


def test_boundary_distance_by_brute_force() -> None:
    classes = np.random.default_rng(0).integers(0, 3, (7, 7))
    classes[:, :3] = 1
    found = boundary_distance(classes, 0.5)
    for i, j in np.ndindex(7, 7):
        others = [math.hypot(i - a, j - b) for a, b in np.ndindex(7, 7) if classes[a, b] != classes[i, j]]
        assert found[i, j] == pytest.approx(0.5 * min(others))
    assert np.isinf(boundary_distance(np.zeros((3, 3), dtype=int), 1.0)).all()


def test_larger_counts_pairs() -> None:
    values = np.array([1.0, 2.0, 2.0, 5.0, 0.0])
    chosen = np.array([False, True, False, True, False])
    pairs = [(a > b) + 0.5 * (a == b) for a in values[chosen] for b in values[~chosen]]
    assert area_under_roc(values, chosen) == pytest.approx(np.mean(pairs))
    assert math.isnan(area_under_roc(values, np.zeros(5, dtype=bool)))


def made_up(adversarial: str, hard: str, networks: int = 6) -> pd.DataFrame:
    """Two classes that meet at x1 = 0, and objectives that peak there (`line`), that do not (`noise`), or also elsewhere."""
    frames = []
    ticks = np.linspace(-1, 1, 21)
    for n in range(networks):
        x1, x2 = (values.ravel() for values in np.meshgrid(ticks, ticks, indexing="ij"))
        random = np.random.default_rng(n)
        kinds = {
            "line": -np.abs(x1),
            "noise": random.random(len(x1)),
            "both": -np.abs(x1) + 2 * ((np.abs(x1) > 0.5) & (x2 > 0.6)),
        }
        output = (x1 > 0).astype(int)
        frames.append(
            pd.DataFrame({"network": n, "loss": "label", "x1": x1, "x2": x2, "output": output,
                          "adversarial": kinds[adversarial], "hard": kinds[hard],
                          **dict.fromkeys(("hard_1", "hard_2", "other_adversarial", "other_hard"), np.nan)})
        )  # fmt: skip
    return pd.concat(frames)


def verdicts(table: pd.DataFrame) -> dict[str, str]:
    experiment = MLPObjectives(MLPObjectives.Params(resolution=21, near=0.21))
    claims = [claim for claim in experiment.claims(table) if claim.verdict != "not measured"]  # of layers and of pairs
    return {claim.claim: claim.verdict for claim in claims}


def test_claims_hold_on_the_papers_picture_and_fail_on_others() -> None:
    assert set(verdicts(made_up("both", "noise")).values()) == {"holds"}
    same = verdicts(made_up("line", "line"))
    assert same == {
        "adversarial-at-boundary": "holds", "adversarial-elsewhere": "does not hold",
        "hard-not-at-boundary": "does not hold", "very-different": "does not hold",
    }  # fmt: skip
    assert verdicts(made_up("noise", "line"))["adversarial-at-boundary"] == "does not hold"
    assert set(verdicts(made_up("both", "noise", networks=3)).values()) == {"undecided"}


def test_cells_are_the_networks_and_runs_repeat(tmp_path: Any) -> None:
    ctx = context(tmp_path)
    assert [cell.id for cell in ctx.settings.experiment.cells(ctx)] == ["network-0", "network-1"]
    assert to_csv(rows(ctx), MLPObjectives.Row) == to_csv(rows(context(tmp_path)), MLPObjectives.Row)


@pytest.mark.parametrize("runs", [1, 4])
def test_the_figure_has_three_panels_a_run(tmp_path: Any, runs: int) -> None:
    losses = ["label", "entropy", "margin", "square"][:runs]
    tables = [pd.DataFrame([vars(r) for r in rows(context(tmp_path, loss=loss))]).assign(run=loss) for loss in losses]
    figure = MLPObjectives(MLPObjectives.Params()).plot(pd.concat(tables))
    figure.canvas.draw()
    axes: list[Any] = list(figure.axes)
    assert sum(bool(axis.images) for axis in axes) == 3 * (runs + 1)  # and the first run's other layers and network
    summary = MLPObjectives(MLPObjectives.Params(resolution=11, near=0.3)).summary(pd.concat(tables))
    assert list(summary["networks"]) == [2] * runs


@pytest.mark.parametrize(
    "params", [{"networks": 0}, {"resolution": 2}, {"near": 0.001}, {"ranks": 1.5}, {"loss": "hinge"}]
)
def test_bad_parameters(params: dict[str, Any]) -> None:
    with pytest.raises(AdvlabError, match=next(iter(params))):
        resolve({"experiment": {"name": "mlp_objectives", **params}, "run": {}})
