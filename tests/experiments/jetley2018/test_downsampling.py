"""Table 1 of jetley2018 on networks whose boundaries are known: norms, predictions and spans against numpy by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from advlab import testing
from advlab.errors import ArgumentError, ConfigError, MeasurementError
from experiments.jetley2018.downsampling_measure import prepare
from tests.helpers.imresize import down_and_up

SIDE, SIZE, COUNT, OVERSHOOT, EXTRA = 9, 4, 12, 0.02, 1e-4
ONE_SIZE = {"experiment.sizes": [SIZE], "experiment.factors": [1.0, 3.0], "experiment.mean": "image"}


def images(count: int = COUNT) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(count, 1, SIDE, SIDE, generator=generator) * 255).round() / 255


def linear() -> nn.Module:
    """Two classes: the second where w x > b, an arbitrary w, whose boundary runs through the images."""
    layer = nn.Linear(SIDE * SIDE, 2)
    with torch.no_grad():
        w = torch.randn(SIDE * SIDE, generator=torch.Generator().manual_seed(1))
        layer.weight.copy_(torch.stack([-w / 2, w / 2]))
        values = (images().flatten(1) @ w).sort().values
        layer.bias.copy_(torch.tensor([0.5, -0.5]) * values[COUNT // 2 : COUNT // 2 + 2].mean())
    return nn.Sequential(nn.Flatten(), layer)


def smooth(classes: int = 4) -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 20), nn.Tanh(), nn.Linear(20, classes)).eval()


def table_of(network: nn.Module, options: dict[str, Any], batch_size: int = 256, count: int = COUNT) -> pd.DataFrame:
    x = images(count)
    ctx = testing.context("downsampling", network, x, network(x).argmax(1), options, batch_size=batch_size)
    return testing.measured(ctx)


def resampling() -> np.ndarray[Any, Any]:
    """(D, D) the resampling of an image as a matrix."""
    impulses = np.eye(SIDE * SIDE).reshape(-1, SIDE, SIDE)
    return down_and_up(impulses, SIZE).reshape(-1, SIDE * SIDE).T


def test_a_linear_networks_table_by_hand() -> None:
    network = linear()
    table = table_of(network, ONE_SIZE)
    w = (network[1].weight[1] - network[1].weight[0]).detach().double().numpy()  # type: ignore[index]
    b = float((network[1].bias[1] - network[1].bias[0]).detach())  # type: ignore[index]
    all_images = images().double().numpy().reshape(COUNT, -1)
    mean, r = all_images.mean(0), resampling()
    span = r @ w / np.linalg.norm(r @ w)  # all perturbations lie along w
    assert set(table["size"]) == {SIDE, SIZE}
    for row in table.itertuples():
        x, factor = all_images[row.sample], row.factor
        margin = w @ x + b
        delta = -np.sign(margin) * (1 + OVERSHOOT) * (abs(margin) / np.linalg.norm(w) + EXTRA) * w / np.linalg.norm(w)
        matrix = r if row.size == SIZE else np.eye(SIDE * SIDE)
        behind = w @ (mean + matrix @ (x - mean)) + b
        assert row.clean_prediction == (behind > 0)
        assert row.label == (margin > 0)
        assert row.image_norm == pytest.approx(np.linalg.norm(matrix @ (x - mean)), rel=1e-4)
        if row.attack == "transfer":
            assert row.norm == pytest.approx(factor * np.linalg.norm(delta), rel=1e-3)
            assert row.resampled_norm == pytest.approx(factor * np.linalg.norm(matrix @ delta), rel=1e-3)
            assert row.prediction == (behind + factor * w @ matrix @ delta > 0)
        elif row.attack == "random":
            assert row.resampled_norm == pytest.approx(factor * np.linalg.norm(matrix @ delta), rel=1e-3)
        else:
            before, gradient = (margin, w) if row.attack == "confined_original" else (behind, matrix.T @ w)
            step = gradient if row.attack == "white_box" else (span @ gradient) * span
            expected = (1 + OVERSHOOT) * (abs(before) / np.linalg.norm(step) + EXTRA)
            assert row.norm == pytest.approx(expected, rel=1e-3)
            assert row.found
            perturbation = -np.sign(before) * expected * step / np.linalg.norm(step)
            assert row.prediction == (behind + w @ matrix @ perturbation > 0)
            assert row.directions == (0 if row.attack == "white_box" else 1)
    rows = {(size, attack): len(part) for (size, attack), part in table.groupby(["size", "attack"])}
    assert rows[SIZE, "white_box"] == rows[SIZE, "confined"] == COUNT // 2  # the others span
    assert rows[SIDE, "transfer"] == rows[SIZE, "random"] == COUNT
    assert (SIDE, "white_box") not in rows


def test_at_full_size_and_length_one_every_image_is_fooled() -> None:
    table = table_of(smooth(), {"experiment.sizes": [SIZE]})
    full = table[(table["size"] == SIDE) & (table["attack"] == "transfer") & (table["factor"] == 1)]
    assert len(full) == COUNT // 2
    assert (full["prediction"] != full["clean_prediction"]).all()


def test_the_span_of_many_perturbations_confines_nothing_and_that_of_few_does() -> None:
    """The resampling is a symmetric matrix: gradients through it lie in the span of resampled images, which 40 of them fill."""
    many, few = (
        table_of(smooth(10), {"experiment.sizes": [SIZE], "experiment.spanning": spanning}, count=80)
        for spanning in (40, 1)
    )
    confined, narrower, free = (
        table[table["attack"] == attack]
        for table, attack in ((many, "confined"), (few, "confined"), (many, "white_box"))
    )
    assert set(confined["directions"]) == set(confined["dimensions"]) == {SIZE * SIZE}
    assert set(narrower["directions"]) == {1}
    assert np.allclose(confined["norm"], free["norm"], rtol=1e-3)
    assert float(narrower["norm"].median()) > 1.1 * float(free["norm"].median())
    original = many[many["attack"] == "confined_original"]
    full = many[(many["attack"] == "transfer") & (many["size"] == SIDE) & (many["factor"] == 1)]
    assert original["found"].all()  # of the network without resampling
    assert (original["norm"].to_numpy() > 0.99 * full["norm"].to_numpy()).mean() > 0.9


def test_rows_do_not_depend_on_the_batch() -> None:
    one, many = (table_of(smooth(), ONE_SIZE, batch_size=batch) for batch in (1, 256))
    numbers = ["norm", "resampled_norm", "image_norm"]
    assert np.allclose(one[numbers], many[numbers], rtol=1e-3)
    assert one.drop(columns=numbers).equals(many.drop(columns=numbers))


@pytest.mark.parametrize("split", ["train", "all", "test"])
def test_no_image_that_spans_is_measured_where_training_images_are_measured(split: str) -> None:
    ctx = testing.context("downsampling", smooth(), images(), torch.zeros(COUNT, dtype=torch.int64), ONE_SIZE)
    measured = replace(ctx.data, split=split)
    prepared = prepare(ctx.settings.experiment, replace(ctx, data=measured, load_split=lambda _: measured))
    assert prepared["split"] == split
    assert sorted(prepared["samples"] + prepared["others"]) == list(range(COUNT))


def test_a_network_that_nothing_fools_is_confined_to_nothing() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 2)).requires_grad_(False)
    network[1].weight.zero_()  # type: ignore[operator]
    with pytest.raises(MeasurementError, match=r"on none of 6 other images.*experiment\.confined=0"):
        table_of(network, ONE_SIZE)
    unconfined = table_of(network, ONE_SIZE | {"experiment.confined": 0})
    assert not unconfined["found"].any()


def test_the_papers_sizes_are_shares_of_the_side() -> None:
    ctx = testing.context("downsampling", smooth(), images(), torch.zeros(COUNT, dtype=torch.int64))
    assert ctx.prepared["sizes"] == [9, 8, 6, 5, 4]
    assert ctx.prepared["split"] == "test"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"attack": "fgs"}, ConfigError, "attack=fgs: downsampling needs DeepFool in the L2 norm without clipping"),
        ({"attack": "deepfool"}, ConfigError, "type attack=deepfool_unclipped"),
        ({"experiment.sizes": [4, 10]}, ConfigError, r"the images have 9 pixels a side"),
        ({"experiment.factors": [2.0, 3.0]}, ConfigError, r"factors must ascend and hold 1"),
        ({"experiment.sizes": [4, 4]}, ConfigError, r"sizes must differ"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], error: type[ArgumentError], message: str) -> None:
    with pytest.raises(error, match=message):
        testing.context("downsampling", smooth(), images(), torch.zeros(COUNT, dtype=torch.int64), options)
