"""The example of a model: its parameters by hand, its layers by a convolution in numpy, and its training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from advlab.config import components
from tests.helpers.commands import Ended

RUN = Path("outputs/isotropy/digits-small_net/v001")


def pooled(maps: list[Any]) -> list[Any]:
    """Each map's largest values over squares of two pixels."""
    return [m.reshape(m.shape[0] // 2, 2, m.shape[1] // 2, 2).max((1, 3)) for m in maps]


@pytest.mark.parametrize(("activation", "function"), [("relu", lambda v: v.clip(0)), ("tanh", np.tanh)])
def test_its_logits_are_those_of_convolutions_by_hand(
    activation: str, function: Callable[[Any], Any], loaded: Callable[[str], None]
) -> None:
    loaded("model")
    network = (
        components.REGISTRIES["model"].load("small_net")(width=3, activation=activation, classes=5).network().double()
    )
    weights = {name: value.detach().numpy() for name, value in network.named_parameters()}
    assert sum(value.size for value in weights.values()) == (9 * 3 + 3) + (9 * 3 * 6 + 6) + (6 * 49 * 5 + 5)
    image = torch.rand(1, 1, 28, 28, dtype=torch.float64)
    maps = [image[0, 0].numpy()]
    for layer in ("0", "3"):
        maps = pooled(
            [
                function(sum(correlate2d(m, k, mode="same") for m, k in zip(maps, kernels, strict=True)) + bias)
                for kernels, bias in zip(weights[f"{layer}.weight"], weights[f"{layer}.bias"], strict=True)
            ]
        )
    logits = weights["7.weight"] @ np.concatenate([m.ravel() for m in maps]) + weights["7.bias"]
    np.testing.assert_allclose(network(image)[0].detach().numpy(), logits, rtol=1e-10)


def test_a_recipe_trains_it(plugin: Callable[..., list[str]], cli: Callable[..., Ended], tmp_path: Path) -> None:
    line = [
        *plugin("model"),
        "model=small_net",
        "model.width=8",
        "recipe=lenet_digits",
        "recipe.epochs=5",
        "run.preset=tiny",
    ]
    ended = cli(*line)
    assert ended.code == 0, ended.err
    manifest = json.loads((tmp_path / RUN / "manifest.json").read_text())
    assert manifest["model"]["parameters"] == (9 * 8 + 8) + (9 * 8 * 16 + 16) + (16 * 49 * 10 + 10)
    assert manifest["clean_accuracy"]["accuracy"] > 0.85, manifest["clean_accuracy"]
    ended = cli(*plugin("model"), "model=small_net", "model.activation=gelu")
    assert ended.code == 2
    assert "model.activation: 'gelu' is no choice" in ended.err
    ended = cli(*plugin("model"), "model=small_net", "run.preset=tiny")
    assert ended.code == 2
    assert "no recipe to train it" in ended.err
