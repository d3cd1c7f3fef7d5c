"""Mantel's test: the correlation of two distance matrices, and how often relabelled points reach it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from advlab.metrics.distances import points_of

CONSTANT = 1e-12  # (largest - smallest) / largest distance up to which a matrix counts as constant: it is rounding
TIE = 1e-10  # a permuted |r| this little below |r| is as large: it is rounding
LANES = 64  # matrices whose entries lie side by side
CHUNK = 1 << 22  # entries of matrices or of permuted pairs at a time, about: bounds the memory


class Mantel(NamedTuple):
    """Outcome for B pairs of matrices.

    Attributes:
        r: (B,) float64, correlation.
        p: (B,) float64, two-sided.
    """

    r: Tensor
    p: Tensor


def mantel_r(d_in: Tensor, d_out: Tensor, *, squared: bool = False) -> Tensor:
    """Pearson's correlation of condensed distances (Mantel 1967; aghdam2017, section 2.3: rho).

    Args:
        d_in: (B, T (T - 1) / 2) upper triangles.
        d_out: the same of the matrices to compare with.
        squared: correlate squared distances, as section 2.3 writes them: ||d|| = d d'.

    Returns:
        (B,) float64; NaN where one matrix is constant (to 1e-12 of its largest entry) or has an entry that is not finite.

    Raises:
        ValueError: the shapes differ, or T < 3.
    """
    pairs = _standardised(*check_pair(d_in, d_out), squared)
    return torch.cat([_dot(a, b) for a, b in pairs])


def mantel_test(
    d_in: Tensor, d_out: Tensor, *, permutations: int = 999, seed: int = 0, squared: bool = False
) -> Mantel:
    """`mantel_r` and p = (1 + #{|r_perm| >= |r|}) / (1 + permutations), as scikit-bio has it.

    r_perm is the correlation after the rows and columns of d_in are permuted together. The permutations are drawn once a
    call, by numpy's PCG64 from the seed, and serve all matrices: each p is as alone, but the errors of different p are
    not independent. What |r| reaches within 1e-10 counts as reached, as where the permutation is a symmetry.

    The sums run in float32, with a proven bound of their error; the few correlations that are nearer to |r| than that are
    summed again in float64. So p is that of float64, whatever else is in the batch. Works on the CPU with as many
    threads as torch has, in some 200 MiB besides the inputs.

    Args:
        d_in: as `mantel_r`.
        d_out: as `mantel_r`.
        permutations: P; p is at least 1 / (1 + P).
        seed: of the permutations.
        squared: as `mantel_r`.

    Returns:
        r and p, on d_in's device; both NaN where r is.

    Raises:
        ValueError: as `mantel_r`, or permutations < 1.
    """
    if permutations < 1:
        raise ValueError(f"permutations must be at least 1, got {permutations}")
    a, b = check_pair(d_in, d_out)
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = np.stack([rng.permutation(points_of(a)) for _ in range(permutations)])
    r, reached = [], []
    for left, right in _standardised(a, b, squared):
        r.append(_dot(left, right))
        x, y, least = (v.cpu().numpy() for v in (left, right, r[-1].abs() - TIE))
        reached.append(torch.from_numpy(_reached(x, y, least, drawn)).to(r[-1]))
    p = (1 + torch.cat(reached)) / (1 + permutations)
    return Mantel(torch.cat(r), p.masked_fill_(torch.cat(r).isnan(), torch.nan))


def _reached(a: Any, b: Any, least: Any, drawn: Any) -> Any:
    """(B,) numbers of the permutations (P, T) with |r_perm| >= least, for standardised (B, M) a and b; 0 for NaN.

    The pairs come first, then matrices: gathering a pair copies a row, several times as fast as gathering single entries.
    """
    count, threads = drawn.shape[1], torch.get_num_threads()
    rows, columns = np.triu_indices(count, 1)
    pair_at = np.zeros((count, count), dtype=np.int64)
    pair_at[rows, columns] = pair_at[columns, rows] = np.arange(len(rows))
    terms = count // 2  # of each partial sum in float32; T (T - 1) / 2 is a multiple of it
    # |error| <= (terms + 2 for the roundings of a and b + 1 for higher orders) u sum |a b|, and sum |a b| <= |a| |b| = 1
    bound = (terms + 3) * 2.0**-24
    width = max(1, min(LANES, CHUNK // len(rows)))
    lanes = [slice(k, k + width) for k in range(0, len(a), width)]
    single = [tuple(np.ascontiguousarray(v[k].T, dtype=np.float32) for v in (a, b)) for k in lanes]

    def work(permuted: Any) -> Any:
        index = [pair_at.take(count * p.take(rows) + p.take(columns)) for p in permuted]
        found = np.zeros(len(a), dtype=np.int64)
        for k, (left, right) in zip(lanes, single, strict=True):
            gathered = np.empty_like(left)
            r = np.empty((len(index), left.shape[1]))
            for row, pairs in enumerate(index):
                np.take(left, pairs, axis=0, out=gathered, mode="clip")
                parts = np.einsum("ts,ts->s", gathered.reshape(terms, -1), right.reshape(terms, -1))
                r[row] = np.abs(parts.reshape(-1, left.shape[1]).sum(0, dtype=np.float64))
            for row, n in np.argwhere(np.abs(r - least[k]) <= bound):
                r[row, n] = abs(a[k][n].take(index[row]) @ b[k][n])
            found[k] = (r >= least[k]).sum(0)
        return found

    size = max(1, min(len(drawn) // threads, CHUNK // (8 * len(rows))))
    blocks = [drawn[k : k + size] for k in range(0, len(drawn), size)]
    with ThreadPoolExecutor(threads) as pool:  # numpy lets go of the interpreter's lock
        return sum(pool.map(work, blocks))


def _standardised(a: Tensor, b: Tensor, squared: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """Some matrices at a time."""
    step = max(1, CHUNK // a.shape[1])
    for left, right in zip(a.split(step), b.split(step), strict=True):
        yield standardise(left, squared), standardise(right, squared)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """(B,) correlations of standardised (B, M)."""
    return (a * b).sum(1).clamp(-1, 1)


def standardise(condensed: Tensor, squared: bool = False) -> Tensor:
    """(B, M) float64 entries less their mean, of Euclidean norm 1: correlations are dot products. NaN where constant."""
    values = condensed.double()
    values = values.square() if squared else values
    constant = (values.amax(1) - values.amin(1) <= CONSTANT * values.abs().amax(1))[:, None]
    values = values - values.mean(1, keepdim=True)
    values /= torch.linalg.vector_norm(values, dim=1, keepdim=True)
    return values.masked_fill_(constant, torch.nan)


def check_pair(d_in: Tensor, d_out: Tensor) -> tuple[Tensor, Tensor]:
    """Two batches of condensed distances, detached, where there is float64.

    Raises:
        ValueError: the shapes differ or are no (B, T (T - 1) / 2), or T < 3.
    """
    if d_in.shape != d_out.shape:
        raise ValueError(
            f"matrices of the same points are compared, got {tuple(d_in.shape)} and {tuple(d_out.shape)}: "
            "give both as (B, T (T - 1) / 2)"
        )
    if points_of(d_in) < 3:
        raise ValueError("Mantel's test needs at least 3 points: with fewer there is at most one distance")
    a, b = d_in.detach(), d_out.detach()
    return (a.cpu(), b.cpu()) if a.device.type == "mps" else (a, b)
