"""Confusion matrices and histograms of two networks compared, beside the same networks of other seeds (gunther2017, figure 5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
PASS_BINS = np.linspace(0, 1, 21)
T = TypeVar("T")


def confusion(labels: Any, adversarial: Any, classes: int) -> Array:
    """(K, K) counts: row original label, column adversarial label.

    Args:
        labels: (N,) classes.
        adversarial: (N,) classes of adversarial images; -1: none was found, which counts nowhere.
        classes: K.
    """
    counts = np.zeros((classes, classes), dtype=int)
    labels, adversarial = np.asarray(labels, dtype=int), np.asarray(adversarial, dtype=int)
    found = adversarial >= 0
    np.add.at(counts, (labels[found], adversarial[found]), 1)
    return counts


def overlap_of_rows(a: Array, b: Array) -> float:
    """1 less the total variation between rows, each taken as a distribution; the mean over rows that have counts in both.

    1 where the matrices have equal rows up to their totals, 0 where no label is reached in both; NaN without a common row.

    >>> overlap_of_rows(np.array([[0, 8, 2], [1, 0, 1]]), np.array([[0, 4, 1], [2, 0, 0]]))
    0.75
    """
    rows = (a.sum(1) > 0) & (b.sum(1) > 0)
    if not rows.any():
        return float("nan")
    p, q = (matrix[rows] / matrix[rows].sum(1, keepdims=True) for matrix in (a, b))
    return float(np.minimum(p, q).sum(1).mean())


def correlation_of_rows(a: Array, b: Array) -> float:
    """Pearson's correlation between the shares in rows, without the diagonal, over all pairs of labels; NaN where it has none."""
    rows = (a.sum(1) > 0) & (b.sum(1) > 0)
    off_diagonal = ~np.eye(len(a), dtype=bool)[rows]
    if not rows.any():
        return float("nan")
    p, q = ((matrix[rows] / matrix[rows].sum(1, keepdims=True))[off_diagonal] for matrix in (a, b))
    return float(np.corrcoef(p, q)[0, 1]) if p.std() > 0 and q.std() > 0 else float("nan")


def even_rows(classes: int) -> Array:
    """(K, K) a confusion matrix that reaches all other labels alike."""
    even: Array = 1 - np.eye(classes)
    return even


def pass_histogram(scores: Any) -> Array:
    """(20,) counts of PASS between 0 and 1; what is below 0 is in the lowest; NaN are left out."""
    scores = np.asarray(scores, dtype=float)
    counts: Array = np.histogram(scores[~np.isnan(scores)].clip(0, 1), PASS_BINS)[0]
    return counts


def overlap_of_histograms(a: Array, b: Array) -> float:
    """1 less the total variation between two histograms; NaN where one is empty."""
    return overlap_of_rows(a[None], b[None])


def between(similarity: Callable[[T, T], float], one: Sequence[T], other: Sequence[T]) -> Array:
    """(S, S) symmetric: how similar seed s of one network is to seed t of the other, averaged with t of the one and s of the other.

    Of one network (`other` is `one`): how similar its seeds are among each other.
    """
    table = np.array([[similarity(a, b) for b in other] for a in one], dtype=float).reshape(len(one), len(other))
    symmetric: Array = (table + table.T) / 2
    return symmetric


def against_seeds(similarity: Callable[[T, T], float], one: Sequence[T], other: Sequence[T]) -> Array:
    """(S, S): similarity of two networks of different seeds, less the mean of that within each of the two networks.

    0 where the seeds of the two networks could be exchanged.
    """
    within = (between(similarity, one, one) + between(similarity, other, other)) / 2
    difference: Array = between(similarity, one, other) - within
    return difference


def pseudo_values(pairs: Array) -> Array:
    """(S,) numbers, one a seed, whose mean is that of all pairs of different seeds, and whose variation tells its error.

    A seed is in S - 1 of the pairs, so that pairs are no independent units, and neither are the means of each seed's pairs: their
    variation is a quarter of what it should be. These are the pseudo-values of the jackknife (Arvesen 1969): S times the mean of
    all pairs less S - 1 times that of the pairs without the seed.

    Args:
        pairs: (S, S) symmetric; the diagonal is not read. Below three seeds all are NaN.
    """
    seeds = len(pairs)
    if seeds < 3:
        return np.full(seeds, np.nan)
    off_diagonal = np.where(np.eye(seeds, dtype=bool), 0.0, pairs)
    total = off_diagonal.sum()
    without = (total - 2 * off_diagonal.sum(1)) / ((seeds - 1) * (seeds - 2))
    values: Array = seeds * total / (seeds * (seeds - 1)) - (seeds - 1) * without
    return values
