"""The mean's interval against the sampling distribution, and what it does where nothing tells the spread."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from advlab.statistics.intervals import Interval, share_interval
from advlab.statistics.means import mean_interval

INF = math.inf


def coverage(draw: Any, mean: float, n: int, trials: int = 400) -> float:
    intervals = [mean_interval(draw(size=n), resamples=500, seed=k) for k in range(trials)]
    return float(np.mean([low <= mean <= high for _, low, high, _ in intervals]))


@pytest.mark.parametrize("n", [6, 8, 30])
def test_it_covers_where_percentiles_of_means_do_not(n: int) -> None:
    random = np.random.default_rng(n)
    assert coverage(random.normal, 0, n) > 0.92
    assert coverage(random.exponential, 1, n) > 0.90  # percentiles: 82 % of six


def test_it_is_students_for_normal_numbers() -> None:
    from scipy.stats import t

    values = np.random.default_rng(0).normal(size=200)
    low, high = t.interval(0.95, 199, loc=values.mean(), scale=values.std(ddof=1) / math.sqrt(200))
    found = mean_interval(values)
    assert found.estimate == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.02)
    assert mean_interval(values) == found
    wide = found.at(0.99)
    assert wide.low < found.low < found.high < wide.high


def test_equal_values_leave_out_what_they_would_have_shown() -> None:
    """Of shares it is Clopper and Pearson's; between the bounds the least mean of all that give n equal values often enough."""
    for n in (1, 6, 8):
        for confidence in (0.95, 1 - 0.05 / 12):
            ones, zeros = (mean_interval([value] * n, least=0, most=1).at(confidence) for value in (1.0, 0.0))
            assert ones == pytest.approx(share_interval([True] * n, confidence=confidence))
            assert zeros == pytest.approx(share_interval([False] * n, confidence=confidence))
    found = mean_interval([-0.1] * 8, least=-1, most=1)
    shares = np.linspace(0, 1, 100_001)  # of the value among all; the rest lies at a bound
    likely = shares[shares**8 >= 0.025]
    assert found.low == pytest.approx((-0.1 * likely - (1 - likely)).min(), abs=1e-4)
    assert found.high == pytest.approx((-0.1 * likely + (1 - likely)).max(), abs=1e-4)
    rounded = [0.3 - 0.2, 0.1] * 4  # which differ in the last digit
    assert mean_interval(rounded, least=-1, most=1) == pytest.approx(mean_interval([0.1] * 8, least=-1, most=1))
    assert mean_interval([2.0] * 8, least=0) == pytest.approx((2.0, 2 * 0.025 ** (1 / 8), INF, 8))


def test_equal_values_without_bounds_and_too_few_resamples_leave_it_open() -> None:
    for values in ([1.0] * 8, [3.0]):
        assert mean_interval(values) == Interval(values[0], -INF, INF, len(values))
    random = np.random.default_rng(1).normal(size=20)
    assert mean_interval(random, resamples=4000).at(1 - 0.05 / 440)[1:3] == (-INF, INF)
    assert math.isnan(mean_interval([math.nan]).estimate)
    assert mean_interval([1.0, 2.0, 4.0, math.nan]).samples == 3
