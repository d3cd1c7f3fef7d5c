"""Spearman's partial rank correlation with its interval on Fisher's scale."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from advlab.statistics.intervals import Interval
from advlab.statistics.spearman import fisher_interval


def partial_rank_correlation(
    x: Any, y: Any, held: Any, *, confidence: float = 0.95, resamples: int = 4000, seed: int = 0
) -> Interval:
    """Correlation of the ranks of x and y with those of a third quantity held (Kendall and Stuart), and its interval.

    That is (r_xy - r_xz r_yz) / sqrt((1 - r_xz^2) (1 - r_yz^2)), the correlation of what a linear regression on the ranks of z
    leaves of the ranks of x and y. Ties are at their mean rank; the interval is that of `rank_correlation` with a degree of
    freedom less. Samples with a NaN are left out.

    Returns:
        NaN where fewer than five samples are left, one of the three is constant, or x or y has the ranks of z.

    Args:
        x: (N,) numbers, one a sample.
        y: likewise.
        held: likewise.
        confidence: coverage of the interval.
        resamples: bootstrap draws; those without a correlation are left out.
        seed: of the draws; the same samples give the same interval.

    Examples:
        Two quantities that both follow a third, each by an error of its own, and these errors are opposite:

        >>> z, e = np.arange(8.0), np.array([0.6, -0.6] * 4)
        >>> partial_rank_correlation(z + 2 * e, z - 2 * e, z).estimate < -0.9
        True
    """
    samples = np.stack([np.asarray(values, dtype=float) for values in (x, y, held)])
    samples = samples[:, ~np.isnan(samples).any(0)]
    count = samples.shape[1]
    estimate = float(_partial(samples[:, None])[0]) if count > 4 else math.nan
    if math.isnan(estimate):
        return Interval(math.nan, math.nan, math.nan, count)
    return fisher_interval(estimate, samples, _partial, held=1, confidence=confidence, resamples=resamples, seed=seed)


def _partial(samples: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(B,) partial rank correlations of (3, B, N) samples."""
    from scipy.stats import rankdata  # takes half a second to import, and few experiments rank

    ranks = rankdata(samples, axis=-1)
    ranks -= ranks.mean(-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        ranks /= np.sqrt((ranks**2).sum(-1, keepdims=True))
        x, y, held = ranks
        xy, xz, yz = (x * y).sum(-1), (x * held).sum(-1), (y * held).sum(-1)
        left = (1 - xz**2) * (1 - yz**2)
        rho: np.ndarray[Any, Any] = (xy - xz * yz) / np.sqrt(np.where(left > 1e-12, left, np.nan))
    return rho
