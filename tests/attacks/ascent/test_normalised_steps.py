"""Normalised ascent: its step lengths, a linear model in closed form, and that it leaves parameters alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from advlab.attacks.ascent.normalised_steps import ascend_normalised, normalised_gradient, unit
from advlab.metrics.loss_gradient import cross_entropy
from advlab.metrics.objectives import Which, objective
from advlab.models.classifier import Classifier

WIDE = (-1e6, 1e6)


def classifier() -> Classifier:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 5))
    return Classifier(network, name="toy", shape=(1, 4, 4), mean=None, std=None).double()


def images(count: int = 8) -> Tensor:
    return 0.25 + 0.5 * torch.rand(count, 1, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def test_every_step_has_its_length() -> None:
    network, x = classifier(), images()
    for step in (0.01, 0.3):
        moved = ascend_normalised(lambda z: objective(network, z, "hard"), x, steps=1, step=step, bounds=WIDE)
        torch.testing.assert_close((moved - x).flatten(1).norm(dim=1), torch.full((8,), step, dtype=torch.float64))
    moved = ascend_normalised(lambda z: objective(network, z, "hard"), x, steps=4, step=0.1, bounds=WIDE)
    assert ((moved - x).flatten(1).norm(dim=1) <= 0.4 + 1e-12).all()


@pytest.mark.parametrize("which", ["hard", "adversarial"])
def test_the_ascent_raises_every_objective(which: Which) -> None:
    network, x = classifier(), images()
    before = objective(network, x, which)
    after = objective(network, ascend_normalised(lambda z: objective(network, z, which), x, steps=5, step=0.02), which)
    assert (after > before).all()


def test_the_one_step_attack_of_a_linear_model() -> None:
    """Two classes: the loss rises along the difference of their weights, at every point."""
    torch.manual_seed(1)
    linear = nn.Linear(16, 2).double()
    model = nn.Sequential(nn.Flatten(), linear)
    x, labels = images(6), torch.tensor([0, 1, 0, 1, 1, 0])
    found = normalised_gradient(lambda z: cross_entropy(model(z), labels), x).flatten(1)
    across = (linear.weight[1] - linear.weight[0]).detach()
    across = across / across.norm()
    expected = torch.where(labels[:, None] == 0, across, -across)
    torch.testing.assert_close(found, expected)
    logits = model(x + 0.7 * found.view_as(x)).detach()
    lead = (logits[:, 1] - logits[:, 0]) * torch.where(labels == 0, 1, -1)
    before = model(x).detach()
    gain = lead - (before[:, 1] - before[:, 0]) * torch.where(labels == 0, 1, -1)
    weight = (linear.weight[1] - linear.weight[0]).detach().norm()
    torch.testing.assert_close(gain, (0.7 * weight).expand(6))


def test_parameters_get_no_gradient() -> None:
    network = classifier()
    kept = [torch.full_like(p, 7.0) for p in network.parameters()]
    for parameter, gradient in zip(network.parameters(), kept, strict=True):
        parameter.grad = gradient.clone()
    moved = ascend_normalised(lambda z: objective(network, z, "hard"), images(), steps=3, step=0.1)
    assert not moved.requires_grad
    for parameter, gradient in zip(network.parameters(), kept, strict=True):
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, gradient)


def test_the_box() -> None:
    network, x = classifier(), torch.zeros(4, 1, 4, 4, dtype=torch.float64)
    moved = ascend_normalised(lambda z: objective(network, z, "hard"), x, steps=5, step=3.0)
    assert float(moved.min()) >= 0
    assert float(moved.max()) <= 1
    assert (moved != x).any()


def test_under_no_grad_it_ascends_all_the_same() -> None:
    network, x = classifier(), images()
    with torch.no_grad():
        inside = ascend_normalised(lambda z: objective(network, z, "hard"), x, steps=2, step=0.1)
    assert torch.equal(inside, ascend_normalised(lambda z: objective(network, z, "hard"), x, steps=2, step=0.1))


def test_what_has_no_gradient_stays() -> None:
    x = images(3)
    moved = ascend_normalised(lambda z: z.flatten(1).sum(1) * torch.tensor([1.0, 0.0, torch.inf]), x, steps=2, step=0.1)
    assert not torch.equal(moved[0], x[0])
    assert torch.equal(moved[1:], x[1:])


def test_tiny_gradients_count() -> None:
    """Their squares are 0 in float32."""
    gradient = torch.full((1, 2, 2), 1e-30)
    torch.testing.assert_close(unit(gradient), torch.full((1, 2, 2), 0.5))
    assert torch.equal(unit(torch.zeros(1, 4)), torch.zeros(1, 4))
