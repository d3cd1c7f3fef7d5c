"""What section 2.1 of aghdam2017 asks of gradient and Hessian, judged where the Hessian's norms are only estimated."""

from __future__ import annotations

import math

import numpy as np

from advlab.lab import Frame
from advlab.statistics import Claim, Interval, judge, median_interval


def judge_condition(rows: Frame, *, identical: float, subset: str) -> list[Claim]:
    """Whether the paper's condition of isotropy is violated: gradients with equal elements, and Hessians c I.

    Of the Hessian's distance from c I the lower bound of each sample counts, so that what its estimate adds is not taken for
    a distance.

    Args:
        rows: of one run and reading.
        identical: both distances count as 0 below.
        subset: name of the reading.
    """
    first = rows[rows["radius"] == rows["radius"].min()]  # no measure here depends on the radius
    # a run of before the bounds were kept has none: it is not judged
    bounds = first["isotropic_low"] if "isotropic_low" in first else first["isotropic"] * math.nan
    condition = (
        'section 2.1: "locally isotropic at x if elements of" the gradient "are identical and" the Hessian "is a '
    )
    condition += (
        'diagonal matrix where the non-zero elements are equal", while "none of the ConvNets are perfectly isotropic"'
    )
    return [
        judge(
            "elements-differ", median_interval(first["relative_dispersion"]), ">", identical, subset=subset,
            statement=condition, quantity="median of mean |g_i - g_j| / mean |g_i|",
        ),
        judge(
            "hessian-not-cI", median_interval(bounds), ">", identical, subset=subset, statement=condition,
            quantity="median of the lower bound of ||H - c I|| / ||H||",
        ),
    ]  # fmt: skip


def widened_by_noise(rho: Interval, estimates: Frame, errors: Frame) -> Interval:
    """The interval of a rank correlation with a measure that is only estimated, widened away from 0 as far as noise hides.

    Noise in a measure brings its correlation nearer to 0, by the root of its reliability (Spearman 1904): the share of the
    variance over samples that is not noise. Bounds away from 0 are divided by that root. So a correlation above a threshold
    stays one, and one below it counts only if the noise does not explain it.

    Args:
        rho: with the estimates.
        estimates: (N,) positive, of samples; compared by their logarithms.
        errors: (N,) their standard errors; where all are NaN, nothing is widened.

    Examples:
        >>> values = np.exp(np.linspace(-1, 1, 100))
        >>> interval = widened_by_noise(Interval(0.4, 0.3, 0.5, 100), values, values * 0.4)
        >>> interval.low, round(interval.high, 2)
        (0.3, 0.68)
    """
    values, deviations = np.asarray(estimates, dtype=float), np.asarray(errors, dtype=float)
    kept = (values > 0) & np.isfinite(deviations)
    if math.isnan(rho.estimate) or kept.sum() < 2:
        return rho
    noise, variance = ((deviations[kept] / values[kept]) ** 2).mean(), np.log(values[kept]).var(ddof=1)
    factor = float(max(0.0, 1 - noise / variance) ** 0.5) if variance > 0 else 0.0

    def widened(interval: Interval) -> Interval:
        low, high = (bound / factor if factor else math.copysign(1.0, bound) for bound in (interval.low, interval.high))
        return Interval(
            rho.estimate, max(-1.0, min(interval.low, low)), min(1.0, max(interval.high, high)), rho.samples
        )

    result = widened(rho)
    result.recompute = lambda confidence: widened(rho.at(confidence))
    return result
