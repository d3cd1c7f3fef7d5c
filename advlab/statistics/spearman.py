"""Spearman's rank correlation with its bootstrap interval."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from advlab.statistics.intervals import Interval


def rank_correlation(x: Any, y: Any, *, confidence: float = 0.95, resamples: int = 4000, seed: int = 0) -> Interval:
    """Spearman's rho of (N,) pairs, ties at their mean rank, with the percentile-bootstrap interval over pairs.

    Pairs with a NaN are left out. NaN where fewer than three pairs are left or one of the two is constant.

    Args:
        x: (N,) numbers, one a sample.
        y: likewise.
        confidence: coverage of the interval.
        resamples: bootstrap draws; those in which one of the two is constant are left out.
        seed: of the draws; the same pairs give the same interval.

    Examples:
        A rising relation that is not linear:

        >>> interval = rank_correlation([1, 2, 3, 4, 5, 6], [1, 4, 9, 16, 25, 36])
        >>> round(interval.estimate, 9), interval.samples
        (1.0, 6)
    """
    pairs = np.stack([np.asarray(x, dtype=float), np.asarray(y, dtype=float)])
    pairs = pairs[:, ~np.isnan(pairs).any(0)]
    count = pairs.shape[1]
    estimate = float(_spearman(pairs[:, None])[0]) if count >= 3 else math.nan
    if math.isnan(estimate):
        return Interval(math.nan, math.nan, math.nan, count)
    generator = np.random.default_rng(seed)
    chunk = max(1, (1 << 20) // count)  # resamples at a time: memory stays flat in the number of samples
    sizes = [min(chunk, resamples - start) for start in range(0, resamples, chunk)]
    drawn = [_spearman(pairs[:, generator.integers(count, size=(size, count))]) for size in sizes]
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(np.concatenate(drawn), [tail, 1 - tail])
    return Interval(estimate, float(low), float(high), count)


def _spearman(pairs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(B,) rank correlations of (2, B, N) pairs; NaN where one of the two is constant."""
    from scipy.stats import rankdata  # takes half a second to import, and few experiments rank

    ranks = rankdata(pairs, axis=-1)
    ranks -= ranks.mean(-1, keepdims=True)
    x, y = ranks
    with np.errstate(invalid="ignore", divide="ignore"):
        rho: np.ndarray[Any, Any] = (x * y).sum(-1) / np.sqrt((x * x).sum(-1) * (y * y).sum(-1))
    return rho
