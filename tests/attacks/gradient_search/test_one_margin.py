"""The smallest weight where the margin along the way is a given function: it bends, comes and goes, or ends in NaN."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advlab.attacks import FGS
from advlab.attacks.gradient_search.params import GradientSearch
from advlab.attacks.status import Status

STEP = 1 / 255


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
