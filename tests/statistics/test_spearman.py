"""Spearman's correlation against scipy, and its interval against the sampling distribution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from advlab.statistics.spearman import rank_correlation


@pytest.mark.parametrize("ties", [False, True])
def test_it_is_scipys(ties: bool) -> None:
    generator = np.random.default_rng(3)
    x = generator.normal(size=40)
    y = x + generator.normal(size=40)
    if ties:
        x, y = x.round(), y.round()
    found = rank_correlation([*x, math.nan, 1], [*y, 1, math.nan])
    assert found.estimate == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
    assert found.samples == 40
    assert found.low < found.estimate < found.high
    assert rank_correlation(x, -np.exp(y)).estimate == pytest.approx(-found.estimate)


def normal_pairs(generator: np.random.Generator, rho: float, count: int) -> tuple[Any, Any]:
    x = generator.normal(size=count)
    return x, rho * x + math.sqrt(1 - rho**2) * generator.normal(size=count)


def uneven_pairs(generator: np.random.Generator, rho: float, count: int) -> tuple[Any, Any]:
    """y scatters the more the larger |x| is; no correlation."""
    x = generator.normal(size=count)
    return x, x * generator.normal(size=count)


@pytest.mark.parametrize(
    ("pairs", "rho", "count"),
    [
        (normal_pairs, 0.6, 60), (normal_pairs, 0.0, 6), (normal_pairs, 0.98, 6), (normal_pairs, 0.9, 12), (uneven_pairs, 0.0, 100),
    ],
)  # fmt: skip
def test_the_interval_covers_as_often_as_it_says(pairs: Any, rho: float, count: int) -> None:
    """Percentiles of a bootstrap cover 64 % of six pairs of rho .98, Bonett and Wright's error alone 89 % of uneven pairs."""
    generator = np.random.default_rng(0)
    truth = 6 / math.pi * math.asin(rho / 2)  # Spearman's of a normal pair with correlation rho
    hits = 0
    for _ in range(300):
        found = rank_correlation(*pairs(generator, rho, count), resamples=300)
        hits += found.low <= truth <= found.high
    assert hits >= 276  # 92 %


def test_it_can_be_asked_at_another_confidence() -> None:
    x, y = normal_pairs(np.random.default_rng(5), 0.6, 40)
    narrow = rank_correlation(x, y)
    wide = narrow.at(1 - 0.05 / 440)
    assert -1 < wide.low < narrow.low < narrow.estimate < narrow.high < wide.high < 1
    assert wide == rank_correlation(x, y, confidence=1 - 0.05 / 440)


def test_a_perfect_order_of_few_pairs_is_not_certain() -> None:
    for sign in (1, -1):
        found = rank_correlation(range(6), [sign * k for k in range(6)])
        bounds = sorted((sign * found.low, sign * found.high))
        assert found.estimate == pytest.approx(sign)
        assert 0 < bounds[0] < 0.9  # six pairs in order are no rarity at that rho
        assert bounds[1] == pytest.approx(1)


def test_what_has_no_correlation() -> None:
    for x, y in (([1, 2, 3], [1, 2, 3]), ([1, 1, 1, 1], [1, 2, 3, 4]), ([], []), ([math.nan] * 5, range(5))):
        assert math.isnan(rank_correlation(x, y).estimate)
    assert rank_correlation([1, 2, 3, 4], [1, 2, 3, 9]).estimate == pytest.approx(1)
