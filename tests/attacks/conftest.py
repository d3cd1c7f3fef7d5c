"""The small networks that the tests of attacks build."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import nn

from tests.helpers.networks import LinearLogits, make_network


@pytest.fixture
def network() -> Callable[..., nn.Sequential]:
    """(shape, classes, seed) to a small smooth network in float64, in evaluation mode."""
    return make_network


@pytest.fixture
def linear() -> type[LinearLogits]:
    """A network of given weights (K, D) and biases (K,)."""
    return LinearLogits
