"""The difference of two shares of the same images, with Newcombe's interval for paired observations."""

from __future__ import annotations

import math
from statistics import NormalDist

from advlab.statistics import NOT_MEASURED, Interval
from advlab.statistics.intervals import at_any_confidence


def paired_difference(
    both: int, only_first: int, only_second: int, neither: int, *, confidence: float = 0.95
) -> Interval:
    """Share of the first less share of the second, where both are of the same images, with its interval.

    The interval is Newcombe's (Statistics in Medicine 17, 1998, method 10): Wilson's bounds of the two shares, joined with
    the correlation of the pairs. Other than an interval from two independent shares it gains from pairing, and other than
    Wald's it has a width where the two never differ.

    Args:
        both: images that both classify correctly.
        only_first: that only the first does.
        only_second: that only the second does.
        neither: that neither does.
        confidence: coverage of the interval.

    Examples:
        Newcombe's first example, of 50 pairs:

        >>> interval = paired_difference(36, 12, 2, 0)
        >>> round(interval.estimate, 4), round(interval.low, 4), round(interval.high, 4), interval.samples
        (0.2, 0.0569, 0.3404, 50)
    """
    n = both + only_first + only_second + neither
    if n == 0:
        return NOT_MEASURED
    first, second = (both + only_first) / n, (both + only_second) / n
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    # with a continuity correction where the correlation is positive
    agreement: float = both * neither - only_first * only_second
    agreement = max(agreement - n / 2, 0) if agreement > 0 else agreement
    phi = agreement / math.sqrt(margins) if margins else 0.0

    def compute(confidence: float) -> Interval:
        (low_1, high_1), (low_2, high_2) = (wilson_bounds(share, n, confidence) for share in (first, second))
        below, above = first - low_1, high_2 - second
        low = math.sqrt(max(0.0, below**2 - 2 * phi * below * above + above**2))
        above, below = high_1 - first, second - low_2
        high = math.sqrt(max(0.0, above**2 - 2 * phi * above * below + below**2))
        return Interval(first - second, first - second - low, first - second + high, n)

    return at_any_confidence(compute, confidence)


def wilson_bounds(share: float, n: int, confidence: float) -> tuple[float, float]:
    """Wilson (1927): the smallest and the largest p that the score test, (share - p)^2 <= z^2 p (1 - p) / n, does not refuse."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))
