"""The area under the ROC of paired scores: its variance by the delete-one jackknife, its coverage, and what it falls back on."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, t

from advlab.statistics import NOT_MEASURED, share_interval
from experiments.jetley2018.paired_area import paired_area


def area(first: np.ndarray, second: np.ndarray) -> float:
    return float(mannwhitneyu(first, second).statistic / (len(first) * len(second)))


def test_the_error_is_that_of_leaving_one_image_out() -> None:
    """Brute force: the area again without each image, both of its scores at once."""
    generator = np.random.default_rng(0)
    natural = generator.normal(1, 1, 300)
    attacked = -natural + generator.normal(0, 0.5, 300) + 1
    found = paired_area(natural, attacked)
    assert found.estimate == pytest.approx(area(natural, attacked))
    kept = [np.arange(300) != i for i in range(300)]
    without = np.array([area(natural[rows], attacked[rows]) for rows in kept])
    error = math.sqrt(299 / 300 * ((without - without.mean()) ** 2).sum())
    half = t.ppf(0.975, 299) * error / (found.estimate * (1 - found.estimate))
    logit = math.log(found.estimate / (1 - found.estimate))
    for bound, end in ((found.low, logit - half), (found.high, logit + half)):
        assert bound == pytest.approx(1 / (1 + math.exp(-end)), abs=1e-3)


@pytest.mark.parametrize("correlation", [-1.0, 0.0, 0.6])
def test_it_covers(correlation: float) -> None:
    """An interval that takes one sample for fixed covers two thirds where the signs are opposed, an unpaired one four fifths."""
    generator, truth, count = np.random.default_rng(1), 0.8, 60
    shift = NormalDist().inv_cdf(truth) * math.sqrt(2)
    covered = 0
    for _ in range(400):
        first, other = generator.normal(size=(2, count))
        second = correlation * first + math.sqrt(1 - correlation**2) * other
        interval = paired_area(first + shift, second)
        covered += interval.low <= truth <= interval.high
    assert 0.92 <= covered / 400 <= 0.985


def test_separated_scores_are_not_certain() -> None:
    """Of twelve images six pairs share no image, and none of them is out of order."""
    scores = np.arange(12.0)
    found = paired_area(scores + 100, scores)
    assert found == share_interval([True] * 6)._replace(samples=12)
    assert paired_area(scores, scores + 100).high == pytest.approx(1 - found.low)
    assert paired_area(np.ones(12), np.ones(12)) == share_interval([0.5] * 6)._replace(samples=12)
    assert found.at(0.99).low == share_interval([True] * 6, confidence=0.99).low


def test_an_image_with_one_score_counts_on_its_side() -> None:
    found = paired_area([2.0, 1.0, math.nan, 3.0], [-2.0, math.nan, 1.5, 1.0])
    assert found.estimate == pytest.approx(area(np.array([2.0, 1.0, 3.0]), np.array([-2.0, 1.5, 1.0])))
    assert found.samples == 3
    assert paired_area([math.nan], [1.0]) == pytest.approx(NOT_MEASURED, nan_ok=True)
