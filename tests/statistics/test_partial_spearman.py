"""Partial rank correlations: by regression on ranks, a common cause that is held, and what has no correlation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from advlab.statistics.partial_spearman import partial_rank_correlation


def test_it_is_the_correlation_of_what_regression_on_ranks_leaves() -> None:
    random = np.random.default_rng(0)
    z = random.integers(0, 10, 50).astype(float)  # with ties
    x, y = z + random.standard_normal(50), np.exp(z / 4) + 2 * random.standard_normal(50)
    x[3] = np.nan
    kept = ~np.isnan(x)
    ranks = np.stack([rankdata(values[kept]) for values in (x, y, z)])
    design = np.stack([np.ones(49), ranks[2]], 1)
    left = [r - design @ np.linalg.lstsq(design, r, rcond=None)[0] for r in ranks[:2]]
    found = partial_rank_correlation(x, y, z)
    assert found.estimate == pytest.approx(np.corrcoef(*left)[0, 1])
    assert found.samples == 49
    assert found.low < found.estimate < found.high


def test_a_common_cause_that_is_held_leaves_nothing() -> None:
    random = np.random.default_rng(1)
    z = random.standard_normal(400)
    x, y = (z + 0.3 * random.standard_normal(400) for _ in range(2))
    assert spearmanr(x, y)[0] > 0.8
    found = partial_rank_correlation(x, y, z)
    assert found.low < 0 < found.high
    assert found.high - found.low < 0.3
    own = random.standard_normal(400)
    assert partial_rank_correlation(x + own, y + own, z).low > 0.7


def test_what_has_no_correlation() -> None:
    x, y = np.arange(8.0), np.array([1.0, 3, 2, 5, 4, 7, 6, 8])
    for held in (np.ones(8), x, y, np.full(8, np.nan)):
        assert math.isnan(partial_rank_correlation(x, y, held).estimate)
    assert math.isnan(partial_rank_correlation(x[:3], y[:3], y[:3] ** 2 - 3 * y[:3]).estimate)
