"""Weights that are trained here: kept, of use as a checkpoint, and none where training fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from advlab.config import components
from advlab.data.source import LoadOptions
from advlab.errors import ArgumentError, ModelError
from advlab.lab.trained_network import build_network
from advlab.models.plugin_model import PluginModel
from advlab.store.artifacts import ArtifactStore
from advlab.training.recipe import Recipe
from tests.helpers.classifiers import loaded


def test_our_own_weights_as_a_checkpoint(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "artifacts")
    options = LoadOptions(tmp_path, False, store)
    digits = components.REGISTRIES["dataset"].load("digits")()
    recipe = Recipe(name="short", max_steps=3, batch_size=16, normalise="mean_image", lr=1e-6)
    model = components.REGISTRIES["model"].load("lenet")(hidden=20)
    calls: list[int] = []

    def data() -> Any:
        calls.append(1)
        return digits.load("train", "digits", options)

    first = loaded(model, recipe=recipe, train_data=data, artifacts=store)
    again = loaded(model, recipe=recipe, train_data=data, artifacts=store)
    assert first.classifier.digest() == again.classifier.digest()
    assert first.origin.startswith("trained by the recipe short")
    (path,) = (tmp_path / "artifacts").rglob("arrays.safetensors")
    brought = loaded(components.REGISTRIES["model"].load("lenet")(hidden=20, checkpoint=str(path)))
    x = digits.load("test", "digits", options).images(torch.arange(20))
    assert torch.equal(brought.classifier(x), first.classifier(x))
    assert brought.classifier.digest() == first.classifier.digest()
    other = loaded(components.REGISTRIES["model"].load("lenet")(hidden=20, checkpoint=str(path), mean=[0.5], std=[1.0]))
    assert not torch.equal(other.classifier(x), first.classifier(x))


def test_training_that_diverges_leaves_no_weights(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "artifacts")
    digits = components.REGISTRIES["dataset"].load("digits")()
    recipe = Recipe(name="wild", max_steps=5, batch_size=16, normalise="mean_image", lr=1e9)
    with pytest.raises(ModelError, match=r"training net failed: .*wild.*lower recipe\.lr"):
        loaded(
            components.REGISTRIES["model"].load("lenet")(hidden=20), recipe=recipe, artifacts=store,
            train_data=lambda: digits.load("train", "digits", LoadOptions(tmp_path, False, store)),
        )  # fmt: skip
    assert not list((tmp_path / "artifacts").rglob("*.safetensors"))


def test_no_weights_and_no_recipe() -> None:
    with pytest.raises(
        ModelError, match=r"has no weights and no recipe to train it: .*model\.checkpoint=.*recipe=NAME"
    ):
        loaded(components.REGISTRIES["model"].load("lenet")())


def test_only_a_refusal_of_a_network_is_told_without_its_traceback() -> None:
    def refuse() -> nn.Module:
        raise ArgumentError("width must be even")

    def fail() -> nn.Module:
        raise ValueError("a defect")

    with pytest.raises(ModelError, match="net cannot be built: width must be even"):
        build_network("net", PluginModel(build=refuse), (1, 8, 8), 0)
    with pytest.raises(ValueError, match="a defect") as caught:
        build_network("net", PluginModel(build=fail), (1, 8, 8), 0)
    assert not isinstance(caught.value, ModelError)


@pytest.mark.parametrize("hidden", [10**12, 2**62])
def test_a_network_that_fits_no_memory_is_told(hidden: int) -> None:
    model = components.REGISTRIES["model"].load("lenet")(hidden=hidden)
    with pytest.raises(ModelError, match="lenet does not fit into memory: choose smaller parameters"):
        build_network("lenet", model, (1, 28, 28), 0)
