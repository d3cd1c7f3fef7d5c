"""Mantel's test: the correlation of two distance matrices, and how often it is reached when the points are relabelled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from advlab.metrics.distances import point_count
from advlab.metrics.mantel_permutations import ENTRIES_AT_ONCE, count_reached

# A matrix is constant when (largest - smallest) / largest distance is at most this: rounding.
CONSTANT_TOLERANCE = 1e-12
TIE_TOLERANCE = 1e-10  # a permuted |r| that is below |r| by at most this counts as equal: rounding


class Mantel(NamedTuple):
    """Outcome of the test for B pairs of matrices.

    Attributes:
        r: (B,) float64, the correlation.
        p: (B,) float64, its two-sided p-value.
    """

    r: Tensor
    p: Tensor


def mantel_r(d_in: Tensor, d_out: Tensor, *, squared: bool = False) -> Tensor:
    """Pearson's correlation of condensed distances (Mantel 1967; aghdam2017, section 2.3: rho).

    Args:
        d_in: (B, T (T - 1) / 2) upper triangles of B distance matrices.
        d_out: (B, T (T - 1) / 2), those of the same points after a map.
        squared: correlate squared distances, as section 2.3 writes them: ||d|| = d d'.

    Returns:
        (B,) float64; NaN where one matrix is constant (to 1e-12 of its largest entry) or has an entry that is not finite.

    Raises:
        ValueError: the shapes differ, or T < 3.

    Examples:
        Distances of three points that a map doubles, and that it turns upside down:

        >>> d = torch.tensor([[1.0, 2.0, 3.0]])
        >>> round(mantel_r(d, 2 * d).item(), 9), round(mantel_r(d, 4 - d).item(), 9)
        (1.0, -1.0)
    """
    pairs = _standardised(*checked_pair(d_in, d_out), squared)
    return torch.cat([correlation(a, b) for a, b in pairs])


def mantel_test(
    d_in: Tensor, d_out: Tensor, *, permutations: int = 999, seed: int = 0, squared: bool = False
) -> Mantel:
    """`mantel_r` and p = (1 + #{|r_perm| >= |r|}) / (1 + permutations), with the definition and the draws of scikit-bio.

    r_perm is the correlation after the rows and columns of d_in are permuted together. The permutations are drawn once a
    call, by numpy's PCG64 from the seed, and serve all B pairs: p does not depend on what else is in the batch, but the
    sampling errors of different p are not independent. |r_perm| counts as reaching |r| when it is at most 1e-10 below it:
    a permutation that is a symmetry of the points gives |r| up to rounding.

    The correlations are summed in float32 with a proven error bound, and again in float64 where that error could change the
    count (see `advlab.metrics.mantel_permutations`); so p is that of float64. Runs on the CPU with as many threads as torch
    has, and needs about 200 MiB besides the inputs.

    Args:
        d_in: (B, T (T - 1) / 2), as for `mantel_r`.
        d_out: (B, T (T - 1) / 2), as for `mantel_r`.
        permutations: P, how many are drawn; p is at least 1 / (1 + P).
        seed: of the permutations.
        squared: as for `mantel_r`.

    Returns:
        r and p, on d_in's device; both are NaN where `mantel_r` is.

    Raises:
        ValueError: as `mantel_r`, or permutations < 1.

    Examples:
        A map that keeps all distances of 30 random points: no permutation reaches r = 1.

        >>> from advlab.metrics.distances import pairwise_distances
        >>> d = pairwise_distances(torch.randn(1, 30, 5, generator=torch.Generator().manual_seed(0)))
        >>> mantel_test(d, d, permutations=99).p.item()
        0.01
    """
    if permutations < 1:
        raise ValueError(f"permutations must be at least 1, got {permutations}")
    a, b = checked_pair(d_in, d_out)
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = np.stack([rng.permutation(point_count(a)) for _ in range(permutations)])
    correlations, counts = [], []
    for left, right in _standardised(a, b, squared):
        r = correlation(left, right)
        x, y, threshold = (v.cpu().numpy() for v in (left, right, r.abs() - TIE_TOLERANCE))
        correlations.append(r)
        counts.append(torch.from_numpy(count_reached(x, y, threshold, drawn)).to(r))
    r = torch.cat(correlations)
    p = (1 + torch.cat(counts)) / (1 + permutations)
    return Mantel(r, p.masked_fill_(r.isnan(), torch.nan))


def _standardised(a: Tensor, b: Tensor, squared: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of both, standardised: as many matrices at a time as the memory bound allows."""
    matrices = max(1, ENTRIES_AT_ONCE // a.shape[1])
    for left, right in zip(a.split(matrices), b.split(matrices), strict=True):
        yield standardise(left, squared), standardise(right, squared)


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """(B,) correlations of standardised (B, M), row by row.

    Examples:
        >>> a = standardise(torch.tensor([[1.0, 2.0, 3.0]]))
        >>> round(correlation(a, a).item(), 9), round(correlation(a, -a).item(), 9)
        (1.0, -1.0)
    """
    return (a * b).sum(1).clamp(-1, 1)


def standardise(condensed: Tensor, squared: bool = False) -> Tensor:
    """(B, M) float64 entries less their mean, scaled to the Euclidean norm 1; NaN where the entries are constant.

    The dot product of two standardised rows is their correlation.

    Examples:
        >>> standardise(torch.tensor([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]])).square().round(decimals=9).tolist()
        [[0.5, 0.0, 0.5], [nan, nan, nan]]
    """
    values = condensed.double()
    values = values.square() if squared else values
    least, largest = values.amin(1), values.amax(1)
    constant = largest - least <= CONSTANT_TOLERANCE * torch.maximum(largest.abs(), least.abs())
    values = values - values.mean(1, keepdim=True)
    scale = torch.linalg.vector_norm(values, dim=1).masked_fill_(constant, torch.nan)
    values /= scale[:, None]
    return values


def checked_pair(d_in: Tensor, d_out: Tensor) -> tuple[Tensor, Tensor]:
    """Both batches of condensed distances, detached, and on the CPU where their device has no float64.

    Raises:
        ValueError: the shapes differ or are not (B, T (T - 1) / 2), or T < 3.

    Examples:
        >>> checked_pair(torch.ones(1, 1), torch.ones(1, 1))
        Traceback (most recent call last):
        ValueError: Mantel's test needs at least 3 points: with fewer there is at most one distance
    """
    if d_in.shape != d_out.shape:
        raise ValueError(
            f"matrices of the same points are compared, got {tuple(d_in.shape)} and {tuple(d_out.shape)}: "
            "give both as (B, T (T - 1) / 2)"
        )
    if point_count(d_in) < 3:
        raise ValueError("Mantel's test needs at least 3 points: with fewer there is at most one distance")
    a, b = d_in.detach(), d_out.detach()
    return (a.cpu(), b.cpu()) if a.device.type == "mps" else (a, b)
