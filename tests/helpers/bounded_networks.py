"""Small networks whose global Lipschitz bound is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from advlab.geometry.operator_norm import LipschitzBound, lipschitz_bound
from advlab.models.classifier import Classifier

BOUNDED_SHAPE = (2, 9, 9)


class WithHead(nn.Module):
    """`body` before a linear classification layer."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body.eval()
        with torch.no_grad():
            width = self.body(torch.rand(2, *BOUNDED_SHAPE)).flatten(1).shape[1]
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(x).flatten(1))
        return out


class Through(nn.Module):
    """A function of the output of a convolution, written as foreign networks write it."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.conv(x))


class ResidualBlock(nn.Module):
    def __init__(self, inplace: bool) -> None:
        super().__init__()
        self.conv, self.norm, self.relu = nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(inplace)

    def forward(self, x: Tensor) -> Tensor:
        out = self.norm(self.conv(x))
        out += x
        return self.relu(out)


class InceptionBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.three = nn.Conv2d(2, 3, 1), nn.Conv2d(2, 3, 3, padding=1)
        self.pool = nn.MaxPool2d(3, 1, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([F.relu(self.one(x)), self.three(x).relu_(), self.pool(x)], dim=1)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(2, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.squeeze(x.mean((2, 3), keepdim=True)))


class OwnConvolution(nn.Conv2d):
    """A convolution that is none."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * x.mean()


class DataDependent(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if bool(x.sum() > 0) else -x


def bounded_classifier(body: nn.Module, std: float = 0.5, seed: int = 0) -> Classifier:
    torch.manual_seed(seed)
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_var is not None:
            module.running_var.uniform_(0.2, 2)
            nn.init.normal_(module.weight)
    spread = torch.full((2, 1, 1), std)
    return Classifier(WithHead(body).eval(), name="toy", shape=BOUNDED_SHAPE, mean=spread, std=spread)


def bound_of(body: nn.Module, **more: Any) -> LipschitzBound:
    return lipschitz_bound(bounded_classifier(body, **more))
