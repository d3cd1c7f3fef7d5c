"""Intervals of differences and extremes: their arithmetic, and how often they cover."""

from __future__ import annotations

import numpy as np
import pytest
from advlab.experiments.jetley2018.joined_intervals import absolute, counted_share, difference, largest, smallest

from advlab.statistics import NOT_MEASURED, Interval, mean_interval, share_interval


def test_a_counted_share_is_that_of_as_many_booleans() -> None:
    assert counted_share(7, 20) == share_interval([True] * 7 + [False] * 13)
    assert counted_share(2.5, 20).estimate == pytest.approx(0.125)
    assert counted_share(0, 0) == NOT_MEASURED


def test_a_difference_joins_bounds_of_half_the_error_each() -> None:
    first, second = counted_share(30, 40), counted_share(8, 50)
    joined = difference(first, second)
    a, b = first.at(0.975), second.at(0.975)
    assert joined == Interval(0.75 - 0.16, a.low - b.high, a.high - b.low, 40)
    assert joined.at(0.99).low < joined.low
    assert difference(first, NOT_MEASURED) == NOT_MEASURED


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [((0.2, 0.1, 0.4), (0.2, 0.1, 0.4)), ((-0.2, -0.4, -0.1), (0.2, 0.1, 0.4)), ((-0.1, -0.3, 0.2), (0.1, 0.0, 0.3))],
)
def test_the_magnitude_of_an_interval(bounds: tuple[float, ...], expected: tuple[float, ...]) -> None:
    assert absolute(Interval(bounds[0], bounds[1], bounds[2], 9))[:3] == pytest.approx(expected)


def test_extremes_take_each_interval_at_its_part_of_the_error() -> None:
    intervals = [counted_share(hits, 100) for hits in (10, 40, 35)]
    wide = [interval.at(1 - 0.05 / 3) for interval in intervals]
    top, bottom = largest(intervals), smallest(intervals)
    assert top == Interval(0.4, wide[1].low, wide[1].high, 100)
    assert bottom[:3] == pytest.approx((0.1, wide[0].low, wide[0].high))
    assert largest([NOT_MEASURED]) == smallest([]) == NOT_MEASURED
    assert largest([*intervals, NOT_MEASURED]) == top


def test_the_interval_of_the_largest_mean_covers() -> None:
    draws = np.random.default_rng(0)
    covered = [
        interval.low <= 0.0 <= interval.high
        for _ in range(100)
        for interval in [largest([mean_interval(draws.normal(size=30), resamples=400) for _ in range(4)])]
    ]
    assert np.mean(covered) > 0.9
