"""The ratio of medians: its value, that pairs are drawn, coverage, and what is not known."""

from __future__ import annotations

import math

import numpy as np

from advlab.statistics import judge
from experiments.jetley2018.median_ratio import median_ratio


def test_it_is_the_ratio_of_medians_and_not_the_median_of_ratios() -> None:
    above, below = [1.0, 2.0, 9.0], [4.0, 1.0, 3.0]
    assert median_ratio(above, below).estimate == 2 / 3
    assert np.median(np.divide(above, below)) == 2


def test_pairs_that_are_proportional_leave_no_doubt() -> None:
    """Medians drawn independently would scatter as the numbers themselves do."""
    below = np.random.default_rng(0).exponential(size=101)
    interval = median_ratio(1.1 * below, below)
    assert math.isclose(interval.low, 1.1)
    assert math.isclose(interval.high, 1.1)


def test_it_covers_the_truth() -> None:
    generator, hits = np.random.default_rng(1), 0
    for _ in range(200):
        below = generator.lognormal(size=60)
        above = 1.2 * below ** generator.choice([1.0, 1.0], size=60) * generator.lognormal(sigma=0.2, size=60)
        interval = median_ratio(above, below, resamples=400)
        hits += interval.low <= 1.2 <= interval.high
    assert hits >= 180  # 95 % of 200, less three deviations


def test_what_was_not_found_is_larger_and_what_is_unknown_is_left_out() -> None:
    below = np.arange(1.0, 10.0)
    above = np.where(below > 7, math.inf, 2 * below)
    assert median_ratio(above, below).estimate == 2
    assert median_ratio(np.full(9, math.inf), below).estimate == math.inf
    assert median_ratio([math.nan, 3.0], [1.0, 1.0]).samples == 1
    assert math.isnan(median_ratio([], []).estimate)
    narrow, wide = (median_ratio(above, below).at(confidence) for confidence in (0.5, 0.99))
    assert wide.low <= narrow.low <= narrow.high <= wide.high
    assert median_ratio(above, below).at(1 - 1e-6).low == -math.inf


def test_draws_in_which_both_medians_are_infinite_widen_the_interval() -> None:
    """In a share of the draws nothing is known: they lie beyond either bound, as if they were 0 and infinite."""
    above = np.array([1.0, 2, 3, math.inf, math.inf, math.inf, 4, 5])
    below = np.array([0.5, 1, 1.5, math.inf, math.inf, math.inf, 2, 2.5])
    interval = median_ratio(above, below)
    assert interval.estimate == 2
    assert (interval.low, interval.high) == (-math.inf, math.inf)
    claim = judge("gains", interval, ">", 1.1, subset="", statement="", quantity="")
    assert claim.verdict == "undecided"  # every draw of which something is known has the ratio 2
    nothing = judge(
        "gains",
        median_ratio(np.full(9, math.inf), np.full(9, math.inf)),
        ">",
        1.1,
        subset="",
        statement="",
        quantity="",
    )
    assert nothing.verdict == "not measured"
