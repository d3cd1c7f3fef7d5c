"""Keys of artifacts that version 0.1 stored, brought to today's form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from advlab.config.migrations import key_of_today
from advlab.lab.trained_network import training_key
from advlab.models.builtin import MLP
from advlab.store.artifacts import ArtifactStore
from advlab.training.recipe import Recipe
from tests.helpers.images import random_images

DEFAULTS: dict[str, Any] = {"checkpoint": "", "sha256": "", "mean": [], "std": [], "activation": "relu"}
FULL_RECIPE: dict[str, Any] = {
    "epochs": 20, "max_steps": 0, "batch_size": 64, "optimizer": "sgd", "lr": 0.005, "momentum": 0.9, "nesterov": False,
    "weight_decay": 0.0005, "bias_lr": 1.0, "bias_decay": 1.0, "head_lr": 1.0, "schedule": "one_cycle", "warmup": 0.2,
    "inv_gamma": 0.0001, "inv_power": 0.75, "lr_steps": [], "label_smoothing": 0.0, "augment": [], "precision": "float32",
    "normalise": "caffe",
}  # fmt: skip


def test_trained_weights_of_version_0_1_are_found(tmp_path: Path) -> None:
    data = random_images(3, (1, 4, 4))
    old = {
        "version": 1, "model": "mlp", "parameters": {**DEFAULTS, "input": [1, 4, 4], "classes": 10, "hidden": [4]},
        "recipe": FULL_RECIPE, "data": data.digest, "seed": 0,
    }  # fmt: skip
    ArtifactStore(tmp_path).put("weights", old, {"network.x": np.ones(2)}, {"seconds": 1.0})
    store = ArtifactStore(tmp_path, key_of_today=key_of_today)
    recipe = Recipe(name="mine", **FULL_RECIPE)
    model = MLP(input=[1, 4, 4], classes=10, hidden=[4])
    found = store.find("weights", training_key("mlp", model, recipe, data, 0))
    assert found is not None
    assert found.arrays["network.x"].tolist() == [1, 1]
    for other in (
        training_key("mlp", model, recipe, data, 1),
        training_key("mlp", MLP(input=[1, 4, 4], classes=10, hidden=[5]), recipe, data, 0),
        training_key("mlp", model, Recipe(name="mine", **{**FULL_RECIPE, "lr": 0.006}), data, 0),
    ):
        assert store.find("weights", other) is None


def test_a_key_of_today_stays(tmp_path: Path) -> None:
    key = training_key("mlp", MLP(hidden=[4]), Recipe(name="mine", epochs=3), random_images(3, (1, 4, 4)), 0)
    assert "checkpoint" not in key["parameters"]
    assert key_of_today("weights", key) == key


def test_ranges_of_features_name_their_split() -> None:
    old = {"version": 1, "weights": "w", "order": "my/data/test/0", "count": 3}
    assert key_of_today("feature_ranges", old) == {**old, "split": "my/data/test"}
    assert key_of_today("feature_ranges", {**old, "split": "my/data/test"}) == {**old, "split": "my/data/test"}


@pytest.mark.parametrize(
    "key",
    [
        {"version": 1, "model": "gone", "parameters": {}, "recipe": {}},
        {"model": "mlp", "parameters": 3, "recipe": None},
    ],
)
def test_what_cannot_be_understood_stays(key: dict[str, Any]) -> None:
    assert key_of_today("weights", key) == key


def test_a_former_artifact_that_is_damaged_is_made_again(tmp_path: Path) -> None:
    data = random_images(3, (1, 4, 4))
    old = {
        "version": 1, "model": "mlp", "parameters": {**DEFAULTS, "hidden": [4]}, "recipe": {"epochs": 3}, "data": data.digest,
        "seed": 0,
    }  # fmt: skip
    ArtifactStore(tmp_path).put("weights", old, {"network.x": np.ones(2)}, {"seconds": 1.0})
    (payload,) = tmp_path.glob("weights/*/arrays.safetensors")
    payload.write_bytes(b"damaged")
    store = ArtifactStore(tmp_path, key_of_today=key_of_today)
    key = training_key("mlp", MLP(hidden=[4]), Recipe(name="mine", epochs=3), data, 0)
    made = store.get("weights", key, lambda: ({"network.x": np.zeros(2)}, {}))
    assert made.fresh
    assert store.get("weights", key, lambda: ({"network.x": np.ones(2)}, {})).arrays["network.x"].tolist() == [0, 0]
