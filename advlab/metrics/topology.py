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


class AlphaSolver:
    """alpha = D_in^-1 D_out (eq 7) of one D_in and any D_out, "diagonal with identical values" where the topology is kept.

    The paper scores alpha no further; c, deviation and residual are our summary of it. D_in is factorised once, and solved
    for each D_out. That of random directions is close to d (1 1' - I), whose condition number is T - 1; where points nearly
    coincide, it is theirs that the solve loses digits by.

    Args:
        d_in: (B, T (T - 1) / 2) condensed distances.
        squared: of squared distances, as section 2.3 writes them; those of points in D < T - 2 dimensions are singular.

    Raises:
        ValueError: T < 3, or the shape is no number of pairs.
    """

    def __init__(self, d_in: Tensor, *, squared: bool = False) -> None:
        check_pair(d_in, d_in)
        self.given, self.squared = d_in, squared
        self.d_in = self._distances(d_in)
        full = square(self.d_in)
        self.factors, self.pivots, _ = torch.linalg.lu_factor_ex(full)
        steps = self.factors.diagonal(dim1=1, dim2=2).abs()  # a pivot that vanishes beside the largest: singular
        self.singular = ~(steps.amin(1) > SINGULAR * steps.amax(1))  # as NaN is

    def __call__(self, d_out: Tensor) -> Preservation:
        """Of the same points after a map.

        Args:
            d_out: (B, T (T - 1) / 2) their condensed distances.

        Returns:
            NaN where an entry is not finite; c and deviation where D_in is singular (two points coincide); deviation and
            residual where D_out is zero.

        Raises:
            ValueError: the shapes differ.
        """
        check_pair(self.given, d_out)
        a, b, norm = self.d_in, self._distances(d_out), torch.linalg.vector_norm
        scale = (a * b).sum(1) / a.square().sum(1)
        residual = norm(b - scale[:, None] * a, dim=1) / norm(b, dim=1)
        solvable = torch.isfinite(b).all(1) & ~self.singular
        alpha = torch.linalg.lu_solve(self.factors, self.pivots, square(b))
        alpha.masked_fill_(~solvable[:, None, None], torch.nan)
        diagonal = alpha.diagonal(dim1=1, dim2=2)
        c, length = diagonal.mean(1), norm(alpha, dim=(1, 2))
        diagonal -= c[:, None]
        return Preservation(c, norm(alpha, dim=(1, 2)) / length, residual)

    def _distances(self, condensed: Tensor) -> Tensor:
        values = condensed.double()
        return values.square() if self.squared else values
