"""Small networks with known answers: linear logits and features, a given score, piecewise linear and smooth ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Shape = tuple[int, int, int]


class LinearLogits(nn.Module):
    """Logits W x + b: every smallest perturbation is known in closed form."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight.T + self.bias


def make_network(shape: Shape, classes: int = 4, seed: int = 0) -> nn.Sequential:
    """A smooth convolutional network in float64 whose classes are all near; with modules that know two modes."""
    torch.manual_seed(seed)
    c, h, w = shape
    norm = nn.BatchNorm2d(6)
    network = nn.Sequential(
        nn.Conv2d(c, 6, 3, padding=1), norm, nn.Tanh(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(6 * h * w, classes)
    ).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn_like(parameter) * (0.5 if parameter.ndim == 4 else 0.3))
        norm.weight.fill_(1.0)
    return network.eval()


class LinearFeatures(nn.Module):
    """Features W x of the flattened image, then a head of two classes whose first is always the larger."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.head = nn.Linear(len(weight), 2)
        with torch.no_grad():
            self.head.weight.mul_(1e-3)
            self.head.bias.copy_(torch.tensor([5.0, 0.0]))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(x.flatten(1) @ self.weight.T)
        return out


def relu_network(seed: int) -> nn.Sequential:
    """A convolutional network in float64 whose logits are piecewise linear."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(16 * 16, 24), nn.ReLU(), nn.Linear(24, 5),
    ).double()  # fmt: skip
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2.5 if parameter.ndim > 1 else 1.0)
    return network.eval()


def relu_setting(seed: int = 0, n: int = 80) -> tuple[nn.Sequential, Tensor, Tensor]:
    network = relu_network(seed)
    x = torch.rand((n, 1, 8, 8), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    with torch.no_grad():
        return network, x, network(x).argmax(1)


class ScoreAgainstZero(nn.Module):
    """A network of two classes whose first logit is a given function of the flattened image, the other 0."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        score = self.function(x.flatten(1))
        return torch.stack([score, torch.zeros_like(score)], 1)
