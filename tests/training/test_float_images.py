"""Training on images whose values are no grey levels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from advlab.training.loop import train
from advlab.training.recipe import Recipe

RECIPE = Recipe(name="test", epochs=2, batch_size=16, lr=0.05)
ZERO, ONE = torch.zeros(1, 1, 1), torch.ones(1, 1, 1)


def some_data() -> tuple[Tensor, Tensor]:
    """Grey levels of 40 images, and their labels."""
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(0, 3, (40,), generator=generator)
    return torch.randint(0, 256, (40, 1, 8, 8), generator=generator).to(torch.uint8), labels


def test_floats_are_trained_on_as_the_grey_levels_that_they_are() -> None:
    images, labels = some_data()
    networks = []
    for pixels in (images, images.float() / 255):
        torch.manual_seed(0)
        networks.append(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)))
        train(networks[-1], pixels, labels, RECIPE, mean=ZERO, std=ONE, device="cpu", seed=0)
    weights = [torch.cat([value.flatten() for value in network.state_dict().values()]) for network in networks]
    assert torch.equal(*weights)
    assert pixels.max() <= 1  # the data were not changed


def test_floats_outside_of_the_unit_interval_are_refused() -> None:
    images, labels = some_data()
    with pytest.raises(ValueError, match=r"float32 in \[0, 1\]"):
        train(nn.Flatten(), images.float(), labels, RECIPE, mean=ZERO, std=ONE, device="cpu", seed=0)
