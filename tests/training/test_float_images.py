"""Training on images whose values are no grey levels."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from advlab.training.loop import train
from tests.training.test_loop import ONE, RECIPE, ZERO, same_weights, some_data


def test_floats_are_trained_on_as_the_grey_levels_that_they_are() -> None:
    images, labels = some_data()
    networks = []
    for pixels in (images, images.float() / 255):
        torch.manual_seed(0)
        networks.append(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)))
        train(networks[-1], pixels, labels, RECIPE, mean=ZERO, std=ONE, device="cpu", seed=0)
    assert same_weights(*networks)
    assert pixels.max() <= 1  # the data were not changed


def test_floats_outside_of_the_unit_interval_are_refused() -> None:
    images, labels = some_data()
    with pytest.raises(ValueError, match=r"float32 in \[0, 1\]"):
        train(nn.Flatten(), images.float(), labels, RECIPE, mean=ZERO, std=ONE, device="cpu", seed=0)
