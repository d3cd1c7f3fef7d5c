"""Whether a map keeps the topology of points in the sense of Aghdam et al. (2017), eq 7."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from advlab.metrics.distances import square
from advlab.metrics.mantel import check_pair

SINGULAR = 1e-12  # smallest pivot over largest up to which a matrix of distances counts as singular


class Preservation(NamedTuple):
    """How far D_out is from a multiple of D_in; every entry (B,) float64.

    Attributes:
        c: tr(alpha) / T, the multiple.
        deviation: ||alpha - c I||_F / ||alpha||_F: 0 for a similarity, at most 1.
        residual: min over c of ||D_out - c D_in||_F / ||D_out||_F, which solves nothing: 0 for a similarity, at most 1.
    """

    c: Tensor
    deviation: Tensor
    residual: Tensor


def preservation(d_in: Tensor, d_out: Tensor, *, squared: bool = False) -> Preservation:
    """alpha = D_in^-1 D_out (eq 7), which is "diagonal with identical values" where the topology is kept.

    The paper scores alpha no further; c, deviation and residual are our summary of it. D_in of random directions is close
    to d (1 1' - I), whose condition number is T - 1: the solve loses nothing in float64.

    Args:
        d_in: (B, T (T - 1) / 2) condensed distances.
        d_out: the same of the mapped points.
        squared: of squared distances, as section 2.3 writes them; those of points in D < T - 2 dimensions are singular.

    Returns:
        NaN where D_in is singular (two points coincide; c and deviation only), D_out is zero or an entry is not finite.

    Raises:
        ValueError: the shapes differ, or T < 3.
    """
    pair = [v.double() for v in check_pair(d_in, d_out)]
    a, b = (v.square() if squared else v for v in pair)
    scale = (a * b).sum(1) / a.square().sum(1)
    norm = torch.linalg.vector_norm
    residual = norm(b - scale[:, None] * a, dim=1) / norm(b, dim=1)
    full = square(a)
    identity = torch.eye(full.shape[1], dtype=full.dtype, device=full.device)
    factors, pivots, _ = torch.linalg.lu_factor_ex(full)
    steps = factors.diagonal(dim1=1, dim2=2).abs()  # a pivot that vanishes beside the largest: singular
    usable = steps.amin(1) > SINGULAR * steps.amax(1)  # NaN is not
    alpha = torch.linalg.lu_solve(factors, pivots, square(b))
    alpha = alpha.masked_fill(~usable[:, None, None], torch.nan)
    c = alpha.diagonal(dim1=1, dim2=2).mean(1)
    deviation = norm(alpha - c[:, None, None] * identity, dim=(1, 2)) / norm(alpha, dim=(1, 2))
    return Preservation(c, deviation, residual)
