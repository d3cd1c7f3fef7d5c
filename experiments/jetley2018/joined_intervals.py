"""Intervals of differences, and of the largest or the smallest of several quantities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from advlab.statistics import NOT_MEASURED, Interval, share_interval
from advlab.statistics.intervals import at_any_confidence


def counted_share(hits: float, of: int) -> Interval:
    """The share of `hits` among so many, with its interval; of several draws on the same samples, `hits` in the mean of them.

    >>> counted_share(10, 10) == share_interval([True] * 10)
    True
    """
    return share_interval(np.clip(hits - np.arange(of), 0, 1)) if of else NOT_MEASURED


def difference(first: Interval, second: Interval) -> Interval:
    """The first quantity less the second, however they depend on each other: each interval takes half of the error.

    Examples:
        >>> from advlab.statistics import share_interval
        >>> interval = difference(share_interval([True] * 50), share_interval([False] * 50))
        >>> interval.estimate, interval.low < 0.95, interval.high, interval.samples
        (1.0, True, 1.0, 50)
    """
    if not (first.samples and second.samples):
        return NOT_MEASURED
    samples = min(first.samples, second.samples)

    def compute(confidence: float) -> Interval:
        a, b = (interval.at((1 + confidence) / 2) for interval in (first, second))
        return Interval(a.estimate - b.estimate, a.low - b.high, a.high - b.low, samples)

    return at_any_confidence(compute, 0.95)


def absolute(interval: Interval) -> Interval:
    """The magnitude of a quantity.

    >>> absolute(Interval(-0.1, -0.3, 0.2, 30))
    Interval(estimate=0.1, low=0.0, high=0.3, samples=30)
    """

    def compute(confidence: float) -> Interval:
        estimate, low, high, samples = interval.at(confidence) if interval.recompute else interval
        nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
        return Interval(abs(estimate), nearest, max(abs(low), abs(high)), samples)

    return at_any_confidence(compute, 0.95)


def largest(intervals: Sequence[Interval]) -> Interval:
    """The largest of several quantities: bounds from intervals that cover together (Bonferroni).

    The estimate is the largest of the estimates, which is above the largest quantity in the mean: the bounds are not.
    """
    measured = [interval for interval in intervals if interval.samples]
    if not measured:
        return NOT_MEASURED

    def compute(confidence: float) -> Interval:
        wide = [interval.at(1 - (1 - confidence) / len(measured)) for interval in measured]
        estimates, lows, highs, samples = zip(*wide, strict=True)
        return Interval(max(estimates), max(lows), max(highs), min(samples))

    return at_any_confidence(compute, 0.95)


def smallest(intervals: Sequence[Interval]) -> Interval:
    """The smallest of several quantities; see `largest`."""
    negative = largest([_negated(interval) for interval in intervals])
    return _negated(negative) if negative.samples else NOT_MEASURED


def scaled(interval: Interval, factor: float, shift: float) -> Interval:
    """The quantity times a factor, plus a number.

    >>> scaled(share_interval([True] * 10), -1.0, 1.0)[::2]
    (0.0, 0.30849710781876083)
    """

    def compute(confidence: float) -> Interval:
        estimate, *bounds, samples = interval.at(confidence)
        low, high = sorted(factor * bound + shift for bound in bounds)
        return Interval(factor * estimate + shift, low, high, samples)

    return at_any_confidence(compute, 0.95) if interval.samples else NOT_MEASURED


def _negated(interval: Interval) -> Interval:
    return scaled(interval, -1.0, 0.0)
