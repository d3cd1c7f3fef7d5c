"""Intervals against known values, brute force and exact binomials; wrong ones fail the same checks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from advlab.statistics.intervals import Interval, exact, lower_bound, median_interval, share_interval

NAN, INF = math.nan, math.inf


# shares


def exact_by_search(hits: int, n: int, confidence: float) -> tuple[float, float]:
    """The interval's definition: the shares p that give so many hits or more, and so few or fewer, with (1 - confidence) / 2."""
    p, tail = np.linspace(0, 1, 1_000_001), (1 - confidence) / 2
    accepted = p[(binom.sf(hits - 1, n, p) >= tail) & (binom.cdf(hits, n, p) >= tail)]
    return float(accepted[0]), float(accepted[-1])


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (10, 10), (1, 3), (7, 20), (299, 300), (0, 1), (1, 1)])
@pytest.mark.parametrize("confidence", [0.95, 0.5])
def test_share_interval_against_its_definition(hits: int, n: int, confidence: float) -> None:
    interval = share_interval([True] * hits + [False] * (n - hits), confidence=confidence)
    assert interval.estimate == hits / n
    assert interval.samples == n
    assert (interval.low, interval.high) == pytest.approx(exact_by_search(hits, n, confidence), abs=2e-6)
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1


def test_share_interval_known_values() -> None:
    """Newcombe (1998), table I, method 5 (Clopper and Pearson)."""
    for hits, n, low, high in (
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0, 0.1684),
        (1, 29, 0.0009, 0.1776),
    ):
        interval = share_interval(np.arange(n) < hits)
        assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("family", [1, 4, 20, 440])
def test_neither_bound_of_a_share_misses_more_often_than_allowed(share: float, family: int) -> None:
    """By the binomial itself. Wilson's upper bound misses .95 of ten samples 3 times as often, in a family of twenty 26 times."""
    for n in (6, 8, 10, 12, 30, 100):
        found = [share_interval(np.arange(n) < hits, confidence=1 - 0.05 / family) for hits in range(n + 1)]
        chances = binom.pmf(range(n + 1), n, share)
        above = sum(chance for chance, interval in zip(chances, found, strict=True) if interval.low > share)
        below = sum(chance for chance, interval in zip(chances, found, strict=True) if interval.high <= share)
        assert max(above, below) <= 0.025 / family


def test_share_interval_covers() -> None:
    random = np.random.default_rng(1)
    for share in (0.1, 0.5, 0.95):
        covered = [
            low <= share <= high for _, low, high, _ in (share_interval(random.random(60) < share) for _ in range(1500))
        ]
        assert np.mean(covered) > 0.92


@pytest.mark.parametrize(("n", "share"), [(6, 0.5), (10, 0.9), (30, 0.95), (80, 0.97), (300, 0.999)])
def test_a_share_that_every_sample_has_is_not_certain(n: int, share: float) -> None:
    """All hits happen with share^n: where that is not rare, the share must not be excluded. A bootstrap gives [1, 1]."""
    if share**n > 0.05:
        assert share_interval([True] * n).low < share
        assert share_interval([1.0] * n).low < share


def test_shares_of_directions_have_the_sample_as_their_unit() -> None:
    """A hundred directions of a sample are no hundred samples: samples that differ in all are covered as booleans are."""
    random, covered = np.random.default_rng(4), []
    for _ in range(1500):
        alike = (random.random(12) < 0.3).astype(float)  # all directions of a sample do the same
        covered.append(share_interval(alike).low <= 0.3 <= share_interval(alike).high)
    assert np.mean(covered) > 0.93
    shares = random.beta(2, 5, size=(400, 12))  # mean 2 / 7
    assert all(share_interval(x).low <= 2 / 7 <= share_interval(x).high for x in shares)  # conservative
    assert share_interval(np.repeat(0.25, 8)) == share_interval([True, True] + [False] * 6)


def test_what_is_no_share_is_refused_and_what_is_missing_left_out() -> None:
    for wrong in ([0.5, 1.5], [-0.1, 0.2]):
        with pytest.raises(ValueError, match=r"in \[0, 1\]"):
            share_interval(wrong)
    assert share_interval([True, NAN, 0.0]) == share_interval([True, False])


def test_samples_that_are_unknown_widen_both_sides() -> None:
    known = [True] * 6 + [False] * 2
    found = share_interval(known, unknown=4)
    assert (found.estimate, found.samples) == (0.75, 12)
    assert found.low == share_interval([True] * 6 + [False] * 6).low
    assert found.high == share_interval([True] * 10 + [False] * 2).high
    assert math.isnan(share_interval([], unknown=3).estimate)


# medians


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99, 1 - 0.05 / 440])
def test_median_interval_covers_by_the_exact_binomial(confidence: float) -> None:
    """Of 1, 2, ..., n the bounds are ranks: the number of values below the median is B(n, 1/2)."""
    for n in (1, 2, 5, 6, 7, 8, 9, 20, 31, 100, 301, 5000):
        estimate, low, high, samples = median_interval(
            np.random.default_rng(n).permutation(n) + 1.0, confidence=confidence
        )
        assert (estimate, samples) == ((n + 1) / 2, n)
        if math.isinf(low):
            assert high == INF
            assert low == -INF
            assert 1 - 2 * binom.cdf(0, n, 0.5) < confidence  # even the smallest to the largest is not enough
        else:
            assert high == n + 1 - low
            assert 1 - 2 * binom.cdf(low - 1, n, 0.5) >= confidence
            assert 1 - 2 * binom.cdf(low, n, 0.5) < confidence  # a narrower one is not enough


def test_median_interval_known_ranks() -> None:
    """Ranks of the 95 % interval, as tables have them (Conover 1999, from table A3)."""
    for n, low, high in ((6, 1, 6), (8, 1, 8), (9, 2, 8), (12, 3, 10), (20, 6, 15), (100, 40, 61)):
        assert median_interval(np.arange(1.0, n + 1))[1:3] == (low, high)


@pytest.mark.parametrize("n", [6, 7, 8, 15, 31])
def test_median_interval_covers(n: int) -> None:
    random = np.random.default_rng(2)
    intervals = [median_interval(random.exponential(size=n)) for _ in range(2000)]
    assert np.mean([low <= math.log(2) <= high for _, low, high, _ in intervals]) > 0.94


def test_values_beyond_what_was_measured_are_larger_than_all_others() -> None:
    """Where it does not matter how large they are, the interval is that of any large numbers."""
    measured = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]
    assert median_interval([*measured, INF, INF])[:2] == median_interval([*measured, 10, 11])[:2]
    most = median_interval([1.0, 2.0] + [INF] * 10)
    assert (most.estimate, most.low, most.high) == (INF, INF, INF)
    assert median_interval([1.0, 2.0, 3.0, INF, INF, INF]) == Interval(INF, 1.0, INF, 6)


def test_missing_values_are_left_out_and_counted() -> None:
    whole = median_interval([1.0, 2.0, 5.0, 6.0, 7.0, 8.0])
    assert median_interval([1.0, NAN, 2.0, 5.0, 8.0, 7.0, 6.0, NAN]) == whole
    assert whole == Interval(5.5, 1.0, 8.0, 6)
    for nothing in (median_interval([]), median_interval([NAN, NAN]), share_interval([]), share_interval([NAN])):
        assert nothing.samples == 0
        assert math.isnan(nothing.estimate)
        assert math.isnan(nothing.low)


# at another confidence


def test_an_interval_can_be_asked_again() -> None:
    values = np.random.default_rng(3).random(60)
    for interval_of in (median_interval, share_interval):
        again = interval_of(values).at(0.99)
        assert again == interval_of(values, confidence=0.99)
        assert again.at(0.95) == interval_of(values)
        assert again.low < interval_of(values).low < interval_of(values).high < again.high


def test_what_is_computed_is_the_same_at_any_confidence_and_a_hand_made_interval_is_open() -> None:
    for computed in (exact(2.0), lower_bound(2.0)):
        assert computed.at(0.999) == computed
        assert computed.computed
    assert Interval(0.5, 0.4, 0.6, 30).at(0.99) == Interval(0.5, -INF, INF, 30)
    assert not any(of.computed for of in (Interval(2, 2, 2, 1), Interval(2, 1.9, 2.1, 0), Interval(2, 2, 2.1, 0)))


WRONG: dict[str, Callable[[Any], tuple[float, float]]] = {
    "no width": lambda v: (np.median(v), np.median(v)),
    "whole range": lambda v: (np.min(v), np.max(v)),
    "normal": lambda v: (np.median(v) - np.std(v) / len(v), np.median(v) + np.std(v) / len(v)),
    "percentiles of a bootstrap": lambda v: tuple(
        np.quantile(np.median(v[np.random.default_rng(0).integers(len(v), size=(500, len(v)))], axis=1), [0.025, 0.975])
    ),
    "one side": lambda v: (np.sort(v)[int(binom.ppf(0.05, len(v), 0.5)) - 1], INF),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_checks_above_refuse_wrong_intervals(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(values: Any, confidence: float = 0.95) -> Interval:
        low, high = map(float, WRONG[name](np.asarray(values)))
        return Interval(float(np.median(values)), low, high, len(values))

    monkeypatch.setitem(globals(), "median_interval", wrong)
    with pytest.raises(AssertionError):
        test_median_interval_known_ranks()
    with pytest.raises(AssertionError):
        test_median_interval_covers_by_the_exact_binomial(0.95)
