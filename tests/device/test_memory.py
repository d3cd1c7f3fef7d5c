"""A device that runs out of memory: batches are halved, the numbers stay, and what is halved is noted."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from advlab.models.classifier import Classifier
from advlab.models.forward import Execution, Forward
from tests.helpers.two_devices import small_device

SHAPE = (3, 32, 32)


@pytest.mark.parametrize("features", [False, True])
def test_batches_are_halved(features: bool) -> None:
    torch.manual_seed(0)
    # 256 channels of 32 x 32: 1 MiB an image
    network = nn.Sequential(
        nn.Conv2d(3, 256, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 5)
    ).eval()
    x = torch.rand((256, *SHAPE), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = network(x[:200])
    with small_device(memory=100 << 20):
        classifier = Classifier(network, name="wide", shape=SHAPE, mean=None, std=None).to("cuda")
        forward = Forward(classifier, Execution(256, "contiguous", "float32"))
        there = x[:200].to("cuda")
        logits = forward.layer_features(there, ["3"])[0] if features else forward(there)
        assert torch.allclose(logits.cpu(), wanted, atol=1e-3)
        assert forward.halvings[0] == 200
        assert forward.halvings == sorted(forward.halvings, reverse=True)
        assert forward.limit <= 100
        assert forward.images == 200
