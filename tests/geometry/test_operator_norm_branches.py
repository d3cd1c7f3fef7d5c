"""Global Lipschitz bounds of branches and of changes in place, whose constants are known by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from advlab.geometry.operator_norm import lipschitz_bound
from tests.helpers.bounded_networks import (
    bound_of,
    bounded_classifier,
)


class Sum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(2, 2, 1, bias=False), nn.Conv2d(2, 2, 1)
        with torch.no_grad():
            self.one.weight.copy_(2 * torch.eye(2)[..., None, None])
            self.two.weight.copy_(3 * torch.eye(2)[..., None, None])

    def forward(self, x: Tensor) -> Tensor:
        return self.one(x) + self.two(x)


class Join(Sum):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(x), self.two(x)], 1)


class Difference(Sum):
    def forward(self, x: Tensor) -> Tensor:
        return self.one(x) - self.two(x)


class Twice(Sum):
    def forward(self, x: Tensor) -> Tensor:
        y = self.one(x)
        return y + y


class LaterChange(Sum):
    """What was read from `y` before it was multiplied is multiplied with it."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.one(x)
        z = y
        y.mul_(5)
        return z


class ThroughAView(Sum):
    def forward(self, x: Tensor) -> Tensor:
        y = self.one(x)
        y.view(-1).mul_(5)
        return y


class Feature(Sum):
    """The features are those before the change in place that follows them."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.one(x)
        return self.two(y.mul_(5))


@pytest.mark.parametrize(
    ("module", "expected"),
    [(Sum(), 5.0), (Difference(), 5.0), (Join(), math.sqrt(13)), (Twice(), 4.0), (LaterChange(), 10.0)],
    ids=lambda value: type(value).__name__,
)
def test_branches_by_hand(module: nn.Module, expected: float) -> None:
    assert bound_of(module, std=1).bound == pytest.approx(expected / 1, rel=1e-5)


def test_a_change_through_a_view_counts() -> None:
    assert 10 <= bound_of(ThroughAView(), std=1).bound <= math.hypot(10, 2) * (1 + 1e-6)


def test_a_named_layer_is_taken_as_it_left_its_module() -> None:
    classifier = bounded_classifier(Feature(), std=1)
    assert lipschitz_bound(classifier, "body.one").bound == pytest.approx(2, rel=1e-6)
    assert lipschitz_bound(classifier, "body").bound == pytest.approx(30, rel=1e-6)
    assert lipschitz_bound(classifier).bound == pytest.approx(30, rel=1e-6)
    missing = lipschitz_bound(classifier, "nowhere")
    assert math.isnan(missing.bound)
    assert "nowhere" in missing.reason
