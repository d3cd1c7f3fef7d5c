"""Targeted refined DeepFool against DDN (Rony et al. 2019, algorithm 1), written out here, on the same images."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from advlab.attacks import DeepFool
from tests.helpers.digits_network import trained_on_digits


def ddn(net: nn.Module, x: Tensor, targets: Tensor, steps: int = 100) -> Tensor:
    """(N,) lengths of the shortest perturbations that reach their targets; infinite where none does."""
    delta, norm = torch.zeros_like(x), torch.ones(len(x))
    shortest = torch.full((len(x),), torch.inf)
    for step in range(steps):
        leaf = (x + delta).requires_grad_()
        logits = net(leaf)
        reached, length = logits.argmax(1) == targets, delta.flatten(1).norm(dim=1)
        shortest = torch.where(reached & (length < shortest), length, shortest)
        (g,) = torch.autograd.grad(nn.functional.cross_entropy(logits, targets, reduction="sum"), leaf)
        rate = 0.01 + 0.99 * (1 + math.cos(math.pi * step / steps)) / 2
        delta = delta - rate * g / g.flatten(1).norm(dim=1).clamp_min(1e-12)[:, None, None, None]
        norm = norm * torch.where(reached, 0.95, 1.05)
        delta = delta * (norm / delta.flatten(1).norm(dim=1).clamp_min(1e-12))[:, None, None, None]
        delta = (x + delta).clamp(0, 1) - x
    return shortest


def test_it_is_as_short_as_ddn_within_two_percent() -> None:
    net, x, y = trained_on_digits()
    x, y = x[:100], y[:100]
    targets = (y + 1 + torch.arange(100) % 9) % 10
    result = DeepFool(refine=True)(net, x, y, targets=targets)
    reference = ddn(net, x, targets)
    both = result.success & torch.isfinite(reference)
    assert int(both.sum()) >= 95
    assert float(result.distance[both].mean()) < 1.02 * float(reference[both].mean())
