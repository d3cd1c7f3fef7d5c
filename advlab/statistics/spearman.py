"""Spearman's rank correlation with its interval on Fisher's scale."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np

from advlab.statistics.intervals import Interval, at_any_confidence


def rank_correlation(x: Any, y: Any, *, confidence: float = 0.95, resamples: int = 4000, seed: int = 0) -> Interval:
    """Spearman's rho of (N,) pairs, ties at their mean rank, with its interval on Fisher's scale z = artanh rho.

    The standard error of z is the larger of Bonett and Wright's, sqrt((1 + rho^2 / 2) / (N - 3)) (2000, equation 7), which
    holds for nearly normal pairs, and that of a bootstrap over pairs, which sees that pairs scatter unevenly but has next to
    no width for few or for steeply rising pairs. Simulated with 6 to 300 pairs, normal ones of rho 0 to .98 and ones
    whose scatter grows, the interval covers with 92 % at least; the bootstrap's percentiles with 64 to 98 %, the former error
    alone with 87 to 98 %. A rho of 1 or -1 stands for half a step less, 6 / (N^3 - N).

    Pairs with a NaN are left out. NaN where fewer than four pairs are left or one of the two is constant.

    Args:
        x: (N,) numbers, one a sample.
        y: likewise.
        confidence: coverage of the interval.
        resamples: bootstrap draws; those in which one of the two is constant are left out.
        seed: of the draws; the same pairs give the same interval.

    Examples:
        A rising relation that is not linear; six pairs do not show more than a clear correlation:

        >>> interval = rank_correlation([1, 2, 3, 4, 5, 6], [1, 4, 9, 16, 25, 36])
        >>> round(interval.estimate, 9), interval.samples, 0.3 < interval.low < 0.9, round(interval.high, 3)
        (1.0, 6, True, 1.0)
    """
    pairs = np.stack([np.asarray(x, dtype=float), np.asarray(y, dtype=float)])
    pairs = pairs[:, ~np.isnan(pairs).any(0)]
    count = pairs.shape[1]
    estimate = float(_spearman(pairs[:, None])[0]) if count > 3 else math.nan
    if math.isnan(estimate):
        return Interval(math.nan, math.nan, math.nan, count)
    return fisher_interval(estimate, pairs, _spearman, held=0, confidence=confidence, resamples=resamples, seed=seed)


def fisher_interval(
    estimate: float,
    samples: np.ndarray[Any, Any],
    correlation: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]],
    *,
    held: int,
    confidence: float,
    resamples: int,
    seed: int,
) -> Interval:
    """The interval of a rank correlation on Fisher's scale; see `rank_correlation`.

    Args:
        estimate: the correlation of the samples.
        samples: (K, N) numbers without NaN.
        correlation: gives (B,) correlations of (K, B, N) samples, NaN where there is none.
        held: how many quantities are held in a partial correlation, each of which takes a degree of freedom.
        confidence: coverage of the interval.
        resamples: bootstrap draws.
        seed: of the draws.
    """
    count = samples.shape[1]
    generator = np.random.default_rng(seed)
    chunk = max(1, (1 << 20) // count)  # resamples at a time: memory stays flat in the number of samples
    sizes = [min(chunk, resamples - start) for start in range(0, resamples, chunk)]
    drawn = np.concatenate([correlation(samples[:, generator.integers(count, size=(size, count))]) for size in sizes])
    largest = 1 - 6 / (count**3 - count)
    rho = min(max(estimate, -largest), largest)
    drawn = np.arctanh(np.clip(drawn[~np.isnan(drawn)], -largest, largest))
    error = max(math.sqrt((1 + rho**2 / 2) / (count - held - 3)), float(drawn.std()) if drawn.size else 0.0)

    def compute(confidence: float) -> Interval:
        half = NormalDist().inv_cdf((1 + confidence) / 2) * error
        low, high = math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half)
        return Interval(estimate, min(low, estimate), max(high, estimate), count)

    return at_any_confidence(compute, confidence)


def _spearman(pairs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(B,) rank correlations of (2, B, N) pairs; NaN where one of the two is constant."""
    from scipy.stats import rankdata  # takes half a second to import, and few experiments rank

    ranks = rankdata(pairs, axis=-1)
    ranks -= ranks.mean(-1, keepdims=True)
    x, y = ranks
    with np.errstate(invalid="ignore", divide="ignore"):
        rho: np.ndarray[Any, Any] = (x * y).sum(-1) / np.sqrt((x * x).sum(-1) * (y * y).sum(-1))
    return rho
