"""Networks and images for tests of DeepFool, and its call on the classes that a network predicts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from advlab.attacks import DeepFool
from advlab.attacks.results import AttackResult


def linear_network(classes: int = 4, size: int = 12, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(size, classes)).double()


def curved_network(classes: int = 6, seed: int = 0, dtype: torch.dtype = torch.float64) -> Any:
    """A small convolutional network whose boundaries are curved."""
    torch.manual_seed(seed)
    layers = [nn.Conv2d(1, 6, 3), nn.Tanh(), nn.Flatten(), nn.Linear(6 * 36, 20), nn.Tanh(), nn.Linear(20, classes)]
    network: Any = nn.Sequential(*layers)
    with torch.no_grad():
        network[0].weight.mul_(3)
        network[3].weight.mul_(3)
        network[-1].weight.mul_(8)
    return network.to(dtype)


def uniform_images(count: int = 24, shape: tuple[int, int, int] = (1, 8, 8), seed: int = 1) -> Tensor:
    return torch.rand((count, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def predicted_classes(network: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return network(x).argmax(1)


def deepfool_result(network: nn.Module, x: Tensor, **options: Any) -> AttackResult:
    call = {key: options.pop(key) for key in ("targets", "basis", "bounds", "batch_size") if key in options}
    result = DeepFool(**options)(network, x, predicted_classes(network, x), **call)
    assert bool(result.eligible.all()) or "targets" in call
    return result
