"""The smallest weight along a direction: closed forms, brute force in float64, and how many forwards it takes."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from advlab.attacks import FGS, FGV, HotCold, Saliency
from advlab.attacks.gradient_search.params import GradientSearch
from advlab.attacks.status import Status
from tests.helpers.long_cases import one_in
from tests.helpers.networks import relu_setting

STEP = 1 / 255
WIDE = (-100.0, 100.0)  # nothing is clipped


def direction(name: str, network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The directions once more, by autograd on scalars."""
    leaf = x.clone().requires_grad_()
    logits = network(leaf)
    own = logits.gather(1, y[:, None])[:, 0]
    if name in ("fgs", "fgv"):
        value = nn.functional.cross_entropy(logits, y, reduction="sum")
    elif name == "saliency":
        value = -own.sum()
    else:
        top = logits.scatter(1, y[:, None], -torch.inf).amax(1)
        value = (top.detach().abs() * top - own.detach().abs() * own).sum()
    (gradient,) = torch.autograd.grad(value, leaf)
    return gradient.sign() if name == "fgs" else gradient / gradient.abs().amax((1, 2, 3), keepdim=True)


def first_flip(network: nn.Module, x: Tensor, y: Tensor, eta: Tensor, step: float, largest: float = 1.0) -> Tensor:
    """(N,) brute force: the first weight of the scan that flips; infinite: none."""
    first = torch.full((len(x),), torch.inf, dtype=torch.float64)
    with torch.no_grad():
        for i in range(round(largest / step), 0, -1):
            first[network((x + i * step * eta).clamp(0, 1)).argmax(1) != y] = i * step
    return first


ATTACKS: dict[str, type[GradientSearch]] = {
    "fgs": FGS, "fgv": FGV, "hot_cold": HotCold, "saliency": Saliency
}  # fmt: skip


@pytest.mark.parametrize("seed", one_in(3, range(3)))
@pytest.mark.parametrize("name", list(ATTACKS))
def test_no_flip_of_a_fine_scan_comes_before(name: str, seed: int) -> None:
    network, x, y = relu_setting(seed)
    eta = direction(name, network, x, y)
    first = first_flip(network, x, y, eta, STEP)
    assert int(torch.isfinite(first).sum()) > 20
    for exhaustive in (False, True):
        result = ATTACKS[name](exhaustive=exhaustive)(network, x, y)
        w = result.epsilon.double().nan_to_num(torch.inf)
        assert torch.equal(torch.isfinite(w), torch.isfinite(first))
        assert torch.equal(result.success, torch.isfinite(first))
        assert torch.equal(result.status == Status.NO_FLIP_AT_SATURATION, torch.isinf(first))
        ok = torch.isfinite(first)
        assert float((w - first)[ok].max()) < 1.1 * STEP / 2**8  # to where the bisection ends
        assert float((first - w)[ok].max()) < STEP + 1e-6  # not earlier either: no step before it flips
        expected = (x + result.epsilon.double().nan_to_num(1.0)[:, None, None, None] * eta).clamp(0, 1)
        assert torch.allclose(result.adv, expected, atol=1e-6)
        with torch.no_grad():  # smallest: a little less does not flip
            less = (x + (w.nan_to_num(posinf=0) - 1.5 * STEP / 2**8)[:, None, None, None] * eta).clamp(0, 1)
            assert torch.equal(network(less).argmax(1)[ok], y[ok])


@pytest.mark.parametrize("name", list(ATTACKS))
def test_few_forwards(name: str) -> None:
    network, x, y = relu_setting(1)
    fast, scan = ATTACKS[name]()(network, x, y), ATTACKS[name](exhaustive=True)(network, x, y)
    assert torch.allclose(fast.epsilon, scan.epsilon, atol=1.1 * STEP / 2**8, equal_nan=True)
    assert int(fast.success.sum()) > 10  # a failure is scanned at every step before it is called one
    assert float(scan.steps[fast.success].double().mean()) > 3 * float(fast.steps[fast.success].double().mean())
    assert fast.backwards == len(x)


@pytest.mark.parametrize("name", list(ATTACKS))
def test_three_looks_are_mostly_enough(name: str) -> None:
    """One, one beyond it, and one on the other side of the flip."""
    network, x, y = relu_setting(0)
    result = ATTACKS[name](bisections=0)(network, x, y)
    assert bool(result.success.all())
    assert float(result.steps.double().mean()) < 3.5


@pytest.mark.parametrize("exhaustive", [False, True])
def test_of_several_classes_the_smallest_weight_counts(exhaustive: bool) -> None:
    """Of the rays from one image several flip, a step apart or many."""
    network, x, y = relu_setting(0)
    one = [HotCold(hot=k, bisections=0, exhaustive=True)(network, x, y).epsilon for k in range(1, 5)]
    smallest = torch.stack(one).nan_to_num(torch.inf).amin(0)
    found = HotCold(hot=0, bisections=0, exhaustive=exhaustive)(network, x, y).epsilon.nan_to_num(torch.inf)
    known = torch.isfinite(smallest)
    assert torch.equal(known, torch.isfinite(found))
    assert float((found - smallest)[known].abs().max()) < STEP + 1e-6


@pytest.mark.parametrize("bisections", [0, 3, 12])
def test_closed_form_of_a_linear_network(bisections: int, linear: type[nn.Module]) -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn((6, 12), generator=generator, dtype=torch.float64)
    x = torch.randn((50, 1, 3, 4), generator=generator, dtype=torch.float64)
    model = linear(weight, torch.zeros(6, dtype=torch.float64))
    logits = x.flatten(1) @ weight.T
    y = logits.argmax(1)
    eta = direction("fgv", model, x, y).flatten(1)
    rise = eta @ weight.T
    slope = rise - rise.gather(1, y[:, None])
    gap = logits.gather(1, y[:, None]) - logits
    exact = torch.where(slope > 0, gap / slope, torch.inf).scatter(1, y[:, None], torch.inf).amin(1)
    resolution = 0.01 / 200
    attack = FGV(bisections=bisections, resolution=resolution)
    result = attack(model, x, y, bounds=WIDE)
    assert bool(result.success.all())
    excess = result.epsilon.double() * 200 - exact
    assert float(result.steps.double().mean()) < 9  # nothing bends: no step is needed to make sure
    assert -1e-6 < float(excess.min()) <= float(excess.max()) < 0.01 / 2**bisections + 1e-5 * float(exact.max())


@pytest.mark.parametrize("seed", one_in(3, [3, 4, 5]))
@pytest.mark.parametrize("name", ["fgs", "fgv", "hot_cold"])
def test_the_search_gives_the_first_flip_of_the_scan(name: str, seed: int) -> None:
    """On 540 rays of networks that bend and flip back: at most one of 60 images may have a later flip, and none is missed."""
    network, x, y = relu_setting(seed, 60)
    first = first_flip(network, x, y, direction(name, network, x, y), STEP)
    result = ATTACKS[name](bisections=0)(network, x, y)
    scanned = ATTACKS[name](bisections=0, exhaustive=True)(network, x, y)
    assert torch.equal(result.success, torch.isfinite(first))
    w = result.epsilon.double().nan_to_num(torch.inf)
    assert torch.allclose(scanned.epsilon.double().nan_to_num(torch.inf), first, atol=1e-6)
    assert bool((w >= first - 1e-6).all())
    assert int((w > first + 1e-6).sum()) <= 1


@pytest.mark.parametrize("attack", [FGS(), FGS(discrete=True), FGV(exhaustive=True), HotCold(hot=0)])
def test_neither_the_batch_nor_the_order_matters(attack: GradientSearch) -> None:
    network, x, y = relu_setting(0, 24)
    whole = attack(network, x, y)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    for result, rows in [
        (attack(network, x[order], y[order], batch_size=5), order),
        *((attack(network, x[i : i + 1], y[i : i + 1]), torch.tensor([i])) for i in (0, 7, 23)),
    ]:
        for f in ("adv", "epsilon", "status", "steps"):
            expected, found = getattr(whole, f)[rows], getattr(result, f)
            assert torch.allclose(expected, found, atol=1e-9, equal_nan=True), f


def test_every_search_hyperparameter_acts() -> None:
    network, x, y = relu_setting(0, 24)
    base = FGV()(network, x, y)
    for change in ({"resolution": 1 / 20}, {"bisections": 0}, {"largest": 0.1}, {"discrete": True}, {"epsilon": 0.2}):
        other = dataclasses.replace(FGV(), **change)(network, x, y)  # type: ignore[arg-type]
        assert not torch.equal(other.adv, base.adv), change


@pytest.mark.parametrize("bisections", [24, 50, 60, 1100])
@pytest.mark.parametrize("discrete", [False, True])
@pytest.mark.parametrize("attack", [FGS, FGV])
def test_more_bisections_than_floats_tell_apart(attack: type[GradientSearch], discrete: bool, bisections: int) -> None:
    network, x, _ = relu_setting(1, 40)
    network, x = network.float(), ((x * 255).round() / 255).float()
    with torch.no_grad():
        y = network(x).argmax(1)
    few = attack(bisections=10, discrete=discrete)(network, x, y)
    many = attack(bisections=bisections, discrete=discrete)(network, x, y)
    assert int(few.success.sum()) > 25
    assert torch.equal(many.success, few.success)
    assert int(many.steps[few.success].max()) < 60
    difference = (many.epsilon - few.epsilon)[few.success] / STEP
    assert float(difference.max()) < 1e-3
    # rounded images change pixel by pixel, and one of them may flip and flip back within a step
    assert float(difference.min()) > (-1 if discrete else -(2**-9))
