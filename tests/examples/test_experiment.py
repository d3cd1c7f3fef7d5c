"""The example of an experiment: its answers against scipy's filters, its intervals against the exact ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

import advlab
from advlab import testing
from advlab.config import components
from advlab.statistics import simultaneous
from tests.helpers.commands import Ended

RUN = "outputs/defended_accuracy/digits-lenet/v001"


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4))


def test_predictions_behind_each_defense_are_those_of_scipys_filter(loaded: Callable[[str], None]) -> None:
    loaded("experiment")
    images = torch.rand(80, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = linear()(images).argmax(1)
    ctx = testing.context(
        "defended_accuracy",
        linear(),
        images,
        labels,
        {"experiment.defenses": ["none", "blur"], "experiment.samples": 60},
    )
    table = testing.measured(ctx).set_index(["defense", "sample"])
    pixels = (images * 255).round().double().numpy() / 255
    views = {"none": pixels, "blur": gaussian_filter(pixels, sigma=1.0, axes=(2, 3), mode="nearest", truncate=4.0)}
    assert len(table) == 2 * 60
    for name, view in views.items():
        logits = linear().double()(torch.from_numpy(view)).detach()
        rows = table.loc[name]
        top = logits.topk(2).values
        clear = [i for i in rows.index if float(top[i, 0] - top[i, 1]) > 1e-4]  # float32 may break a tie otherwise
        assert len(clear) > 55
        assert rows.loc[clear, "prediction"].tolist() == logits[clear].argmax(1).tolist()
        np.testing.assert_allclose(rows.loc[clear, "confidence"], logits[clear].softmax(1).amax(1), rtol=1e-4)
    blurred = table.loc["blur"]
    assert (blurred["prediction"] != blurred["label"]).any()  # the filter changes some answers


def made_up(right: dict[str, int], images: int = 100) -> pd.DataFrame:
    """A table in which so many images are right behind each defense."""
    rows = [
        {"defense": name, "sample": i, "label": 1, "prediction": int(i < count), "confidence": 1.0}
        for name, count in right.items() for i in range(images)
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(run="test")


def test_verdicts_and_simultaneous_intervals(loaded: Callable[[str], None]) -> None:
    loaded("experiment")
    cls = components.REGISTRIES["experiment"].load("defended_accuracy")
    experiment = cls(cls.Params(defenses=["none", "blur", "noise"]))
    table = made_up({"none": 100, "blur": 92, "noise": 60})
    claims = simultaneous(experiment.claims(table))
    assert [claim.verdict for claim in claims] == ["holds", "undecided", "does not hold"]
    assert claims[0].family == 3
    assert claims[0].family_low == pytest.approx((0.05 / 3 / 2) ** (1 / 100))  # exact bound of 100 of 100
    single = experiment.summary(table)
    assert claims[0].low == single["low"].iloc[0] == pytest.approx(0.025 ** (1 / 100))
    assert len(experiment.plot(table).axes[0].containers) == 1


def test_a_run_from_the_command_line(plugin: Callable[..., list[str]], cli: Callable[..., Ended]) -> None:
    ended = cli(*plugin("experiment"), "experiment=defended_accuracy", "experiment.samples=300", "run.preset=tiny")
    assert ended.code == 0, ended.err
    run = advlab.load(RUN)
    right = run.table["prediction"] == run.table["label"]
    accuracy = right.groupby(run.table["defense"]).mean()
    assert len(run.table) == 3 * 300
    assert accuracy["none"] > 0.95  # the recipe reaches .9889 on 360 images
    assert accuracy["blur"] < 1
    assert run.claims["family"].tolist() == [3, 3, 3]  # corrected by the run
    assert (run.claims["family_low"] < run.claims["low"]).all()
    estimates = dict(zip(run.claims["subset"], run.claims["estimate"], strict=True))
    assert estimates == pytest.approx(accuracy.to_dict())
    ended = cli(*plugin("experiment"), "experiment=defended_accuracy", "experiment.defenses=[bluer]")
    assert ended.code == 2
    assert "experiment.defenses=bluer: " in ended.err
    assert "Did you mean blur" in ended.err
