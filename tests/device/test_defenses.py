"""Every defense on the device: the same images, the same draws, gradients through it, and attacks against it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from advlab.attacks import FGS, DeepFool
from advlab.config.choices import group_choices
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
from advlab.defenses.draws import draw_of
from tests.helpers.two_devices import largest_difference

ALL = [
    Binarize(), BitDepth(), Combined(), Crops(), Crops(grid=3, spacing=0.5, average="probabilities"), Jpeg(), RescaleCrops(),
    Blur(), Noise(sigma=0.05), Project(basis=torch.eye(32)[:, :9], centred=True, mean=torch.full((32,), 0.4)),
    Resample(), Round(), Shift(),
    Chain(of=(Shift(), Blur(sigma=0.5), Noise(sigma=0.02), Round(levels=16))),
]  # fmt: skip
each = pytest.mark.parametrize("defense", ALL, ids=lambda defense: defense.label)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(32, 8), nn.Tanh(), nn.Linear(8, 3))


def images() -> torch.Tensor:
    return torch.rand(4, 2, 4, 4, generator=torch.Generator().manual_seed(1)) * 0.8 + 0.1


def test_none_is_forgotten() -> None:
    assert {defense.label for defense in ALL} >= set(group_choices("defense")) - {"none"}


@each
def test_a_defense(defense: Defense, cuda: torch.device) -> None:
    x = images()
    here, there = defense(network()), defense(network().to(cuda))
    assert largest_difference(defense(nn.Identity())(x), defense(nn.Identity().to(cuda))(x.to(cuda))) < 1e-6
    gradients = []
    for defended, point in ((here, x.clone()), (there, x.to(cuda))):
        point.requires_grad_()
        logits = defended.logits(point, defended.draw(point, 3))
        gradients.append((logits, *torch.autograd.grad(logits[:, 0].sum(), point)))
    for a, b in zip(*gradients, strict=True):
        assert largest_difference(a, b) < 1e-5


@each
def test_an_attack_on_a_defense(defense: Defense, cuda: torch.device) -> None:
    x = images()
    y = network()(x).argmax(1)
    for attack in (FGS(draws=3), DeepFool(draws=3)):
        here, there = attack(defense(network()), x, y), attack(defense(network().to(cuda)), x.to(cuda), y.to(cuda))
        assert there.adv.device.type == "cuda"
        assert bool(((there.adv >= 0) & (there.adv <= 1)).all())
        if not defense.random:  # draws follow from the bits of an image, and a last bit may differ
            assert largest_difference(here.adv, there.adv) < 1e-3
            assert torch.equal(here.status, there.status.cpu())


def test_draws_are_the_same_bits(cuda: torch.device) -> None:
    x = torch.rand(50, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    here, there = draw_of(x, 2), draw_of(x.to(cuda), 2)
    assert torch.equal(there.keys.cpu(), here.keys)
    assert torch.equal(there.bits((100,)).cpu(), here.bits((100,)))
    assert torch.equal(there.uniform((100,)).cpu(), here.uniform((100,)))
    assert torch.allclose(there.normal((100,)).cpu(), here.normal((100,)), rtol=1e-13, atol=1e-13)
