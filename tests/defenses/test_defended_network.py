"""What a defended network promises: gradients, draws, order of a chain, and Defended of the attacks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from advlab.attacks.defended import Defended
from advlab.attacks.network import CountedNetwork
from advlab.defenses import (
    Binarize,
    BitDepth,
    Blur,
    Chain,
    Combined,
    Crops,
    Defense,
    Jpeg,
    Noise,
    Project,
    Resample,
    RescaleCrops,
    Round,
    Shift,
)
from advlab.defenses.draws import Draw
from advlab.errors import ArgumentError

ALL = [
    Binarize(),
    BitDepth(),
    Blur(),
    Combined(),
    Crops(),
    Crops(grid=3, spacing=0.5, average="probabilities"),
    Jpeg(),
    Noise(),
    Project(basis=torch.eye(32)[:, :9]),
    Resample(),
    RescaleCrops(),
    Round(),
    Shift(),
    Chain(of=(Shift(), Blur(sigma=0.5), Noise(sigma=0.02), Round(levels=16))),
]


def smooth(dtype: torch.dtype = torch.float64) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(32, 8), nn.Tanh(), nn.Linear(8, 3)).to(dtype)


def images(n: int = 4, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(n, 2, 4, 4, dtype=dtype, generator=torch.Generator().manual_seed(1)) * 0.8 + 0.1


@pytest.mark.parametrize("defense", ALL, ids=lambda defense: defense.label)
def test_it_is_what_attacks_know(defense: Defense) -> None:
    network = defense(smooth())
    assert isinstance(network, Defended)
    assert not isinstance(smooth(), Defended)
    declared = (defense.differentiable, defense.random, defense.rejects)
    assert (network.differentiable, network.random, network.rejects) == declared
    x = images()
    assert torch.equal(network(x), network.logits(x))
    assert torch.equal(network(x), network.logits(x, network.draw(x, 0)))
    for dtype in (torch.float32, torch.float64):
        logits = defense(smooth(dtype))(x.to(dtype))
        assert logits.dtype == dtype
        assert logits.shape == (4, 3)
    identity = defense(nn.Identity())
    changed = identity(x)
    assert changed.shape == x.shape
    assert not torch.equal(changed, x)
    assert torch.allclose(identity(x[2:3]), changed[2:3], rtol=0, atol=1e-15)
    assert torch.allclose(identity(x.flip(0)), changed.flip(0), rtol=0, atol=1e-15)
    laid_out = x.contiguous(memory_format=torch.channels_last)
    assert torch.allclose(identity(laid_out), changed, rtol=0, atol=1e-15)


@pytest.mark.parametrize("defense", [d for d in ALL if d.differentiable], ids=lambda defense: defense.label)
def test_gradients_are_finite_differences(defense: Defense) -> None:
    """Of the network with given random numbers, which moving the image does not change."""
    network, x = defense(smooth()), images(1)
    draw = network.draw(x, 5)
    assert torch.autograd.gradcheck(lambda point: network.logits(point, draw), (x.requires_grad_(),), atol=1e-7)


@pytest.mark.parametrize(
    "defense", [Round(levels=5), Binarize(), BitDepth(bits=2), Jpeg(quality=20)], ids=lambda defense: defense.label
)
def test_straight_through_gives_the_networks_gradient_at_the_defended_image(defense: Defense) -> None:
    """By finite differences of the network alone."""
    network, x = smooth(), images().requires_grad_()
    defended, changed = defense(network), defense(nn.Identity())(x.detach())
    (found,) = torch.autograd.grad(defended(x)[:, 1].sum(), x)
    assert torch.allclose(defended(x), network(changed), rtol=0, atol=1e-15)
    assert torch.allclose(found, by_differences(lambda at: network(at)[:, 1], changed), rtol=0, atol=1e-8)


def by_differences(value: Callable[[Tensor], Tensor], x: Tensor, step: float = 1e-6) -> Tensor:
    """(n, C, H, W) central differences of the values (n,) of each image."""
    gradient = torch.zeros_like(x)
    for pixel in range(x[0].numel()):
        moved = [x.clone(), x.clone()]
        moved[0].flatten(1)[:, pixel] += step
        moved[1].flatten(1)[:, pixel] -= step
        with torch.no_grad():
            gradient.flatten(1)[:, pixel] = (value(moved[0]) - value(moved[1])) / (2 * step)
    return gradient


def test_the_gradient_over_draws_is_the_mean_of_those_of_each_draw() -> None:
    """EOT through what an attack is given, of a defense that is random and rounds: differences go through all but rounding."""
    network, x = smooth(), images()
    defended, smooth_part = Combined()(network), Chain(of=(Shift(), Blur(), Noise(clip=False)))(nn.Identity())
    found = CountedNetwork(defended, 64, draws=5).linearise(x).vjp(torch.eye(3, dtype=x.dtype)[[1]].expand(4, -1))
    expected = torch.zeros_like(x)
    for trial in range(5):
        draw = defended.draw(x, trial)
        rounded, before = Combined()(nn.Identity()).logits(x, draw), smooth_part.logits(x, draw)

        def value(at: Tensor, draw: Draw = draw, offset: Tensor = rounded - before) -> Tensor:
            return network(smooth_part.logits(at, draw) + offset)[:, 1]

        expected += by_differences(value, x) / 5
    assert torch.allclose(found, expected, rtol=0, atol=1e-8)


def test_straight_through_in_a_chain_keeps_the_other_stages_gradients() -> None:
    network, blur, x = smooth(), Blur(), images().requires_grad_()
    defended = Chain(of=(blur, Round(levels=5)))(network)
    (found,) = torch.autograd.grad(defended(x)[:, 1].sum(), x)
    blurred = blur(nn.Identity())(x)
    rounded = ((blurred.detach() * 4).round() / 4).requires_grad_()
    (at_rounded,) = torch.autograd.grad(network(rounded)[:, 1].sum(), rounded)
    (expected,) = torch.autograd.grad(blurred, x, at_rounded)
    assert torch.allclose(found, expected, rtol=0, atol=1e-14)


def test_a_chain_is_in_order() -> None:
    x = images()
    chained = Chain(of=(Blur(), Round(levels=3)))(nn.Identity())(x)
    assert torch.equal(chained, Round(levels=3)(nn.Identity())(Blur()(nn.Identity())(x)))
    assert not torch.equal(chained, Chain(of=(Round(levels=3), Blur()))(nn.Identity())(x))
    assert torch.equal(chained, Blur()(Round(levels=3)(nn.Identity()))(x))  # the outer defense comes first


def test_rounding() -> None:
    x = torch.tensor([-0.3, 0.0, 0.1, 0.4, 0.6, 1.2]).view(1, 1, 1, 6)
    assert Round(levels=2)(nn.Identity())(x).flatten().tolist() == [0, 0, 0, 0, 1, 1]
    levels = torch.arange(256, dtype=torch.float64).view(1, 1, 16, 16)
    assert torch.equal(Round()(nn.Identity())(levels / 255), levels / 255)
    assert torch.equal(Round()(nn.Identity(), bounds=(0.0, 255.0))(levels + 0.4), levels.clamp(max=255))


def test_training_mode_and_parameters_are_the_networks() -> None:
    network = smooth()
    defended = Blur()(network)
    assert [id(p) for p in defended.parameters()] == [id(p) for p in network.parameters()]
    defended.eval()
    assert not network.training


def test_fitting_a_chain() -> None:
    class Images:
        def mean_image(self) -> Tensor:
            return torch.full((2, 4, 4), 0.5, dtype=torch.float64)

    basis = torch.eye(32, dtype=torch.float64)[:, :9]
    chain = Chain(of=(Blur(), Project(basis=basis, centred=True)))
    assert chain.needs_fit
    assert not ALL[-1].needs_fit
    fitted = chain.fit(Images(), smooth())  # type: ignore[arg-type]  # as much of ImageData as is used
    assert fitted is not None
    assert list(fitted) == ["1.mean"]
    x = images()
    projected = chain(nn.Identity(), fitted=fitted)(x)
    blurred = Blur()(nn.Identity())(x).flatten(1)
    assert torch.allclose(projected.flatten(1)[:, :9], blurred[:, :9], atol=1e-14)
    assert torch.allclose(projected.flatten(1)[:, 9:], torch.full((4, 23), 0.5, dtype=torch.float64), atol=1e-14)


def test_what_is_refused() -> None:
    with pytest.raises(ArgumentError, match="bounds must be"):
        Blur()(smooth(), bounds=(1.0, 1.0))
    with pytest.raises(ArgumentError, match="sigma must be above 0, got 0"):
        Blur(sigma=0.0)
    with pytest.raises(ArgumentError, match="sigma must be above 0"):
        Noise(sigma=-1.0)
    with pytest.raises(ArgumentError, match="levels must be at least 2"):
        Round(levels=1)
    with pytest.raises(ArgumentError, match="pixels must be at least 1"):
        Shift(pixels=0)
    with pytest.raises(ArgumentError, match="a chain needs at least one defense"):
        Chain()
    with pytest.raises(ArgumentError, match=r"of\[1\] must be a defense such as Blur\(\), got 'noise'"):
        Chain(of=(Blur(), "noise"))  # type: ignore[arg-type]
