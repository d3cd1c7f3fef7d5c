"""The directions: finite differences, an independent library, and what counts as success."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advlab.attacks import FGS, FGV, HotCold, Saliency
from advlab.attacks.gradient_search.hot_cold.algorithm import products
from advlab.attacks.gradient_search.params import GradientSearch
from advlab.attacks.network import CountedNetwork
from advlab.attacks.problem import Problem
from advlab.attacks.status import Status
from tests.helpers.attack_cases import remake


def setting(network: Callable[..., nn.Sequential], n: int = 40) -> tuple[nn.Sequential, Tensor, Tensor, Tensor]:
    model = network((2, 6, 7), classes=6, seed=1)
    x = torch.rand((n, 2, 6, 7), generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 0.6 + 0.2
    with torch.no_grad():
        logits = model(x)
    return model, x, logits.argmax(1), logits


def moved(attack: GradientSearch, model: nn.Module, x: Tensor, y: Tensor, **options: Any) -> Tensor:
    """(N, C, H, W) the direction: a fixed small step, over its length."""
    epsilon = 1e-5
    return (dataclasses.replace(attack, epsilon=epsilon)(model, x, y, **options).adv - x) / epsilon


@pytest.mark.parametrize("hot", [1, 2, 5])
def test_hot_cold_is_the_vector_jacobian_product_of_the_paper(hot: int, network: Callable[..., nn.Sequential]) -> None:
    model, x, y, logits = setting(network)
    eta = moved(HotCold(hot=hot), model, x, y)
    t = logits.scatter(1, y[:, None], -torch.inf).argsort(1, descending=True)[:, hot - 1]
    omega = torch.zeros_like(logits)
    rows = torch.arange(len(x))
    omega[rows, t], omega[rows, y] = logits[rows, t].abs(), -logits[rows, y].abs()
    for i in range(4):  # J' omega by central differences, pixel by pixel
        basis = torch.eye(x[i].numel(), dtype=torch.float64).view(-1, *x[i].shape) * 1e-6
        with torch.no_grad():
            slopes = ((model(x[i] + basis) - model(x[i] - basis)) / 2e-6) @ omega[i]
        expected = (slopes / slopes.abs().max()).view_as(x[i])
        assert torch.allclose(eta[i], expected, atol=1e-4)


def test_hot_cold_heats_and_cools(network: Callable[..., nn.Sequential]) -> None:
    model, x, y, logits = setting(network)
    eta = moved(HotCold(), model, x, y)
    t = logits.scatter(1, y[:, None], -torch.inf).argmax(1)
    with torch.no_grad():
        change = (model(x + 1e-5 * eta) - logits) / 1e-5
    rise = change.gather(1, t[:, None]) - change.gather(1, y[:, None])
    assert float(rise.min()) > 0


def test_losses_and_logits_move_the_right_way(network: Callable[..., nn.Sequential]) -> None:
    model, x, y, logits = setting(network)
    t = (y + 1) % 6

    def change(attack: GradientSearch, value: Callable[[Tensor], Tensor], **options: Any) -> Tensor:
        with torch.no_grad():
            return value(model(x + 1e-4 * moved(attack, model, x, y, **options))) - value(logits)

    def loss(wanted: Tensor) -> Callable[[Tensor], Tensor]:
        return lambda z: nn.functional.cross_entropy(z, wanted, reduction="none")

    for kind in (FGS, FGV):
        assert float(change(kind(), loss(y)).min()) > 0
        assert float(change(kind(), loss(t), targets=t).max()) < 0
    assert float(change(Saliency(), lambda z: z.gather(1, y[:, None])).max()) < 0
    assert float(change(Saliency(), lambda z: z.gather(1, t[:, None]), targets=t).min()) > 0
    for attack in (FGS(), FGV(), HotCold(), Saliency()):
        peak = moved(attack, model, x, y).abs().amax((1, 2, 3))
        assert torch.allclose(peak, torch.ones_like(peak), atol=1e-6)
    assert set(moved(FGS(), model, x, y).flatten().round(decimals=6).tolist()) <= {-1.0, 0.0, 1.0}


def test_the_kth_class_is_a_target(network: Callable[..., nn.Sequential]) -> None:
    model, x, y, logits = setting(network)
    ranked = logits.scatter(1, y[:, None], -torch.inf).argsort(1, descending=True)
    every = []
    for k in range(1, 6):
        by_rank, by_target = HotCold(hot=k)(model, x, y), HotCold()(model, x, y, targets=ranked[:, k - 1])
        assert torch.allclose(by_rank.adv, by_target.adv, atol=1e-12)
        assert torch.equal(by_rank.success, by_target.success)
        every.append(by_rank.epsilon.nan_to_num(torch.inf))
    nearest = HotCold(hot=0)(model, x, y)
    smallest = torch.stack(every).amin(0)
    assert torch.allclose(nearest.epsilon.nan_to_num(torch.inf), smallest, atol=1.1 / 255 / 2**8)
    assert float((torch.stack(every).argmin(0) > 0).double().mean()) > 0.05  # not always the runner-up
    assert int(nearest.steps.sum()) < int(sum(HotCold(hot=k)(model, x, y).steps.sum() for k in range(1, 6)))
    with pytest.raises(ValueError, match="hot=5 is the last"):
        HotCold(hot=6)(model, x, y)


@pytest.mark.parametrize(("n", "size"), [(1, 16), (1, 4), (2, 8), (3, 256), (3, 4)])
def test_products_of_several_cotangents(n: int, size: int, network: Callable[..., nn.Sequential]) -> None:
    model, x, y, logits = setting(network, n)
    problem = Problem(CountedNetwork(model, size), x, y, None, logits, (0.0, 1.0))
    omega = torch.randn((n, 5, 6), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = products(problem, x, omega)
    for i in range(n):
        for k in range(5):
            leaf = x[i : i + 1].clone().requires_grad_()
            (expected,) = torch.autograd.grad((model(leaf) * omega[i, k]).sum(), leaf)
            assert torch.allclose(found[i, k], expected[0], atol=1e-12)
    assert problem.network.forwards <= size


@pytest.mark.parametrize("attack", [FGS(), FGV(), Saliency()])
def test_the_gradient_comes_with_the_first_look(attack: GradientSearch, network: Callable[..., nn.Sequential]) -> None:
    """Whatever else is looked at: images of a wrong label, in other batches."""
    model, x, y, _ = setting(network, 12)
    alone = attack(model, x[1::2], y[1::2])
    wrong = y.clone()
    wrong[::2] = (y[::2] + 1) % 6
    mixed = attack(model, x, wrong, batch_size=5)
    assert mixed.eligible.tolist() == 6 * [False, True]
    assert torch.allclose(mixed.adv[1::2], alone.adv, atol=1e-9)
    assert torch.equal(mixed.success[1::2], alone.success)
    assert alone.forwards == 6 + int(alone.steps.sum()) + 6  # the first look, the search, the check
    with pytest.raises(ValueError, match="labels hold the class 6"):
        attack(model, x, torch.where(y == y[0], 6, y))


def test_what_counts_as_success_for_hot_cold(network: Callable[..., nn.Sequential]) -> None:
    model, x, y, logits = setting(network)
    t = logits.scatter(1, y[:, None], -torch.inf).argsort(1, descending=True)[:, 2]
    any_class, reached = HotCold()(model, x, y, targets=t), HotCold(reach=True)(model, x, y, targets=t)
    assert bool((reached.prediction == t)[reached.success].all())
    assert bool((any_class.prediction != y)[any_class.success].all())
    assert bool((any_class.prediction != t)[any_class.success].any())
    assert bool(reached.success.any())
    both = reached.success & any_class.success
    assert bool((any_class.epsilon <= reached.epsilon + 1e-6)[both].all())
    alone = HotCold(hot=3, reach=True)(model, x, y)  # the same classes, without naming them
    assert torch.equal(alone.success, reached.success)
    assert torch.allclose(alone.adv[alone.success], reached.adv[alone.success], atol=1e-12)
    assert torch.equal(alone.adv[~alone.success], x[~alone.success])


def test_targets_are_reached(network: Callable[..., nn.Sequential]) -> None:
    model, x, y, _ = setting(network)
    t = (y + 2) % 6
    for attack in (FGS(), FGV(), Saliency()):
        result = attack(model, x, y, targets=t)
        assert int(result.success.sum()) > 10
        assert torch.equal(result.prediction == t, result.success)
        eta = moved(attack, model, x, y, targets=t)
        first = torch.full((len(x),), torch.inf, dtype=torch.float64)
        with torch.no_grad():
            for i in range(255, 0, -1):
                first[model((x + i / 255 * eta).clamp(0, 1)).argmax(1) == t] = i / 255
        w = result.epsilon.double().nan_to_num(torch.inf)
        assert torch.equal(torch.isfinite(first), torch.isfinite(w))
        excess = (w - first)[torch.isfinite(first)]
        assert -1 / 255 - 1e-6 < float(excess.min()) <= float(excess.max()) < 1e-6


def test_a_gradient_that_vanished_is_counted(linear: type[nn.Module]) -> None:
    weight = torch.zeros((3, 4))
    weight[0], weight[1] = 1.0, -1.0
    model = linear(weight, torch.tensor([150.0, 0.0, 0.0]))  # exp(-150) is 0 in float32, exp(-10) is not
    x = torch.full((2, 1, 2, 2), 0.5)
    y = torch.zeros(2, dtype=torch.int64)
    for kind in (FGS, FGV):
        caffe = kind(arithmetic="float32")
        for attack in (caffe, remake(caffe, epsilon=0.1), remake(caffe, exhaustive=True)):
            result = attack(model, x, y)
            assert bool((result.status == Status.ZERO_GRADIENT).all())
            assert bool(result.saturated.all())
            assert torch.equal(result.adv, x)
            assert bool(result.epsilon.isnan().all())
            assert int(result.steps.sum()) == 0
    assert bool((HotCold()(model, x, y).status == Status.NO_FLIP_AT_SATURATION).all())
    assert bool((FGS()(model, x, y).status == Status.NO_FLIP_AT_SATURATION).all())
    near = linear(weight, torch.tensor([-1.0, 0.0, 0.0]))
    assert bool(FGS()(near, x, y).success.all())


def test_one_step_is_that_of_foolbox(network: Callable[..., nn.Sequential]) -> None:
    foolbox = pytest.importorskip(
        "foolbox", reason="foolbox, an independent implementation: pip install 'advlab[peers]'"
    )
    model, x, y, _ = setting(network)
    model, x = model.float(), x.float()
    peer = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    for epsilon in (0.03, 0.3):
        attack = foolbox.attacks.LinfFastGradientAttack()
        _, clipped, success = attack(peer, x, foolbox.criteria.Misclassification(y), epsilons=epsilon)
        result = FGS(epsilon=epsilon)(model, x, y)
        assert torch.allclose(result.adv, clipped, atol=1e-6)
        assert torch.equal(result.success, success)
        assert 0 < int(success.sum()) < 40 or epsilon > 0.1
