"""Spearman's correlation against scipy, and its interval against the sampling distribution."""

from __future__ import annotations

import math

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


def test_the_interval_covers_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    truth = 6 / math.pi * math.asin(0.6 / 2)  # Spearman's of a normal pair with correlation .6
    hits = 0
    for _ in range(100):
        x = generator.normal(size=60)
        y = 0.6 * x + 0.8 * generator.normal(size=60)
        found = rank_correlation(x, y, resamples=300)
        hits += found.low <= truth <= found.high
    assert 87 <= hits <= 100


def test_what_has_no_correlation() -> None:
    for x, y in (([1, 2], [1, 2]), ([1, 1, 1, 1], [1, 2, 3, 4]), ([], []), ([math.nan] * 5, range(5))):
        assert math.isnan(rank_correlation(x, y).estimate)
    assert rank_correlation([1, 2, 3, 4], [1, 2, 3, 9])[:2] == (1, 1)
