"""The smallest weight along a direction: closed forms, brute force in float64, and how many forwards it takes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advlab.attacks import FGS, FGV, HotCold, Saliency
from advlab.attacks.gradient_search.params import GradientSearch
from advlab.attacks.status import Status

STEP = 1 / 255
WIDE = (-100.0, 100.0)  # nothing is clipped


def relu_network(seed: int) -> nn.Sequential:
    """A convolutional network in float64 whose logits are piecewise linear."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(16 * 16, 24), nn.ReLU(), nn.Linear(24, 5),
    ).double()  # fmt: skip
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(2.5 if parameter.ndim > 1 else 1.0)
    return network.eval()


def relu_setting(seed: int = 0, n: int = 80) -> tuple[nn.Sequential, Tensor, Tensor]:
    network = relu_network(seed)
    x = torch.rand((n, 1, 8, 8), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    with torch.no_grad():
        return network, x, network(x).argmax(1)


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


@pytest.mark.parametrize("seed", range(3))
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


class Curve(nn.Module):
    """Two classes, whose margin is a function of the mean pixel."""

    def __init__(self, margin: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.margin, self.seen = margin, torch.zeros(0, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        s = x.flatten(1).mean(1)
        self.seen = torch.cat([self.seen, s.detach()])
        m = self.margin(s)
        return torch.stack([torch.zeros_like(m) + 1, 1 + m], 1)


def run(margin: Callable[[Tensor], Tensor], attack: GradientSearch, **options: Any) -> Any:
    x = torch.zeros((1, 1, 2, 2), dtype=torch.float64)
    return attack(Curve(margin), x, torch.zeros(1, dtype=torch.int64), **options)


def flips_at_steps(margin: Callable[[Tensor], Tensor]) -> Tensor:
    """(256,) bool: at which steps of the scan the class is another one; at 0 it is not."""
    flips = margin(torch.arange(256, dtype=torch.float64) / 255) > 0
    assert not bool(flips[0])
    assert bool(flips.any())
    return flips


@pytest.mark.parametrize("exhaustive", [False, True])
@pytest.mark.parametrize("phase", [0.2, 1.0, 2.5])
@pytest.mark.parametrize("frequency", [10.0, 25.0, 60.0])
def test_margins_that_come_and_go(frequency: float, phase: float, exhaustive: bool) -> None:
    def margin(s: Tensor) -> Tensor:
        return 2 * s - 1.7 + torch.sin(frequency * s + phase) + 0.5 * torch.sin(2.7 * frequency * s)

    rising = margin(torch.tensor([1e-3], dtype=torch.float64)) > margin(torch.zeros(1, dtype=torch.float64))
    assert bool(rising)  # the direction is +1
    flips = flips_at_steps(margin)
    first = int(flips.nonzero()[0])
    w = 255 * float(run(margin, FGS(exhaustive=exhaustive)).epsilon)
    at_steps = 255 * float(run(margin, FGS(exhaustive=exhaustive, bisections=0)).epsilon)
    if exhaustive:
        assert first - 1 < w < first + 1e-6
        assert at_steps == pytest.approx(first, abs=1e-4)
    else:  # a flip that comes out of a failure, perhaps not the first
        assert first - 1 < w
        assert float(margin(torch.tensor(w / 255, dtype=torch.float64))) > -1e-4
        assert float(margin(torch.tensor((w - 1.1 / 2**8) / 255, dtype=torch.float64))) < 0
        assert flips[round(at_steps) - 1 : round(at_steps) + 1].tolist() == [False, True]


@pytest.mark.parametrize(
    ("frequency", "phase", "level", "height"), [(38.8, 4.8, -0.47, 0.27), (32.6, 4.8, -0.86, 0.74)]
)
def test_the_scan_sees_what_the_search_passes_over(frequency: float, phase: float, level: float, height: float) -> None:
    def margin(s: Tensor) -> Tensor:
        return 2 * s + level + height * (torch.sin(frequency * s + phase) - math.sin(phase))

    flips = flips_at_steps(margin)
    first = int(flips.nonzero()[0])
    assert not bool(flips[first:].all())
    assert 255 * float(run(margin, FGS(bisections=0, exhaustive=True)).epsilon) == pytest.approx(first, abs=1e-4)
    later = round(255 * float(run(margin, FGS(bisections=0)).epsilon))
    assert later >= first  # a later flip may be returned, and none that is not there
    assert flips[later - 1 : later + 1].tolist() == [False, True]


@pytest.mark.parametrize("seed", [3, 4, 5])
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


def test_nothing_flips() -> None:
    result = run(lambda s: s - 3, FGS(largest=0.7))
    assert int(result.status) == Status.NO_FLIP_AT_SATURATION
    assert torch.allclose(result.adv, torch.full_like(result.adv, 0.7))
    assert bool(result.epsilon.isnan().all())
    at_the_end = run(lambda s: s - 0.6999, FGS(largest=0.7, resolution=0.03))  # not a multiple
    assert bool(at_the_end.success)
    assert 0.6999 < float(at_the_end.epsilon) <= 0.7 + 1e-7


@pytest.mark.parametrize("exhaustive", [False, True])
def test_logits_that_are_no_numbers_end_the_way(exhaustive: bool) -> None:
    attack = FGS(exhaustive=exhaustive)
    beyond = run(lambda s: torch.where(s > 0.5, torch.nan, s - 0.3), attack)
    assert bool(beyond.success)
    assert float(beyond.epsilon) == pytest.approx(0.3, abs=STEP / 2**7)
    if exhaustive:  # the default does not see what it does not look at
        before = run(lambda s: torch.where((s > 0.2) & (s < 0.4), torch.nan, s - 0.45), attack)
        assert int(before.status) == Status.NONFINITE
    wall = run(lambda s: torch.where(s > 0.2, torch.nan, s - 0.45), attack)
    assert int(wall.status) == Status.NONFINITE
    assert 0.19 < float(wall.adv.max()) <= 0.2


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, 255.0)])
@pytest.mark.parametrize("attack", [FGS(discrete=True), FGV(discrete=True), HotCold(hot=0, discrete=True)])
def test_whole_grey_levels(attack: GradientSearch, bounds: tuple[float, float]) -> None:
    network, x, y = relu_setting(2, 30)
    network, extent = network.float(), bounds[1]
    x = ((x * 255).round() * extent / 255).float()

    def model(images: Tensor) -> Tensor:
        seen.append(images.detach().clone())
        return network(images / extent)

    seen: list[Tensor] = []
    with torch.no_grad():
        y = network(x / extent).argmax(1)
    result = attack(model, x, y, bounds=bounds)
    assert int(result.success.sum()) > 15
    levels = result.adv / extent * 255
    assert float((levels - levels.round()).abs().max()) < 1e-4
    if extent == 255:
        assert torch.equal(result.adv, result.adv.round())
    assert 0 <= float(levels.min()) <= float(levels.max()) <= 255
    with torch.no_grad():
        assert torch.equal((network(result.adv / extent).argmax(1) != y), result.success)
    # one grey level less on each pixel that moves does not flip (FGS: the steps are grey levels)
    if isinstance(attack, FGS):
        moved = (result.adv - x).sign()
        less = (result.adv - moved * extent / 255)[result.success]
        same = (x + moved * result.distance[:, None, None, None] * extent)[result.success]
        whole = ((same >= 0) & (same <= extent)).flatten(1).all(1)  # nothing was clipped
        with torch.no_grad():
            assert torch.equal(network(less / extent).argmax(1)[whole], y[result.success][whole])
    if isinstance(attack, FGS):  # no image is classified twice in the search
        looked = torch.cat(seen[2:-1]).flatten(1)  # after the check and the gradient, before the last check
        assert len(looked.unique(dim=0)) == len(looked)


def test_grey_levels_are_255_times_as_large_in_another_unit() -> None:
    network, x, y = relu_setting(2, 30)
    x = (x * 255).round() / 255
    with torch.no_grad():
        y = network(x).argmax(1)
    attack = FGV(discrete=True, resolution=1 / 300)  # no look is at half a grey level, where rounding decides
    unit = attack(network, x, y)
    grey = attack(lambda images: network(images / 255), x * 255, y, bounds=(0, 255))
    assert torch.equal((unit.adv * 255).round(), grey.adv.round())
    assert torch.allclose(unit.epsilon, grey.epsilon, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("seed", [0, 2])
@pytest.mark.parametrize("attack", [FGV(discrete=True), HotCold(hot=0, discrete=True)])
def test_rounding_in_another_unit_moves_few_pixels_by_one_grey_level(attack: GradientSearch, seed: int) -> None:
    """By default the search looks at half grey levels, where a float32 decides which way a pixel is rounded.

    On such networks at most one of 3840 pixels was seen to differ; three may.
    """
    network, x, _ = relu_setting(seed, 60)
    network, x = network.float(), ((x * 255).round() / 255).float()
    with torch.no_grad():
        y = network(x).argmax(1)
    unit = attack(network, x, y)
    grey = attack(lambda images: network(images / 255), x * 255, y, bounds=(0, 255))
    difference = ((unit.adv * 255).round() - grey.adv.round()).abs()
    assert float(difference.max()) <= 1
    assert int((difference > 0).sum()) <= 3
    assert torch.equal(unit.status, grey.status)
    assert torch.allclose(unit.epsilon, grey.epsilon, rtol=0, atol=1.1 * STEP / 2**8, equal_nan=True)


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


def test_a_narrow_flip_is_found_before_a_failure_is_declared() -> None:
    """Two logits whose order changes only in a short interval of the weight, between flat stretches."""

    def model(x: Tensor) -> Tensor:
        mean = x.mean((1, 2, 3))
        return torch.stack(
            [torch.ones_like(mean), 0.9 + 0.3 * torch.exp(-(((mean - 0.62) * 60) ** 2)) + 1e-3 * mean], 1
        )

    x = torch.linspace(0.5, 0.56, 4, dtype=torch.float64).view(4, 1, 1, 1).expand(4, 1, 3, 3).contiguous()
    labels = torch.zeros(4, dtype=torch.int64)
    searched, scanned = FGS()(model, x, labels), FGS(exhaustive=True)(model, x, labels)
    assert scanned.status.tolist() == [Status.SUCCESS] * 4
    assert searched.status.tolist() == [Status.SUCCESS] * 4
    assert bool((searched.epsilon <= scanned.epsilon + 1 / 255).all())
