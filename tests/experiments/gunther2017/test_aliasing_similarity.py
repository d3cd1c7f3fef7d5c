"""Confusion matrices, overlaps and pairs of seeds: by hand, by brute force, and by simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from advlab.experiments.gunther2017.aliasing_similarity import (
    against_seeds,
    between,
    confusion,
    correlation_of_rows,
    even_rows,
    overlap_of_histograms,
    overlap_of_rows,
    pass_histogram,
    pseudo_values,
)

RNG = np.random.default_rng(0)


def matrix(classes: int = 6) -> np.ndarray:
    found: np.ndarray = RNG.integers(1, 40, (classes, classes)) * (1 - np.eye(classes, dtype=int))
    return found


def test_a_confusion_matrix_adds_up_to_the_images_that_were_found() -> None:
    labels, adversarial = RNG.integers(0, 5, 200), RNG.integers(-1, 5, 200)
    counts = confusion(labels, adversarial, 5)
    assert counts.sum() == (adversarial >= 0).sum()
    for row, column in itertools.product(range(5), repeat=2):
        assert counts[row, column] == sum(a == row and b == column for a, b in zip(labels, adversarial, strict=True))


def test_equal_matrices_are_wholly_similar_whatever_their_totals() -> None:
    one = matrix()
    for other in (one, 7 * one, one * np.arange(1, 7)[:, None]):
        assert overlap_of_rows(one, other) == pytest.approx(1)
        assert correlation_of_rows(one, other) == pytest.approx(1)


def test_overlap_is_one_less_the_total_variation() -> None:
    one, other = matrix(), matrix()
    expected = []
    for p, q in zip(one, other, strict=True):
        expected.append(1 - 0.5 * np.abs(p / p.sum() - q / q.sum()).sum())
    assert overlap_of_rows(one, other) == pytest.approx(np.mean(expected))
    assert 0 < overlap_of_rows(one, other) < 1
    apart = np.array([[0, 3, 0], [5, 0, 0], [0, 1, 0]]), np.array([[0, 0, 4], [0, 0, 2], [2, 0, 0]])
    assert overlap_of_rows(*apart) == 0
    assert correlation_of_rows(*apart) == pytest.approx(-1)


def test_correlation_is_pearsons_without_the_diagonal() -> None:
    one, other = matrix(4), matrix(4)
    pairs = [(i, j) for i, j in itertools.product(range(4), repeat=2) if i != j]
    p, q = ([m[i, j] / m[i].sum() for i, j in pairs] for m in (one, other))
    assert correlation_of_rows(one, other) == pytest.approx(np.corrcoef(p, q)[0, 1])


def test_rows_without_images_do_not_count() -> None:
    one, other = matrix(), matrix()
    one[2], other[4] = 0, 0
    kept = [0, 1, 3, 5]
    assert overlap_of_rows(one, other) == pytest.approx(overlap_of_rows(one[kept], other[kept]))
    assert np.isnan(overlap_of_rows(np.zeros((3, 3)), matrix(3)))
    assert np.isnan(correlation_of_rows(np.zeros((3, 3)), matrix(3)))
    assert np.isnan(correlation_of_rows(even_rows(3), matrix(3)))  # which does not vary


def test_histograms_hold_every_known_score_once() -> None:
    scores = np.array([-0.2, 0.0, 0.049, 0.05, 0.5, 1.0, np.nan])
    counts = pass_histogram(scores)
    assert (counts[0], counts[1], counts[10], counts[19], counts.sum()) == (3, 1, 1, 1, 6)
    assert overlap_of_histograms(counts, 3 * counts) == pytest.approx(1)
    assert overlap_of_histograms(pass_histogram([0.1, 0.3]), pass_histogram([0.11, 0.9])) == pytest.approx(0.5)
    assert np.isnan(overlap_of_histograms(counts, pass_histogram([])))


def test_pairs_of_two_networks_are_of_different_seeds_and_symmetric() -> None:
    one, other = [matrix() for _ in range(4)], [matrix() for _ in range(4)]
    pairs = between(overlap_of_rows, one, other)
    assert pairs[1, 3] == pytest.approx((overlap_of_rows(one[1], other[3]) + overlap_of_rows(one[3], other[1])) / 2)
    assert pairs == pytest.approx(pairs.T)
    difference = against_seeds(overlap_of_rows, one, other)
    within = (overlap_of_rows(one[1], one[3]) + overlap_of_rows(other[1], other[3])) / 2
    assert difference[1, 3] == pytest.approx(pairs[1, 3] - within)
    same = against_seeds(overlap_of_rows, one, one)
    assert same[~np.eye(4, dtype=bool)] == pytest.approx(0)


def test_pseudo_values_are_those_of_the_jackknife() -> None:
    pairs = RNG.normal(size=(6, 6))
    pairs = pairs + pairs.T

    def mean(seeds: list[int]) -> float:
        return float(np.mean([pairs[s, t] for s, t in itertools.combinations(seeds, 2)]))

    everyone = list(range(6))
    expected = [6 * mean(everyone) - 5 * mean([t for t in everyone if t != s]) for s in everyone]
    assert pseudo_values(pairs) == pytest.approx(expected)
    assert pseudo_values(pairs).mean() == pytest.approx(mean(everyone))
    assert np.isnan(pseudo_values(pairs[:2, :2])).all()
    assert len(pseudo_values(np.zeros((0, 0)))) == 0


def test_the_error_of_the_mean_of_pairs_is_that_of_its_pseudo_values() -> None:
    """|z_s + z_t| over 20 seeds: pairs taken as independent would give a fraction of the error, means of seeds half of it."""
    rng = np.random.default_rng(1)
    means, errors = [], []
    for _ in range(1500):
        z = rng.normal(size=20)
        values = pseudo_values(np.abs(z[:, None] + z + 3))
        means.append(values.mean())
        errors.append(values.var(ddof=1) / 20)
    assert np.mean(errors) == pytest.approx(np.var(means), rel=0.15)
