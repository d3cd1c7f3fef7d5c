"""Crops against slices of a padded array by numpy, interpolation by scipy, and means of outputs by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn

from advlab.defenses import Chain, Crops, Noise, RescaleCrops


def images(n: int = 3, shape: tuple[int, int, int] = (2, 6, 5), dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


class Recorder(nn.Module):
    """A small network that keeps what it is shown."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.network = nn.Sequential(nn.Flatten(), nn.Linear(inputs, 8), nn.Tanh(), nn.Linear(8, 4)).double()
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.detach())
        logits: Tensor = self.network(x)
        return logits


@pytest.mark.parametrize("pad", [1, 3])
def test_the_five_crops_are_slices_of_the_padded_image(pad: int) -> None:
    x, network = images(), Recorder(60)
    logits = Crops(pad=pad)(network)(x)
    framed = np.pad(x.numpy(), ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    corners = [(0, 0), (0, 2 * pad), (2 * pad, 0), (2 * pad, 2 * pad), (pad, pad)]
    slices = [torch.from_numpy(framed[:, :, i : i + 6, j : j + 5]) for i, j in corners]
    assert len(network.seen) == 5
    assert all(torch.equal(seen, part) for seen, part in zip(network.seen, slices, strict=True))
    assert torch.allclose(logits, torch.stack([network(part) for part in slices]).mean(0), rtol=0, atol=1e-15)


@pytest.mark.parametrize(("grid", "spacing"), [(3, 1.0), (8, 1.0), (12, 0.5), (5, 0.5), (4, 2.0)])
def test_a_grid_of_crops_is_interpolated_on_a_black_frame(grid: int, spacing: float) -> None:
    x, network = images(), Recorder(60)
    Crops(grid=grid, spacing=spacing)(network)(x)
    assert len(network.seen) == grid**2
    along = (np.arange(grid) - grid // 2) * spacing
    for seen, (down, right) in zip(network.seen, [(a, b) for a in along for b in along], strict=True):
        moved = ndimage.shift(
            np.pad(x.numpy(), ((0, 0), (0, 0), (9, 9), (9, 9))), (0, 0, -down, -right), order=1, mode="constant"
        )[:, :, 9:-9, 9:-9]
        assert torch.allclose(seen, torch.from_numpy(moved), rtol=0, atol=1e-14)
    assert any(torch.equal(seen, x) for seen in network.seen)


def test_black_is_the_lowest_value() -> None:
    x = images().add(3.0)
    network = Recorder(60)
    Crops()(network, bounds=(2.0, 5.0))(x)
    assert bool((network.seen[0][:, :, 0] == 2.0).all())
    assert torch.equal(network.seen[0][:, :, 1:, 1:], x[:, :, :-1, :-1])


@pytest.mark.parametrize("sides", [(6, 5), (4, 4)])
def test_rescaled_crops_are_slices_of_the_enlarged_image(sides: tuple[int, int]) -> None:
    x, network = images(shape=(3, *sides)), Recorder(3 * sides[0] * sides[1])
    logits = RescaleCrops(pixels=2)(network)(x)
    larger = torch.nn.functional.interpolate(x, (sides[0] + 4, sides[1] + 4), mode="bilinear")
    slices = [larger[:, :, i : i + sides[0], j : j + sides[1]] for i, j in ((0, 0), (0, 4), (4, 0), (4, 4), (2, 2))]
    for seen, part in zip(network.seen, slices, strict=True):
        assert torch.allclose(seen, part, rtol=0, atol=1e-14)
    assert torch.allclose(logits, torch.stack([network(part) for part in slices]).mean(0), rtol=0, atol=1e-14)


@pytest.mark.parametrize("defense", [Crops(average="probabilities"), RescaleCrops(average="probabilities")])
def test_probabilities_are_averaged(defense: Crops | RescaleCrops) -> None:
    x, network = images(), Recorder(60)
    logits = defense(network)(x)
    mean = torch.stack([network(part).softmax(1) for part in list(network.seen)]).mean(0)
    assert torch.allclose(logits.softmax(1), mean, rtol=0, atol=1e-15)


def test_a_random_defense_behind_the_crops_draws_alike_for_all_of_them() -> None:
    x, network = images(), Recorder(60)
    Chain(of=(Crops(), Noise(clip=False)))(network)(x)
    centre, corner = network.seen[4] - x, network.seen[3][:, :, :-1, :-1] - x[:, :, 1:, 1:]
    assert float(centre.abs().min()) > 0
    assert torch.allclose(centre[:, :, :-1, :-1], corner, atol=1e-14)
