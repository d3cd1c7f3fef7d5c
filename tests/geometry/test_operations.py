"""The constants of single operations: overlapping maxima, and the slopes of activations."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from advlab.geometry.operations import SLOPE_FUNCTIONS, SLOPE_MODULES, max_pool_constant


def test_overlapping_maxima_reach_their_constant() -> None:
    x = torch.zeros(1, 1, 9, 9)
    x[0, 0, 4, 4] = 1
    assert float(nn.MaxPool2d(3, 2)(x).norm()) == max_pool_constant(2, 3, 2) == 2
    assert float(nn.MaxPool2d(3, 1)(x).norm()) == max_pool_constant(2, 3, 1) == 3
    assert float(nn.MaxPool2d(3, 2, dilation=2)(x).norm()) == max_pool_constant(2, 3, 2, 2) == 3
    assert float(nn.MaxPool2d((4, 2), (2, 2))(x).sum()) == 2
    assert max_pool_constant(2, (4, 2), (2, 2)) == math.sqrt(2)
    assert max_pool_constant(2, 2) == 1


@pytest.mark.parametrize("kind", list(SLOPE_MODULES), ids=lambda kind: kind.__name__)
def test_slopes_are_the_largest_derivatives(kind: type[nn.Module]) -> None:
    module = kind().double()
    x = torch.linspace(-12, 12, 200001, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(module(x).sum(), x)
    assert float(slope.abs().max()) == pytest.approx(SLOPE_MODULES[kind](module), rel=2e-4)
    assert float(slope.abs().max()) <= SLOPE_MODULES[kind](module) * (1 + 1e-7)


@pytest.mark.parametrize("function", [f for f in SLOPE_FUNCTIONS if callable(f)], ids=lambda f: f.__name__)
def test_slopes_of_functions_are_the_largest_derivatives(function: Callable[..., Tensor]) -> None:
    more = {torch.clamp: {"min": -1}}.get(function, {})
    x = torch.linspace(-12, 12, 200001, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(function(x.clone(), **more).sum(), x)
    assert float(slope.abs().max()) == pytest.approx(SLOPE_FUNCTIONS[function](x, **more), rel=2e-4)
    assert float(slope.abs().max()) <= SLOPE_FUNCTIONS[function](x, **more) * (1 + 1e-7)
