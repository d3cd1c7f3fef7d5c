"""Small and built-in networks as classifiers, loaded as a run loads them, and the comparison of their weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advlab.config import components
from advlab.lab.network_loading import LoadedNetwork, load_classifier
from advlab.models.base import Model
from advlab.models.classifier import Classifier
from advlab.store.artifacts import ArtifactStore
from tests.helpers.networks import Shape


def images(shape: Shape, n: int = 3) -> Tensor:
    """(n, *shape) images, uniform in [0, 1), the same at every call."""
    return torch.rand((n, *shape), generator=torch.Generator().manual_seed(1))


def tiny(classes: int = 5) -> nn.Sequential:
    """A network for images of 3 x 8 x 8, with every kind of module that knows two modes."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Flatten(), nn.Linear(4 * 36, classes)
    )  # fmt: skip


def wrap(network: nn.Module, shape: Shape = (3, 8, 8), **keys: Any) -> Classifier:
    """A network as a classifier in evaluation mode, without normalisation unless `keys` give one."""
    return Classifier(network, name="toy", shape=shape, **{"mean": None, "std": None, **keys}).eval()


def built(name: str) -> Classifier:
    """A built-in network with random weights, by its registered name."""
    torch.manual_seed(0)
    model = components.REGISTRIES["model"].load(name)()
    return Classifier(
        model.network(), name=name, shape=model.shape, classes=model.class_count, mean=None, std=None
    ).eval()


def lenet(seed: int = 0) -> nn.Module:
    """A small LeNet with the random weights of a seed."""
    torch.manual_seed(seed)
    return components.REGISTRIES["model"].load("lenet")(hidden=20).network()


def loaded(
    model: Model, *, shape: tuple[int, int, int] = (1, 28, 28), recipe: Any = None, **keys: Any
) -> LoadedNetwork:
    """A model as a run loads it; a test in which it would train fails."""
    options: dict[str, Any] = {
        "train_data": lambda: pytest.fail("nothing is to be trained"), "artifacts": ArtifactStore(Path("."), writes=False),
        "device": torch.device("cpu"), "seed": 0, "download": False,
    }  # fmt: skip
    return load_classifier("net", model, recipe or components.NoComponent(), shape=shape, **{**options, **keys})


def same_weights(network: nn.Module, other: nn.Module) -> bool:
    """Whether two networks have the same parameters and buffers, bit by bit."""
    mine, theirs = network.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)
