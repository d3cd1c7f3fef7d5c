"""Every defense on the device: the same images, the same draws, gradients through it, and attacks against it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from advlab.attacks import FGS, DeepFool
from advlab.config.choices import group_choices
from advlab.data.images import ImageData, tensor_digest
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
    OpenMax,
    Project,
    Resample,
    RescaleCrops,
    Round,
    Shift,
    SoftmaxThreshold,
)
from advlab.defenses.draws import draw_of
from tests.helpers.long_cases import one_in
from tests.helpers.two_devices import largest_difference

ALL = [
    Binarize(), BitDepth(), Combined(), Crops(), Crops(grid=3, spacing=0.5, average="probabilities"), Jpeg(), RescaleCrops(),
    Blur(), Noise(sigma=0.05), Project(basis=torch.eye(32)[:, :9], centred=True, mean=torch.full((32,), 0.4)),
    Resample(), Round(), Shift(),
    Chain(of=(Shift(), Blur(sigma=0.5), Noise(sigma=0.02), Round(levels=16))),
]  # fmt: skip
#: those that reject, of which the first looks at a layer of the network; with what they are fitted to
REJECTING = [OpenMax(layer="2", tail_size=20), SoftmaxThreshold(threshold=0.4)]
each = pytest.mark.parametrize("defense", one_in(2, ALL), ids=lambda defense: defense.label)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(32, 8), nn.Tanh(), nn.Linear(8, 3))


def images() -> torch.Tensor:
    return torch.rand(4, 2, 4, 4, generator=torch.Generator().manual_seed(1)) * 0.8 + 0.1


def test_none_is_forgotten() -> None:
    assert {defense.label for defense in [*ALL, *REJECTING]} >= set(group_choices("defense")) - {"none"}


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


def training_images() -> ImageData:
    pixels = torch.randint(256, (200, 2, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        labels = network()(pixels.float() / 255).argmax(1)
    return ImageData("toy", "train", ("a", "b", "c"), labels, (2, 4, 4), tensor_digest(pixels, labels), pixels)


@pytest.mark.parametrize("defense", REJECTING, ids=lambda defense: defense.label)
def test_a_defense_that_rejects(defense: Defense, cuda: torch.device) -> None:
    data, x = training_images(), images()
    fitted = [defense.fit(images, net) for images, net in ((data, network()), (data.to(cuda), network().to(cuda)))]
    for name in fitted[0] or {}:
        assert largest_difference((fitted[0] or {})[name], (fitted[1] or {})[name]) < 1e-4
    here, there = defense(network(), fitted=fitted[0]), defense(network(), fitted=fitted[0]).to(cuda)
    logits, gradients = [], []
    for defended, point in ((here, x.clone()), (there, x.to(cuda))):
        logits.append(defended(point.requires_grad_()))
        gradients.append(torch.autograd.grad(logits[-1][:, -1].sum(), point)[0])
    assert largest_difference(*logits) < 1e-5
    assert largest_difference(*gradients) < 1e-5
    y = network()(x).argmax(1)
    results = FGS()(here, x, y), FGS()(there, x.to(cuda), y.to(cuda))
    assert torch.equal(results[0].status, results[1].status.cpu())


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
