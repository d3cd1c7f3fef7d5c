"""Iterative attacks on a trained network: the same images in batches of 64, 7 and 2, one alone, and in another order."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from advlab.attacks import APGD, LBFGS, PGD, Attack, DeepFool
from advlab.attacks.results import AttackResult
from tests.helpers.digits_network import trained_on_digits

IMAGES = 9
ATTACKS: list[Attack] = [
    LBFGS(searches=2, max_iter=6, shrink=3),
    PGD(epsilon=0.1, steps=15),
    PGD(norm="l2", epsilon=0.5, steps=15, restarts=2),
    APGD(norm="l2", epsilon=0.4, steps=6, target_classes=2),
    DeepFool(refine=True),
]
ids = pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.label}-{attack.norm_name}")


def all_ways(attack: Attack, dtype: torch.dtype) -> list[AttackResult]:
    """Results for the same images, in their order: in batches of three sizes, and after a permutation."""
    net, x, y = trained_on_digits()
    net, x, y = copy.deepcopy(net).to(dtype), x[:IMAGES].to(dtype), y[:IMAGES]
    order = torch.randperm(IMAGES, generator=torch.Generator().manual_seed(0))
    results = [attack(net, x, y, batch_size=size) for size in (64, 7, 2)]
    permuted = attack(net, x[order], y[order])
    back = order.argsort()
    return [*results, _rows(permuted, back)]


def _rows(result: AttackResult, rows: Tensor) -> AttackResult:
    result = copy.copy(result)
    for name in ("adv", "distance", "success"):
        object.__setattr__(result, name, getattr(result, name)[rows])
    return result


@ids
def test_nothing_but_rounding_depends_on_the_batch(attack: Attack) -> None:
    """In float64, where rounding is too small to be amplified to what matters: no stop, search or draw is shared."""
    first, *others = all_ways(attack, torch.float64)
    for other in others:
        torch.testing.assert_close(other.adv, first.adv, atol=1e-5, rtol=0)
    net, x, y = trained_on_digits()
    alone = attack(copy.deepcopy(net).double(), x[:1].double(), y[:1])
    torch.testing.assert_close(alone.adv, first.adv[:1], atol=1e-5, rtol=0)


@ids
def test_in_float32_rounding_changes_no_verdict_and_hardly_a_length(attack: Attack) -> None:
    """Pixels may differ, as the docstrings say: what the attack measures does not."""
    first, *others = all_ways(attack, torch.float32)
    for other in others:
        assert torch.equal(other.success, first.success)
        torch.testing.assert_close(other.distance, first.distance, rtol=0.01, atol=0)
