"""How many permutations reach Mantel's |r|: sums in float32 with a proven error bound, in float64 where it matters."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

from advlab.metrics.distances import point_count

Array = np.ndarray[Any, Any]

MATRICES_AT_ONCE = 64  # whose entries lie side by side in memory
ENTRIES_AT_ONCE = 1 << 22  # of matrices or of permuted pairs, about: bounds the memory


def count_reached(a: Array, b: Array, threshold: Array, permutations: Array) -> Array:
    """(B,) how many of the (P, T) permutations have |r_perm| >= threshold, for standardised (B, M) a and b; 0 for NaN.

    A block of permutations is one task of a thread. Within it, groups of matrices are transposed to (M, matrices): a
    permuted pair then copies a whole row, which is several times as fast as gathering single entries.

    Examples:
        The three distances of three points, standardised: exchanging points 1 and 2 exchanges their distances from point 0.

        >>> d = np.array([[-1.0, 0.0, 1.0]]) / np.sqrt(2)
        >>> count_reached(d, d, np.array([0.9]), np.array([[0, 1, 2], [0, 2, 1]])).tolist()  # r_perm is 1, then 1/2
        [1]
    """
    if not len(a):
        return np.zeros(0, dtype=np.int64)
    pairs = _Pairs(permutations.shape[1])
    group_size = max(1, min(MATRICES_AT_ONCE, ENTRIES_AT_ONCE // a.shape[1]))
    groups = [
        _Group(a[k : k + group_size], b[k : k + group_size], threshold[k : k + group_size])
        for k in range(0, len(a), group_size)
    ]

    def count_in_block(block: Array) -> Array:
        orders = [pairs.permuted(permutation) for permutation in block]
        return np.concatenate([group.count_reached(orders) for group in groups])

    threads = torch.get_num_threads()
    block_size = max(1, min(len(permutations) // threads, ENTRIES_AT_ONCE // (8 * a.shape[1])))
    blocks = [permutations[k : k + block_size] for k in range(0, len(permutations), block_size)]
    with ThreadPoolExecutor(threads) as pool:  # numpy releases the interpreter's lock while it computes
        return np.sum(list(pool.map(count_in_block, blocks)), axis=0)


class _Pairs:
    """The M = T (T - 1) / 2 pairs i < j of T points, numbered in the condensed order."""

    def __init__(self, points: int) -> None:
        self.points = points
        self.rows, self.columns = np.triu_indices(points, 1)
        self.numbers = np.zeros((points, points), dtype=np.int64)
        self.numbers[self.rows, self.columns] = self.numbers[self.columns, self.rows] = np.arange(len(self.rows))

    def permuted(self, permutation: Array) -> Array:
        """(M,) number of the pair {pi(i), pi(j)} for each pair i < j: a matrix's entries after its points are permuted."""
        return self.numbers.take(self.points * permutation.take(self.rows) + permutation.take(self.columns))


class _Group:
    """A few pairs of standardised matrices, side by side in float32; counts the permutations that reach their |r|.

    The float32 sums are only trusted where their error cannot change the decision. With u = 2^-24, the largest relative
    error of rounding to float32, r = sum of M products a_k b_k is computed in T - 1 or T partial sums of T / 2 (rounded
    down) products each, which are then added in float64. So

    - rounding a_k and b_k to float32 costs two factors 1 + u a product;
    - multiplying and adding up a partial sum costs at most one factor 1 + u for each of its `terms` products;
    - one more u covers the products of these factors with each other, and the float64 sum.

    Hence the error is at most (terms + 3) u sum |a_k b_k|, and by Cauchy and Schwarz sum |a_k b_k| <= |a| |b| = 1. Any
    |r_perm| that is nearer to its threshold than this bound is computed again in float64.
    """

    def __init__(self, a: Array, b: Array, threshold: Array) -> None:
        points = point_count(torch.from_numpy(a))
        self.a, self.b, self.threshold = a, b, threshold
        self.terms = points // 2  # of each partial sum: M = T (T - 1) / 2 is a multiple of it
        self.error_bound = (self.terms + 3) * 2.0**-24
        self.a_single, self.b_single = (np.ascontiguousarray(values.T, dtype=np.float32) for values in (a, b))

    def count_reached(self, orders: list[Array]) -> Array:
        """(matrices,) how many of the permutations, given as orders of the pairs, have |r_perm| >= threshold."""
        r = self._in_single_precision(orders)
        for n, matrix in np.argwhere(np.abs(r - self.threshold) <= self.error_bound):
            r[n, matrix] = abs(self.a[matrix].take(orders[n]) @ self.b[matrix])
        return (r >= self.threshold).sum(0)

    def _in_single_precision(self, orders: list[Array]) -> Array:
        """(permutations, matrices) |r_perm| from float32 partial sums."""
        matrices = len(self.a)
        r = np.empty((len(orders), matrices))
        permuted = np.empty_like(self.a_single)
        for n, order in enumerate(orders):
            np.take(self.a_single, order, axis=0, out=permuted, mode="clip")  # clip: no check of bounds, no buffer
            sums = np.einsum("ts,ts->s", permuted.reshape(self.terms, -1), self.b_single.reshape(self.terms, -1))
            r[n] = np.abs(sums.reshape(-1, matrices).sum(0, dtype=np.float64))
        return r
