"""Confidence intervals over samples: bootstrap for medians, Wilson for shares; none for what is computed exactly."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np


class Interval(NamedTuple):
    """An estimate with the bounds of its confidence interval and the number of samples behind it, 0 if computed."""

    estimate: float
    low: float
    high: float
    samples: int


#: the interval of a quantity for which there are no samples
NOT_MEASURED = Interval(math.nan, math.nan, math.nan, 0)


def exact(value: float) -> Interval:
    """A number that follows from a formula and not from samples: its bounds are itself, and its samples are 0.

    Examples:
        >>> exact(2.0)
        Interval(estimate=2.0, low=2.0, high=2.0, samples=0)
    """
    return Interval(value, value, value, 0)


def median_interval(values: Any, *, confidence: float = 0.95, resamples: int = 4000, seed: int = 0) -> Interval:
    """Median with its percentile-bootstrap interval (Efron 1979) over samples.

    Args:
        values: (N,) numbers, one a sample; NaN are left out.
        confidence: coverage of the interval.
        resamples: bootstrap draws.
        seed: of the draws; the same values give the same interval.

    Examples:
        >>> interval = median_interval([1.0, 2.0, 3.0, 4.0, 100.0, float("nan")])
        >>> interval.estimate, interval.samples, interval.low <= 3.0 <= interval.high
        (3.0, 5, True)
    """
    return _bootstrap(values, np.median, confidence, resamples, seed)


def mean_interval(values: Any, *, confidence: float = 0.95, resamples: int = 4000, seed: int = 0) -> Interval:
    """Mean with its percentile-bootstrap interval over samples; see `median_interval`.

    For shares within a sample, such as the share of its directions: whole samples are drawn, so that what one sample
    gives many times does not count as many samples.

    Examples:
        >>> interval = mean_interval([0.0, 1.0] * 5)
        >>> interval.estimate, interval.samples, interval.low < 0.4 < 0.6 < interval.high
        (0.5, 10, True)
    """
    return _bootstrap(values, np.mean, confidence, resamples, seed)


def _bootstrap(values: Any, statistic: Any, confidence: float, resamples: int, seed: int) -> Interval:
    kept = np.asarray(values, dtype=float)
    kept = kept[~np.isnan(kept)]
    if kept.size == 0:
        return NOT_MEASURED
    generator = np.random.default_rng(seed)
    chunk = max(1, (1 << 22) // kept.size)  # resamples at a time: memory stays flat in the number of samples
    sizes = [min(chunk, resamples - start) for start in range(0, resamples, chunk)]
    draws = (generator.integers(kept.size, size=(count, kept.size)) for count in sizes)
    replicates = np.concatenate([statistic(kept[drawn], axis=1) for drawn in draws])
    tail = (1 - confidence) / 2
    low, high = np.quantile(replicates, [tail, 1 - tail])
    return Interval(float(statistic(kept)), float(low), float(high), int(kept.size))


def share_interval(hits: Any, *, confidence: float = 0.95) -> Interval:
    """Share of true entries with its Wilson score interval (1927).

    The bootstrap of a share that is 0 or 1 in the sample has width zero, whatever the sample size; Wilson's has not.

    Args:
        hits: (N,) booleans, one a sample.
        confidence: coverage of the interval.

    Examples:
        Ten of ten: the lower bound is 1 / (1 + z^2 / 10) with z = 1.96.

        >>> interval = share_interval([True] * 10)
        >>> interval.estimate, round(interval.low, 4), interval.high
        (1.0, 0.7225, 1.0)
    """
    array = np.asarray(hits, dtype=bool)
    n = int(array.size)
    if n == 0:
        return NOT_MEASURED
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = float(array.mean())
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Interval(share, min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half)), n)
