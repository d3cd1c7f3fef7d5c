"""Hard objectives of other layers and networks: written out in float64, and claims that made-up objectives pass and fail."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from advlab.experiments.barati2021.mlp_objectives_measure import OTHER  # type: ignore[import-not-found]
from advlab.experiments.barati2021.objective_agreement import PAIRS, agreement_numbers  # type: ignore[import-not-found]
from advlab.experiments.barati2021.random_mlp import random_mlp  # type: ignore[import-not-found]
from scipy.stats import spearmanr

from advlab import testing
from advlab.config import components
from advlab.config.settings import resolve
from advlab.statistics import median_interval
from advlab.statistics.families import FAMILY_ERROR

MLPObjectives = components.REGISTRIES["experiment"].load("mlp_objectives")
COLUMNS = ("adversarial", "hard", "hard_1", "hard_2", "other_adversarial", "other_hard")


def test_columns_are_the_layers_written_out_in_float64(tmp_path: Any) -> None:
    """The features of each hidden layer, of the network and of the one beside it."""
    node = {"name": "mlp_objectives", "networks": 1, "resolution": 7, "near": 0.4}
    ctx = testing.context(resolve({"experiment": node, "run": {"seed": 3}}), folder=tmp_path)
    experiment = ctx.settings.experiment
    with torch.inference_mode():
        (cell,) = experiment.cells(ctx)
        rows = experiment.measure(ctx, cell)
    networks = [[p.detach().double().numpy() for p in random_mlp(s).parameters()][::2] for s in (3, 3 + OTHER)]
    assert not np.allclose(networks[0][0], networks[1][0])
    for row in rows:
        losses = []
        for weights in networks:
            z, outputs = np.array([row.x1, row.x2]), []
            for matrix in weights[:3]:
                z = np.tanh(matrix @ z)
                outputs.append(z)
            losses.append([math.log(np.exp(h - h.max()).sum()) for h in (*outputs, weights[3] @ z)])
        found = [row.hard_1, row.hard_2, row.hard, row.adversarial, row.other_hard, row.other_adversarial]
        assert found == pytest.approx([*losses[0], *losses[1][2:]], rel=1e-3, abs=1e-5)


def made_up(kinds: dict[str, str], networks: int = 6) -> pd.DataFrame:
    """Objectives over a square: the radius, its opposite, or noise of their own."""
    ticks = np.linspace(-1, 1, 21)
    frames = []
    for n in range(networks):
        x1, x2 = (values.ravel() for values in np.meshgrid(ticks, ticks, indexing="ij"))
        values = {"radius": np.hypot(x1, x2), "opposite": -np.hypot(x1, x2)}
        random = np.random.default_rng(n)
        objectives = {
            column: values[kind] if (kind := kinds.get(column, "noise")) != "noise" else random.random(len(x1))
            for column in COLUMNS
        }
        output = (x1 > 0).astype(int)
        frames.append(pd.DataFrame({"network": n, "loss": "label", "x1": x1, "x2": x2, "output": output, **objectives}))
    return pd.concat(frames)


def test_the_same_layer_twice_agrees_wholly_and_noise_by_chance() -> None:
    """The control: 1 of an objective with itself; 0, and a tenth of the points, of independent ones."""
    same = agreement_numbers(made_up(dict.fromkeys(COLUMNS, "radius"), networks=1))
    assert same == {key: pytest.approx(1) for key in same}
    square = made_up({"hard": "radius", "other_hard": "opposite"}, networks=1)
    numbers = agreement_numbers(square)
    assert numbers["between_networks"] == pytest.approx(-1)
    assert numbers["between_networks_tenth"] == 0
    assert numbers["layers_1_2"] == pytest.approx(spearmanr(square["hard_1"], square["hard_2"]).statistic)
    chance = [agreement_numbers(part)["layers_1_2_tenth"] for _, part in made_up({}, networks=30).groupby("network")]
    assert np.mean(chance) == pytest.approx(0.1, abs=0.02)
    unknown = agreement_numbers(square.assign(hard_1=np.nan))  # a table of earlier rows
    assert math.isnan(unknown["layers_1_2"])
    assert math.isnan(unknown["layers_1_2_tenth"])


def verdicts(table: pd.DataFrame) -> dict[str, str]:
    experiment = MLPObjectives(MLPObjectives.Params(resolution=21, near=0.21))
    words = {f"loss label, {pair.subset}" for pair in PAIRS.values()}
    return {f"{c.claim} {c.subset[12:]}": c.verdict for c in experiment.claims(table) if c.subset in words}


def test_claims_hold_and_turn_round() -> None:
    assert len(verdicts(made_up({}))) == 5
    assert set(verdicts(made_up({})).values()) == {"holds"}
    assert set(verdicts(made_up(dict.fromkeys(COLUMNS, "radius"))).values()) == {"does not hold"}
    assert set(verdicts(made_up({}, networks=5)).values()) == {"undecided"}
    two = verdicts(made_up({"hard": "radius", "hard_2": "radius", "hard_1": "opposite"}))
    assert {name for name, verdict in two.items() if verdict != "holds"} == {"layers-differ hidden layers 2 and 3"}
    assert set(verdicts(made_up({}).assign(hard_1=np.nan, hard_2=np.nan)).values()) == {"holds", "not measured"}


def test_as_many_networks_are_drawn_as_decide_for_three_pairs_of_layers_together() -> None:
    """With six, the interval of each of three medians is open on both sides, and every verdict `undecided`."""
    networks = components.REGISTRIES["experiment"].load("mlp_objectives").Params().networks
    assert np.isfinite(median_interval(np.arange(networks)).at(1 - FAMILY_ERROR / 3).low)
    assert np.isinf(median_interval(np.arange(6)).at(1 - FAMILY_ERROR / 3).low)
