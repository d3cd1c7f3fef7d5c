"""Correlations with a measure that is only estimated, and how often the bounds of its estimate hold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from advlab.experiments.aghdam2017.hessian_claims import widened_by_noise
from scipy.stats import spearmanr
from torch import nn

from advlab.lab import NetworkContext
from advlab.statistics import Interval, rank_correlation


def test_the_widened_interval_holds_the_correlation_without_noise() -> None:
    """Noise as large as the spread of the measure halves its variance: the plain interval misses the true correlation."""
    covered = {"plain": 0, "widened": 0}
    rng = np.random.default_rng(0)
    g = rng.normal(size=100_000)
    truth = spearmanr(g, 0.9 * g + 0.4 * rng.normal(size=len(g)))[0]
    for _ in range(40):
        g = rng.normal(size=100)
        measure, ranges = np.exp(g + 0.8 * rng.normal(size=100)), np.exp(0.9 * g + 0.4 * rng.normal(size=100))
        plain = rank_correlation(measure, ranges, resamples=300)
        widened = widened_by_noise(plain, measure, 0.8 * measure)
        assert widened.low == plain.low
        covered["plain"] += plain.low <= truth <= plain.high
        covered["widened"] += widened.low <= truth <= widened.high
    assert covered["plain"] < 10
    assert covered["widened"] > 30


def test_what_is_exact_or_without_errors_is_not_widened() -> None:
    values = np.exp(np.linspace(-1, 1, 20))
    interval = Interval(0.2, -0.1, 0.4, 20)
    assert widened_by_noise(interval, values, 0 * values) == interval
    assert widened_by_noise(interval, values, np.nan * values) == interval
    hidden = widened_by_noise(interval, values, 5 * values)  # nothing but noise
    assert (hidden.low, hidden.high) == (-1, 1)


def test_a_widened_interval_can_be_asked_at_another_confidence() -> None:
    """Each reading of the radius is one of a family: without its bounds there, nothing could be decided."""
    rng = np.random.default_rng(0)
    values = np.exp(rng.normal(size=60))
    rho = rank_correlation(values, values * np.exp(0.3 * rng.normal(size=60)))
    widened = widened_by_noise(rho, values, 0.4 * values)
    wide = widened.at(0.975)
    assert wide.low == rho.at(0.975).low < widened.low
    assert 0.5 < wide.low < wide.high <= 1


def test_the_bounds_of_the_hessians_norm_hold_as_often_as_they_say(
    around: Callable[..., NetworkContext], measured: Callable[[NetworkContext], pd.DataFrame]
) -> None:
    """Against the norms of all unit vectors, for thirty images and a Hessian of few large eigenvalues."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 6), nn.Tanh(), nn.Linear(6, 3))
    tables = [
        measured(around("gradient_isotropy", network, count=30, params={"directions": directions}))
        .query("radius == 1 and norm == 'l2'")
        .set_index("sample")
        for directions in (12, 36)
    ]
    few, exact = (found.sort_index() for found in tables)
    truth = exact["hessian_norm"]
    assert (few["hessian_norm"] / truth - 1).abs().max() > 0.05  # an estimate
    within = (few["hessian_norm_low"] <= truth) & (truth <= few["hessian_norm_high"])
    assert within.mean() >= 0.8
    assert ((few["isotropic_low"] <= exact["isotropic"]) & (exact["isotropic"] <= few["isotropic_high"])).mean() >= 0.8
    wide = few["hessian_norm_high"] / few["hessian_norm_low"]
    assert 1.05 < float(wide.median()) < 4
    assert float(exact["hessian_norm_high"].sub(exact["hessian_norm_low"]).abs().max()) == pytest.approx(0)


def test_at_a_familys_confidence_the_wider_interval_is_widened() -> None:
    """The statement is judged for each reading of the radius: an interval that is unknown at that confidence decides nothing."""
    values = np.exp(np.random.default_rng(3).normal(size=200))
    rho = rank_correlation(values, values * np.random.default_rng(4).uniform(0.5, 2, size=200))
    alone = widened_by_noise(rho, values, 0.5 * values)
    wide = alone.at(0.99)
    assert wide == widened_by_noise(rho.at(0.99), values, 0.5 * values)
    assert 0.5 < wide.low < alone.low < alone.high <= wide.high <= 1
