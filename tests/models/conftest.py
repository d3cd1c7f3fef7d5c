"""Networks and their weights, as the tests of models load and compare them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from advlab import components
from advlab.artifacts import ArtifactStore
from advlab.models.load import Loaded, load_classifier
from advlab.models.zoo import Model


def lenet(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return components.MODELS.load("lenet")(hidden=20).network()


def loaded(model: Model, *, shape: tuple[int, int, int] = (1, 28, 28), recipe: Any = None, **keys: Any) -> Loaded:
    options: dict[str, Any] = {
        "train_data": lambda: pytest.fail("nothing is to be trained"), "artifacts": ArtifactStore(Path("."), writes=False),
        "device": torch.device("cpu"), "seed": 0, "download": False,
    }  # fmt: skip
    return load_classifier("net", model, recipe or components.Nothing(), shape=shape, **{**options, **keys})


def same(network: nn.Module, other: nn.Module) -> bool:
    mine, theirs = network.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)
