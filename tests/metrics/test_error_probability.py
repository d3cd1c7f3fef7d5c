"""1 - p against arithmetic of 80 digits: to the last digit where subtraction from 1 would leave nothing."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch

from advlab.metrics.error_probability import error_probability

DIGITS = 80


def exact(logits: list[float], label: int) -> float:
    """The others' share of the sum of exponentials."""
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = DIGITS, -999_999_999, 999_999_999
        top = max(logits)
        powers = [(Decimal(z) - Decimal(top)).exp() for z in logits]
        return float(sum(p for i, p in enumerate(powers) if i != label) / sum(powers))


def error_of(logits: list[float], label: int) -> tuple[float, bool]:
    q, hit = error_probability(torch.tensor(logits, dtype=torch.float64), torch.tensor(label))
    assert q.dtype == torch.float64
    assert hit.dtype == torch.bool
    return float(q), bool(hit)


@pytest.mark.parametrize("classes", [2, 3, 10, 43, 1000])
@pytest.mark.parametrize("margin", [-80.0, -20.0, -1.0, 0.0, 1.0, 5.0, 10.0, 20.0, 37.0, 50.0, 76.0, 300.0])
def test_against_many_digits(classes: int, margin: float) -> None:
    rng = np.random.default_rng(classes)
    logits = rng.normal(0, 3, classes)
    label = int(rng.integers(classes))
    logits[label] = np.delete(logits, label).max() + margin
    q, hit = error_of(logits.tolist(), label)
    assert q == pytest.approx(exact(logits.tolist(), label), rel=1e-13)
    assert hit == (margin > 0) or margin == 0


@pytest.mark.parametrize("power", [1, 3, 9, 15, 20, 30, 100, 300])
def test_small_values_keep_their_digits(power: int) -> None:
    target = 10.0**-power
    logit = -math.log(target / (1 - target)) if power < 10 else power * math.log(10)
    q, hit = error_of([logit, 0.0], 0)
    assert q == pytest.approx(exact([logit, 0.0], 0), rel=1e-13)
    assert q == pytest.approx(target, rel=1e-9)
    assert q > 0
    assert hit


def test_differences_in_the_ninth_digit_survive_float32_logits() -> None:
    """Scores within 1e-2 of 1: subtraction in float32 gives 0 or noise, the error_probability is strictly ordered."""
    logits = torch.tensor([[z, 0.0, -1.0] for z in np.arange(18, 24, 0.01).tolist()], dtype=torch.float32)
    q, _ = error_probability(logits, torch.tensor(0))
    assert (q.diff() < 0).all()
    assert ((1 - logits.softmax(-1)[:, 0]).diff() < 0).float().mean() < 0.5


@pytest.mark.parametrize("scale", [1e3, 1e5, 1e30, 1e37])
def test_huge_logits(scale: float) -> None:
    logits = torch.tensor([scale, -scale, 0.0])
    q, hit = error_probability(logits, torch.tensor(0))
    assert (float(q), bool(hit)) == (0.0, True)
    q, hit = error_probability(logits, torch.tensor(1))
    assert (float(q), bool(hit)) == (1.0, False)
    equal = torch.full((4,), scale)
    q, hit = error_probability(equal, torch.tensor(0))
    assert float(q) == pytest.approx(0.75, rel=1e-15)


def test_a_shift_changes_nothing() -> None:
    logits = torch.randn(50, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.arange(50) % 10
    for shift in (-64.0, 1024.0):
        torch.testing.assert_close(
            error_probability(logits + shift, labels)[0], error_probability(logits, labels)[0], rtol=1e-12, atol=0
        )


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", [0, 2])
def test_what_is_not_finite_is_nan_and_no_hit(bad: float, where: int) -> None:
    logits = torch.tensor([[5.0, 0.0, 1.0], [5.0, 0.0, 1.0]])
    logits[1, where] = bad
    q, hit = error_probability(logits, torch.tensor([0, 0]))
    assert torch.isfinite(q).tolist() == [True, False]
    assert torch.isnan(q[1])
    assert hit.tolist() == [True, False]


def test_leading_shapes_broadcast() -> None:
    logits = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([0, 1, 2, 0, 1])
    q, hit = error_probability(logits, labels)
    assert q.shape == hit.shape == (4, 5)
    for i, j in ((0, 0), (3, 4), (2, 1)):
        assert float(q[i, j]) == pytest.approx(exact(logits[i, j].double().tolist(), int(labels[j])), rel=1e-13)
        assert bool(hit[i, j]) == (int(logits[i, j].argmax()) == int(labels[j]))
    single, _ = error_probability(logits, torch.tensor(2))
    torch.testing.assert_close(single[1, 3], error_probability(logits[1, 3], torch.tensor(2))[0])


def test_low_precision_logits_are_taken_as_they_are() -> None:
    logits = torch.tensor([[12.0, 1.5, -3.25]])
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        assert float(error_probability(logits.to(dtype), torch.tensor([0]))[0]) == pytest.approx(
            exact([12.0, 1.5, -3.25], 0), rel=1e-13
        )


def test_nothing_is_changed_in_place() -> None:
    logits = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    error_probability(logits, torch.tensor([1]))
    assert logits.tolist() == [[1.0, 2.0]]
