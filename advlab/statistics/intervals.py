"""Confidence intervals over samples that may be asked again at another confidence, and numbers that are computed or bounded."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


def interval_text(estimate: float, low: float, high: float) -> str:
    """An estimate and its interval as they are shown; without bounds, as those of too few samples, in words.

    >>> interval_text(0.5, 0.41, 0.6), interval_text(0.5, 0.41, math.inf), interval_text(0.5, -math.inf, math.inf)
    ('0.5 [0.41, 0.6]', '0.5 [0.41, inf]', '0.5 (no interval)')
    """
    bounds = "(no interval)" if (low, high) == (-math.inf, math.inf) else f"[{low:.3g}, {high:.3g}]"
    return f"{estimate:.3g} {bounds}"


class _Numbers(NamedTuple):
    estimate: float
    low: float
    high: float
    samples: int


class Interval(_Numbers):
    """An estimate with the bounds of its confidence interval and the number of samples behind it, 0 if computed.

    Attributes:
        recompute: gives the interval at another confidence; None where the numbers are all that is known. It is no part of
            the tuple: intervals with the same numbers are equal.
    """

    recompute: Callable[[float], Interval] | None = None

    @property
    def computed(self) -> bool:
        """Whether it is a number, or a bound of one, that follows from a formula: without samples and sampling errors."""
        open_or_exact = self.low in (self.estimate, -math.inf) and self.high in (self.estimate, math.inf)
        return self.samples == 0 and open_or_exact

    def at(self, confidence: float) -> Interval:
        """The interval at another confidence.

        A computed number has no sampling error and stays as it is. Bounds that were given by hand are those of one
        confidence: at another they are unknown, and the interval is open on both sides.

        Examples:
            >>> share_interval([True] * 100).at(0.9) == share_interval([True] * 100, confidence=0.9)
            True
            >>> Interval(0.5, 0.4, 0.6, samples=30).at(0.99)
            Interval(estimate=0.5, low=-inf, high=inf, samples=30)
        """
        if self.recompute is not None:
            return at_any_confidence(self.recompute, confidence)
        return self if self.computed or math.isnan(self.estimate) else self._replace(low=-math.inf, high=math.inf)


def at_any_confidence(compute: Callable[[float], Interval], confidence: float) -> Interval:
    """The interval at one confidence, which remembers how it is computed at others.

    Args:
        compute: from confidence to interval.
        confidence: of the interval that is returned.

    Examples:
        >>> interval = at_any_confidence(lambda confidence: Interval(0.0, -confidence, confidence, 9), 0.5)
        >>> interval.high, interval.at(0.75).high
        (0.5, 0.75)
    """
    interval = compute(confidence)
    interval.recompute = compute
    return interval


#: the interval of a quantity for which there are no samples
NOT_MEASURED = Interval(math.nan, math.nan, math.nan, 0)


def exact(value: float) -> Interval:
    """A number that follows from a formula and not from samples: its bounds are itself, and its samples are 0.

    Examples:
        >>> exact(2.0)
        Interval(estimate=2.0, low=2.0, high=2.0, samples=0)
    """
    return Interval(value, value, value, 0)


def lower_bound(value: float) -> Interval:
    """A number that the quantity is not below, such as the largest of some values for a supremum: open above.

    Whatever the number of values, it can show that the quantity is above a threshold, and never that it is not.

    Examples:
        >>> lower_bound(0.87)
        Interval(estimate=0.87, low=0.87, high=inf, samples=0)
    """
    return Interval(value, value, math.inf if value == value else math.nan, 0)


def upper_bound(value: float) -> Interval:
    """A number that the quantity is not above; see `lower_bound`.

    Examples:
        >>> upper_bound(3.0)
        Interval(estimate=3.0, low=-inf, high=3.0, samples=0)
    """
    return Interval(value, -math.inf if value == value else math.nan, value, 0)


def median_interval(values: Any, *, confidence: float = 0.95) -> Interval:
    """Median with its distribution-free interval: the k-th smallest to the k-th largest of the values.

    The number of values below the median is binomial, so that the interval misses with at most 2 P(B(n, 1/2) < k)
    (Thompson 1936); k is the largest for which that is not more than 1 - confidence. It is conservative, for ties as well.
    With few samples, up to 5 for 95 %, there is no such k, and the interval is open on both sides.

    Args:
        values: (N,) numbers, one a sample; NaN are left out. Infinite ones are larger, or smaller, than all others: those
            that are known to be beyond what was measured (censored).
        confidence: coverage of the interval, at least.

    Examples:
        Of six values the smallest to the largest, 96.9 %; of five there is none of 95 %.

        >>> median_interval([1.0, 2.0, 3.0, 4.0, 5.0, 100.0])
        Interval(estimate=3.5, low=1.0, high=100.0, samples=6)
        >>> median_interval([1.0, 2.0, 3.0, 4.0, 100.0, float("nan")])
        Interval(estimate=3.0, low=-inf, high=inf, samples=5)
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    ordered = ordered[~np.isnan(ordered)]
    n = int(ordered.size)
    if n == 0:
        return NOT_MEASURED
    estimate = float(ordered[n // 2]) if n % 2 or ordered[n // 2] == ordered[n // 2 - 1] else float(np.median(ordered))

    def compute(confidence: float) -> Interval:
        k = rank_of_median(n, (1 - confidence) / 2)
        if k == 0:
            return Interval(estimate, -math.inf, math.inf, n)
        return Interval(estimate, float(ordered[k - 1]), float(ordered[n - k]), n)

    return at_any_confidence(compute, confidence)


def rank_of_median(n: int, tail: float) -> int:
    """The largest k with P(B(n, 1/2) < k) <= `tail`: the k-th smallest of n values is above the median as rarely.

    Examples:
        Of a hundred values the 40th and the 61st make the 95 % interval.

        >>> rank_of_median(100, 0.025), rank_of_median(5, 0.025)
        (40, 0)
    """
    k, term, below, total = 0, 1, 0, 1 << n  # exact integers: term is n over k, below the sum of those before
    while (below := below + term) / total <= tail:
        term = term * (n - k) // (k + 1)
        k += 1
    return k


def share_interval(hits: Any, *, unknown: int = 0, confidence: float = 0.95) -> Interval:
    """Share of true entries with its exact interval (Clopper and Pearson 1934).

    The bootstrap of a share that is 0 or 1 in the sample has width zero, whatever the sample size. The score interval (Wilson
    1927) has not, but its upper bound misses a share of .95 with 9 % at ten samples, where 2.5 % are allowed, and in a family of
    twenty 26 times as often as allowed. Either bound of this one misses no more often than allowed.

    Each sample may also give a share, such as that of its directions. The sample is then the unit, however many directions
    it has, and the interval is that of as many samples with and without at the same mean: conservative, since no numbers in
    [0, 1] with this mean vary more.

    Args:
        hits: (N,) booleans, or shares in [0, 1], one a sample; NaN are left out.
        unknown: further samples, of which the measurement does not tell. The estimate is that of the others; the lower bound
            is that if none of these were a hit, the upper bound that if all were.
        confidence: coverage of the interval.

    Raises:
        ValueError: a share is not in [0, 1].

    Examples:
        Ten of ten: the lower bound p has p^10 = .025. Shares of a half each are as five of ten.

        >>> interval = share_interval([True] * 10)
        >>> interval.estimate, round(interval.low, 4), interval.high
        (1.0, 0.6915, 1.0)
        >>> share_interval([0.5] * 10) == share_interval([True, False] * 5)
        True
        >>> share_interval([True] * 5, unknown=5).low == share_interval([True, False] * 5).low
        True
    """
    shares = np.asarray(hits, dtype=float)
    shares = shares[~np.isnan(shares)]
    n = int(shares.size) + unknown
    if n == 0:
        return NOT_MEASURED
    if ((shares < 0) | (shares > 1)).any():
        raise ValueError(f"shares must be in [0, 1], got {shares.min():g} to {shares.max():g}")
    share = float(shares.mean()) if shares.size else math.nan
    fewest, most = float(shares.sum()), float(shares.sum()) + unknown

    def compute(confidence: float) -> Interval:
        tail = (1 - confidence) / 2
        return Interval(share, lowest_share(fewest, n, tail), 1 - lowest_share(n - most, n, tail), n)

    return at_any_confidence(compute, confidence)


def lowest_share(hits: float, n: int, tail: float) -> float:
    """The share p of which `hits` of n or more happen with the probability `tail`: I_p(hits, n - hits + 1) = tail."""
    from scipy.special import betaincinv  # not at the top: listing and describing need not wait for scipy

    return float(betaincinv(hits, n - hits + 1, tail)) if hits > 0 else 0.0
