"""The random shift and the noise: what each does to an image, how often, and that seeds and places in a chain matter."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from advlab.defenses import Chain, Noise, Shift
from advlab.defenses.defended_network import DefendedNetwork


def images(n: int, shape: tuple[int, ...] = (1, 5, 6), dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(0)).to(dtype)


def in_trials(network: DefendedNetwork, image: torch.Tensor, trials: int) -> torch.Tensor:
    """(trials, C, H, W) what the defense makes of one image."""
    copies = image.expand(trials, *image.shape[1:])
    return network.logits(copies, network.draw(copies, torch.arange(trials)))


@pytest.mark.parametrize("pixels", [1, 2, 4])
def test_shift_is_one_of_four_rolls_each_as_often(pixels: int) -> None:
    x = images(1)
    shifted = in_trials(Shift(pixels=pixels)(torch.nn.Identity()), x, 4000)
    counts = []
    for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        rolled = np.roll(x.numpy(), (down * pixels, right * pixels), axis=(2, 3))
        counts.append(int((shifted == torch.from_numpy(rolled)).flatten(1).all(1).sum()))
    assert sum(counts) == 4000
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("pixels", [1, 3, 4])
def test_shift_is_the_roll_in_the_direction_that_each_image_draws(
    pixels: int, memory_format: torch.memory_format
) -> None:
    """To the bit, and so are its gradients."""
    x = images(40, (3, 5, 7), torch.float32).contiguous(memory_format=memory_format).requires_grad_()
    network = Shift(pixels=pixels, seed=3)(torch.nn.Identity())
    draw = network.draw(x, 2)
    direction = draw.stream(0).stream(3).integers(4)[:, None, None, None]
    assert set(direction.flatten().tolist()) == {0, 1, 2, 3}
    expected = x
    for number, (down, right) in enumerate(((1, 0), (-1, 0), (0, 1), (0, -1))):
        rolled = torch.roll(x, (down * pixels, right * pixels), dims=(2, 3))
        expected = torch.where(direction == number, rolled, expected)
    shifted, cotangent = network.logits(x, draw), torch.rand(40, 3, 5, 7)
    assert torch.equal(shifted, expected)
    (found,), (wanted,) = (torch.autograd.grad(y, x, cotangent) for y in (shifted, expected))
    assert torch.equal(found, wanted)


def test_noise_is_normal_and_clipped() -> None:
    x = torch.full((1, 1, 4, 4), 100.0, dtype=torch.float64)
    free = in_trials(Noise(sigma=0.1, clip=False)(torch.nn.Identity(), bounds=(0.0, 255.0)), x, 2000)
    assert stats.kstest(((free - x) / 25.5).flatten().numpy(), "norm").pvalue > 1e-3
    clipped = in_trials(Noise(sigma=0.5)(torch.nn.Identity(), bounds=(0.0, 255.0)), x, 100)
    unclipped = in_trials(Noise(sigma=0.5, clip=False)(torch.nn.Identity(), bounds=(0.0, 255.0)), x, 100)
    assert torch.equal(clipped, unclipped.clamp(0, 255))
    assert float(unclipped.min()) < 0


def test_noise_is_the_same_for_both_precisions() -> None:
    x = images(3, dtype=torch.float32)
    network = Noise()(torch.nn.Identity())
    assert torch.allclose(network(x.double()), network(x).double(), rtol=0, atol=1e-7)
    assert network(x).dtype == torch.float32
    assert torch.equal(network(x[1:2]), network(x)[1:2])


def test_seeds_and_places_in_a_chain_draw_independently() -> None:
    x = images(1, (1, 40, 40))
    one, other = (Noise(clip=False, seed=seed)(torch.nn.Identity())(x) - x for seed in (0, 1))
    assert abs(np.corrcoef(one.flatten(), other.flatten())[0, 1]) < 5 / 40
    twice = Chain(of=(Noise(clip=False), Noise(clip=False)))(torch.nn.Identity())(x) - x
    assert abs(float(twice.std()) * 255 - 2**0.5) < 0.15  # not twice the same noise, which would give 2
    nested = Noise(clip=False)(Noise(clip=False)(torch.nn.Identity()))
    assert torch.equal(nested(x) - x, twice)
    trial = nested.logits(x, nested.draw(x, 1)) - x
    assert abs(np.corrcoef(trial.flatten(), twice.flatten())[0, 1]) < 5 / 40
