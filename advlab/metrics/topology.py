"""How far a map preserves the topology of points, in the sense of Aghdam et al. (2017), eq 7."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from advlab.metrics.distances import squareform
from advlab.metrics.mantel import checked_pair

SINGULAR = 1e-12  # a distance matrix is singular when its smallest pivot over its largest is at most this


class TopologyPreservation(NamedTuple):
    """How far D_out is from a multiple of D_in; every entry is (B,) float64.

    Attributes:
        c: tr(alpha) / T, the multiple.
        deviation: ||alpha - c I||_F / ||alpha||_F: 0 for a similarity, at most 1.
        residual: min over c of ||D_out - c D_in||_F / ||D_out||_F: 0 for a similarity, at most 1. It needs no linear
            system, so that it is accurate where D_in is nearly singular.
    """

    c: Tensor
    deviation: Tensor
    residual: Tensor


class AlphaSolver:
    """Solves D_in alpha = D_out (eq 7) for one D_in and any D_out.

    The paper says that the topology is preserved where alpha is "diagonal with identical values", and scores it no further;
    c, deviation and residual are our summary. D_in is factorised once and serves every D_out. For random directions D_in is
    close to d (1 1' - I), whose condition number is T - 1; where points nearly coincide it is far larger, and the solution
    loses that many digits.

    Args:
        d_in: (B, T (T - 1) / 2) condensed distances.
        squared: use squared distances, as section 2.3 writes them; D_in is then singular for points in D < T - 2 dimensions.

    Raises:
        ValueError: T < 3, or the shape is not (B, T (T - 1) / 2).

    Examples:
        A map that triples all distances of three points, and one that triples only one of them:

        >>> solve = AlphaSolver(torch.tensor([[1.0, 1.0, 1.0]]))
        >>> similarity, other = solve(torch.tensor([[3.0, 3.0, 3.0]])), solve(torch.tensor([[3.0, 1.0, 1.0]]))
        >>> round(similarity.c.item(), 9), round(similarity.deviation.item(), 6), round(similarity.residual.item(), 6)
        (3.0, 0.0, 0.0)
        >>> other.deviation.item() > 0.5, round(other.residual.item() ** 2, 6) == round(1 - 25 / 33, 6)
        (True, True)
    """

    def __init__(self, d_in: Tensor, *, squared: bool = False) -> None:
        checked_pair(d_in, d_in)
        self.condensed, self.squared = d_in, squared
        self.d_in = self._in_double(d_in)
        self.factors, self.row_order, _ = torch.linalg.lu_factor_ex(self._matrices(d_in))
        pivots = self.factors.diagonal(dim1=1, dim2=2).abs()
        self.singular = ~(pivots.amin(1) > SINGULAR * pivots.amax(1))  # True for NaN as well

    def __call__(self, d_out: Tensor) -> TopologyPreservation:
        """How far the map to points of these distances preserves the topology.

        Args:
            d_out: (B, T (T - 1) / 2) condensed distances of the same points after the map.

        Returns:
            All three are NaN where an entry is not finite; c and deviation also where D_in is singular (two points
            coincide); deviation and residual also where D_out is zero.

        Raises:
            ValueError: the shapes differ.
        """
        checked_pair(self.condensed, d_out)
        a, b, norm = self.d_in, self._in_double(d_out), torch.linalg.vector_norm
        best_multiple = torch.linalg.vecdot(a, b) / torch.linalg.vecdot(a, a)
        b_norm = norm(b, dim=1)
        residual = norm(torch.addcmul(b, best_multiple[:, None], a, value=-1), dim=1) / b_norm
        solvable = torch.isfinite(b_norm) & ~self.singular
        alpha = torch.linalg.lu_solve(self.factors, self.row_order, self._matrices(d_out))
        diagonal = alpha.diagonal(dim1=1, dim2=2)
        c, alpha_norm = diagonal.mean(1), norm(alpha, dim=(1, 2))
        diagonal -= c[:, None]  # in place: alpha is alpha - c I from here
        deviation = norm(alpha, dim=(1, 2)) / alpha_norm
        c, deviation = (values.masked_fill_(~solvable, torch.nan) for values in (c, deviation))
        return TopologyPreservation(c, deviation, residual)

    def _matrices(self, condensed: Tensor) -> Tensor:
        """(B, T, T) of them in float64, laid out by columns, as LAPACK has them: these are symmetric."""
        return self._in_double(squareform(condensed)).mT

    def _in_double(self, condensed: Tensor) -> Tensor:
        """Float64 distances, squared where that is asked for."""
        values = condensed.double()
        return values.square() if self.squared else values
