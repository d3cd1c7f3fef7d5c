"""The ratio of two medians over the same images, with its interval."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from advlab.statistics import NOT_MEASURED, Interval
from advlab.statistics.intervals import at_any_confidence

CHUNK = 1 << 22  # values of the resamples that are in memory at a time


def median_ratio(numerators: Any, denominators: Any, *, resamples: int = 4000, seed: int = 0) -> Interval:
    """The median of the numerators over that of the denominators, with the percentile interval of a bootstrap over pairs.

    Pairs are drawn, so that an image that is far from both networks' boundaries weighs in both medians.

    Args:
        numerators: (N,) positive numbers, one an image; infinite: larger than what was measured.
        denominators: (N,) of the same images. A pair with a NaN is left out.
        resamples: bootstrap draws.
        seed: of the draws.

    Examples:
        >>> interval = median_ratio([2.0, 4.0, 6.0, 8.0, 10.0, 12.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        >>> interval.estimate, interval.low <= 2.0 <= interval.high, interval.samples
        (2.0, True, 6)
    """
    pairs = np.stack([np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)])
    pairs = pairs[:, ~np.isnan(pairs).any(0)]
    n = pairs.shape[1]
    if n == 0:
        return NOT_MEASURED
    generator, chunk = np.random.default_rng(seed), max(1, CHUNK // (2 * n))
    sizes = [min(chunk, resamples - start) for start in range(0, resamples, chunk)]
    ratios = np.concatenate([ratio(pairs[:, generator.integers(n, size=(size, n))]) for size in sizes])
    # both medians infinite, or both 0, say nothing of their ratio: either bound is that of the worst case
    lowest, highest = (np.sort(np.where(np.isnan(ratios), worst, ratios)) for worst in (-math.inf, math.inf))
    estimate = float(ratio(pairs[:, None])[0])

    def compute(confidence: float) -> Interval:
        rank = math.floor((1 - confidence) / 2 * (resamples + 1) + 1e-9)
        if rank == 0:
            return Interval(estimate, -math.inf, math.inf, n)
        return Interval(estimate, float(lowest[rank - 1]), float(highest[-rank]), n)

    return at_any_confidence(compute, 0.95)


def ratio(pairs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(B,) ratios of the medians of (2, B, N) numbers."""
    above, below = np.median(pairs, axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(above / below)
